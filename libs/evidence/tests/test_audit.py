"""An export of audit chains is whole, or it is found where it is not."""

import base64
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from contracts.codes import Sha256
from contracts.department_worker import ItemApproved, ItemDecided
from contracts.envelope import Event
from contracts.signing import BatchProof, SealCompleted
from contracts.terms import DocumentKind, SealForm
from evidence import audit, bundle, hash_tree, records, trust
from evidence.audit import NO_ROOT, Head, Place, Record, Root
from evidence.bundle import Fault, Judged, Sealed, Trusts, judged, written
from evidence.certificates import Certificate, Purpose
from evidence.hash_tree import Tree
from evidence.seals import Holds
from evidence.testing import NOW, Authority, revoked, trust_folder
from evidence.testing_acts import signed
from evidence.testing_documents import Signer
from local.samples import sample

PROJECT, LEDGER = "2018-210281-47-03-000123", "identity"
TOPICS = (
    ("approval.applications.v1", 2),
    ("approval.items.v1", 2),
    ("approval.notices.v1", 0),
    ("approval.notices.v1", 3),
)
ISSUER = Authority("Issuing", Authority())
KEY = ec.generate_private_key(ec.SECP256R1())
SEALER = ISSUER.issue("联审平台", Purpose.SEAL, key=KEY.public_key())


def record(place: Place, offset: int) -> Record:
    actor = {"actor": {"holder": "张三", "certificate": f"5A{offset % 3}"}} if offset % 2 else {}
    value = {"event_id": f"00000000-0000-0000-{place.partition:04}-{offset:012}", "opinion": "同意", **actor}
    raw = json.dumps(value, ensure_ascii=offset % 5 == 0).encode()
    return Record(place, offset, "ItemDecided", value["event_id"], raw)


RECORDS = [record(Place(*named), 10 + 3 * step) for named in TOPICS for step in range(6)]


def sealed(records: list[Record], signer: Certificate = SEALER, owner: str = PROJECT) -> Sealed:
    heads: dict[Place, Head] = audit.extended(owner, {}, records)
    leaves = [audit.leaf(f"other {number}", heads) for number in range(6)]
    leaves.insert(3, audit.leaf(owner, heads))
    tree, root = Tree(leaves), Root(7, NOW.isoformat(), NO_ROOT)
    signature = KEY.sign(audit.signed(root, tree.root), ec.ECDSA(Prehashed(SHA256())))
    seal = ("ecdsa-p256-sha256", signature, signer.serial, signer.der)
    return Sealed(root, 3, len(leaves), tree.path(3), *seal)


FILE = written(PROJECT, RECORDS, sealed(RECORDS))


@pytest.fixture(scope="module")
def holds(tmp_path_factory: pytest.TempPathFactory) -> Trusts:
    return trusting(tmp_path_factory.mktemp("trust"), ISSUER)


def trusting(folder: Path, issuer: Authority) -> Trusts:
    listed = trust.load(trust_folder(folder, issuer))
    revocations = listed.revocations()

    def held_to(purpose: Purpose) -> Holds:
        return lambda certificate, at: listed.hold(certificate, purpose, at, revocations)

    return Trusts(held_to(Purpose.SEAL), held_to(Purpose.LOGIN))


def faults(file: bytes, holds: Trusts) -> set[Fault]:
    return {one.fault for one in judged(file, holds).findings}


def test_an_export_as_it_was_written_is_whole(holds: Trusts) -> None:
    expected = Judged(PROJECT, len(RECORDS), NOW.isoformat(), f"联审平台 ({SEALER.serial})", ())
    assert judged(FILE, holds) == expected


def test_a_ledger_is_exported_and_judged_as_a_project_is(holds: Trusts) -> None:
    file = written(LEDGER, RECORDS, sealed(RECORDS, owner=LEDGER))
    assert judged(file, holds)[:2] == (LEDGER, len(RECORDS)) and judged(file, holds).findings == ()
    assert Fault.MALFORMED in faults(file.replace(b'"ledger":', b'"project_code":', 1), holds)
    assert Fault.SEAL in faults(file.replace(b'"identity"', b'"calendar"', 1), holds)


@pytest.mark.parametrize("named", ["actor", "approved_by", "reported_by"])
def test_a_record_names_the_certificate_of_who_acted(named: str, holds: Trusts) -> None:
    who = {"holder": "李四", "certificate": "5A7"}
    value = {"event_id": "1", named: who, "requested_by": {"holder": "张三", "certificate": "5A8"}}
    one = Record(Place("approval.identity.v1", 0), 1, "Told", "1", json.dumps(value).encode())
    file = written(LEDGER, [one], sealed([one], owner=LEDGER))
    assert json.loads(file.splitlines()[1])["certificate"] == "5A7" and judged(file, holds).findings == ()


@pytest.mark.parametrize("spelled", ["1.0", "true"])
def test_the_number_of_records_is_spelled_in_one_way(spelled: str, holds: Trusts) -> None:
    one = written(PROJECT, RECORDS[:1], sealed(RECORDS[:1]))
    assert faults(one, holds) == set()
    other = one.replace(b'"records":1}', b'"records":%s}' % spelled.encode(), 1)
    assert other != one and Fault.MALFORMED in faults(other, holds)


def test_raw_values_stand_in_it_as_they_stood_on_the_bus() -> None:
    values = [json.loads(line)["value"].encode() for line in FILE.splitlines()[1:-1]]
    assert values == [one.value for one in audit.in_order(RECORDS)]


def test_a_flipped_bit_is_found_wherever_it_is(holds: Trusts) -> None:
    chance = random.Random(5)
    places = [chance.randrange(len(FILE)) for _ in range(2500)]
    assert not faults(_flipped(FILE, places[0], 0), holds), "what was not changed is not found: the scale can tip"
    missed = [place for place in places if not faults(_flipped(FILE, place, 1 << chance.randrange(8)), holds)]
    assert missed == []


def test_a_changed_byte_of_the_seal_is_found_at_every_place(holds: Trusts) -> None:
    start = FILE.rindex(b'{"number"')
    chance = random.Random(6)
    missed = [at for at in range(start, len(FILE)) if not faults(_flipped(FILE, at, chance.randrange(1, 256)), holds)]
    assert missed == []


def _flipped(file: bytes, place: int, bits: int) -> bytes:
    changed = bytearray(file)
    changed[place] ^= bits
    return bytes(changed)


LINES = FILE.splitlines(keepends=True)


def exchanged(one: int, other: int) -> bytes:
    lines = list(LINES)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def with_line(place: int, **changes: Any) -> bytes:
    fields = json.loads(LINES[place]) | changes
    spelled = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    return b"".join([*LINES[:place], spelled, *LINES[place + 1 :]])


def with_records(records: list[Record]) -> bytes:
    """What somebody can write who has no key: other records with chains of their own under the seal that was there."""
    return written(
        PROJECT, records, replace(sealed(RECORDS), signature=bytes.fromhex(json.loads(LINES[-1])["signature"]))
    )


FORGED = RECORDS[4]._replace(value=RECORDS[4].value + b" ")
TAMPERED: dict[str, tuple[Callable[[], bytes], Fault, int]] = {
    "a changed word": (lambda: with_line(5, value=json.loads(LINES[5])["value"] + " "), Fault.CHANGED, 5),
    "another offset": (lambda: with_line(5, offset=11), Fault.CHANGED, 5),
    "another type": (lambda: with_line(5, type="ItemApproved"), Fault.CHANGED, 5),
    "another certificate": (lambda: with_line(5, certificate="5A9"), Fault.MALFORMED, 5),
    "another entry": (lambda: with_line(5, entry="00" * 32), Fault.CHANGED, 5),
    "a missing record": (lambda: b"".join(LINES[:4] + LINES[5:]), Fault.MISSING, 4),
    "two in the other order": (lambda: exchanged(3, 4), Fault.REORDERED, 4),
    "one twice": (lambda: b"".join([*LINES[:5], LINES[4], *LINES[5:]]), Fault.DUPLICATED, 5),
    "one in another topic": (lambda: with_line(5, topic="approval.items.v1"), Fault.MISSING, 5),
    "a topic elsewhere": (lambda: b"".join([LINES[0], *LINES[7:13], *LINES[1:7], *LINES[13:]]), Fault.MOVED, 7),
    "a topic's end cut off": (lambda: b"".join(LINES[:6] + LINES[7:]), Fault.TRUNCATED, 24),
    "a topic left out": (lambda: b"".join(LINES[:1] + LINES[7:]), Fault.MISSING, 19),
    "the file's end cut off": (lambda: FILE[:-9], Fault.TRUNCATED, 25),
    "the seal cut off": (lambda: b"".join(LINES[:-1]), Fault.TRUNCATED, 25),
    "all but the head cut off": (lambda: LINES[0], Fault.TRUNCATED, 1),
    "nothing": (lambda: b"", Fault.TRUNCATED, 0),
    "a line after the seal": (lambda: FILE + LINES[3], Fault.MOVED, 26),
    "another project": (lambda: with_line(0, project_code="2018-210281-47-03-000124"), Fault.CHANGED, 1),
    "a ledger for a project": (lambda: with_line(0, project_code="identity"), Fault.MALFORMED, 0),
    "another format": (lambda: with_line(0, format="lianshen-audit/2"), Fault.MALFORMED, 0),
    "another instant of closing": (lambda: with_line(25, closed_at="2026-05-01T08:00:01+00:00"), Fault.SEAL, 25),
    "another number of the root": (lambda: with_line(25, number=8), Fault.SEAL, 25),
    "another place in the tree": (lambda: with_line(25, index=2), Fault.SEAL, 25),
    "a tree of another size": (lambda: with_line(25, leaves=40), Fault.ROOT, 25),
    "another signer's name": (lambda: with_line(25, certificate="FF"), Fault.SEAL, 25),
    "another algorithm": (lambda: with_line(25, algorithm="rsa-sha256"), Fault.SEAL, 25),
    "chains made anew over a changed record": (
        lambda: with_records([FORGED if one is RECORDS[4] else one for one in RECORDS]),
        Fault.SEAL,
        25,
    ),
    "chains made anew without their last records": (lambda: with_records(RECORDS[:-1]), Fault.SEAL, 24),
    "chains made anew with a record more": (
        lambda: with_records([*RECORDS, record(Place(*TOPICS[0]), 99)]),
        Fault.SEAL,
        26,
    ),
    "chains made anew without a topic": (lambda: with_records(RECORDS[:-6]), Fault.SEAL, 19),
    "noise": (lambda: b"{" * 5000 + b"\n", Fault.MALFORMED, 0),
    "a bomb": (lambda: b"[" * 1_000_000 + b"\n", Fault.MALFORMED, 0),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_what_was_tampered_with_is_found_and_its_place_is_said(case: str, holds: Trusts) -> None:
    make, fault, line = TAMPERED[case]
    assert (fault, line + 1) in {(one.fault, one.line) for one in judged(make(), holds).findings}


def test_a_hundred_faults_are_enough(holds: Trusts) -> None:
    assert len(judged(b"x\n" * 100_000, holds).findings) == bundle.MOST_FINDINGS


def test_a_seal_is_trusted_only_by_a_listed_issuer(tmp_path: Path) -> None:
    stranger = trusting(tmp_path, Authority("Issuing", Authority()))
    [found] = judged(FILE, stranger).findings
    assert found.fault is Fault.CERTIFICATE and "UNKNOWN_CA" in found.detail


def test_a_seal_by_a_certificate_that_is_not_for_seals_is_refused(holds: Trusts) -> None:
    login = ISSUER.issue("联审平台", Purpose.LOGIN, key=KEY.public_key())
    [found] = judged(written(PROJECT, RECORDS, sealed(RECORDS, login)), holds).findings
    assert found.fault is Fault.CERTIFICATE and "WRONG_PURPOSE" in found.detail


def test_a_seal_by_a_revoked_key_is_refused(tmp_path: Path) -> None:
    folder = trust_folder(tmp_path, ISSUER)
    (folder / "issuing.crl").write_bytes(ISSUER.revocations([revoked(SEALER, NOW)]))
    listed = trust.load(folder)
    revocations = listed.revocations()
    held = Trusts(*[lambda one, at: listed.hold(one, Purpose.SEAL, at, revocations)] * 2)
    [found] = judged(FILE, held).findings
    assert found.fault is Fault.CERTIFICATE and "REVOKED" in found.detail


# Chains ---------------------------------------------------------------------------------------------------------


def interleaved(chance: random.Random) -> Iterator[list[Record]]:
    """The same records in batches: each partition in its order, the partitions in any."""
    lanes = {place: [one for one in RECORDS if one.place == place] for place in {one.place for one in RECORDS}}
    while any(lanes.values()):
        batch: list[Record] = []
        for place in chance.sample(sorted(lanes), len(lanes)):
            taken = chance.randrange(4)
            batch += lanes[place][:taken]
            lanes[place] = lanes[place][taken:]
        yield batch


@pytest.mark.parametrize("seed", range(20))
def test_chains_are_the_same_however_the_topics_are_interleaved(seed: int) -> None:
    heads: dict[Place, Head] = {}
    for batch in interleaved(random.Random(seed)):
        heads |= audit.extended(PROJECT, heads, batch)
    assert heads == audit.extended(PROJECT, {}, RECORDS)


def test_the_same_record_makes_another_chain_for_another_project_topic_or_partition() -> None:
    one = RECORDS[0]
    moved = [one, one._replace(place=Place("approval.items.v1", 2)), one._replace(place=Place(one.place.topic, 3))]
    made = {head.last for record in moved for head in audit.extended(PROJECT, {}, [record]).values()}
    made |= {head.last for head in audit.extended("another", {}, [one]).values()}
    assert len(made) == 4


# Seals over what stayed on the platform -------------------------------------------------------------------------

OFFICE_KEY = ec.generate_private_key(ec.SECP256R1())
OFFICE = ISSUER.issue("瓦房店市文物局", Purpose.SEAL, key=OFFICE_KEY.public_key())
DECIDED = sample(ItemDecided).model_copy(update={"signature": None, "own_signature": None})


def opinion(seal: SealCompleted, decided: ItemDecided = DECIDED) -> bytes:
    """An export of one decision and of the seal over its record, under the platform's own seal."""
    return exported(decided, seal)


def exported(*said: Event) -> bytes:
    """An export of events, each on a topic of its own, under the platform's own seal."""
    told = [
        Record(
            Place(f"topic {number}", 1), 5, type(event).__name__, str(event.event_id), event.model_dump_json().encode()
        )
        for number, event in enumerate(said)
    ]
    return written(PROJECT, told, sealed(told))


def stamped(decided: ItemDecided = DECIDED, signer: Certificate = OFFICE, **changes: Any) -> SealCompleted:
    """The office's seal over a batch of two records."""
    kind, digest = DocumentKind.OPINION, records.digest_of(decided)
    leaves = [hash_tree.leaf(kind.value, decided.seal_request_id, bytes.fromhex(digest)), bytes(32)]
    tree = Tree(leaves)
    signature = OFFICE_KEY.sign(tree.root, ec.ECDSA(Prehashed(SHA256())))
    told = {
        "request_id": decided.seal_request_id,
        "digest": digest,
        "algorithm": "tree/ecdsa-p256-sha256",
        "signature": base64.b64encode(signature).decode(),
        "certificate": signer.serial,
        "certificate_der": base64.b64encode(signer.der).decode(),
        "signed_at": NOW,
        "form": SealForm.DIGEST,
        "proof": BatchProof(kind=kind, index=0, count=2, path=(Sha256(bytes(32).hex()),)),
    }
    return sample(SealCompleted).model_copy(update=told | changes)


def test_an_opinions_seal_is_judged_in_the_export_by_what_stands_there(holds: Trusts) -> None:
    assert judged(opinion(stamped()), holds).findings == ()


def test_another_opinion_under_the_offices_seal_is_found_though_the_platform_sealed_the_chains_anew(
    holds: Trusts,
) -> None:
    reversed_ = DECIDED.model_copy(update={"opinion": DECIDED.opinion + "（不同意）"})
    assert faults(opinion(stamped(), reversed_), holds) == {Fault.SEAL}
    forged = stamped(reversed_, signature=stamped().signature)
    assert faults(opinion(forged, reversed_), holds) == {Fault.SEAL}
    stranger = Authority("Issuing", Authority()).issue("瓦房店市文物局", Purpose.SEAL, key=OFFICE_KEY.public_key())
    assert faults(opinion(stamped(signer=stranger)), holds) == {Fault.CERTIFICATE}


def test_a_seal_of_before_that_brings_no_certificate_is_left_to_who_has_it(holds: Trusts) -> None:
    assert judged(opinion(stamped(certificate_der=None)), holds).findings == ()


# What officers signed themselves ----------------------------------------------------------------------------------

OFFICER = Signer(ISSUER, "王建国", Purpose.LOGIN)
APPROVED = sample(ItemApproved)


def test_officers_own_signatures_are_judged_in_the_export(holds: Trusts) -> None:
    assert judged(exported(signed(DECIDED, OFFICER), signed(APPROVED, OFFICER)), holds).findings == ()


@pytest.mark.parametrize("act", [DECIDED, APPROVED], ids=["decided", "approved"])
def test_an_act_that_its_officer_did_not_sign_is_found_though_the_platform_sealed_the_chains_anew(
    holds: Trusts, act: Any
) -> None:
    reworded = signed(act, OFFICER).model_copy(update={"opinion": "不同意"})
    assert faults(exported(reworded), holds) == {Fault.OFFICER}
    seal = Signer(ISSUER, "王建国", Purpose.SEAL)
    assert faults(exported(signed(act, seal)), holds) == {Fault.CERTIFICATE}
    stranger = Signer(Authority("Issuing", Authority()), "王建国", Purpose.LOGIN)
    assert faults(exported(signed(act, stranger)), holds) == {Fault.CERTIFICATE}


def test_an_act_of_a_departments_own_system_carries_no_signature(holds: Trusts) -> None:
    assert judged(exported(DECIDED), holds).findings == ()
