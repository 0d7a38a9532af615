"""What a department's desk makes of what it is given, told and granted; on a real database, time set by hand."""

import asyncio
import contextlib
from datetime import UTC, date, datetime, timedelta
from math import inf
from typing import Any
from uuid import UUID

import pytest
from aiokafka import TopicPartition

from chassis.bus import Bus
from chassis.wallclock import RealClock
from contracts import topics
from contracts.codes import CITY, DepartmentCode, ItemCode, JurisdictionCode
from contracts.department_worker import (
    CorrectionEnded,
    ItemAccepted,
    ItemActRefused,
    ItemConcluded,
    ItemDecided,
    LateOpinionRecorded,
    MaterialsRecorded,
)
from contracts.dispatcher import DeferredMaterialsPassedOn, ItemDispatched, ItemSupplemented, ResultsPassedOn
from contracts.envelope import Event, derived_id
from contracts.parts import Actor, DayOrdered, DeferredMaterial, MaterialRef, ResultRef, Special
from contracts.signing import CertificateSuspended
from contracts.supervision import SpecialHandlingGranted, UrgeAnswered, Urged, UrgeReceived
from contracts.terms import (
    DueCause,
    ItemState,
    ItemStep,
    Light,
    Outcome,
    PauseReason,
    SpecialEffect,
    SpecialKind,
    UrgeLevel,
)
from contracts.timer import AcceptanceOverdue, CalendarAmended, ItemAutoRecall
from department_worker import domain, store
from local.department import report
from local.desk import CITY as DALIAN
from local.desk import MONDAY, PLACE, Room, dispatched, material, names
from procedure.calendar import start_of_day
from procedure.refusals import CalendarDoesNotReach

T = ItemStep
LEAD = Actor(holder="牵头部门", certificate="CA-LEAD")
BUILDERS = Actor(holder="王工", certificate="B-1")
DEEMS: dict[str, Any] = {"acceptance_expiry": "deem_accepted"}
DUE = start_of_day(date(2026, 3, 10))
"""24:00 of 9 March: five working days after MONDAY's acceptance."""


def about(item: ItemDispatched) -> dict[str, Any]:
    names = ("project_code", "application_id", "stage", "item_id", "item_code", "attempt", "department", "jurisdiction")
    return {"causation_id": UUID(int=9), "occurred_at": MONDAY, **{name: getattr(item, name) for name in names}}


def only(kind: type[Any], events: list[Event]) -> Any:
    found = [event for event in events if isinstance(event, kind)]
    assert len(found) == 1, names(events)
    return found[0]


# A key that was lost (Art. 20) ----------------------------------------------------------------------------------


def lost(certificate: str, at: datetime) -> CertificateSuspended:
    said: dict[str, Any] = {"event_id": derived_id("lost", at), "causation_id": UUID(int=1), "occurred_at": at}
    subject = f"certificate:{certificate}"
    return CertificateSuspended(**said, subject=subject, serial=certificate, suspended_at=at, reason="遗失")


@pytest.mark.parametrize("heard_first", [True, False])
async def test_a_report_counts_by_its_append_time_before_the_loss_of_the_key_and_after_it(
    room: Room, heard_first: bool
) -> None:
    """Whether the loss or the report is applied first; what was refused is recorded, and the item stays as it was."""
    item, loss_at = dispatched(), MONDAY + timedelta(hours=1)
    await room.give(item)
    early, late = report(item, T.ACCEPT), report(item, T.REVIEW)
    said = [] if heard_first else await room.tell(early, at=loss_at - timedelta(microseconds=1))
    await room.hear(lost(early.actor.certificate, loss_at))
    if heard_first:
        said = await room.tell(early, at=loss_at - timedelta(microseconds=1))
    assert names(said) == ["ItemAccepted", "MaterialsRecorded"]
    refused = only(ItemActRefused, await room.tell(late, at=loss_at))
    assert (refused.code, refused.article) == ("CERTIFICATE_IS_SUSPENDED", "第二十条")
    assert refused.actor == late.actor and (await room.item(item)).state is ItemState.ACCEPTED


async def test_a_report_waits_for_a_loss_that_was_heard_of_and_is_not_read_yet(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT)
    late = report(item, T.REVIEW)
    room.standing.is_told([late.actor.certificate], -inf)
    room.marks.unread = {topics.IDENTITY.name}
    assert await room.tell(late) == [] and len(room.held) == 1
    await room.hear(lost(late.actor.certificate, MONDAY))
    room.marks.unread = set()
    assert names(await room.tell(late)) == ["ItemActRefused"]


async def test_who_acted_is_asked_once_for_all_reports_of_a_unit_of_work(room: Room) -> None:
    items = [dispatched(f"S1-0{number}") for number in range(1, 6)]
    await room.give(*items)
    await room.tell(*(report(one, T.ACCEPT) for one in items))
    await room.tell(*(report(one, T.REVIEW) for one in items))
    assert sum("suspensions" in query or "roster" in query for query in room.queries) == 1


# 首录负责制 (Art. 12) -------------------------------------------------------------------------------------------


async def test_the_accepting_officer_is_first_recorder_of_what_nobody_has_checked(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    said = await room.step(item, T.ACCEPT)
    assert names(said) == ["ItemAccepted", "MaterialsRecorded"]
    recorded = only(MaterialsRecorded, said)
    assert [one.code for one in recorded.materials] == ["M07", "M08"]
    assert recorded.materials == item.materials and recorded.actor == only(ItemAccepted, said).actor
    first = await room.ask(lambda c: store.first_recorders(c, item.project_code, item.materials))
    assert {one.department for one in first.values()} == {"WWJ"} and len(first) == 2


async def test_a_later_department_need_not_check_again_but_answers_for_what_it_is_first_to_see(room: Room) -> None:
    first, second = dispatched(), dispatched("S1-09", department="RFB", materials=(material("M08"), material("M11")))
    await room.give(first, second)
    await room.step(first, T.ACCEPT)
    recorded = only(MaterialsRecorded, await room.step(second, T.ACCEPT))
    assert [one.code for one in recorded.materials] == ["M11"]
    held = await room.ask(lambda c: store.first_recorders(c, second.project_code, second.materials))
    assert {code: one.department for (code, _), one in held.items()} == {"M08": "WWJ", "M11": "RFB"}


async def test_changed_bytes_have_a_first_recorder_of_their_own(room: Room) -> None:
    first = dispatched()
    second = dispatched("S1-09", department="RFB", materials=(material("M07", "changed"), material("M08")))
    await room.give(first, second)
    await room.step(first, T.ACCEPT)
    recorded = only(MaterialsRecorded, await room.step(second, T.ACCEPT))
    assert [(one.code, one.sha256) for one in recorded.materials] == [("M07", material("M07", "changed").sha256)]


async def test_of_two_acceptances_in_one_batch_the_earlier_records(room: Room) -> None:
    first, second = dispatched(), dispatched("S1-09", department="RFB")
    await room.give(second, first)
    later = (report(first, T.ACCEPT), MONDAY + timedelta(seconds=1))
    assert only(MaterialsRecorded, await room.tell_each(later, (report(second, T.ACCEPT), MONDAY))).department == "RFB"


@pytest.mark.parametrize("dies", [False, True])
async def test_of_two_processes_that_accept_at_once_one_records_or_if_it_dies_the_other(room: Room, dies: bool) -> None:
    first, second = dispatched(), dispatched("S1-09", department="RFB")
    await room.give(first, second)
    beside = Room(room.database, sealed=False)
    with contextlib.suppress(ConnectionAbortedError):
        async with room.database.work() as work:
            reports = topics.department_reports(PLACE, first.department)
            await room.handlers.on_reports([room.received(reports, report(first, T.ACCEPT))], work)
            waits = asyncio.create_task(beside.step(second, T.ACCEPT))
            async with asyncio.timeout(10):
                while not await room.ask(lambda c: c.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                    await asyncio.sleep(0.01)
            if dies:
                raise ConnectionAbortedError
    assert ("MaterialsRecorded" in names(await waits)) is dies


async def test_another_project_has_first_recorders_of_its_own(room: Room) -> None:
    item = dispatched()
    other = dispatched("S1-09", project_code=item.project_code.replace("000123", "000124"))
    await room.give(item)
    await room.give(other)
    await room.step(item, T.ACCEPT)
    assert len(only(MaterialsRecorded, await room.step(other, T.ACCEPT)).materials) == 2


async def test_a_repeated_acceptance_records_nothing_anew(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    again = report(item, T.ACCEPT)
    await room.tell(again)
    assert names(await room.tell(again)) == ["ItemActRefused"]


async def test_a_batch_without_acceptances_asks_nothing_of_first_recorders(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    assert not any("first_recorders" in query for query in room.queries)
    await room.step(item, T.ACCEPT)
    assert sum("first_recorders" in query for query in room.queries) == 1
    await room.step(item, T.REVIEW, T.APPROVE)
    await room.step(item, T.CONCLUDE, outcome=Outcome.GRANTED, opinion="无意见")
    assert not any("first_recorders" in query for query in room.queries)


async def test_what_a_supplement_brings_after_acceptance_is_checked_by_who_handles_it_next(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT)
    await room.step(item, T.START_CORRECTION, opinion="请补充")
    await room.give(supplement(item, material("M08", "better")), at=MONDAY + timedelta(hours=1))
    dossier = await room.ask(lambda c: store.dossier(c, item.item_id))
    assert [one.sha256 for one in dossier.materials] == [material("M07").sha256, material("M08", "better").sha256]
    recorded = only(MaterialsRecorded, await room.step(item, T.REVIEW, at=MONDAY + timedelta(hours=2)))
    assert [one.sha256 for one in recorded.materials] == [material("M08", "better").sha256]


async def test_a_supplement_that_nobody_asked_for_is_refused_and_stays_out_of_the_dossier(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT)
    assert only(ItemActRefused, await room.give(supplement(item, material("M09")))).actor == BUILDERS
    dossier = await room.ask(lambda c: store.dossier(c, item.item_id))
    assert [one.code for one in dossier.materials] == ["M07", "M08"]


def supplement(item: ItemDispatched, *materials: MaterialRef) -> ItemSupplemented:
    at = MONDAY + timedelta(hours=1)
    return ItemSupplemented(
        event_id=derived_id("supplement", item.item_id),
        **about(item),
        submitted_at=at,
        materials=materials,
        explanation="已补充",
        actor=BUILDERS,
    )


# Results of other departments (Art. 8), 容缺, re-opening -------------------------------------------------------


def result(code: str, outcome: Outcome = Outcome.GRANTED) -> ResultRef:
    return ResultRef(item_code=ItemCode(code), item_id=derived_id(code), name="批复", outcome=outcome)


def passed_on(item: ItemDispatched, *results: ResultRef, missing: tuple[str, ...] = ()) -> ResultsPassedOn:
    made = derived_id("passed", item.item_id, len(results))
    left = tuple(map(ItemCode, missing))
    return ResultsPassedOn(event_id=made, **about(item), results=results, missing_results=left)


async def test_an_item_whose_required_result_is_missing_is_not_accepted_until_it_is_passed_on(room: Room) -> None:
    item = dispatched(missing_results=(ItemCode("S1-01"), ItemCode("S1-04")), results=(result("S1-03"),))
    await room.give(item)
    refused = only(ItemActRefused, await room.step(item, T.ACCEPT))
    assert (refused.code, refused.article, refused.state) == ("RESULT_STILL_MISSING", "第八条", "RECEIVED")
    assert "S1-01" in refused.message and "S1-04" in refused.message
    await room.give(passed_on(item, result("S1-04"), missing=("S1-01",)))
    assert "S1-01" in only(ItemActRefused, await room.step(item, T.ACCEPT)).message
    whole = passed_on(item, result("S1-01"), result("S1-04", Outcome.DEEMED_NO_OPINION))
    await room.give(whole, passed_on(item, result("S1-04"), missing=("S1-01",)))
    assert names(await room.step(item, T.ACCEPT))[0] == "ItemAccepted"
    dossier = await room.ask(lambda c: store.dossier(c, item.item_id))
    assert sorted(one.item_code for one in dossier.results) == ["S1-01", "S1-03", "S1-04"]


async def test_promised_materials_are_told_with_the_acceptance(room: Room) -> None:
    promised = DeferredMaterial(code=material("M09").code, promised_on=date(2026, 3, 20))
    item = dispatched(deferred=(promised,))
    await room.give(item)
    assert only(ItemAccepted, await room.step(item, T.ACCEPT)).deferred == (promised,)


async def test_a_promised_material_that_came_stands_in_the_dossier_and_is_promised_no_more(room: Room) -> None:
    promised = [DeferredMaterial(code=material(code).code, promised_on=date(2026, 3, 20)) for code in ("M09", "M10")]
    item = dispatched(deferred=tuple(promised))
    await room.give(item)
    await room.step(item, T.ACCEPT)
    came = DeferredMaterialsPassedOn(
        event_id=derived_id("came", item.item_id), **about(item), materials=(material("M09"),)
    )
    await room.give(came, came)
    assert (await room.item(item)).deferred == (promised[1],)
    dossier = await room.ask(lambda c: store.dossier(c, item.item_id))
    assert [one.code for one in dossier.materials].count("M09") == 1
    assert "M09" in {one.code for one in only(MaterialsRecorded, await room.step(item, T.REVIEW)).materials}


async def test_an_item_opened_again_after_its_recall_is_received_and_accepted_at_that_instant(room: Room) -> None:
    reopened_at = MONDAY + timedelta(days=10)
    item = dispatched(attempt=2, reopened_at=reopened_at)
    said = await room.give(item, at=reopened_at + timedelta(seconds=3))
    assert names(said) == ["ItemReceived", "ItemAccepted"]
    assert [(event.at, event.version) for event in said] == [(reopened_at, 1), (reopened_at, 2)]  # pyright: ignore[reportAttributeAccessIssue]
    held = await room.item(item)
    assert domain.due_of(held, DALIAN.calendar) == start_of_day(date(2026, 3, 20))
    assert names(await room.give(item, at=reopened_at + timedelta(seconds=4))) == []


# Silence that accepts (P5) --------------------------------------------------------------------------------------


def overdue(item: ItemDispatched, due_at: datetime, *, deems: bool = True) -> AcceptanceOverdue:
    told = {"clock_id": UUID(int=7), "generation": 1, "due_at": due_at, "detected_at": due_at, "deems": deems}
    return AcceptanceOverdue(event_id=derived_id("overdue", item.item_id, due_at), **about(item), **told)


async def test_silence_accepts_at_the_due_instant_and_nobody_has_checked_the_materials(room: Room) -> None:
    item = dispatched(settings=DEEMS)
    await room.give(item)
    said = await room.strike(overdue(item, DUE), at=DUE + timedelta(minutes=9))
    accepted = only(ItemAccepted, said)
    assert (accepted.at, accepted.deemed, accepted.actor) == (DUE, True, domain.PLATFORM)
    assert names(said) == ["ItemAccepted"]
    reviewed = await room.step(item, T.REVIEW, at=DUE + timedelta(hours=1))
    assert names(reviewed) == ["ItemReviewed", "MaterialsRecorded"]


async def test_an_alarm_accepts_nothing(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    assert await room.strike(overdue(item, DUE, deems=False), at=DUE) == []
    assert (await room.item(item)).state is ItemState.RECEIVED


@pytest.mark.parametrize(
    ("step", "state"),
    [
        (T.ACCEPT, ItemState.ACCEPTED),
        (T.NOT_ACCEPT, ItemState.NOT_ACCEPTED),
        (T.START_CORRECTION, ItemState.CORRECTION_PRE),
    ],
)
async def test_what_was_done_in_time_makes_silence_void(room: Room, step: ItemStep, state: ItemState) -> None:
    item = dispatched(settings=DEEMS)
    await room.give(item)
    await room.step(item, step, at=DUE, opinion="理由")
    assert await room.strike(overdue(item, DUE), at=DUE + timedelta(minutes=1)) == []
    assert (await room.item(item)).state is state


async def test_what_was_done_too_late_finds_the_item_accepted_by_silence_whatever_comes_first(room: Room) -> None:
    item = dispatched(settings=DEEMS)
    await room.give(item)
    said = await room.step(item, T.START_CORRECTION, at=DUE + timedelta(seconds=1), opinion="请补正")
    assert names(said) == ["ItemAccepted", "CorrectionRequested"]
    assert (said[0].at, said[0].deemed) == (DUE, True)  # pyright: ignore[reportAttributeAccessIssue]
    assert await room.strike(overdue(item, DUE), at=DUE + timedelta(minutes=1)) == []
    late = dispatched("S1-09", settings=DEEMS)
    await room.give(late)
    said = await room.step(late, T.ACCEPT, at=DUE + timedelta(seconds=1))
    assert names(said) == ["ItemAccepted", "ItemActRefused"]
    assert said[1].code == "STEP_OUT_OF_ORDER"  # pyright: ignore[reportAttributeAccessIssue]


async def test_a_supplement_that_nobody_asked_for_finds_the_item_accepted_by_silence_and_is_refused(room: Room) -> None:
    item, later = dispatched(settings=DEEMS), DUE + timedelta(seconds=1)
    await room.give(item)
    unasked = supplement(item, material("M09")).model_copy(update={"submitted_at": later})
    assert names(await room.give(unasked, at=later)) == ["ItemAccepted", "ItemActRefused"]
    dossier = await room.ask(lambda c: store.dossier(c, item.item_id))
    assert [one.code for one in dossier.materials] == ["M07", "M08"]


async def test_a_correction_in_time_begins_another_time_for_acceptance(room: Room) -> None:
    item = dispatched(settings=DEEMS)
    await room.give(item)
    await room.step(item, T.START_CORRECTION, at=DUE, opinion="请补正")
    later = DUE + timedelta(minutes=5)
    await room.give(supplement(item).model_copy(update={"submitted_at": later}), at=later)
    assert await room.strike(overdue(item, DUE), at=later + timedelta(minutes=1)) == []
    assert (await room.item(item)).state is ItemState.RECEIVED


class Elsewhere:
    """A consumer whose topics are all read by another process of the service; each partition ends at 5."""

    def __init__(self) -> None:
        self.consumer = self

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {0, 1} if topic == topics.CALENDAR.name else None

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 5)


async def test_what_another_process_of_the_service_has_read_is_read(room: Room) -> None:
    bus = Bus(room.database, RealClock())
    bus.of(Elsewhere())  # pyright: ignore[reportArgumentType]
    asked, moves = [topics.CALENDAR.name, "unheard-of"], "UPDATE positions SET next_offset = $2 WHERE partition = $1"
    await room.database.pool.execute("TRUNCATE positions")
    for moved, read in (((0, 5), set()), ((1, 4), set()), ((1, 5), {topics.CALENDAR.name})):
        async with room.database.work() as work:
            await bus.has_read_to_end(asked, work)
            await work.execute(moves, *moved)
            assert await bus.has_read_to_end(asked, work) == read


@pytest.mark.parametrize("unread", ["reports", "supervision", "calendar"])
async def test_nothing_expires_before_what_decides_it_was_read_to_its_end(room: Room, unread: str) -> None:
    item = dispatched(settings=DEEMS)
    await room.give(item)
    reports = topics.department_reports(item.jurisdiction, item.department)
    topic = {"reports": reports, "supervision": topics.SUPERVISION, "calendar": topics.CALENDAR}[unread]
    room.marks.unread = {topic.name}
    assert await room.strike(overdue(item, DUE), at=DUE) == [] and len(room.held) == 1
    room.marks.unread = set()
    assert names(await room.strike(overdue(item, DUE), at=DUE)) == ["ItemAccepted"]
    room.marks.unread = {topic.name}
    due = domain.due_of(await room.item(item), DALIAN.calendar)
    assert due is not None
    assert await room.strike(recall(item, due), at=due) == [] and len(room.held) == 1


async def test_silence_cannot_accept_what_waits_for_a_result_and_the_lead_is_told(room: Room) -> None:
    item = dispatched(settings=DEEMS, missing_results=(ItemCode("S1-01"),))
    await room.give(item)
    refused = only(ItemActRefused, await room.strike(overdue(item, DUE), at=DUE))
    assert (refused.step, refused.code) == (T.DEEM_ACCEPTED, "RESULT_STILL_MISSING")


def recall(item: ItemDispatched, due_at: datetime) -> ItemAutoRecall:
    told = {"clock_id": UUID(int=8), "generation": 1, "due_at": due_at, "on_expiry": item.on_expiry}
    return ItemAutoRecall(event_id=derived_id("recall", item.item_id), **{**about(item), "occurred_at": due_at}, **told)


# Steps ----------------------------------------------------------------------------------------------------------


async def test_with_four_eyes_who_reviewed_does_not_approve(room: Room) -> None:
    item = dispatched(settings={"four_eyes": True})
    await room.give(item)
    await room.step(item, T.ACCEPT, T.REVIEW)
    refused = only(ItemActRefused, await room.step(item, T.APPROVE))
    assert (refused.code, refused.state) == ("SAME_OFFICER", "REVIEWING")
    other = Actor(holder="另一人", certificate="CA-OTHER")
    await room.list_officers(item.department, certificate=other.certificate)
    said = await room.tell(report(item, T.APPROVE, repeat=99).model_copy(update={"actor": other}))
    assert names(said) == ["ItemApproved"]


async def test_an_extension_moves_the_due_instant_once(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT)
    assert only(ItemActRefused, await room.step(item, T.EXTEND, opinion="案情复杂")).code == "APPROVER_MISSING"
    said = await room.step(item, T.EXTEND, opinion="案情复杂", approved_by="局长")
    assert names(said) == ["ItemExtended"] and said[0].approved_by == "局长"  # pyright: ignore[reportAttributeAccessIssue]
    assert await due_at(room, item) == start_of_day(date(2026, 3, 24))
    again = await room.step(item, T.EXTEND, opinion="案情复杂", approved_by="局长")
    assert only(ItemActRefused, again).code == "EXTENDED_ALREADY"


async def due_at(room: Room, item: ItemDispatched) -> datetime | None:
    return await room.ask(lambda c: c.fetchval("SELECT due_at FROM items WHERE item_id = $1", item.item_id))


@pytest.mark.parametrize("step", [T.EXTEND, T.REVIEW, T.RETURN, T.CONCLUDE])
async def test_every_late_act_is_refused_and_recorded(room: Room, step: ItemStep) -> None:
    item = dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT)
    if step is T.CONCLUDE:
        await room.step(item, T.REVIEW, T.APPROVE)
    before = await room.item(item)
    more: dict[str, Any] = {"opinion": "迟到", "approved_by": "局长", "outcome": Outcome.GRANTED}
    late = only(LateOpinionRecorded, await room.step(item, step, at=DUE + timedelta(seconds=1), **more))
    assert (late.step, late.due_at, late.opinion) == (step, DUE, "迟到")
    assert await room.item(item) == before


async def test_a_concluded_item_is_revoked_with_a_reason(room: Room) -> None:
    item = await concluded(room)
    assert only(ItemActRefused, await room.step(item, T.REVOKE)).code == "OPINION_MISSING"
    assert names(await room.step(item, T.REVOKE, opinion="以欺骗手段取得")) == ["ItemRevoked"]
    held = await room.item(item)
    assert (held.state, held.outcome) == (ItemState.REVOKED, None)


async def concluded(room: Room) -> ItemDispatched:
    item = dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT, T.REVIEW, T.APPROVE)
    dated = date(2026, 3, 1)
    said = await room.step(item, T.CONCLUDE, outcome=Outcome.GRANTED, opinion="无意见", document_dated_on=dated)
    assert only(ItemConcluded, said).document_dated_on == dated
    return item


async def test_the_date_on_a_document_outlives_the_wait_for_its_seal(sealing_room: Room) -> None:
    room, item, dated = sealing_room, dispatched(), date(2026, 3, 1)
    await room.give(item)
    await room.step(item, T.ACCEPT, T.REVIEW, T.APPROVE)
    said = await room.step(item, T.CONCLUDE, outcome=Outcome.GRANTED, opinion="无意见", document_dated_on=dated)
    assert only(ItemDecided, said).document_dated_on == dated
    decision = (await room.item(item)).decision
    assert decision is not None and decision.document_dated_on == dated


@pytest.mark.parametrize("step", [T.AMEND_LIMIT, T.ENTER_DECISION, T.DEEM_ACCEPTED, T.SEAL, T.RECALL, T.RECEIVE])
async def test_what_is_not_a_departments_step_cannot_be_reported(room: Room, step: ItemStep) -> None:
    item = dispatched()
    await room.give(item)
    refused = only(ItemActRefused, await room.step(item, step, outcome=Outcome.GRANTED, opinion="…"))
    assert (refused.code, refused.article) == ("NOT_A_DEPARTMENTS_STEP", "第十条")


# Special handling (Art. 17) -------------------------------------------------------------------------------------


def granted(item: ItemDispatched, effect: SpecialEffect, number: int = 1, **more: Any) -> SpecialHandlingGranted:
    made = derived_id("handling", item.item_id, effect, number)
    known = {name: held for name, held in about(item).items() if name != "attempt"}
    filed = {"reason": "系统故障", "evidence": material("M07").sha256, "evidence_name": "说明.pdf", "actor": LEAD}
    return SpecialHandlingGranted(event_id=made, handling_id=made, effect=effect, **known, **filed, **more)


def entry(item: ItemDispatched, number: int = 1) -> SpecialHandlingGranted:
    decided = {"outcome": Outcome.GRANTED, "decided_on": date(2026, 3, 3)}
    return granted(item, SpecialEffect.ENTER_DECISION, number, **decided)


async def test_a_decision_made_during_an_outage_is_entered_once_and_marked(room: Room) -> None:
    item, handling = dispatched(), entry(dispatched())
    await room.give(item)
    await room.step(item, T.ACCEPT)
    at = MONDAY + timedelta(days=2)
    concluded = only(ItemConcluded, await room.supervise(handling, at=at))
    assert (concluded.at, concluded.actor, concluded.opinion) == (at, LEAD, "系统故障")
    assert (concluded.special_handling, concluded.document_dated_on) == (handling.handling_id, date(2026, 3, 3))
    assert await room.supervise(handling, at=at) == []
    assert await room.supervise(handling, handling, at=at) == []


async def test_an_entered_decision_waits_for_its_seal_like_any_other(sealing_room: Room) -> None:
    room, item = sealing_room, dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT)
    assert names(await room.supervise(entry(item))) == ["ItemDecided", "SealRequested"]


async def test_a_handling_that_cannot_take_effect_is_refused_once(room: Room) -> None:
    item = await concluded(room)
    for handling in (entry(item), granted(item, SpecialEffect.MORE_CORRECTIONS)):
        refused = only(ItemActRefused, await room.supervise(handling))
        assert (refused.code, refused.actor) == ("ITEM_ALREADY_ENDED", LEAD)
        assert await room.supervise(handling) == []


async def test_an_entered_decision_that_comes_too_late_is_recorded_as_late(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT)
    late = only(LateOpinionRecorded, await room.supervise(entry(item), at=DUE + timedelta(seconds=1)))
    assert late.step is T.ENTER_DECISION


async def test_one_more_correction_is_allowed_for_each_handling(room: Room) -> None:
    item, more = dispatched(), SpecialEffect.MORE_CORRECTIONS
    await room.give(item)
    await room.step(item, T.ACCEPT)
    await correct(room, item)
    told = only(ItemActRefused, await room.step(item, T.START_CORRECTION, opinion="再补正"))
    assert told.code == "CORRECTION_ALREADY_TOLD"
    handling = granted(item, more)
    await room.supervise(handling, handling)
    await room.supervise(handling)
    await correct(room, item)
    told = only(ItemActRefused, await room.step(item, T.START_CORRECTION, opinion="再补正"))
    assert told.code == "CORRECTION_ALREADY_TOLD"
    await room.supervise(granted(item, more, 2))
    await correct(room, item)


async def correct(room: Room, item: ItemDispatched) -> None:
    assert names(await room.step(item, T.START_CORRECTION, opinion="请补正")) == ["CorrectionRequested"]
    assert only(CorrectionEnded, await room.give(supplement(item))).actor == BUILDERS


async def test_a_handling_waits_for_its_item_and_others_are_none_of_the_desks_business(room: Room) -> None:
    item = dispatched()
    assert await room.supervise(entry(item)) == [] and len(room.held) == 1
    elsewhere = granted(item, SpecialEffect.WAIVE)
    assert await room.supervise(elsewhere) == [] and room.held == []


# Urges (Art. 22) ------------------------------------------------------------------------------------------------


async def test_urges_stay_open_on_the_desk_until_they_are_answered(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    urge_id = derived_id("urge", 1)
    common = {"causation_id": UUID(int=9), "project_code": item.project_code, "urge_id": urge_id, "actor": LEAD}
    pressed = {"level": UrgeLevel.HIGH, "message": "请抓紧办理"}
    urged = Urged(event_id=urge_id, **{**about(item), **common, **pressed})
    seen, done = MONDAY + timedelta(hours=1), MONDAY + timedelta(hours=2)
    received = UrgeReceived(event_id=derived_id("r"), occurred_at=seen, **common)
    answered = UrgeAnswered(event_id=derived_id("a"), occurred_at=done, answer="今日办结", **common)
    await room.supervise(urged, urged)
    [told] = await urges(room, item)
    assert (told.level, told.message, told.urged_at, told.received_at) == (UrgeLevel.HIGH, "请抓紧办理", MONDAY, None)
    await room.supervise(received)
    assert [one.received_at for one in await urges(room, item)] == [seen]
    await room.supervise(answered, urged, received.model_copy(update={"occurred_at": done}))
    assert await urges(room, item) == []
    [told] = await urges(room, item, open_only=False)
    assert (told.received_at, told.answered_at, told.answer) == (seen, done, "今日办结")


async def urges(room: Room, item: ItemDispatched, *, open_only: bool = True) -> list[store.Urge]:
    return await room.ask(lambda c: store.urges(c, [item.item_id], open_only=open_only, most=10))


# The calendar in force ------------------------------------------------------------------------------------------


def day_off(day: date, sequence: int, ordered_at: datetime, place: str = CITY) -> CalendarAmended:
    made = derived_id("amended", sequence)
    return CalendarAmended(
        event_id=made,
        causation_id=made,
        occurred_at=ordered_at,
        authority=JurisdictionCode(CITY),
        sequence=sequence,
        calendar_version=f"2026+{sequence}",
        cause=DueCause.OVERLAY,
        released_year=None,
        jurisdiction=JurisdictionCode(place),
        days=(DayOrdered(day=day, works=False, name="台风"),),
        document="大政办〔2026〕1号",
        ordered_at=ordered_at,
        affected=0,
        actor=LEAD,
    )


TYPHOON = date(2026, 3, 4)
LATER_DUE = start_of_day(date(2026, 3, 11))


async def test_an_amendment_moves_the_due_instants_of_open_items_and_only_theirs(room: Room, monkeypatch: Any) -> None:
    monkeypatch.setattr(store, "PAGE", 2)
    items = [dispatched(f"S1-0{number}") for number in range(1, 6)]
    paused, away, ended = dispatched("S1-06"), dispatched("S1-07", jurisdiction=JurisdictionCode("210283")), "S1-08"
    closed = dispatched(ended)
    everybody = [*items, paused, away, closed]
    await room.list_officers(away.department, place=away.jurisdiction)
    for one in everybody:
        await room.give(one)
        await room.step(one, T.ACCEPT)
    await room.step(paused, T.START_SPECIAL, special=Special(kind=SpecialKind.HEARING, reason="听证"))
    await room.step(closed, T.RETURN, opinion="退回")
    await room.amend(day_off(TYPHOON, 1, MONDAY, PLACE))
    assert [await due_at(room, one) for one in everybody] == [*[LATER_DUE] * 5, None, DUE, None]
    assert sum("UPDATE items" in query for query in room.queries) == 3
    await room.amend(day_off(TYPHOON, 1, MONDAY, PLACE))
    assert not any("UPDATE items" in query for query in room.queries)


async def test_an_act_that_seems_late_waits_until_the_calendar_was_read_to_its_end(room: Room) -> None:
    item, other = dispatched(), dispatched("S1-09", project_code="2018-210281-47-03-000124")
    await room.give(item)
    await room.give(other)
    await room.step(item, T.ACCEPT)
    await room.step(other, T.ACCEPT)
    room.marks.unread = {topics.CALENDAR.name}
    late, next_one = report(item, T.REVIEW, repeat=50), report(item, T.APPROVE, repeat=51)
    in_time = report(other, T.REVIEW, repeat=52)
    said = await room.tell(late, next_one, at=DUE + timedelta(hours=1))
    assert said == [] and len(room.held) == 2
    assert names(await room.tell(in_time, at=DUE)) == ["ItemReviewed"]
    await room.amend(day_off(TYPHOON, 1, MONDAY + timedelta(days=1)))
    room.marks.unread = set()
    said = await room.tell(late, next_one, at=DUE + timedelta(hours=1))
    assert names(said) == ["ItemReviewed", "ItemApproved"] and room.held == []


async def test_an_amendment_ordered_after_an_act_neither_saves_nor_dooms_it(room: Room) -> None:
    item, act_at = dispatched(), DUE + timedelta(hours=1)
    await room.give(item)
    await room.step(item, T.ACCEPT)
    await room.amend(day_off(TYPHOON, 1, act_at + timedelta(hours=1)))
    assert names(await room.step(item, T.REVIEW, at=act_at)) == ["LateOpinionRecorded"]
    assert names(await room.step(item, T.REVIEW, at=act_at + timedelta(hours=1))) == ["ItemReviewed"]


async def test_a_past_recall_stays_when_the_calendar_is_amended_afterwards(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT)
    await room.amend(day_off(TYPHOON, 1, DUE + timedelta(hours=1)))
    assert names(await room.strike(recall(item, DUE), at=DUE + timedelta(hours=2))) == ["ItemRecalled"]


async def test_a_pause_that_seems_to_come_too_late_waits_for_the_calendar_too(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT)
    room.marks.unread = {topics.CALENDAR.name}
    assert await room.step(item, T.START_CORRECTION, at=DUE, opinion="请补正") == [] and len(room.held) == 1


async def test_the_calendar_is_asked_once_in_a_unit_of_work(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT, T.REVIEW, T.APPROVE)
    assert sum("calendar_amendments" in query for query in room.queries) == 1


async def test_an_amendment_holds_for_what_comes_after_it_in_the_same_unit_of_work(room: Room) -> None:
    item, reports = dispatched(), topics.department_reports(PLACE, DepartmentCode("WWJ"))
    await room.give(item)
    accept, review = report(item, T.ACCEPT), report(item, T.REVIEW)
    said = await room.together(
        (room.handlers.on_reports, reports, accept, MONDAY),
        (room.handlers.on_calendar, topics.CALENDAR, day_off(TYPHOON, 1, MONDAY), MONDAY),
        (room.handlers.on_reports, reports, review, LATER_DUE),
    )
    assert names(said) == ["ItemAccepted", "MaterialsRecorded", "ItemReviewed"]


async def test_as_long_as_the_due_instant_may_still_move_everything_is_in_time(room: Room) -> None:
    last = max(DALIAN.calendar.released)
    at = datetime(last, 12, 24, 1, tzinfo=UTC)
    provisional, sure = (
        dispatched(limit_days=3),
        dispatched("S1-09", settings={"fire_on_provisional": True}, limit_days=3),
    )
    for item in (provisional, sure):
        await room.give(item, at=at)
        await room.step(item, T.ACCEPT, at=at)
    told = domain.progress_of(await room.item(provisional), DALIAN.calendar, at + timedelta(days=30))
    assert told.provisional and told.light is not Light.RED
    assert names(await room.step(provisional, T.REVIEW, at=at + timedelta(days=30))) == ["ItemReviewed"]
    assert names(await room.step(sure, T.REVIEW, at=at + timedelta(days=30))) == ["LateOpinionRecorded"]


async def test_an_extension_beyond_the_calendar_is_refused(room: Room) -> None:
    last = max(DALIAN.calendar.released | DALIAN.calendar.statutory)
    at = datetime(last, 12, 20, 1, tzinfo=UTC)
    item = dispatched(limit_days=1)
    await room.give(item, at=at)
    await room.step(item, T.ACCEPT, at=at)
    refused = only(ItemActRefused, await room.step(item, T.EXTEND, at=at, opinion="复杂", approved_by="局长"))
    assert refused.code == "CALENDAR_DOES_NOT_REACH"


# The desk -------------------------------------------------------------------------------------------------------


async def test_the_desk_comes_page_by_page_the_earliest_due_first(room: Room) -> None:
    items = [dispatched(f"S1-0{number}", limit_days=9 - number) for number in range(1, 6)]
    waiting = [dispatched(f"S2-0{number}") for number in range(1, 4)]
    for one in items:
        await room.give(one)
        await room.step(one, T.ACCEPT)
    await room.give(*waiting)
    await room.give(dispatched("S1-09", department=DepartmentCode("RFB")))
    after, seen = None, []
    while page := await room.ask(lambda c, start=after: store.desk(c, PLACE, "WWJ", 3, start)):
        seen += [one.item_code for one in page]
        after = page[-1].item_id
    assert seen[:5] == ["S1-05", "S1-04", "S1-03", "S1-02", "S1-01"]
    assert sorted(seen[5:]) == ["S2-01", "S2-02", "S2-03"]


async def test_how_an_items_time_stands(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    assert domain.progress_of(await room.item(item), DALIAN.calendar, MONDAY) == domain.Progress()
    await room.step(item, T.ACCEPT)
    held = await room.item(item)

    def stands(at: datetime) -> tuple[int | None, int | None, Light | None]:
        told = domain.progress_of(held, DALIAN.calendar, at)
        assert told.due_at == DUE and told.paused_by == ()
        return told.used_days, told.remaining_days, told.light

    assert stands(MONDAY) == (0, 5, Light.GREEN)
    assert stands(start_of_day(date(2026, 3, 6))) == (3, 2, Light.YELLOW)
    assert stands(DUE) == (5, 0, Light.YELLOW)
    assert stands(DUE + timedelta(seconds=1)) == (5, 0, Light.RED)


async def test_a_paused_item_shows_why_and_no_due(room: Room) -> None:
    item = dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT)
    await room.step(item, T.START_CORRECTION, opinion="请补正")
    told = domain.progress_of(await room.item(item), DALIAN.calendar, DUE)
    assert (told.due_at, told.paused_by, told.light) == (None, (PauseReason.CORRECTION,), Light.GREY)
    assert (told.used_days, told.remaining_days) == (0, 5)


async def test_a_decision_in_time_that_waits_for_its_seal_does_not_turn_red(sealing_room: Room) -> None:
    room, item = sealing_room, dispatched()
    await room.give(item)
    await room.step(item, T.ACCEPT, T.REVIEW, T.APPROVE)
    await room.step(item, T.CONCLUDE, outcome=Outcome.GRANTED, opinion="无意见", at=MONDAY + timedelta(days=1))
    told = domain.progress_of(await room.item(item), DALIAN.calendar, DUE + timedelta(days=3))
    assert (told.used_days, told.light) == (0, Light.GREEN)


async def test_nothing_is_accepted_that_falls_due_in_a_year_without_any_table_until_it_has_one(room: Room) -> None:
    last = max(DALIAN.calendar.released | DALIAN.calendar.statutory)
    at = datetime(last, 12, 20, 1, tzinfo=UTC)
    item = dispatched(limit_days=15)
    await room.give(item, at=at)
    with pytest.raises(CalendarDoesNotReach, match=f"{last + 1}"):
        await room.step(item, T.ACCEPT, at=at)
    assert (await room.item(item)).state is ItemState.RECEIVED
    release = day_off(date(last + 1, 1, 3), 1, at).model_copy(update={"released_year": last + 1})
    await room.together((room.handlers.on_calendar, topics.CALENDAR, release, at))
    assert names(await room.step(item, T.ACCEPT, at=at)) == ["ItemAccepted", "MaterialsRecorded"]
