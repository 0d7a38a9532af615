"""The press on a real database: what is decided or told is printed, its seal asked for, filed when it came; each once.

Documents are really printed and sealed, in this process; only the key and the timestamp are made on the spot.
"""

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chassis.filing import FileLost, Filing
from contracts import topics
from contracts.codes import Sha256
from contracts.department_worker import DocumentIssued, ItemConcluded, SealFailed, SealRequested, WindowDocumentIssued
from contracts.dispatcher import ItemDispatched, ItemSupplemented
from contracts.envelope import decode
from contracts.intake import WindowDocumentRequested
from contracts.signing import SealCompleted, SealRejected
from contracts.terms import DocumentKind, ItemKind, ItemState, ItemStep, OnExpiry, Outcome, SealForm
from department_worker import making, paper_store
from department_worker.at_hand import AtHand
from department_worker.documents import Facts, NotAsSealed, Prepared
from department_worker.handlers import Handlers
from department_worker.press import Press
from department_worker.settings import departments, windows
from department_worker.workshop import WorkshopFails
from evidence import documents, trust
from evidence.documents import Finding
from evidence.long_term import Evidence, carried
from evidence.revocation import Revocations
from evidence.testing import HOUR, Authority, trust_folder
from evidence.testing_documents import office
from local import fonts
from local.department import ROUTINE
from local.desk import CITY, MONDAY, Room, dispatched, material, names
from local.samples import sample
from procedure.notices import window_request_id

ISSUER = Authority("签发机构", Authority())
OFFICE = office(ISSUER)
PERMIT = {"department": "GHJ", "kind": ItemKind.PERMIT, "on_expiry": OnExpiry.ESCALATE, "name": "选址意见书"}
PERMIT |= {"policies": CITY.catalogue.versions}


class Bench:
    """In place of the processes of a workshop: the same work, here; `fails` is how often it breaks down first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fails = 0
        self.printed: list[Facts] = []

    async def prepared(self, facts: Facts, evidence: Evidence) -> Prepared:
        if self.fails:
            self.fails -= 1
            raise WorkshopFails("died")
        self.printed.append(facts)
        return making.prepare(facts, evidence, fonts.prepare(), True)

    async def sealed(self, pdf: bytes, signature: bytes) -> bytes:
        return making.finish(pdf, signature, self.folder)

    def close(self) -> None: ...


class Shop:
    """A room whose documents are PDFs, with its press."""

    def __init__(self, room: Room, folder: Path) -> None:
        self.room = room
        self.trust = trust_folder(folder / "trust", ISSUER)
        self.bench = Bench(self.trust)
        self.filing = Filing((folder / "documents").as_uri())
        self.woken = 0
        form: Any = {"sealed": True, "form": SealForm.PDF, "wake": self.wake, "windows": {"210281"}}
        room.handlers = Handlers(room.calendars, room.marks, room.roster, **form)  # pyright: ignore[reportArgumentType]
        workshop_here: Any = self.bench
        self.at_hand = AtHand(trust.load(self.trust), 60)
        url = "https://verify.example"
        self.press = Press(room.database, room.calendars, CITY, workshop_here, self.filing, self.at_hand, url)

    def wake(self) -> None:
        self.woken += 1

    async def decide(self, item: ItemDispatched, outcome: Outcome = Outcome.GRANTED) -> list[Any]:
        """Let the department decide an item; the notice that it was accepted is told of elsewhere."""
        await self.room.give(item)
        for step in ROUTINE[:-1]:
            await self.room.step(item, step)
        await self.room.database.pool.execute("DELETE FROM papers WHERE kind = 'ACCEPTANCE'")
        self.woken = 0
        return await self.room.step(item, ItemStep.CONCLUDE, outcome=outcome, opinion="符合规划条件")

    async def said(self, some: str) -> list[Any]:
        """Let the press take up what waits; return what it said."""
        told: list[Any] = []
        database, work = self.room.database, self.room.database.work

        def overheard(*about: Any) -> Any:
            return _Overheard(work(*about), told)

        database.work = overheard  # pyright: ignore[reportAttributeAccessIssue]
        try:
            await getattr(self.press, some)()
        finally:
            database.work = work
        return told

    async def answer(self, *answers: Any) -> list[Any]:
        received = [self.room.received(topics.SEALS, one) for one in answers]
        return await self.room._apply(self.room.handlers.on_seals, received)

    async def hear(self, *asked: WindowDocumentRequested) -> list[Any]:
        """Somebody asks the window for documents."""
        received = [self.room.received(topics.APPLICATIONS, one) for one in asked]
        return await self.room._apply(self.room.handlers.on_applications, received)

    async def stands(self) -> list[str]:
        return [row["stand"] for row in await self.room.database.pool.fetch("SELECT stand FROM papers")]


class _Overheard:
    def __init__(self, inner: Any, told: list[Any]) -> None:
        self._inner, self._told = inner, told

    async def __aenter__(self) -> Any:
        self._work = await self._inner.__aenter__()
        return self._work

    async def __aexit__(self, *trouble: Any) -> Any:
        messages = self._work.said() if trouble[0] is None else ()
        known = {name: model for topic in topics.TOPICS for name, model in topic.known.items()}
        ended = await self._inner.__aexit__(*trouble)
        self._told.extend(decode(m.value.encode(), m.headers, m.key.encode(), known) for m in messages)
        return ended


@pytest.fixture
def shop(sealing_room: Room, tmp_path: Path) -> Shop:
    return Shop(sealing_room, tmp_path)


def completed(asked: SealRequested, signature: bytes, at: datetime = MONDAY) -> SealCompleted:
    return SealCompleted(
        event_id=UUID(int=asked.request_id.int ^ 1),
        causation_id=asked.event_id,
        occurred_at=at,
        project_code=asked.project_code,
        request_id=asked.request_id,
        item_id=asked.item_id,
        item_code=asked.item_code,
        digest=asked.digest,
        algorithm="cms/ecdsa-p256-sha256",
        signature=base64.b64encode(signature).decode(),
        certificate=OFFICE.seal.certificate.serial,
        signed_at=at,
        form=SealForm.PDF,
    )


def rejected(asked: SealRequested) -> SealRejected:
    return SealRejected(
        event_id=UUID(int=5),
        causation_id=asked.event_id,
        occurred_at=MONDAY,
        project_code=asked.project_code,
        request_id=asked.request_id,
        item_id=asked.item_id,
        item_code=asked.item_code,
        code="SEAL_NOT_GRANTED",
        message="印章未获授权",
    )


def signed(asked: SealRequested) -> SealCompleted:
    return completed(asked, OFFICE.signature(bytes.fromhex(asked.digest)))


async def test_a_decision_is_printed_sealed_filed_and_only_then_concluded(shop: Shop) -> None:
    item = dispatched("S1-04", **PERMIT)
    assert names(await shop.decide(item)) == ["ItemDecided"]
    assert shop.woken == 1
    (asked,) = await shop.said("print_some")
    assert (asked.form, asked.seal) == (SealForm.PDF, "210281.GHJ")
    assert names(await shop.answer(signed(asked))) == []
    (concluded,) = await shop.said("seal_some")
    assert isinstance(concluded, ItemConcluded) and concluded.document is not None
    file = await shop.filing.read(concluded.document)
    trusted = trust.load(shop.trust)
    assert documents.judge(file, trusted, trusted.revocations()).finding is Finding.VALID
    assert await shop.stands() == ["SEALED"]


async def test_a_document_carries_what_is_at_hand_of_revocation(shop: Shop) -> None:
    current = ISSUER.revocations(at=datetime.now(UTC) - HOUR)
    (shop.trust / "issuing.crl").write_bytes(current)
    trusted = trust.load(shop.trust)

    async def printed(item: str) -> bytes:
        await shop.decide(dispatched(item, **PERMIT))
        (asked,) = await shop.said("print_some")
        return await shop.filing.get(f"waiting/{asked.digest}.pdf")

    assert carried(await printed("S1-04"), trusted) == Revocations()
    await shop.at_hand.fetch()
    assert carried(await printed("S1-05"), trusted) == trusted.revocations()


async def test_an_opinion_stays_on_the_platform_and_is_asked_for_at_once(shop: Shop) -> None:
    said = await shop.decide(dispatched("S1-10"))
    assert names(said) == ["ItemDecided", "SealRequested"]
    assert said[1].form is SealForm.DIGEST
    assert await shop.said("print_some") == []


async def test_every_step_is_done_once(shop: Shop) -> None:
    await shop.decide(dispatched("S1-04", **PERMIT))
    (asked,) = await shop.said("print_some")
    assert await shop.said("print_some") == []
    await shop.answer(signed(asked))
    await shop.answer(signed(asked))
    assert names(await shop.said("seal_some")) == ["ItemConcluded"]
    await shop.answer(signed(asked))
    assert await shop.said("seal_some") == []


async def test_numbers_follow_each_other_within_their_series(shop: Shop) -> None:
    await shop.decide(dispatched("S1-04", **PERMIT))
    await shop.decide(dispatched("S1-05", **PERMIT))
    await shop.decide(dispatched("S1-05", attempt=2, **PERMIT), Outcome.REFUSED)
    assert len(await shop.said("print_some")) == 3
    numbers = [row["number"] for row in await shop.room.database.pool.fetch("SELECT number FROM papers ORDER BY 1")]
    assert numbers == ["瓦自然资许不〔2026〕1号", "瓦自然资许准〔2026〕1号", "瓦自然资许准〔2026〕2号"]


async def test_a_press_that_breaks_down_leaves_nothing_half_done(shop: Shop) -> None:
    await shop.decide(dispatched("S1-04", **PERMIT))
    shop.bench.fails = 1
    with pytest.raises(WorkshopFails):
        await shop.said("print_some")
    assert await shop.stands() == ["DECIDED"]
    assert await shop.room.database.pool.fetchval("SELECT count(*) FROM paper_numbers") == 0
    assert names(await shop.said("print_some")) == ["SealRequested"]
    assert await shop.room.database.pool.fetchval("SELECT number FROM papers") == "瓦自然资许准〔2026〕1号"


async def test_a_signature_over_something_else_concludes_nothing(shop: Shop) -> None:
    item = dispatched("S1-04", **PERMIT)
    await shop.decide(item)
    (asked,) = await shop.said("print_some")
    await shop.answer(completed(asked, OFFICE.signature(b"\1" * 32)))
    with pytest.raises(NotAsSealed):
        await shop.said("seal_some")
    assert (await shop.room.item(item)).state is ItemState.SEALING
    assert await shop.stands() == ["ANSWERED"]


async def test_a_refused_seal_puts_the_item_before_its_decision_and_voids_the_document(shop: Shop) -> None:
    await shop.decide(dispatched("S1-04", **PERMIT))
    (asked,) = await shop.said("print_some")
    (failed,) = await shop.answer(rejected(asked))
    assert isinstance(failed, SealFailed)
    assert await shop.said("seal_some") == []
    assert await shop.stands() == ["VOID"]


async def test_what_waited_for_a_seal_that_is_refused_is_cleared_away(shop: Shop) -> None:
    asked = await give_and(shop, dispatched("S1-04", **PERMIT), ItemStep.NOT_ACCEPT)
    waits = f"waiting/{asked.digest}.pdf"
    assert await shop.filing.get(waits)
    shop.woken = 0
    await shop.answer(rejected(asked))
    assert shop.woken == 1
    await shop.said("seal_some")
    with pytest.raises(FileLost):
        await shop.filing.get(waits)
    await shop.answer(rejected(asked))
    assert await shop.stands() == ["VOID"]
    assert await shop.said("seal_some") == []


async def test_a_refused_seal_keeps_no_other_document_waiting(shop: Shop) -> None:
    refused = await give_and(shop, dispatched("S1-04", **PERMIT), ItemStep.NOT_ACCEPT)
    sealed = await give_and(shop, dispatched("S1-05", **PERMIT), ItemStep.NOT_ACCEPT)
    await shop.answer(rejected(refused), signed(sealed))
    assert names(await shop.said("seal_some")) == ["DocumentIssued"]
    assert sorted(await shop.stands()) == ["SEALED", "VOID"]


def supplement(item: ItemDispatched) -> ItemSupplemented:
    names = ("project_code", "application_id", "stage", "item_id", "item_code", "attempt", "department", "jurisdiction")
    about: dict[str, Any] = {name: getattr(item, name) for name in names}
    when = {"occurred_at": MONDAY, "submitted_at": MONDAY}
    made = {"event_id": UUID(int=6), "causation_id": UUID(int=9), "materials": (), "explanation": "已补充"}
    return ItemSupplemented(**about, **when, **made)


async def give_and(shop: Shop, item: ItemDispatched, step: ItemStep) -> Any:
    """Let the department take a step of which the builder is told; return the request for the notice's seal."""
    await shop.room.give(item)
    await shop.room.step(item, step, opinion="缺少规划条件，请补齐")
    (asked,) = await shop.said("print_some")
    return asked


def asked_of_window(kind: DocumentKind, place: str = "210281") -> WindowDocumentRequested:
    told = {"jurisdiction": place, "policies": CITY.catalogue.versions, "project_name": "示例项目", "at": MONDAY}
    materials = (material("M01"), material("M02"))
    request_id = window_request_id(UUID(int=2), kind)
    named = {"kind": kind, "request_id": request_id, "application_id": UUID(int=2), "event_id": request_id}
    return sample(WindowDocumentRequested).model_copy(update={**told, **named, "materials": materials, "originals": ()})


async def test_what_is_asked_of_the_window_is_printed_sealed_and_issued_once(shop: Shop) -> None:
    receipt = asked_of_window(DocumentKind.RECEIPT)
    assert await shop.hear(receipt, receipt, asked_of_window(DocumentKind.RECEIPT, "210200")) == []
    assert shop.woken == 1
    (asked,) = await shop.said("print_some")
    assert (asked.form, asked.document_kind, asked.seal) == (SealForm.PDF, DocumentKind.RECEIPT, "210281.WINDOW")
    assert (asked.request_id, asked.item_id, asked.actor) == (receipt.request_id, None, receipt.actor)
    assert await shop.room.database.pool.fetchval("SELECT number FROM papers") == "瓦综窗收〔2026〕1号"
    assert [one.digests for one in shop.bench.printed] == [tuple(one.sha256 for one in receipt.materials)]
    await shop.hear(receipt)
    assert await shop.said("print_some") == []
    await shop.answer(signed(asked))
    (issued,) = await shop.said("seal_some")
    assert isinstance(issued, WindowDocumentIssued)
    assert (issued.kind, issued.request_id) == (DocumentKind.RECEIPT, receipt.request_id)
    trusted = trust.load(shop.trust)
    file = await shop.filing.read(issued.document)
    assert documents.judge(file, trusted, trusted.revocations()).finding is Finding.VALID
    await shop.answer(signed(asked))
    assert await shop.said("seal_some") == []


async def test_the_same_request_makes_the_same_document(shop: Shop) -> None:
    made: list[Sha256] = []
    for _ in range(2):
        await shop.room.database.pool.execute("TRUNCATE papers, paper_numbers")
        await shop.hear(asked_of_window(DocumentKind.WINDOW_NOTICE))
        (asked,) = await shop.said("print_some")
        made.append(asked.digest)
    assert made[0] == made[1]


def test_a_worker_is_told_which_windows_are_its_own() -> None:
    assert windows("210281.*,210200.GHJ") == {"210281"}
    assert windows("210281.GHJ, 210281.WINDOW") == {"210281"}
    assert windows("210281.GHJ") == frozenset()
    assert departments("210281.WINDOW", CITY.catalogue) == []


NOTICES = [
    (ItemStep.ACCEPT, DocumentKind.ACCEPTANCE, ItemState.ACCEPTED, "瓦自然资受〔2026〕1号"),
    (ItemStep.NOT_ACCEPT, DocumentKind.NOT_ACCEPTED, ItemState.NOT_ACCEPTED, "瓦自然资不受〔2026〕1号"),
    (ItemStep.START_CORRECTION, DocumentKind.CORRECTION, ItemState.CORRECTION_PRE, "瓦自然资补〔2026〕1号"),
]


@pytest.mark.parametrize(("step", "kind", "state", "number"), NOTICES)
async def test_a_notice_is_printed_sealed_and_issued_and_its_item_waits_for_none_of_it(
    shop: Shop, step: ItemStep, kind: DocumentKind, state: ItemState, number: str
) -> None:
    item = dispatched("S1-04", **PERMIT)
    asked = await give_and(shop, item, step)
    assert (await shop.room.item(item)).state is state
    assert (asked.form, asked.document_kind, asked.seal) == (SealForm.PDF, kind, "210281.GHJ")
    assert await shop.room.database.pool.fetchval("SELECT number FROM papers") == number
    assert names(await shop.answer(signed(asked))) == []
    (issued,) = await shop.said("seal_some")
    assert isinstance(issued, DocumentIssued)
    assert (issued.kind, issued.request_id, issued.item_id) == (kind, asked.request_id, item.item_id)
    trusted = trust.load(shop.trust)
    file = await shop.filing.read(issued.document)
    assert documents.judge(file, trusted, trusted.revocations()).finding is Finding.VALID
    assert (await shop.room.item(item)).state is state


async def test_a_notice_is_issued_once(shop: Shop) -> None:
    asked = await give_and(shop, dispatched("S1-04", **PERMIT), ItemStep.NOT_ACCEPT)
    assert await shop.said("print_some") == []
    await shop.answer(signed(asked), signed(asked))
    assert names(await shop.said("seal_some")) == ["DocumentIssued"]
    await shop.answer(signed(asked))
    assert await shop.said("seal_some") == []


async def test_a_notice_is_issued_although_its_item_went_on(shop: Shop) -> None:
    item = dispatched("S1-04", **PERMIT)
    await shop.room.give(item)
    await shop.room.step(item, ItemStep.START_CORRECTION, opinion="请补齐")
    await shop.room.give(supplement(item))
    await shop.room.step(item, ItemStep.NOT_ACCEPT, opinion="不属于本机关职权范围")
    asked = await shop.said("print_some")
    assert {one.document_kind for one in asked} == {DocumentKind.CORRECTION, DocumentKind.NOT_ACCEPTED}


async def test_a_correction_says_how_it_stood_when_it_was_told_not_when_it_is_printed(shop: Shop) -> None:
    early, later = dispatched("S1-04", **PERMIT), dispatched("S1-05", **PERMIT)
    await shop.room.give(early, later)
    await shop.room.step(early, ItemStep.START_CORRECTION, opinion="请补齐")
    await shop.room.give(supplement(early))
    await shop.room.step(early, ItemStep.ACCEPT)
    await shop.room.step(later, ItemStep.ACCEPT)
    await shop.room.step(later, ItemStep.START_CORRECTION, opinion="请补充")
    await shop.said("print_some")
    told = {one.opinion: one.accepted for one in shop.bench.printed if one.kind is DocumentKind.CORRECTION}
    assert told == {"请补齐": None, "请补充": MONDAY.date()}


async def test_what_the_platform_accepted_has_no_notice(shop: Shop) -> None:
    said = await shop.room.give(dispatched("S1-04", **PERMIT, reopened_at=MONDAY))
    assert names(said) == ["ItemReceived", "ItemAccepted"]
    assert await shop.stands() == []


async def test_that_a_question_was_taken_up_stays_on_the_platform(shop: Shop) -> None:
    item = dispatched("S1-10")
    await shop.room.give(item)
    assert names(await shop.room.step(item, ItemStep.ACCEPT))[:1] == ["ItemAccepted"]
    assert await shop.stands() == []


async def test_a_refused_seal_of_a_notice_leaves_the_item_as_it_is(shop: Shop) -> None:
    item = dispatched("S1-04", **PERMIT)
    asked = await give_and(shop, item, ItemStep.NOT_ACCEPT)
    assert await shop.answer(rejected(asked)) == []
    assert await shop.said("seal_some") == []
    assert await shop.stands() == ["VOID"]
    assert (await shop.room.item(item)).state is ItemState.NOT_ACCEPTED


async def test_a_decision_and_a_notice_are_filed_in_one_turn(shop: Shop) -> None:
    await shop.decide(dispatched("S1-05", **PERMIT))
    (decision,) = await shop.said("print_some")
    notice = await give_and(shop, dispatched("S1-04", **PERMIT), ItemStep.NOT_ACCEPT)
    await shop.answer(signed(decision), signed(notice))
    assert sorted(names(await shop.said("seal_some"))) == ["DocumentIssued", "ItemConcluded"]


async def test_an_office_reads_the_decision_before_any_notice(shop: Shop) -> None:
    item = dispatched("S1-04", **PERMIT)
    await shop.room.give(item)
    for step in ROUTINE[:-1]:
        await shop.room.step(item, step)
    await shop.room.step(item, ItemStep.CONCLUDE, outcome=Outcome.GRANTED, opinion="符合规划条件")
    asked = {one.document_kind: one for one in await shop.said("print_some")}
    read: list[Any] = []
    for kind in (DocumentKind.DECISION, DocumentKind.ACCEPTANCE):
        await shop.answer(completed(asked[kind], OFFICE.signature(bytes.fromhex(asked[kind].digest))))
        await shop.said("seal_some")
        async with shop.room.database.reading() as connection:
            read.append(await paper_store.filed(connection, item.item_id))
    assert read[0] is not None and read[1] == read[0]


async def test_records_have_no_notices(sealing_room: Room) -> None:
    item = dispatched("S1-04", **PERMIT)
    await sealing_room.give(item)
    assert names(await sealing_room.step(item, ItemStep.NOT_ACCEPT, opinion="不予受理")) == ["ItemNotAccepted"]
    assert not any("papers" in query for query in sealing_room.queries)
    assert await sealing_room.database.pool.fetchval("SELECT count(*) FROM papers") == 0


async def test_the_file_is_addressed_by_its_content(shop: Shop) -> None:
    digest = await shop.filing.keep(b"%PDF-")
    assert await shop.filing.has(digest)
    assert not await shop.filing.has(Sha256("0" * 64))
    assert await shop.filing.read(digest) == b"%PDF-"
