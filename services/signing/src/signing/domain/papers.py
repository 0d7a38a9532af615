"""What may bear which seal: registered decision or notice, grant of the seal, officer (Art. 10, 14, 16, 18).

There is no way to have anything else signed: signing names the reason and uses no token. A record, which no file goes
with, is signed by its digest alone; so signing makes that digest itself, of the decision that was said, and no caller
has the token sign a digest of its own.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias
from uuid import UUID

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, Sha256
from contracts.department_worker import ItemDecided, SealRequested
from contracts.envelope import derived_id
from contracts.intake import WindowDocumentRequested
from contracts.signing import RosterEntry, SealRejected
from contracts.terms import DocumentKind, Outcome, SealForm
from evidence import records, step_up
from evidence.certificates import NotTrusted
from evidence.seals import Holds
from evidence.step_up import NotOwn
from procedure.notices import NOTICED, NOTICES, OF_THE_WINDOW, WINDOW, NoticedStep, request_id_of
from procedure.refusals import Refusal
from procedure.roster import may_handle

RECORDS: Final = frozenset({DocumentKind.OPINION, DocumentKind.REFUSAL})
"""What may stay on the platform without a file: what a consulted department says, also when it objects (Art. 14)."""
Span: TypeAlias = tuple[datetime, datetime | None]
"""From when to when a certificate did not count; open while it does not."""
COLUMNS: Final = ("seal", "jurisdiction", "department", "kinds", "since", "until")


class NotRegistered(Refusal):
    """该文书未经登记，或者与所登记的决定不符，不予签章"""

    article = "第十条"


class SealNotGranted(Refusal):
    """印章“{seal}”未获授权用于该机关的这类文书，或者授权尚未生效、已经失效，不予签章"""

    article = "第十六条"


class OfficerNotOnRoster(Refusal):
    """作出决定的人员不在责任人名单上，不予签章"""

    article = "第十八条"


class OfficerSuspended(Refusal):
    """作出决定时，决定人员的证书已经挂失，不予签章"""

    article = "第二十条"


class OfficerSignatureWrong(Refusal):
    """决定所附的本人签名与该决定不符，不予签章"""

    article = "第二十条"


class OfficerSignatureMissing(Refusal):
    """该机关的决定须由经办人用本人的 CA 锁签名，没有本人签名，不予签章"""

    article = "第十九条"


class SealNotTrusted(Refusal):
    """印章“{seal}”的证书不受信任，不予签章：{why}"""

    article = "第二十条"


class GrantsInvalid(ValueError):
    """The file of grants has a defect: line and reason."""


class Proof(StrEnum):
    """What a decision brought of its officer's own signature: one over this very decision, another, or none."""

    OWN = "OWN"
    WRONG = "WRONG"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Systems:
    """Departments whose own systems decide, and whose officers sign there and not here: `210281.GHJ`, those of a place
    (`210281.*`), or all (`*`)."""

    named: frozenset[str]

    def decide(self, decision: "Decision") -> bool:
        """Whether a decision may come without its officer's signature."""
        place = decision.jurisdiction
        return not self.named.isdisjoint({"*", f"{place}.*", f"{place}.{decision.department}"})


@dataclass(frozen=True, slots=True)
class Decision:
    """What was said to be decided, or has to be told in a `notice` of that kind, and waits for a seal; what the window
    is asked for names no item. `record` is the digest of a decision's record, `proof` what became of its officer's own
    signature."""

    request_id: UUID
    item_id: UUID | None
    item_code: ItemCode | None
    jurisdiction: JurisdictionCode
    department: DepartmentCode
    outcome: Outcome | None
    certificate: str
    decided_at: datetime
    special: bool
    notice: DocumentKind | None = None
    record: Sha256 | None = None
    proof: Proof = Proof.NONE


@dataclass(frozen=True, slots=True)
class Grant:
    """Whose documents of which kinds a seal may stand on, from and until when (Art. 16)."""

    seal: str
    jurisdiction: JurisdictionCode
    department: DepartmentCode
    kinds: frozenset[DocumentKind]
    since: datetime
    until: datetime | None

    def covers(self, request: SealRequested, decision: Decision, at: datetime) -> bool:
        """Whether it lets the request's seal onto its document at `at`."""
        whose = (self.seal, self.jurisdiction, self.department)
        if whose != (request.seal, decision.jurisdiction, decision.department):
            return False
        return request.document_kind in self.kinds and self.since <= at and (self.until is None or at < self.until)


def decision_of(event: ItemDecided | NoticedStep, persons: Holds) -> Decision:
    """Return what a step registers for a seal: its decision, or its notice. `persons` raises NotTrusted for a
    certificate that nobody logs in with at an instant."""
    if isinstance(event, ItemDecided):
        special, record = event.special_handling is not None, records.digest_of(event)
        made = _registered(event, event.seal_request_id, event.outcome, special=special, record=record)
        return replace(made, proof=_proof(event, persons))
    return _registered(event, request_id_of(event), notice=NOTICED[type(event)])


def _proof(decided: ItemDecided, persons: Holds) -> Proof:
    if decided.own_signature is None:
        return Proof.NONE
    try:
        step_up.hold(decided, persons)
    except (NotTrusted, NotOwn):
        return Proof.WRONG
    return Proof.OWN


def _registered(
    event: ItemDecided | NoticedStep,
    request_id: UUID,
    outcome: Outcome | None = None,
    *,
    special: bool = False,
    notice: DocumentKind | None = None,
    record: Sha256 | None = None,
) -> Decision:
    return Decision(
        request_id=request_id,
        item_id=event.item_id,
        item_code=event.item_code,
        jurisdiction=event.jurisdiction,
        department=event.department,
        outcome=outcome,
        certificate=event.actor.certificate,
        decided_at=event.at,
        special=special,
        notice=notice,
        record=record,
    )


EVERYWHERE: Final = Systems(frozenset({"*"}))


def asked_of_the_window(event: WindowDocumentRequested) -> Decision:
    """Return what a request for a document of the window registers for its seal (Art. 9, 10)."""
    return Decision(
        request_id=event.request_id,
        item_id=None,
        item_code=None,
        jurisdiction=event.jurisdiction,
        department=WINDOW,
        outcome=None,
        certificate=event.actor.certificate,
        decided_at=event.at,
        special=False,
        notice=event.kind,
    )


def hold(
    request: SealRequested,
    decision: Decision | None,
    grants: Iterable[Grant],
    entries: Sequence[RosterEntry],
    at: datetime,
    suspended: Iterable[Span] = (),
    systems: Systems = EVERYWHERE,
) -> None:
    """Hold a request to its decision, the grants at `at`, and to who decided: its own signature unless one of the
    `systems` decided, its `entries`, and when its certificate was `suspended`. A worker may hear of a loss two seconds
    late; what it let through until then is not sealed.

    Raises NotRegistered, SealNotGranted, OfficerSignatureWrong, OfficerSignatureMissing, OfficerNotOnRoster or
    OfficerSuspended.
    """
    if decision is None or not _is_of(request, decision):
        raise NotRegistered
    if not any(grant.covers(request, decision, at) for grant in grants):
        raise SealNotGranted(seal=request.seal)
    _hold_proof(decision, systems)
    if not _has_its_officer(decision, entries):
        raise OfficerNotOnRoster
    if _is_suspended(decision, suspended):
        raise OfficerSuspended


def _hold_proof(decision: Decision, systems: Systems) -> None:
    """Hold a decision to its officer's own signature; special handling is decided by several, and notices by none."""
    if decision.proof is Proof.WRONG:
        raise OfficerSignatureWrong
    is_an_officers = decision.outcome is not None and not decision.special
    if is_an_officers and decision.proof is Proof.NONE and not systems.decide(decision):
        raise OfficerSignatureMissing


def _is_suspended(decision: Decision, suspended: Iterable[Span]) -> bool:
    if decision.item_code is None:  # what the window gives says what the platform recorded, whoever asks for it
        return False
    return is_within(decision.decided_at, suspended)


def is_within(at: datetime, suspended: Iterable[Span]) -> bool:
    """Whether a certificate did not count at an instant."""
    return any(since <= at and (until is None or at < until) for since, until in suspended)


def _has_its_officer(decision: Decision, entries: Sequence[RosterEntry]) -> bool:
    """Whether who decided was on the roster; special handling has its own authority, and what the window gives says
    what the platform recorded, whoever asks for it."""
    if decision.special or decision.item_code is None:
        return True
    place = (decision.jurisdiction, decision.department, decision.item_code)
    return may_handle(entries, decision.decided_at, *place)


def _is_of(request: SealRequested, decision: Decision) -> bool:
    what = (request.item_id, request.item_code, request.actor.certificate)
    return (
        what == (decision.item_id, decision.item_code, decision.certificate)
        and request.seal == f"{decision.jurisdiction}.{decision.department}"
        and _is_kind_of(request.document_kind, decision)
        and _is_form_of(request, decision)
    )


def _is_kind_of(kind: DocumentKind, decision: Decision) -> bool:
    """Whether a document is of the kind that was registered: that notice, or a decision's and of its outcome."""
    if decision.notice is not None or kind in NOTICES | OF_THE_WINDOW:
        return kind is decision.notice
    return (kind is DocumentKind.REFUSAL) == (decision.outcome is Outcome.REFUSED)


def _is_form_of(request: SealRequested, decision: Decision) -> bool:
    """Whether it is asked for in the form of its kind: an opinion is no file, and a record is the decision's own."""
    if request.form is SealForm.PDF:
        return request.document_kind is not DocumentKind.OPINION
    return request.document_kind in RECORDS and request.digest == decision.record


def rejected(request: SealRequested, refusal: Refusal, at: datetime) -> SealRejected:
    """Return the answer to a request that is refused."""
    return SealRejected(
        event_id=derived_id("seal-rejected", request.request_id),
        causation_id=request.event_id,
        occurred_at=at,
        project_code=request.project_code,
        request_id=request.request_id,
        item_id=request.item_id,
        item_code=request.item_code,
        code=refusal.code,
        message=refusal.message,
    )


def grants_of(name: str, text: str) -> list[Grant]:
    """Return the grants in a CSV with the columns seal, jurisdiction, department, kinds, since, until. Raises
    GrantsInvalid with file, line and reason."""
    reader = csv.DictReader(io.StringIO(text))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise GrantsInvalid(f"{name}:1 columns must be {','.join(COLUMNS)}")
    return [_grant(f"{name}:{reader.line_num}", row) for row in reader]


def _grant(place: str, row: dict[str, str]) -> Grant:
    try:
        return Grant(
            seal=row["seal"],
            jurisdiction=JurisdictionCode(row["jurisdiction"]),
            department=DepartmentCode(row["department"]),
            kinds=frozenset(map(DocumentKind, row["kinds"].split())),
            since=_instant(row["since"]),
            until=_instant(row["until"]) if row["until"] else None,
        )
    except (ValueError, TypeError, AttributeError) as wrong:
        raise GrantsInvalid(f"{place} {wrong}") from wrong


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return at
