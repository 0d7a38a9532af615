"""An export of the audit chains of a project or a ledger: a file that is judged alone, offline, by a trust folder.

JSON lines in one order and one spelling, so that every byte of the file counts:

    head     format, project or ledger, number of records
    records  chain by chain in order: place, offset, running number, type, event id, certificate, entry, and the raw
             value as it stood on the bus
    root     the newest sealed root over all chains of the owner: lengths, path, seal, certificate

Only what a sealed root covers is in it; nothing in it is outside the seal. The seals of departments over records that
stayed on the platform are judged as well, each over the decision that the file tells of, and so are the own signatures
of officers, each over its act: who has the platform's own seal does not have theirs.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from contracts.codes import Sha256
from contracts.department_worker import ItemApproved, ItemDecided
from contracts.envelope import Event
from contracts.signing import SealCompleted
from contracts.terms import Ledger
from evidence import algorithms, audit, hash_tree, records, seals, step_up
from evidence.audit import Head, Place, Record, Root
from evidence.certificates import NotTrusted, parse
from evidence.seals import Holds, NoProof, signer_of
from evidence.step_up import NotOwn, SignedAct

Said = TypeVar("Said", bound=Event)

FORMAT: Final = "lianshen-audit/1"
LARGEST_LINE: Final = 2 * 1024 * 1024
MOST_FINDINGS: Final = 100


class Fault(StrEnum):
    """What is wrong with an export, or with one record of it."""

    MALFORMED = "MALFORMED"
    CHANGED = "CHANGED"
    MISSING = "MISSING"
    MOVED = "MOVED"
    REORDERED = "REORDERED"
    DUPLICATED = "DUPLICATED"
    TRUNCATED = "TRUNCATED"
    ADDED = "ADDED"
    ROOT = "ROOT"
    SEAL = "SEAL"
    OFFICER = "OFFICER"
    CERTIFICATE = "CERTIFICATE"


class Finding(NamedTuple):
    """One fault: which line of the file (from 1), which place, in words."""

    fault: Fault
    line: int
    detail: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """The root that an export rests on: the owner's place in its tree, and its seal."""

    root: Root
    index: int
    leaves: int
    path: tuple[bytes, ...]
    algorithm: str
    signature: bytes
    certificate: str
    certificate_der: bytes


class Judged(NamedTuple):
    """What an export is: whose, how many records, as of when, sealed by whom, and every fault that was found."""

    owner: str
    records: int
    closed_at: str
    signer: str
    findings: tuple[Finding, ...]


# Writing --------------------------------------------------------------------------------------------------------


def written(owner: str, records: Sequence[Record], sealed: Sealed) -> bytes:
    """Return the export of `records`, each chain in its order and as long as the root closed it."""
    lines: list[dict[str, Any]] = [{"format": FORMAT, _named(owner): owner, "records": len(records)}]
    heads: dict[Place, Head] = {}
    for record in audit.in_order(records):
        heads |= audit.extended(owner, heads, [record])
        lines.append(_record_line(record, heads[record.place]))
    lines.append(_root_line(sealed, heads))
    return b"".join(_spelled(line) for line in lines)


def _named(owner: str) -> str:
    """Return by which field the head names whose chains these are."""
    return "ledger" if owner in frozenset(Ledger) else "project_code"


def _record_line(record: Record, head: Head) -> dict[str, Any]:
    return {
        "topic": record.place.topic,
        "partition": record.place.partition,
        "offset": record.offset,
        "number": head.entries,
        "type": record.type,
        "event_id": record.event_id,
        "certificate": _spoken(json.loads(record.value))[1],
        "entry": head.last.hex(),
        "value": record.value.decode(),
    }


def _root_line(sealed: Sealed, heads: Mapping[Place, Head]) -> dict[str, Any]:
    return {
        **sealed.root._asdict(),
        "chains": [[place.topic, place.partition, heads[place].entries] for place in sorted(heads)],
        "index": sealed.index,
        "leaves": sealed.leaves,
        "path": [one.hex() for one in sealed.path],
        "algorithm": sealed.algorithm,
        "signature": sealed.signature.hex(),
        "certificate": sealed.certificate,
        "certificate_der": base64.b64encode(sealed.certificate_der).decode(),
    }


def _spelled(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


# Judging --------------------------------------------------------------------------------------------------------


class Trusts(NamedTuple):
    """Who is trusted to seal, and who to log in, at an instant."""

    seals: Holds
    persons: Holds


def judged(file: bytes, trusts: Trusts) -> Judged:
    """Judge an export: every fault that is found, at most a hundred, the first ones first."""
    reading = _Reading()
    lines = file.split(b"\n")
    if lines.pop() != b"":
        reading.find(Fault.TRUNCATED, len(lines) + 1, "the file ends in the middle of a line")
    for number, line in enumerate(lines, 1):
        reading.take(number, line, is_last=number == len(lines))
    reading.end(len(lines), trusts)
    told = (reading.owner, reading.records, reading.closed_at, reading.signer)
    return Judged(*told, tuple(reading.findings[:MOST_FINDINGS]))


class _Reading:
    """An export while it is read: how far each chain is, and what was found."""

    def __init__(self) -> None:
        self.owner, self.closed_at, self.signer = "", "", ""
        self.records = self.declared = 0
        self.findings: list[Finding] = []
        self._heads: dict[Place, Head] = {}
        self._decided: dict[UUID, Sha256] = {}
        self._seals: list[tuple[int, SealCompleted]] = []
        self._acts: list[tuple[int, SignedAct]] = []
        self._at: Place | None = None
        self._root: Mapping[str, Any] | None = None

    def find(self, fault: Fault, line: int, detail: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(fault, line, detail))

    def take(self, number: int, line: bytes, *, is_last: bool) -> None:
        """Read one line: the head first, the root last, records between."""
        try:
            fields = _read(line)
            if number == 1:
                self._begin(number, fields)
            elif "chains" in fields:
                self._root = fields if is_last else self._out_of_place(number)
            else:
                self._follow(number, *_record(fields))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as trouble:
            self.find(Fault.MALFORMED, number, f"this line is not of an export: {trouble!r}"[:200])

    def _begin(self, number: int, fields: Mapping[str, Any]) -> None:
        told, self.owner, self.declared = fields.values()
        _whole(self.declared)
        if told != FORMAT or list(fields) != ["format", _named(self.owner), "records"]:
            self.find(Fault.MALFORMED, number, f"the format is not {FORMAT}")

    def _out_of_place(self, number: int) -> None:
        self.find(Fault.MOVED, number, "the root does not stand at the end")

    def _follow(self, line: int, record: Record, number: int, entry: bytes) -> None:
        """Hold one record against the chain that it continues."""
        self.records += 1
        place, where = record.place, f"{record.place}@{record.offset}, {record.type} {record.event_id}"
        if self._at is not None and place < self._at:
            self.find(Fault.MOVED, line, f"{where} stands behind records of {self._at}")
        self._at = place if self._at is None else max(self._at, place)
        head = self._heads.get(place) or audit.beginning(self.owner, place)
        if number == head.entries + 1:
            if audit.entry(head.last, record) != entry:
                self.find(Fault.CHANGED, line, f"{where} is not what was said")
        elif number > head.entries + 1:
            self.find(Fault.MISSING, line, f"{place}: {head.entries + 1} to {number - 1} are missing before {where}")
        else:
            fault = Fault.DUPLICATED if number == head.entries and entry == head.last else Fault.REORDERED
            self.find(fault, line, f"{where} is number {number} and comes after {head.entries}")
            return
        self._heads[place] = Head(number, entry)
        self._note(line, record)

    def _note(self, line: int, record: Record) -> None:
        """Remember the digest of what was decided, each seal over such a record, and what officers signed."""
        act = _said(ItemDecided, record) or _said(ItemApproved, record)
        if act is not None and act.own_signature is not None:
            self._acts.append((line, act))
        if isinstance(act, ItemDecided):
            self._decided[act.seal_request_id] = records.digest_of(act)
        elif (seal := _said(SealCompleted, record)) and seal.certificate_der is not None:
            self._seals.append((line, seal))

    def end(self, lines: int, trusts: Trusts) -> None:
        """Hold seals and signatures to what they are over, the chains against the root, and the root against its
        seal."""
        if self.records != self.declared:
            self.find(Fault.TRUNCATED, lines, f"{self.declared} records were exported, {self.records} are here")
        for line, seal in self._seals:
            self._hold(line, seal, trusts.seals)
        for line, act in self._acts:
            self._hold_act(line, act, trusts.persons)
        if self._root is None:
            self.find(Fault.TRUNCATED, lines + 1, "the sealed root is missing")
            return
        try:
            sealed, chains = _sealed(self._root)
            self._lengths(lines, chains)
            self._seal(lines, sealed, trusts.seals)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as trouble:
            self.find(Fault.MALFORMED, lines, f"the root's line is not of an export: {trouble!r}"[:200])

    def _hold(self, line: int, seal: SealCompleted, holds: Holds) -> None:
        """Hold a department's seal to its certificate and to the decision that it is over."""
        try:
            seals.judge(seal, bytes.fromhex(self._decided.get(seal.request_id, seal.digest)), holds)
        except NotTrusted as trouble:
            self.find(Fault.CERTIFICATE, line, f"the certificate of the seal on {seal.request_id}: {trouble}")
        except NoProof as trouble:
            self.find(Fault.SEAL, line, f"the seal on {seal.request_id} is not over what was decided: {trouble}")

    def _hold_act(self, line: int, act: SignedAct, holds: Holds) -> None:
        """Hold an officer's own signature to its act (Art. 20)."""
        try:
            step_up.hold(act, holds)
        except NotTrusted as trouble:
            self.find(Fault.CERTIFICATE, line, f"the certificate of the officer who signed {act.event_id}: {trouble}")
        except NotOwn as trouble:
            self.find(Fault.OFFICER, line, f"the officer's signature is not over {act.event_id}: {trouble}")

    def _lengths(self, line: int, chains: Mapping[Place, int]) -> None:
        for place in sorted(chains.keys() | self._heads.keys()):
            closed, here = chains.get(place, 0), self._heads.get(place, Head(0, b"")).entries
            if here < closed:
                fault = Fault.TRUNCATED if here else Fault.MISSING
                self.find(fault, line, f"{place}: {closed} entries were sealed, {here} are here")
            elif here > closed:
                self.find(Fault.ADDED, line, f"{place}: {closed} entries were sealed, {here} are here")

    def _seal(self, line: int, sealed: Sealed, holds: Holds) -> None:
        self.closed_at = sealed.root.closed_at
        leaf = audit.leaf(self.owner, self._heads)
        try:
            tree = hash_tree.root_from(leaf, sealed.index, sealed.leaves, sealed.path)
            signer = parse(sealed.certificate_der)
            holds(signer, datetime.fromisoformat(sealed.root.closed_at))
        except hash_tree.WrongShape as trouble:
            self.find(Fault.ROOT, line, f"the path leads nowhere: {trouble}")
            return
        except NotTrusted as trouble:
            self.find(Fault.CERTIFICATE, line, f"the seal's certificate is not trusted: {trouble}")
            return
        self.signer = f"{signer.holder} ({signer.serial})"
        digest = audit.signed(sealed.root, tree)
        if sealed.certificate != signer.serial or sealed.algorithm != signer.algorithm:
            self.find(Fault.SEAL, line, "the seal names another certificate or algorithm than the one beside it")
        elif not algorithms.verifies(signer.algorithm, signer_of(signer).key, sealed.signature, digest):
            self.find(Fault.SEAL, line, "the seal is not over these chains")


def _said(kind: type[Said], record: Record) -> Said | None:
    """Return what a record says, if it is of that kind and can be understood."""
    if record.type != kind.__name__:
        return None
    try:
        return kind.model_validate_json(record.value, extra="ignore")
    except ValueError:
        return None


def _read(line: bytes) -> Mapping[str, Any]:
    if len(line) > LARGEST_LINE:
        raise ValueError(f"{len(line)} bytes")
    fields = json.loads(line)
    if not isinstance(fields, dict) or _spelled(fields) != line + b"\n":
        raise ValueError("not spelled as an export is")
    return fields


_ACTORS: Final = ("actor", "approved_by", "reported_by")
"""Where an event says who acted; of two persons it is the one by whose word it counts."""
_RECORD: Final = ["topic", "partition", "offset", "number", "type", "event_id", "certificate", "entry", "value"]


def _record(fields: Mapping[str, Any]) -> tuple[Record, int, bytes]:
    """Return a record, its running number and its entry, of a line that says of the record what its value says."""
    if list(fields) != _RECORD:
        raise ValueError(f"the fields are {list(fields)}")
    topic, partition, offset, number, kind, event_id, certificate, entry, value = fields.values()
    _whole(partition, offset, number)
    raw = value.encode()
    if (event_id, certificate) != (said := _spoken(json.loads(value))):
        raise ValueError(f"the value is {said[0]} by {said[1]}")
    return Record(Place(topic, partition), offset, kind, event_id, raw), number, _digest(entry)


def _spoken(value: Mapping[str, Any]) -> tuple[str, str]:
    """Return what an event says of itself: its id, and the certificate that acted ('' where nobody did)."""
    acted = (value.get(name) for name in _ACTORS)
    certificate = next((one.get("certificate", "") for one in acted if isinstance(one, dict)), "")
    return value["event_id"], certificate


_SEAL: Final = ["algorithm", "signature", "certificate", "certificate_der"]
_ROOT: Final = ["number", "closed_at", "previous", "chains", "index", "leaves", "path", *_SEAL]


def _sealed(fields: Mapping[str, Any]) -> tuple[Sealed, dict[Place, int]]:
    if list(fields) != _ROOT:
        raise ValueError(f"the fields are {list(fields)}")
    der = base64.b64decode(fields["certificate_der"], validate=True)
    if base64.b64encode(der).decode() != fields["certificate_der"]:
        raise ValueError("the certificate is not spelled in the one way")
    chains = {Place(topic, partition): entries for topic, partition, entries in fields["chains"]}
    if [[*place, entries] for place, entries in sorted(chains.items())] != fields["chains"]:
        raise ValueError("the chains are not in order")
    _whole(fields["number"], fields["index"], fields["leaves"], *chains.values(), *(one.partition for one in chains))
    root = Root(fields["number"], fields["closed_at"], fields["previous"])
    path = tuple(_digest(one) for one in fields["path"])
    seal = (fields["algorithm"], _hex(fields["signature"]), fields["certificate"], der)
    return Sealed(root, fields["index"], fields["leaves"], path, *seal), chains


def _whole(*numbers: object) -> None:
    if any(type(one) is not int for one in numbers):
        raise ValueError("a number is not whole")


def _digest(text: str) -> bytes:
    value = _hex(text)
    if len(value) != 32:
        raise ValueError("not a digest")
    return value


def _hex(text: str) -> bytes:
    value = bytes.fromhex(text)
    if value.hex() != text:
        raise ValueError("not spelled in the one way")
    return value
