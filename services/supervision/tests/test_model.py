"""The read model on a real database: whatever the order in which topics are read, the same rows stand; lists, audits
and signs follow from them."""

import asyncio
import json
import random
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from contracts import topics
from contracts.codes import JurisdictionCode
from contracts.department_worker import ItemActRefused
from contracts.dispatcher import ItemClosed, SpecialHandlingRefused, StageAccepted, StageDispatched
from contracts.envelope import Event, derived_id
from contracts.intake import NoticeSent, PolicyPublished, ProjectRegistered, StageApplied
from contracts.parts import DayOrdered
from contracts.signing import RosterListed
from contracts.supervision import InspectionOpened, InspectionRectified, Urged, UrgeReceived
from contracts.terms import ClockSubject, CloseCause, DueCause, Light, Outcome, ReminderKind, Role
from contracts.terms import ItemStep as T
from contracts.timer import CalendarAmended, ClockStarted, ItemOverdue, LightChanged, ReminderDue
from contracts.topics import Topic
from local.samples import sample
from supervision.exchange import tables
from supervision.signals import Thresholds
from supervision.store import exchange as outbox
from supervision.store import story
from supervision.story import lines
from supervision.watch import Watch

Said = list[tuple[Topic, Event]]
NAMES = ("item_id", "project_code", "application_id", "stage", "item_code", "attempt", "department", "jurisdiction")


def about(lived: Any) -> dict[str, Any]:
    return {name: getattr(lived.item, name) for name in NAMES}


def made(model: type[Event], name: str, /, **facts: Any) -> Any:
    """A sample of an event with an id of its own."""
    return sample(model).model_copy(update={"event_id": derived_id(name), **facts})


@pytest.fixture
def told(begin: Any, applied: StageApplied, dispatched: StageDispatched, viewed: Any) -> Said:
    """A stage with every turn, as its services say it, each topic in its order."""
    granted = begin("S1-05").do(T.RECEIVE).do(T.ACCEPT, 1).do(T.START_SPECIAL, 2).do(T.END_SPECIAL, 26).conclude(27)
    corrected = begin("S1-10").do(T.RECEIVE).do(T.START_CORRECTION, 1).do(T.SUPPLEMENT, 2).do(T.ACCEPT, 3)
    corrected.do(T.START_CORRECTION, 4).do(T.SUPPLEMENT, 30).conclude(31)
    returned = begin("S1-03").do(T.RECEIVE).do(T.ACCEPT, 1).do(T.RETURN, 2)
    again = begin("S1-03", attempt=2).do(T.RECEIVE, 50).do(T.ACCEPT, 51).conclude(51.1)
    expired = begin("S1-09").do(T.RECEIVE).do(T.ACCEPT, 1).do(T.EXTEND, 2).do(T.AMEND_LIMIT, 3).recall()
    code, application = applied.project_code, applied.application_id
    stage = {"project_code": code, "application_id": application, "stage": applied.stage}
    clock = {**stage, "subject": ClockSubject.ITEM, **about(granted), "clock_id": UUID(int=4)}
    closed = {"cause": CloseCause.EXPIRED, "outcome": Outcome.CLOSED_NO_OPINION, "version": 3}
    inspection = {"inspection_id": UUID(int=8), "project_code": code}
    return [
        (topics.PROJECTS, made(ProjectRegistered, "registered", project_code=code)),
        (topics.APPLICATIONS, applied),
        (topics.APPLICATIONS, viewed(granted, 2)),
        (topics.STAGES, dispatched),
        (topics.STAGES, made(StageAccepted, "accepted", **stage, version=2)),
        (topics.STAGES, made(ItemClosed, "closed", **about(expired), **closed)),
        *((topics.ITEMS, step) for lived in (granted, corrected, returned, again, expired) for step in lived.events),
        (topics.ITEMS, made(ItemActRefused, "refused", **about(corrected), code="RESULT_STILL_MISSING")),
        (topics.CLOCKS, made(ClockStarted, "started", **clock, generation=1)),
        (topics.CLOCKS, made(LightChanged, "lit", **clock, generation=2, light=Light.YELLOW)),
        (topics.CLOCKS, made(ItemOverdue, "overdue", **about(expired))),
        (topics.CLOCKS, made(ReminderDue, "due", **about(returned), kind=ReminderKind.NOT_DECLARED_AGAIN)),
        (topics.NOTICES, made(NoticeSent, "noticed", **stage)),
        (topics.SUPERVISION, made(Urged, "urged", **about(granted), urge_id=UUID(int=7))),
        (topics.SUPERVISION, made(UrgeReceived, "received", project_code=code, urge_id=UUID(int=7))),
        (topics.SUPERVISION, made(InspectionOpened, "opened", **{**about(granted), **inspection})),
        (topics.SUPERVISION, made(InspectionRectified, "rectified", **inspection)),
    ]


async def model_of(one: Any) -> tuple[Any, ...]:
    """Everything that a read model says: rows, stories, and the bytes that go upwards."""
    async with one.database.reading() as connection:
        held = [tuple(row) for row in await story.everything(connection)]
        chapters = await story.stories(connection)
        exchanged = await outbox.everything(connection)
    events = sorted(line.event["event_id"] for line in lines(row["events"] for row in chapters))
    return held, events, exchanged


async def test_the_same_rows_stand_in_whatever_order_the_topics_are_read(supervise: Any, told: Said) -> None:
    async with supervise() as one:
        for topic, event in told:
            one.append(topic, event)
        records = one.member.reader.unread()
        await one.bus.consume(records)
        whole = await model_of(one)
        assert len(whole[1]) == len(told) and len(whole[2]) > 250
        for seed in range(12):
            await one.build_anew()
            for batch in _shuffled(records, random.Random(seed)):
                await one.bus.consume(batch)
            assert await model_of(one) == whole, seed


def _shuffled(records: list[Any], chance: random.Random) -> list[list[Any]]:
    """Batches of the same records, each topic in its own order, the topics in any."""
    lanes = {record.topic: [one for one in records if one.topic == record.topic] for record in records}
    batches: list[list[Any]] = []
    while any(lanes.values()):
        batch: list[Any] = []
        for name in chance.sample(sorted(lanes), len(lanes)):
            taken = chance.randrange(4)
            batch += lanes[name][:taken]
            lanes[name] = lanes[name][taken:]
        batches += [batch] if batch else []
    return batches


async def test_children_never_go_up_before_their_parents(supervise: Any, told: Said) -> None:
    async with supervise() as one:
        for topic, event in told:
            one.append(topic, event)
        records = one.member.reader.unread()
        for seed in range(6):
            await one.build_anew()
            for batch in _shuffled(records, random.Random(seed)):
                await one.bus.consume(batch)
            seen: set[tuple[str, str]] = set()
            for row in await _pages(one):
                table, held = row["table"], row["row"]
                seen.add((table, held.get("SPSXSLBM") or held.get("GCDM") or held["SPLCBM"]))
                if table in (tables.DETAIL, tables.OPINION, tables.SPECIAL, tables.DOCUMENT):
                    assert (tables.INSTANCE, held["SPSXSLBM"]) in seen
                if table == tables.INSTANCE:
                    assert (tables.PROJECT, held["GCDM"]) in seen
                if table == tables.PROJECT:
                    assert (tables.FLOW, held["SPLCBM"]) in seen


async def _pages(one: Any, query: str = "most=2") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after = 0
    while True:
        page = (await one.get(f"/exchange/rows?after={after}&{query}")).json()
        if page["next"] == after:
            return rows
        rows += page["rows"]
        after = page["next"]


async def test_a_table_of_the_exchange_is_read_alone_and_only_by_the_city(supervise: Any, told: Said) -> None:
    async with supervise() as one:
        for topic, event in told:
            one.append(topic, event)
        await one.read()
        rows = await _pages(one, f"table={tables.INSTANCE}")
        assert {row["table"] for row in rows} == {tables.INSTANCE}
        assert len({row["row"]["SPSXSLBM"] for row in rows}) == 5
        wrong = await one.get("/exchange/rows?table=SPGL_NONE")
        assert (wrong.status_code, wrong.json()["code"]) == (422, "NO_SUCH_TABLE")
        assert (await one.get("/exchange/rows", jurisdiction="210281")).status_code == 403


async def test_nothing_is_kept_to_go_up_where_the_exchange_is_off(supervise: Any, told: Said) -> None:
    async with supervise(exchange=False) as one:
        for topic, event in told:
            one.append(topic, event)
        await one.read()
        assert await _pages(one) == []


# Rules ----------------------------------------------------------------------------------------------------------


def amendment(sequence: int, ordered_at: datetime, day: date, works: bool) -> CalendarAmended:
    return made(
        CalendarAmended,
        f"amendment {sequence}",
        sequence=sequence,
        calendar_version=f"2026+{sequence}",
        cause=DueCause.OVERLAY,
        released_year=None,
        jurisdiction=JurisdictionCode("210281"),
        days=(DayOrdered(day=day, works=works, name="台风停办"),),
        ordered_at=ordered_at,
    )


async def test_rules_are_listed_with_who_when_document_and_effect(supervise: Any) -> None:
    async with supervise() as one:
        one.append(topics.POLICIES, made(PolicyPublished, "policy", authority=JurisdictionCode("210200")))
        one.append(topics.CALENDAR, amendment(1, datetime(2026, 3, 2, tzinfo=UTC), date(2026, 3, 4), works=False))
        listed: Any = sample(RosterListed)
        entry = listed.entries[0].model_copy(update={"jurisdiction": JurisdictionCode("210283"), "role": Role.OFFICER})
        one.append(topics.IDENTITY, listed.model_copy(update={"entries": (entry,)}))
        await one.read()
        rules = {rule["kind"]: rule for rule in (await one.get("/rules")).json()}
        assert set(rules) == {"POLICY", "CALENDAR", "ROSTER"}
        assert all(rule["who"] and rule["document"] and rule["effect"] for rule in rules.values())
        county = (await one.get("/rules", jurisdiction="210281")).json()
        assert {rule["kind"] for rule in county} == {"POLICY", "CALENDAR"}
        only = (await one.get("/rules?kind=ROSTER", role="admin")).json()
        assert [rule["kind"] for rule in only] == ["ROSTER"]
        assert (await one.get("/rules", role="officer", department="GHJ")).status_code == 403


async def test_a_deadline_is_explained_by_the_calendar_as_it_stood_then(
    supervise: Any, begin: Any, applied: StageApplied, dispatched: StageDispatched
) -> None:
    async with supervise() as one:
        one.append(topics.APPLICATIONS, applied)
        one.append(topics.STAGES, dispatched)
        one.append(topics.ITEMS, *begin("S1-05").do(T.RECEIVE).do(T.ACCEPT, 1).events)
        one.append(topics.CALENDAR, amendment(1, datetime(2026, 3, 3, tzinfo=UTC), date(2026, 3, 4), works=False))
        await one.read()
        path = f"/projects/{applied.project_code}/clocks"
        (now,) = (await one.get(f"{path}?subject=ITEM")).json()
        (then,) = (await one.get(f"{path}?subject=ITEM&at=2026-03-02T12:00:00Z")).json()
        assert (then["calendar_version"], now["calendar_version"]) == ("2026+0", "2026+1")
        assert then["due_at"] < now["due_at"]
        closed = next(day for day in now["days"] if day["date"] == "2026-03-04")
        assert not closed["counted"] and "台风停办" in closed["why"]
        (supposed,) = (await one.get(f"{path}?subject=ITEM&day_on=2026-03-04")).json()
        assert supposed["due_at"] == then["due_at"]


# Signs ----------------------------------------------------------------------------------------------------------


def watch_of(one: Any, city: Any, **thresholds: Any) -> Watch:
    return Watch(one.database, one.bus, city, Thresholds(**thresholds))


async def test_a_sign_is_raised_once_and_not_again_by_a_model_built_anew(supervise: Any, told: Said, city: Any) -> None:
    async with supervise() as one:
        for topic, event in told:
            one.append(topic, event)
        await one.read()
        watch = watch_of(one, city)
        assert await watch.judge(patience=0) == 3
        await one.read()
        signs = (await one.get("/signals")).json()
        assert {(sign["signal"], sign["item_code"]) for sign in signs} == {
            ("CONCLUDED_IN_MINUTES", "S1-03"),
            ("MATERIAL_NOT_VIEWED", "S1-03"),
            ("MATERIAL_NOT_VIEWED", "S1-10"),
        }
        known = {str(event.event_id) for _, event in told}
        assert all(set(sign["evidence"]) <= known and sign["evidence"] for sign in signs)
        assert (await one.get("/signals", jurisdiction="210283")).json() == []
        only = (await one.get("/signals?signal=CONCLUDED_IN_MINUTES")).json()
        assert len(only) == 1
        live = await model_of(one)
        raised = len(one.broker.records[topics.SUPERVISION.name])
        await one.build_anew()
        await one.bus.consume(_everything(one))
        assert await watch_of(one, city).judge(patience=0) == 3
        await one.read()
        assert await model_of(one) == live
        assert len(one.broker.records[topics.SUPERVISION.name]) == raised, "nothing was said again"


def _everything(one: Any) -> list[Any]:
    return [record for records in one.broker.records.values() for record in records]


async def test_nothing_is_judged_before_everything_that_could_speak_for_it_was_read(
    supervise: Any, told: Said, city: Any
) -> None:
    async with supervise() as one:
        for topic, event in told:
            one.append(topic, event)
        await one.read()
        one.append(topics.APPLICATIONS, made(StageApplied, "later", project_code="2018-210281-47-03-000999"))
        assert await watch_of(one, city).judge(patience=0) == 0
        assert await one.database.pool.fetchval("SELECT count(*) FROM unjudged") == 3
        await one.read()
        assert await watch_of(one, city).judge(patience=0) == 3


async def test_a_burst_at_night_is_one_sign_of_its_holder(
    supervise: Any, begin: Any, applied: StageApplied, dispatched: StageDispatched, city: Any
) -> None:
    async with supervise(
        signal_minutes=0, signal_unviewed=False, signal_document_date=False, signal_burst_steps=4
    ) as one:
        one.append(topics.APPLICATIONS, applied)
        one.append(topics.STAGES, dispatched)
        for code in ("S1-05", "S1-10"):
            one.append(topics.ITEMS, *begin(code).do(T.RECEIVE).do(T.ACCEPT, 12).conclude(12.5).events)
        await one.read()
        watch = watch_of(one, city, minutes=0, unviewed=False, document_date=False, burst_steps=4)
        await watch.judge(patience=0)
        await watch.judge(patience=0)
        await one.read()
        (sign,) = (await one.get("/signals")).json()
        assert sign["signal"] == "BURST_AFTER_HOURS" and len(sign["evidence"]) == 8


async def test_with_every_threshold_off_nothing_waits_to_be_judged(supervise: Any, told: Said) -> None:
    off = {"signal_minutes": 0, "signal_document_date": False, "signal_unviewed": False, "signal_burst_steps": 0}
    async with supervise(**off) as one:
        for topic, event in told:
            one.append(topic, event)
        await one.read()
        waiting = "SELECT (SELECT count(*) FROM unjudged) + (SELECT count(*) FROM nights)"
        assert await one.database.pool.fetchval(waiting) == 0


# The lead -------------------------------------------------------------------------------------------------------


LEAD = {"role": "lead", "jurisdiction": "210281", "department": "GHJ"}


@pytest.fixture
def open_items(begin: Any, applied: StageApplied, dispatched: StageDispatched) -> Said:
    """One item of each situation that a lead has to see."""
    expired = begin("S1-05").do(T.RECEIVE).do(T.ACCEPT, 1).recall()
    returned = begin("S1-03").do(T.RECEIVE).do(T.ACCEPT, 1).do(T.RETURN, 2)
    missing = begin("S1-10").do(T.RECEIVE)
    return [
        (topics.APPLICATIONS, applied),
        (topics.STAGES, dispatched),
        *((topics.ITEMS, step) for lived in (expired, returned, missing) for step in lived.events),
        (topics.ITEMS, made(ItemActRefused, "refused", **about(missing), code="RESULT_STILL_MISSING")),
        (topics.CLOCKS, made(ReminderDue, "due", **about(returned), kind=ReminderKind.NOT_DECLARED_AGAIN)),
    ]


async def test_a_leads_board_shows_its_stages_items_and_its_tasks_what_waits_for_it(
    supervise: Any, open_items: Said
) -> None:
    async with supervise() as one:
        for topic, event in open_items:
            one.append(topic, event)
        await one.read()
        board = (await one.get("/stages/1/board", **LEAD)).json()
        shown = {item["item_code"]: item for row in board["departments"] for item in row["items"]}
        assert shown["S1-05"]["light"] == "RED" and shown["S1-10"]["marks"] == ["RESULT_STILL_MISSING"]
        assert "S1-03" not in shown, "a returned item lies with the builder"
        (overview,) = [row for row in (await one.get("/overview")).json() if row["department"] == "GHJ"]
        assert overview["red"] == 1
        tasks = (await one.get("/stages/1/tasks", **LEAD)).json()
        assert [item["item_code"] for item in tasks["expired"]] == ["S1-05"]
        assert [one["item"]["item_code"] for one in tasks["not_declared_again"]] == ["S1-03"]
        assert [one["item"]["item_code"] for one in tasks["results_missing"]] == ["S1-10"]
        other = await one.get("/stages/3/board", **LEAD)
        assert (other.status_code, other.json()["code"]) == (403, "NOT_YOUR_STAGE")
        county = (await one.get("/stages/1/board", **{**LEAD, "jurisdiction": "210283"})).json()
        assert county["departments"] == []


async def test_the_lead_decides_once_on_what_expired_and_the_decision_is_said(
    supervise: Any, open_items: Said, begin: Any
) -> None:
    async with supervise() as one:
        for topic, event in open_items:
            one.append(topic, event)
        await one.read()
        path = f"/items/{begin('S1-05').item.item_id}/expiry-decision"
        body = {"decision": "REDISPATCH", "reason": "部门承诺三日内办结"}
        foreign = await one.post(path, body, "lead", department="JW")
        assert (foreign.status_code, foreign.json()["code"]) == (403, "NOT_YOUR_STAGE")
        assert (await one.post(path, {**body, "reason": " "}, "lead", department="GHJ")).status_code == 422
        both = await asyncio.gather(*(one.post(path, body, "lead", department="GHJ") for _ in range(2)))
        assert sorted(answer.status_code for answer in both) == [202, 409]
        assert {answer.json().get("code") for answer in both} == {None, "DECIDED_BEFORE"}
        waiting = await one.post(
            f"/items/{begin('S1-10').item.item_id}/expiry-decision", body, "lead", department="GHJ"
        )
        assert waiting.json()["code"] == "NOT_AWAITING_DECISION"
        await one.read()
        (said,) = one.broker.records[topics.SUPERVISION.name]
        assert dict(said.headers)["ce_type"] == b"ExpiryDecided"
        assert (await one.get("/stages/1/tasks", **LEAD)).json()["expired"] == []
        decided = UUID(json.loads(said.value)["event_id"])
        item = begin("S1-05").item
        stage = {"project_code": item.project_code, "application_id": item.application_id}
        one.append(topics.STAGES, made(SpecialHandlingRefused, "no", **stage, handling_id=decided))
        await one.read()
        assert len((await one.get("/stages/1/tasks", **LEAD)).json()["expired"]) == 1, (
            "a refused decision decides nothing"
        )
        assert (await one.post(path, body, "lead", department="GHJ")).status_code == 202


# Special handling -----------------------------------------------------------------------------------------------


FILED = {"stage": 1, "reason": "系统故障", "evidence": "9f" * 32, "evidence_name": "说明.pdf"}


async def test_a_special_handling_needs_reason_and_evidence_and_is_listed_with_what_came_of_it(
    supervise: Any, open_items: Said, begin: Any, applied: StageApplied
) -> None:
    async with supervise() as one:
        for topic, event in open_items:
            one.append(topic, event)
        await one.read()
        path = f"/projects/{applied.project_code}/special-handlings"
        body = {**FILED, "effect": "REOPEN", "item_code": "S1-05"}
        for lacking in ({"evidence": None}, {"evidence_name": None}, {"reason": " "}):
            refused = await one.post(path, {**body, **lacking}, "lead", department="GHJ")
            assert (refused.status_code, refused.json()["article"]) == (400, "第十七条")
        stranger = await one.post(path, body, "officer", department="WWJ")
        assert stranger.status_code == 403
        early = await one.post(path, {**body, "item_code": "S1-10"}, "lead", department="GHJ")
        assert (early.status_code, early.json()["code"]) == (409, "ITEM_NOT_RECALLED")
        only_lead = await one.post(path, {**body, "effect": "WAIVE"}, "officer", department="GHJ")
        assert (only_lead.status_code, only_lead.json()["code"]) == (403, "NOT_YOUR_AUTHORITY")
        granted = await one.post(path, body, "lead", department="GHJ")
        assert granted.status_code == 202, granted.text
        (filed,) = (await one.get("/special-handlings")).json()
        assert (filed["handling_id"], filed["came"]) == (granted.json()["handling_id"], "FILED")
        assert (filed["effect"], filed["evidence"], filed["holder"], filed["place"]) == (
            "REOPEN",
            FILED["evidence"],
            "lead",
            "210281",
        )
        refusal = made(
            SpecialHandlingRefused, "no", project_code=applied.project_code, handling_id=UUID(filed["handling_id"])
        )
        one.append(topics.STAGES, refusal.model_copy(update={"application_id": applied.application_id}))
        await one.read()
        (filed,) = (await one.get("/special-handlings", jurisdiction="210281")).json()
        assert (filed["came"], filed["followed"][0]["what"]) == ("REFUSED", "SpecialHandlingRefused")
        one.append(topics.ITEMS, *begin("S1-05", attempt=2).do(T.RECEIVE, 60).events)
        await one.read()
        (filed,) = (await one.get("/special-handlings")).json()
        assert filed["came"] == "APPLIED"
        assert (await one.get("/special-handlings", jurisdiction="210283")).json() == []


async def test_an_officer_files_for_its_own_department_only_and_what_waits_for_no_stage_is_not_found(
    supervise: Any, open_items: Said, applied: StageApplied
) -> None:
    async with supervise() as one:
        for topic, event in open_items:
            one.append(topic, event)
        await one.read()
        path = f"/projects/{applied.project_code}/special-handlings"
        later = str(date(2026, 4, 1))
        deferral = {**FILED, "stage": 2, "effect": "DEFER_MATERIAL", "material": "M14", "promised_on": later}
        assert (await one.post(path, deferral, "officer", department="GHJ")).status_code == 202
        assert (await one.post(path, deferral, "officer", department="DAG")).json()["code"] == "NOT_YOUR_JURISDICTION"
        declared = await one.post(path, {**deferral, "stage": 1, "material": "M07"}, "officer", department="GHJ")
        assert declared.json()["code"] == "STAGE_DECLARED_BEFORE"
        unknown = await one.post(
            "/projects/2018-210281-47-03-000998/special-handlings", deferral, "lead", department="GHJ"
        )
        assert unknown.status_code == 404


# Indicators -----------------------------------------------------------------------------------------------------


async def test_indicators_equal_a_recount_from_the_raw_events(supervise: Any, told: Said) -> None:
    async with supervise() as one:
        for topic, event in told:
            one.append(topic, event)
        await one.read()
        listed = {row["department"]: row for row in (await one.get("/indicators")).json()}
        steps = [event for topic, event in told if topic is topics.ITEMS]
        for department, row in listed.items():
            own = [event for event in steps if event.department == department]  # type: ignore[attr-defined]
            kinds = [type(event).__name__ for event in own]
            assert row["accepted"] == kinds.count("ItemAccepted")
            assert row["concluded"] == kinds.count("ItemConcluded")
            assert row["recalled"] == kinds.count("ItemRecalled")
            corrections = [one for one in own if type(one).__name__ == "CorrectionRequested"]
            assert row["corrections"] == sum(not one.before_acceptance for one in corrections)  # type: ignore[attr-defined]
            ended = row["concluded"] + row["recalled"]
            assert row["on_time_rate"] == (round(row["concluded"] / ended, 4) if ended else None)
            assert row["recalled_rate"] == round(row["recalled"] / row["accepted"], 4)
        assert sum(row["accepted"] for row in listed.values()) == 5
        later = (await one.get("/indicators?since=2026-03-04T00:00:00Z")).json()
        assert [row["accepted"] for row in later] == [1]
