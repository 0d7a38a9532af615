"""What signing lets a seal be put on: a registered decision, under a grant, by an officer on the roster; nothing else.

Rules as a table; then the handlers on a real database, with a key in memory in place of the token and of the timestamp
authority: the real ones are asked in `test_token.py` and `tests/e2e/test_documents.py`.
"""

import base64
from collections.abc import AsyncGenerator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest

from chassis.bus import NotNow, Received, raw_of
from chassis.database import Database
from chassis.parking import Raw
from contracts import topics
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, ProjectCode, Sha256
from contracts.department_worker import ItemAccepted, ItemDecided, ItemNotAccepted, SealRequested
from contracts.envelope import decode
from contracts.intake import WindowDocumentRequested
from contracts.parts import Actor, Policies
from contracts.signing import RosterEntry, SealCompleted, SealRejected
from contracts.terms import DocumentKind, ItemKind, OnExpiry, Outcome, Role, SealForm, Stage
from evidence import documents, records, seals, trust
from evidence import testing_acts as acts
from evidence.certificates import Certificate, NotTrusted, Purpose, Reason
from evidence.documents import Finding
from evidence.revocation import Revocations, parse_list
from evidence.service_token import TOLD_ELSEWHERE
from evidence.testing import Authority, revoked, trust_folder
from evidence.testing_documents import Clock, Signer, prepared
from evidence.trust import TrustList
from local.postgres import Postgres, create_databases
from local.rehearsal import HandClock
from local.samples import sample
from local.suite import migrate
from procedure.notices import OF_THE_WINDOW, WINDOW, request_id_of
from procedure.refusals import Refusal
from signing import store
from signing.domain import papers
from signing.domain.losses import Suspension
from signing.domain.papers import (
    EVERYWHERE,
    Decision,
    Grant,
    GrantsInvalid,
    NotRegistered,
    OfficerNotOnRoster,
    OfficerSignatureMissing,
    OfficerSignatureWrong,
    Proof,
    SealNotGranted,
    Systems,
)
from signing.handlers.certificates import SealCertificates
from signing.handlers.papers import Papers
from signing.handlers.seals import Handlers
from signing.responders import Responders
from signing.revoked import RevokedList
from signing.sealing import Sealer
from signing.stamps import NoTimestamp
from signing.token.door import Order
from signing.token.module import Signature

AT = datetime(2026, 3, 2, tzinfo=UTC)
SEAL = "210281.GHJ"
PLACE, OFFICE, ITEM = JurisdictionCode("210281"), DepartmentCode("GHJ"), ItemCode("S1-04")
PROJECT = ProjectCode("2018-210281-47-03-000123")
WAITING = prepared()
DIGEST = Sha256(documents.digest_of(WAITING, documents.gap_of(WAITING)).hex())
GRANT = Grant(SEAL, PLACE, OFFICE, frozenset({DocumentKind.DECISION}), AT - timedelta(days=1), None)
ENTRY = RosterEntry(
    role=Role.OFFICER,
    jurisdiction=PLACE,
    department=OFFICE,
    effective_at=AT - timedelta(days=9),
    requested_by="甲",
    approved_by="乙",
    document="名单",
)


def request(number: int = 1, **more: Any) -> SealRequested:
    said: dict[str, Any] = {
        "event_id": UUID(int=number + 1000),
        "causation_id": UUID(int=number + 2000),
        "occurred_at": AT,
        "project_code": PROJECT,
        "request_id": UUID(int=number),
        "item_id": UUID(int=number + 3000),
        "item_code": ITEM,
        "document_kind": DocumentKind.DECISION,
        "digest": DIGEST,
        "seal": SEAL,
        "actor": Actor(holder="张三", certificate="5A01"),
        "form": SealForm.PDF,
    }
    return SealRequested(**(said | more))


def decided(number: int = 1) -> ItemDecided:
    return ItemDecided(
        event_id=UUID(int=number + 4000),
        causation_id=UUID(int=number + 5000),
        occurred_at=AT,
        project_code=PROJECT,
        application_id=UUID(int=7),
        stage=Stage.LAND_USE,
        item_id=UUID(int=number + 3000),
        item_code=ITEM,
        attempt=1,
        department=OFFICE,
        jurisdiction=PLACE,
        version=5,
        at=AT,
        actor=Actor(holder="张三", certificate="5A01"),
        policies=Policies(catalogue_version="2018.1", policy_version="178/2018"),
        outcome=Outcome.GRANTED,
        opinion="准予",
        seal_request_id=UUID(int=number),
    )


def anybody(certificate: Certificate, at: datetime) -> None:
    """Everybody is trusted."""


DECISION = papers.decision_of(decided(), anybody)
OPINIONS = replace(GRANT, kinds=frozenset({DocumentKind.OPINION}))


def opinion(number: int = 1, **more: Any) -> SealRequested:
    """A record's request: what stays on the platform, without a file."""
    about = {"document_kind": DocumentKind.OPINION, "form": SealForm.DIGEST}
    return request(number, **(about | {"digest": records.digest_of(decided(number))} | more))


def not_accepted() -> ItemNotAccepted:
    told = decided().model_dump(exclude={"outcome", "seal_request_id", "document_dated_on", "special_handling"})
    return ItemNotAccepted(**{name: told[name] for name in ItemNotAccepted.model_fields if name in told})


def notice_request(**more: Any) -> SealRequested:
    about = {"request_id": request_id_of(not_accepted()), "item_id": not_accepted().item_id}
    return request(**(about | {"document_kind": DocumentKind.NOT_ACCEPTED} | more))


NOTICE = papers.decision_of(not_accepted(), anybody)
NOTICE_GRANT = replace(GRANT, kinds=frozenset(DocumentKind))


def test_what_is_registered_granted_and_by_an_officer_may_be_sealed() -> None:
    papers.hold(request(), DECISION, [GRANT], [ENTRY], AT)
    papers.hold(opinion(), DECISION, [OPINIONS], [ENTRY], AT)


@pytest.mark.parametrize(
    ("asked", "decision", "grant", "entries", "refusal"),
    [
        (request(), None, GRANT, [ENTRY], NotRegistered),
        (request(item_id=UUID(int=9)), DECISION, GRANT, [ENTRY], NotRegistered),
        (request(item_code="S1-05"), DECISION, GRANT, [ENTRY], NotRegistered),
        (request(seal="210281.JW"), DECISION, GRANT, [ENTRY], NotRegistered),
        (request(actor=Actor(holder="李四", certificate="5A02")), DECISION, GRANT, [ENTRY], NotRegistered),
        (request(document_kind=DocumentKind.REFUSAL), DECISION, GRANT, [ENTRY], NotRegistered),
        (request(), replace(DECISION, outcome=Outcome.REFUSED), GRANT, [ENTRY], NotRegistered),
        (request(form=SealForm.DIGEST), DECISION, GRANT, [ENTRY], NotRegistered),
        (request(document_kind=DocumentKind.OPINION), DECISION, GRANT, [ENTRY], NotRegistered),
        (opinion(digest=DIGEST), DECISION, OPINIONS, [ENTRY], NotRegistered),
        (opinion(), replace(DECISION, record=None), OPINIONS, [ENTRY], NotRegistered),
        (opinion(), None, OPINIONS, [ENTRY], NotRegistered),
        (opinion(), DECISION, GRANT, [ENTRY], SealNotGranted),
        (opinion(), DECISION, OPINIONS, [], OfficerNotOnRoster),
        (request(), DECISION, replace(GRANT, seal="210281.JW"), [ENTRY], SealNotGranted),
        (request(), DECISION, replace(GRANT, department=DepartmentCode("JW")), [ENTRY], SealNotGranted),
        (request(), DECISION, replace(GRANT, kinds=frozenset({DocumentKind.REFUSAL})), [ENTRY], SealNotGranted),
        (request(), DECISION, replace(GRANT, until=AT), [ENTRY], SealNotGranted),
        (request(), DECISION, replace(GRANT, since=AT + timedelta(seconds=1)), [ENTRY], SealNotGranted),
        (request(), DECISION, GRANT, [], OfficerNotOnRoster),
        (request(), DECISION, GRANT, [ENTRY.model_copy(update={"until": AT})], OfficerNotOnRoster),
    ],
)
def test_anything_else_is_refused_by_its_own_name(
    asked: SealRequested,
    decision: Decision | None,
    grant: Grant,
    entries: Sequence[RosterEntry],
    refusal: type[Refusal],
) -> None:
    with pytest.raises(refusal):
        papers.hold(asked, decision, [grant], entries, AT)


OFFICER, STRANGER = (Signer(Authority(), "张三", Purpose.LOGIN, {"serial": serial}) for serial in (0x5A01, 0x5A02))


def signed_by(officer: Signer, over: ItemDecided | None = None) -> ItemDecided:
    """The decision with a signature; `over` is what was really signed."""
    return acts.signed(decided(), OFFICER, acts.own_signature(over or decided(), officer))


def refuses(certificate: Certificate, at: datetime) -> None:
    raise NotTrusted(Reason.UNKNOWN_CA, certificate.serial)


@pytest.mark.parametrize(
    ("event", "persons", "proof"),
    [
        (decided(), anybody, Proof.NONE),
        (signed_by(OFFICER), anybody, Proof.OWN),
        (signed_by(OFFICER), refuses, Proof.WRONG),
        (signed_by(STRANGER), anybody, Proof.WRONG),
        (signed_by(OFFICER, decided(2)), anybody, Proof.WRONG),
        (signed_by(OFFICER).model_copy(update={"opinion": "不予"}), anybody, Proof.WRONG),
        (signed_by(OFFICER).model_copy(update={"own_signature": None}), anybody, Proof.NONE),
        (signed_by(OFFICER).model_copy(update={"signature": None}), anybody, Proof.WRONG),
    ],
    ids=[
        "none",
        "its own",
        "of nobody",
        "by another key",
        "of another item",
        "other words",
        "named as before it was carried",
        "not named",
    ],
)
def test_a_decisions_signature_is_held_to_it_when_it_is_registered(event: Any, persons: Any, proof: Proof) -> None:
    assert papers.decision_of(event, persons).proof is proof


NOBODYS, OWN_SYSTEM = Systems(frozenset({""})), Systems(frozenset({"210281.RFB", SEAL}))


@pytest.mark.parametrize(
    ("changes", "systems", "refusal"),
    [
        ({"proof": Proof.WRONG}, EVERYWHERE, OfficerSignatureWrong),
        ({"proof": Proof.NONE}, NOBODYS, OfficerSignatureMissing),
        ({"proof": Proof.NONE}, Systems(frozenset({"210281.RFB"})), OfficerSignatureMissing),
        ({"proof": Proof.NONE}, Systems(frozenset({"210211.*"})), OfficerSignatureMissing),
        ({"proof": Proof.NONE}, Systems(frozenset({"210281.*"})), None),
        ({"proof": Proof.NONE}, OWN_SYSTEM, None),
        ({"proof": Proof.NONE}, EVERYWHERE, None),
        ({"proof": Proof.OWN}, NOBODYS, None),
        ({"proof": Proof.NONE, "special": True}, NOBODYS, None),
    ],
)
def test_where_a_department_decides_here_its_officers_signature_is_needed(
    changes: dict[str, Any], systems: Systems, refusal: type[Refusal] | None
) -> None:
    expected = nullcontext() if refusal is None else pytest.raises(refusal)
    with expected:
        papers.hold(request(), replace(DECISION, **changes), [GRANT], [ENTRY], AT, (), systems)


def test_a_notice_needs_no_signature() -> None:
    papers.hold(notice_request(), NOTICE, [NOTICE_GRANT], [ENTRY], AT, (), NOBODYS)


def test_a_notice_of_a_registered_step_may_be_sealed() -> None:
    papers.hold(notice_request(), NOTICE, [NOTICE_GRANT], [ENTRY], AT)


@pytest.mark.parametrize(
    ("asked", "grant", "entries", "refusal"),
    [
        (notice_request(document_kind=DocumentKind.CORRECTION), NOTICE_GRANT, [ENTRY], NotRegistered),
        (notice_request(document_kind=DocumentKind.DECISION), NOTICE_GRANT, [ENTRY], NotRegistered),
        (notice_request(document_kind=DocumentKind.REFUSAL), NOTICE_GRANT, [ENTRY], NotRegistered),
        (notice_request(item_id=UUID(int=9)), NOTICE_GRANT, [ENTRY], NotRegistered),
        (notice_request(actor=Actor(holder="李四", certificate="5A02")), NOTICE_GRANT, [ENTRY], NotRegistered),
        (notice_request(), GRANT, [ENTRY], SealNotGranted),
        (notice_request(), NOTICE_GRANT, [], OfficerNotOnRoster),
    ],
)
def test_any_other_notice_is_refused_by_its_own_name(
    asked: SealRequested, grant: Grant, entries: Sequence[RosterEntry], refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        papers.hold(asked, NOTICE, [grant], entries, AT)


def asked_of_window(**more: Any) -> WindowDocumentRequested:
    told = {"kind": DocumentKind.RECEIPT, "jurisdiction": PLACE, "project_code": PROJECT, "request_id": UUID(int=1)}
    told |= {"actor": Actor(holder="建设单位经办人", certificate="B-1"), "at": AT, "occurred_at": AT}
    return sample(WindowDocumentRequested).model_copy(update=told | more)


def window_request(**more: Any) -> SealRequested:
    about = {"item_id": None, "item_code": None, "document_kind": DocumentKind.RECEIPT, "seal": "210281.WINDOW"}
    return request(**(about | {"actor": asked_of_window().actor} | more))


OF_WINDOW = papers.asked_of_the_window(asked_of_window())
WINDOW_GRANT = replace(GRANT, seal="210281.WINDOW", department=WINDOW, kinds=OF_THE_WINDOW)


def test_what_the_window_was_asked_for_may_be_sealed_whoever_asked() -> None:
    papers.hold(window_request(), OF_WINDOW, [WINDOW_GRANT], [], AT, (), NOBODYS)


@pytest.mark.parametrize(
    ("asked", "decision", "grant", "refusal"),
    [
        (window_request(), None, WINDOW_GRANT, NotRegistered),
        (window_request(document_kind=DocumentKind.WINDOW_NOTICE), OF_WINDOW, WINDOW_GRANT, NotRegistered),
        (window_request(document_kind=DocumentKind.DECISION), OF_WINDOW, WINDOW_GRANT, NotRegistered),
        (window_request(item_id=UUID(int=9)), OF_WINDOW, WINDOW_GRANT, NotRegistered),
        (window_request(seal=SEAL), OF_WINDOW, WINDOW_GRANT, NotRegistered),
        (window_request(actor=Actor(holder="李四", certificate="5A02")), OF_WINDOW, WINDOW_GRANT, NotRegistered),
        (window_request(), OF_WINDOW, replace(WINDOW_GRANT, kinds=frozenset()), SealNotGranted),
        (window_request(), OF_WINDOW, NOTICE_GRANT, SealNotGranted),
        (request(document_kind=DocumentKind.RECEIPT), DECISION, NOTICE_GRANT, NotRegistered),
        (notice_request(document_kind=DocumentKind.RECEIPT), NOTICE, NOTICE_GRANT, NotRegistered),
    ],
)
def test_nothing_else_bears_the_windows_seal_and_what_is_the_windows_no_other(
    asked: SealRequested, decision: Decision | None, grant: Grant, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        papers.hold(asked, decision, [grant], [ENTRY], AT)


def test_an_acceptance_is_registered_for_its_notice() -> None:
    told = not_accepted().model_dump(exclude={"opinion"})
    accepted = ItemAccepted(**told, kind=ItemKind.PERMIT, limit_days=5, on_expiry=OnExpiry.ESCALATE)
    assert papers.decision_of(accepted, anybody).notice is DocumentKind.ACCEPTANCE


def test_a_decision_makes_no_notice() -> None:
    with pytest.raises(NotRegistered):
        papers.hold(request(document_kind=DocumentKind.NOT_ACCEPTED), DECISION, [NOTICE_GRANT], [ENTRY], AT)


def test_a_decision_that_special_handling_entered_needs_no_officer_of_the_department() -> None:
    papers.hold(request(), replace(DECISION, special=True), [GRANT], [], AT)


HEAD = "seal,jurisdiction,department,kinds,since,until\n"


def test_grants_are_read_from_a_table() -> None:
    text = HEAD + "210281.GHJ,210281,GHJ,DECISION REFUSAL,2026-01-01T00:00:00+08:00,\n"
    (grant,) = papers.grants_of("grants.csv", text)
    assert grant.kinds == {DocumentKind.DECISION, DocumentKind.REFUSAL}
    assert grant.until is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("seal,kinds\n", "grants.csv:1"),
        (HEAD + "210281.GHJ,210281,GHJ,LETTER,2026-01-01T00:00:00Z,\n", "grants.csv:2"),
        (HEAD + "210281.GHJ,210281,GHJ,DECISION,2026-01-01,\n", "grants.csv:2"),
        (HEAD + "210281.GHJ\n", "grants.csv:2"),
    ],
)
def test_a_defect_in_the_grants_is_named_by_its_line(text: str, place: str) -> None:
    with pytest.raises(GrantsInvalid, match=place):
        papers.grants_of("grants.csv", text)


# On a real database ---------------------------------------------------------------------------------------------

ISSUER = Authority("签发机构", Authority())
NOW = {"not_before": datetime.now(UTC) - timedelta(days=1), "not_after": datetime.now(UTC) + timedelta(days=1)}


class Door:
    """In place of the tokens: one key in memory, every use counted."""

    def __init__(self) -> None:
        self.signer = Signer(ISSUER, "瓦房店市自然资源局", Purpose.SEAL, {"organisation": "瓦房店市自然资源局"} | NOW)
        self.used = 0

    async def refusals(self, labels: object) -> dict[str, str]:
        return {}

    async def certificate(self, label: str) -> Certificate:
        return self.signer.certificate

    async def sign(self, orders: Sequence[Order]) -> list[Signature]:
        self.used += len(orders)
        return [Signature(self.signer.over(digest), self.signer.certificate) for _, digest in orders]


class Stamps:
    """In place of the timestamp authority: it is away while `away`."""

    away = False

    def __init__(self) -> None:
        self.clock = Clock(ISSUER, "时间戳", Purpose.TIMESTAMP, dict(NOW), at=datetime.now(UTC).replace(microsecond=0))

    async def over(self, messages: Sequence[bytes]) -> list[bytes]:
        if self.away:
            raise NoTimestamp("away")
        return [self.clock.token(message) for message in messages]


class Read:
    """In place of the bus: whether the items topic is read to its end."""

    to_end = True

    async def has_read_to_end(self, names: set[str], work: object) -> set[str]:
        return names if self.to_end else set()


class Net:
    """A relay that sends nothing."""

    shards, owner = 1, "nobody"

    def reserve(self, row: int, shard: int, messages: Any, *, foreign: bool) -> None: ...
    def release(self, row: int) -> None: ...
    def discard(self, row: int) -> None: ...


class Desk:
    """Signing's handlers over one database; what they said and held back in the last unit of work."""

    def __init__(self, database: Database, trusted: TrustList) -> None:
        self.door, self.stamps, self.bus = Door(), Stamps(), Read()
        self.grants = [GRANT]
        self.database = database
        self.trusted = trusted
        self.revoked = RevokedList(trusted, 60)
        self.revoked.now = Revocations().with_list(parse_list(listed(), ISSUER.certificate))
        clock: Any = HandClock(AT)
        door: Any = self.door
        responders = Responders(trusted, self.revoked)
        certificates, sealer = SealCertificates(door, responders), Sealer(door, self.stamps, responders)  # pyright: ignore[reportArgumentType]
        self.papers = Papers(sealer, certificates, lambda: self.grants, EVERYWHERE, self.persons, clock, self.bus)  # pyright: ignore[reportArgumentType]
        self.handlers = Handlers(door, certificates, clock, (), self.papers)
        self.held: list[Any] = []

    def persons(self, certificate: Certificate, at: datetime) -> None:
        self.trusted.hold(certificate, Purpose.LOGIN, at, TOLD_ELSEWHERE)

    async def decide(self, *events: ItemDecided | ItemNotAccepted) -> None:
        async with self.database.work() as work:
            await self.papers.on_items([received(topics.ITEMS.name, one) for one in events], work)

    async def ask(self, *requests: SealRequested) -> list[Any]:
        async with self.database.work() as work:
            await self.handlers.on_seal_requests([received(topics.SEAL_REQUESTS.name, one) for one in requests], work)
            self.held = list(work.held)
            return [decode(m.value.encode(), m.headers, m.key.encode(), topics.SEALS.known) for m in work.said()]

    def found(self, answer: SealCompleted) -> Finding:
        pdf = documents.filled(WAITING, base64.b64decode(answer.signature))
        return documents.judge(pdf, self.trusted, self.revoked.now).finding


def listed(*entries: Any, number: int = 1) -> bytes:
    return ISSUER.revocations(entries, at=datetime.now(UTC) - timedelta(hours=1), number=number)


def received(topic: str, event: Any) -> Received[Any]:
    return Received(event, raw_of(Raw(topic, 0, 0, 0, PROJECT.encode(), b"", ())), AT)


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> str:
    name = f"signing-{uuid4().hex[:8]}"
    made = create_databases(postgres.admin_url, [name], "test")[name]
    migrate([f"signing={made}"])
    return made


@pytest.fixture
async def desk(url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Desk, None]:
    database = Database(url, "signing")
    database.outbox = Net()
    await database.open()
    enter = """
        INSERT INTO roster_entries (entry_id, serial, role, jurisdiction, department, items, effective_at, requested_by,
                                    approved_by, document)
        VALUES ($1, '5A01', 'officer', '210281', 'GHJ', '', $2, '甲', '乙', '名单')
    """
    tables = "decisions, seals, refused_seals, suspensions, past_suspensions, roster_entries, roster_holders"
    await database.pool.execute(f"TRUNCATE {tables} CASCADE")
    await database.pool.execute("INSERT INTO roster_holders (serial, holder) VALUES ('5A01', '张三')")
    await database.pool.execute(enter, uuid4(), AT - timedelta(days=9))
    yield Desk(database, trust.load(trust_folder(tmp_path_factory.mktemp("trust"), ISSUER)))
    await database.close()


async def test_a_registered_document_is_sealed_once_and_the_first_answer_stays(desk: Desk) -> None:
    await desk.decide(decided(1), decided(2))
    first, second = await desk.ask(request(1), request(2))
    assert [desk.found(one) for one in (first, second)] == [Finding.VALID, Finding.VALID]
    assert (first.form, first.algorithm) == (SealForm.PDF, "cms/ecdsa-p256-sha256")
    assert await desk.ask(request(1), request(2)) == []
    assert desk.door.used == 2


async def test_a_decision_under_a_signature_that_is_not_its_own_is_not_sealed(desk: Desk) -> None:
    officer = Signer(ISSUER, "张三", Purpose.LOGIN, {"serial": 0x5A01} | NOW)
    own, other = (
        acts.signed(decided(number), officer, acts.own_signature(decided(signed), officer, at=datetime.now(UTC)))
        for number, signed in ((1, 1), (2, 1))
    )
    await desk.decide(own, other)
    first, second = sorted(await desk.ask(request(1), request(2)), key=lambda one: one.request_id)
    assert desk.found(first) is Finding.VALID
    assert isinstance(second, SealRejected) and second.code == "OFFICER_SIGNATURE_WRONG"
    assert desk.door.used == 1


async def test_a_notice_is_sealed_once_its_step_is_registered(desk: Desk) -> None:
    desk.grants = [NOTICE_GRANT]
    await desk.decide(not_accepted(), decided(2))
    notice, decision = await desk.ask(notice_request(), request(2))
    assert [desk.found(one) for one in (notice, decision)] == [Finding.VALID, Finding.VALID]
    assert await desk.ask(notice_request()) == []
    assert desk.door.used == 2


async def test_a_document_of_the_window_is_sealed_once_it_is_asked_for(desk: Desk) -> None:
    desk.grants = [WINDOW_GRANT]
    async with desk.database.work() as work:
        await desk.papers.on_asked([received(topics.APPLICATIONS.name, asked_of_window())], work)
    (answer,) = await desk.ask(window_request())
    assert (desk.found(answer), answer.item_id) == (Finding.VALID, None)
    assert await desk.ask(window_request()) == []
    assert desk.door.used == 1


async def test_what_was_never_registered_is_refused_for_good_without_the_token(desk: Desk) -> None:
    (answer,) = await desk.ask(request(1))
    assert isinstance(answer, SealRejected)
    assert answer.code == "NOT_REGISTERED"
    await desk.decide(decided(1))
    assert await desk.ask(request(1)) == []
    assert desk.door.used == 0


async def test_what_may_still_be_on_its_way_is_waited_for(desk: Desk) -> None:
    desk.bus.to_end = False
    await desk.decide(decided(2))
    (answer,) = await desk.ask(request(1), request(2))
    assert answer.request_id == request(2).request_id
    assert len(desk.held) == 1


async def test_a_grant_that_ended_between_registration_and_seal_is_none(desk: Desk) -> None:
    await desk.decide(decided(1))
    desk.grants = [replace(GRANT, until=AT - timedelta(seconds=1))]
    (answer,) = await desk.ask(request(1))
    assert (answer.code, desk.door.used) == ("SEAL_NOT_GRANTED", 0)


async def test_an_opinion_is_sealed_as_the_record_of_what_was_decided(desk: Desk) -> None:
    desk.grants = [OPINIONS]
    await desk.decide(decided(1), decided(2))
    answers = await desk.ask(opinion(1), opinion(2))
    for number, answer in enumerate(answers, 1):
        digest = sha256(records.record_of(decided(number))).digest()
        seals.hold(answer, digest, seals.signer_of(desk.door.signer.certificate))
    assert (len(answers), desk.door.used) == (2, 1)


@pytest.mark.parametrize("seal", [SEAL, "platform", "audit", "../pins/210281.GHJ"])
@pytest.mark.parametrize("kind", list(DocumentKind))
async def test_no_digest_of_a_callers_own_reaches_a_token(desk: Desk, kind: DocumentKind, seal: str) -> None:
    """Else who may write to the topic had anything signed: another file, a service token, an audit root."""
    desk.grants = [NOTICE_GRANT]
    await desk.decide(decided(1))
    (answer,) = await desk.ask(opinion(1, document_kind=kind, digest=DIGEST, seal=seal))
    assert (answer.code, desk.door.used) == ("NOT_REGISTERED", 0)


@pytest.mark.parametrize(
    ("since", "until", "code"),
    [(0, None, "OFFICER_SUSPENDED"), (1, None, None), (-2, 1, "OFFICER_SUSPENDED"), (-2, 0, None)],
)
async def test_what_was_decided_by_a_lost_key_is_not_sealed_and_what_it_decided_before_is(
    desk: Desk, since: int, until: int | None, code: str | None
) -> None:
    """Minutes around the decision. Whatever a worker let through before it heard of the loss ends here."""
    await desk.decide(decided(1))
    by = Actor(holder="管理员", certificate="A-1")
    at = AT + timedelta(minutes=since)
    async with desk.database.work() as work:
        assert await store.losses.add(work, Suspension("5A01", "张三", "遗失", at, at, by))
        if until is not None:
            await store.losses.lift(work, "5A01", AT + timedelta(minutes=until))
    (answer,) = await desk.ask(request(1))
    assert getattr(answer, "code", None) == code and desk.door.used == (code is None)


BOTH = pytest.mark.parametrize("asked", [request(1), opinion(1)], ids=["file", "record"])


@BOTH
async def test_a_lost_seal_seals_nothing_from_the_report_on(desk: Desk, asked: SealRequested) -> None:
    desk.grants = [NOTICE_GRANT]
    await desk.decide(decided(1))
    lost = desk.door.signer.certificate
    report = Suspension(lost.serial, lost.holder, "印章遗失", AT, AT, Actor(holder="管理员", certificate="A-1"))
    async with desk.database.work() as work:
        assert await store.losses.add(work, report)
    (answer,) = await desk.ask(asked)
    assert (answer.code, desk.door.used) == ("SEAL_NOT_TRUSTED", 0) and "证书已挂失" in answer.message


@BOTH
async def test_a_revoked_seal_seals_nothing(desk: Desk, asked: SealRequested) -> None:
    desk.grants = [NOTICE_GRANT]
    await desk.decide(decided(1))
    entry = revoked(desk.door.signer.certificate, datetime.now(UTC) - timedelta(minutes=1))
    desk.revoked.now = desk.revoked.now.with_list(parse_list(listed(entry, number=2), ISSUER.certificate))
    (answer,) = await desk.ask(asked)
    assert (answer.code, desk.door.used) == ("SEAL_NOT_TRUSTED", 0) and "证书已被吊销" in answer.message


async def test_a_seal_that_is_revoked_while_it_seals_is_held_to_that_the_next_time(desk: Desk) -> None:
    await desk.decide(decided(1))
    entry = revoked(desk.door.signer.certificate, datetime.now(UTC) - timedelta(minutes=1))
    newer = desk.revoked.now.with_list(parse_list(listed(entry, number=2), ISSUER.certificate))

    async def meanwhile(messages: Sequence[bytes]) -> list[bytes]:
        desk.revoked.now = newer
        return [desk.stamps.clock.token(message) for message in messages]

    desk.stamps.over = meanwhile
    with pytest.raises(NotNow):
        await desk.ask(request(1))
    (answer,) = await desk.ask(request(1))
    assert (answer.code, desk.door.used) == ("SEAL_NOT_TRUSTED", 1)


@BOTH
async def test_without_fresh_word_of_revocations_requests_wait(desk: Desk, asked: SealRequested) -> None:
    desk.grants = [NOTICE_GRANT]
    await desk.decide(decided(1))
    desk.revoked.now = Revocations()
    with pytest.raises(NotNow):
        await desk.ask(asked)
    assert desk.door.used == 0


async def test_without_a_timestamp_nothing_is_sealed_and_nothing_is_lost(desk: Desk) -> None:
    await desk.decide(decided(1))
    desk.stamps.away = True
    with pytest.raises(NotNow):
        await desk.ask(request(1))
    assert await desk.database.pool.fetchval("SELECT count(*) FROM seals") == 0
    desk.stamps.away = False
    (answer,) = await desk.ask(request(1))
    assert desk.found(answer) is Finding.VALID
