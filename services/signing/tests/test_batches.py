"""What is signed together, and that each answer of it stands alone."""

import base64
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from chassis.bus import Received, raw_of
from chassis.database import Database
from chassis.parking import Raw
from contracts import topics
from contracts.codes import ItemCode, ProjectCode, Sha256
from contracts.department_worker import SealRequested
from contracts.envelope import decode
from contracts.parts import Actor
from contracts.signing import AuditRootSealed, SealCompleted
from contracts.supervision import AuditRootClosed
from contracts.terms import DocumentKind, Ledger
from evidence import seals, trust
from evidence.algorithms import verifies
from evidence.audit import Head, Place
from evidence.certificates import Purpose
from evidence.seals import signer_of
from local import authority, tokens
from local.authority import SEALS, Authority, Wanted
from local.authority.seals import AUDIT
from local.postgres import Postgres, create_databases
from local.rehearsal import HandClock
from local.suite import migrate
from signing.domain.batches import Form, Made, completed, operations
from signing.handlers.certificates import SealCertificates
from signing.handlers.seals import Handlers
from signing.responders import Responders
from signing.revoked import RevokedList
from signing.token.door import Order, Signature, TokenDoor
from signing.token.pins import SUFFIX
from supervision import auditing

SEAL = "210281.GHJ"
AT = datetime(2026, 3, 2, tzinfo=UTC)
OPINION, DECISION = DocumentKind.OPINION, DocumentKind.DECISION


def request(place: int, kind: DocumentKind = OPINION, seal: str = SEAL) -> SealRequested:
    return SealRequested(
        event_id=UUID(int=place + 1000),
        causation_id=UUID(int=place + 2000),
        occurred_at=AT,
        project_code=ProjectCode("2018-210281-47-03-000123"),
        request_id=UUID(int=place),
        item_id=UUID(int=place + 3000),
        item_code=ItemCode("S1-10"),
        document_kind=kind,
        digest=Sha256(sha256(b"%d" % place).hexdigest()),
        seal=seal,
        actor=Actor(holder="张三", certificate="KEY-1"),
    )


def test_opinions_of_one_seal_are_one_operation() -> None:
    made = operations([request(0), request(1), request(2, DECISION), request(3, seal="210281.JW"), request(4)])
    held = {(one.seal, len(one.requests)) for one in made}
    assert held == {("210281.GHJ", 1), ("210281.GHJ", 3), ("210281.JW", 1)}


@pytest.mark.parametrize("kind", [DocumentKind.DECISION, DocumentKind.REFUSAL])
def test_what_leaves_the_house_is_signed_alone(kind: DocumentKind) -> None:
    made = operations([request(place, kind) for place in range(5)])
    assert [len(one.requests) for one in made] == [1] * 5


@pytest.mark.parametrize("kind", DocumentKind)
@pytest.mark.parametrize("forbidding", [(), ("*",)])
def test_a_digest_that_was_handed_in_is_never_signed_itself(kind: DocumentKind, forbidding: Collection[str]) -> None:
    """It could be that of a document's signed attributes, and the signature one for a document nobody registered."""
    for count in (1, 2):
        asked = [request(place, kind) for place in range(count)]
        signed = {one.tree.root.hex() for one in operations(asked, forbidding)}
        assert signed and signed.isdisjoint(one.digest for one in asked)


@pytest.mark.parametrize(("forbidding", "left"), [({"210281.GHJ"}, 1), ({"*"}, 0), ({"210281.XX", ""}, 2)])
def test_a_token_may_forbid_batches(forbidding: Collection[str], left: int) -> None:
    both = [request(place, seal=seal) for place in range(4) for seal in ("210281.GHJ", "210281.JW")]
    made = operations(both, forbidding)
    assert sum(len(one.requests) > 1 for one in made) == left
    assert sum(len(one.requests) for one in made) == 8


def test_every_answer_of_a_batch_carries_the_same_signature_and_its_own_path() -> None:
    [operation] = operations([request(place) for place in range(100)])
    answers = completed(operation, Made("ecdsa-p256-sha256", b"signature", "5A01"), AT)
    assert {(one.signature, one.algorithm) for one in answers} == {
        (base64.b64encode(b"signature").decode(), "tree/ecdsa-p256-sha256")
    }
    assert {seals.root_of(seals.proof_of(one)) for one in answers} == {operation.tree.root}
    assert Form.BATCH and len({one.proof.path for one in answers if one.proof}) == 100


# With a real token and a real database --------------------------------------------------------------------------


class Counting(TokenDoor):
    """The real token, with what it was asked to sign counted."""

    used = 0

    async def sign(self, orders: Sequence[Order]) -> list[Signature]:
        self.used += len(orders)
        return await super().sign(orders)


WANTED = tuple(Wanted(label, SEALS, label, Purpose.SEAL) for label in (SEAL, "210281.JW", AUDIT))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority.prepare(tmp_path_factory.mktemp("authority"), "http://127.0.0.1:1", *WANTED)


@pytest.fixture
def door(made: Authority, monkeypatch: pytest.MonkeyPatch) -> Counting:
    for name, value in made.environment(SEALS).items():
        monkeypatch.setenv(name, value)
    return Counting(tokens.proxy(), made.pins(SEALS), own_label=SEAL, allows_stand_in=True)


@pytest.fixture
def url(postgres: Postgres) -> str:
    made = create_databases(postgres.admin_url, ["signing-alone"], "test")["signing-alone"]
    migrate([f"signing={made}"])
    return made


@pytest.fixture
async def database(url: str) -> AsyncGenerator[Database, None]:
    one = Database(url, "signing")
    one.outbox = Kept()
    await one.open()
    yield one
    await one.close()


@pytest.fixture
def certificates(door: Counting, made: Authority) -> SealCertificates:
    return SealCertificates(door, known(made))


def known(made: Authority) -> Responders:
    """What the authority's trust folder says now."""
    trusted = trust.load(made.trust)
    revoked = RevokedList(trusted, 60)
    revoked.now = trusted.revocations()
    return Responders(trusted, revoked)


class Kept:
    """A relay that sends nothing."""

    shards, owner = 1, "nobody"

    def reserve(self, row: int, shard: int, messages: Any, *, foreign: bool) -> None: ...
    def release(self, row: int) -> None: ...
    def discard(self, row: int) -> None: ...


def received(one: SealRequested) -> Received[SealRequested]:
    raw = raw_of(Raw(topics.SEAL_REQUESTS.name, 0, 0, 0, one.project_code.encode(), b"", ()))
    return Received(one, raw, AT)


async def test_each_request_is_answered_once_and_verifies_offline(
    door: Counting, certificates: SealCertificates, made: Authority, database: Database
) -> None:
    handlers = Handlers(door, certificates, HandClock(AT))  # pyright: ignore[reportArgumentType]
    asked = [received(request(place, DECISION if place % 10 == 0 else OPINION)) for place in range(50)]
    async with database.work() as work:
        await handlers.on_seal_requests([*asked, *asked[:7]], work)
        said = [decode(m.value.encode(), m.headers, m.key.encode(), topics.SEALS.known) for m in work.said()]
    assert door.used == 5 + 1
    async with database.work() as work:
        await handlers.on_seal_requests(asked, work)
        assert (work.said(), door.used) == ((), 6)
    signer = signer_of(made.token(SEAL, SEALS).certificate)
    for one, answer in zip(asked, said, strict=True):
        assert isinstance(answer, SealCompleted) and answer.request_id == one.event.request_id
        seals.hold(answer, bytes.fromhex(one.event.digest), signer)
    sizes = Counter(one.proof.count for one in said if isinstance(one, SealCompleted) and one.proof)
    assert sizes == {1: 5, 45: 45}
    assert await database.pool.fetchval("SELECT count(proof) FROM seals") == 50


async def test_a_seal_whose_pin_is_wrong_waits_aside_and_the_others_are_sealed(
    door: Counting, certificates: SealCertificates, made: Authority, database: Database
) -> None:
    handlers = Handlers(door, certificates, HandClock(AT))  # pyright: ignore[reportArgumentType]
    seals_twice = enumerate(("210281.GHJ", "210281.JW") * 2, start=100)
    asked = [received(request(place, DECISION, seal)) for place, seal in seals_twice]
    latch = made.pins(SEALS) / f"210281.JW{SUFFIX}"
    latch.touch()
    async with database.work() as work:
        await handlers.on_seal_requests(asked, work)
        assert [one.raw for one in work.held] == [asked[1].raw, asked[3].raw]
        assert all(str(latch) in one.detail for one in work.held)
        assert len(work.said()) == door.used == 2
    latch.unlink()
    async with database.work() as work:
        await handlers.on_seal_requests(asked, work)
        assert (len(work.held), len(work.said()), door.used) == (0, 2, 4)


def root(number: int, previous: AuditRootClosed | None = None) -> AuditRootClosed:
    chains = {Place("approval.items.v1", 2): Head(number, b"x" * 32)}
    return auditing.closed(previous, {f"2018-210281-47-03-{number:06}": chains, Ledger.IDENTITY.value: chains}, AT)


async def test_each_root_of_the_audit_chains_is_sealed_once(
    door: Counting, certificates: SealCertificates, made: Authority, database: Database
) -> None:
    handlers = Handlers(door, certificates, HandClock(AT))  # pyright: ignore[reportArgumentType]
    first = root(1)
    second = root(2, first)
    forged = second.model_copy(update={"number": 3})
    asked = [received_root(one) for one in (first, second, first, forged)]
    for said in (2, 0):
        async with database.work() as work:
            await handlers.on_audit_roots(asked, work)
            answers = [AuditRootSealed.model_validate_json(message.value) for message in work.said()]
        assert len(answers) == said and door.used == 2
        for closed, answer in zip((first, second), answers, strict=False):
            signature = base64.b64decode(answer.signature)
            assert answer.root == closed.root
            assert verifies(
                answer.algorithm,
                signer_of(made.token(AUDIT, SEALS).certificate).key,
                signature,
                bytes.fromhex(closed.root),
            )


async def test_a_root_waits_aside_for_a_seal_that_counts(door: Counting, made: Authority, database: Database) -> None:
    """Its PIN is latched, then it is revoked, as the authority's own list has it; the others' seals go on."""
    asked = received_root(root(7))

    async def told(door: Counting) -> tuple[str, int]:
        handlers = Handlers(door, SealCertificates(door, known(made)), HandClock(AT))  # pyright: ignore[reportArgumentType]
        async with database.work() as work:
            await handlers.on_audit_roots([asked], work)
            assert all(one.raw == asked.raw for one in work.held)
            return "".join(one.detail for one in work.held), len(work.said())

    latch = made.pins(SEALS) / f"{AUDIT}{SUFFIX}"
    latch.touch()
    why, said = await told(door)
    assert str(latch) in why and (said, door.used) == (0, 0)
    latch.unlink()
    made.revoke(made.token(AUDIT, SEALS).certificate.serial)
    why, said = await told(door)
    assert "证书已被吊销" in why and (said, door.used) == (0, 0)
    made.issue(*(wanted for wanted in WANTED if wanted.token == AUDIT))
    anew = Counting(tokens.proxy(), made.pins(SEALS), own_label=SEAL, allows_stand_in=True)
    assert (await told(anew), anew.used) == (("", 1), 1)


def received_root(one: AuditRootClosed) -> Received[AuditRootClosed]:
    return Received(one, Raw(topics.AUDIT_ROOTS.name, 0, 0, 0, one.root.encode(), b"", ()), AT)
