"""Deadlines explained under what each case was admitted under, by the calendar that was in force then."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from chassis.catalogue import City
from contracts.dispatcher import ItemClosed, StageDispatched
from contracts.terms import ClockSubject, ItemStep
from local.samples import sample
from procedure.calendar import Calendar, Overlay
from procedure.explain import with_overlays
from supervision import explained
from supervision.explained import Explained, Question

NOW = datetime(2026, 3, 3, 1, tzinfo=UTC)


def ask(events: list[Any], in_force: Any, at: datetime = NOW, **more: Any) -> dict[ClockSubject, Explained]:
    return {one.subject: one for one in explained.explained(events, Question(at, in_force, **more))}


def always(calendar: Calendar) -> Any:
    return lambda at: calendar


def test_a_case_is_explained_under_the_policies_its_events_carry(city: City, begin: Any, versions: Any) -> None:
    pinned = versions.model_copy(update={"policy_version": "2020-1", "settings": {"count_start_day": True}})
    plain, other = (
        ask(begin("S1-05", policies=one).do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).events, always(city.calendar))
        for one in (versions, pinned)
    )
    told = other[ClockSubject.ITEM].told
    assert told.policy_version == "2020-1" and told.due is not None
    assert told.due.at < plain[ClockSubject.ITEM].told.due.at  # type: ignore[union-attr]


def test_what_is_supposed_comes_on_top_of_what_was_pinned(city: City, begin: Any, versions: Any) -> None:
    pinned = versions.model_copy(update={"policy_version": "2020-1", "settings": {"count_start_day": True}})
    events = begin("S1-05", policies=pinned).do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).events

    def closes(policies: Any) -> Any:
        return replace(policies, due_day_ends="office_close")

    bare = ask(events, always(city.calendar))[ClockSubject.ITEM].told
    supposed = ask(events, always(city.calendar), supposed=closes)[ClockSubject.ITEM].told
    assert bare.due is not None and supposed.due is not None
    assert (supposed.due.on, bare.due.at - supposed.due.at) == (bare.due.on, timedelta(hours=7))


def test_the_policies_of_a_stage_stand_in_its_dispatch(dispatched: StageDispatched, versions: Any) -> None:
    other = versions.model_copy(update={"policy_version": "2020-1", "settings": {"stage_pause_policy": "ALL_OPEN"}})
    found = explained.pinned([dispatched.model_copy(update={"policies": other})])
    assert (found.version, found.stage_pause_policy) == ("2020-1", "ALL_OPEN")


def test_a_clock_that_runs_is_counted_by_the_newest_calendar_and_one_that_ended_by_its_own(
    city: City, begin: Any
) -> None:
    ordered_at = datetime(2026, 3, 4, tzinfo=UTC)
    later = with_overlays(city.calendar, [Overlay(date(2026, 3, 3), "210281", False, "停工")])

    def in_force(at: datetime) -> Calendar:
        return later if at >= ordered_at else city.calendar

    running = begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1)
    before = ask(running.events, in_force, NOW)[ClockSubject.ITEM].told
    after = ask(running.events, in_force, NOW + timedelta(days=2))[ClockSubject.ITEM].told
    assert before.due is not None and after.due is not None and after.due.on > before.due.on
    ended = running.conclude(30)
    told = ask(ended.events, in_force, NOW + timedelta(days=30))[ClockSubject.ITEM].told
    assert told.calendar_version == city.calendar.version and told.used_days == 0


def test_before_it_was_accepted_an_item_has_no_clock(city: City, begin: Any) -> None:
    lived = begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 30)
    asked = ask(lived.events, always(city.calendar), datetime(2026, 3, 2, 2, tzinfo=UTC))
    assert ClockSubject.ITEM not in asked


def test_the_time_for_acceptance_is_explained_too_and_begins_anew_after_a_correction(city: City, begin: Any) -> None:
    waiting = begin("S1-05").do(ItemStep.RECEIVE)
    told = ask(waiting.events, always(city.calendar))[ClockSubject.ACCEPTANCE].told
    assert (told.limit_days, told.due and told.due.on) == (5, date(2026, 3, 9))
    corrected = waiting.do(ItemStep.START_CORRECTION, 26)
    stopped = ask(corrected.events, always(city.calendar), NOW + timedelta(days=3))[ClockSubject.ACCEPTANCE].told
    assert stopped.due is None and stopped.ended_at == corrected.events[-1].at
    again = corrected.do(ItemStep.SUPPLEMENT, 48)
    anew = ask(again.events, always(city.calendar), NOW + timedelta(days=3))[ClockSubject.ACCEPTANCE].told
    assert (anew.started_at, anew.due and anew.due.on) == (again.events[-1].at, date(2026, 3, 11))
    longer = ask(again.events, always(city.calendar), NOW + timedelta(days=3), limit_days=9)
    assert longer[ClockSubject.ACCEPTANCE].told.limit_days == 5, "what is supposed of a limit is about the item's own"


def test_a_closed_item_has_no_clock_that_runs(city: City, begin: Any) -> None:
    lived = begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1)
    names = ("item_id", "project_code", "application_id", "stage", "item_code", "attempt", "department", "jurisdiction")
    about = {name: getattr(lived.item, name) for name in names}
    closed = sample(ItemClosed).model_copy(update={**about, "at": datetime(2026, 3, 2, 5, tzinfo=UTC)})
    told = ask([*lived.events, closed], always(city.calendar))[ClockSubject.ITEM].told
    assert (told.due, told.ended_at) == (None, datetime(2026, 3, 2, 5, tzinfo=UTC))
