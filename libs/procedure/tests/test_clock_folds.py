"""The clocks of stages, attempts and acceptance as folds over events (Art. 13; P1–P5, P12, R8, R10, R21–R24, R31)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chassis.catalogue import load
from contracts import department_worker as items
from contracts.dispatcher import StageAccepted, StageConcluded, StageDispatched
from contracts.envelope import Event
from contracts.terms import ClockEnd, ClockState, ClockSubject, Light, PauseReason, ReminderKind
from local.said import PLACE, ItemStory, StageStory, at
from local.suite import CATALOGUE
from procedure import clock as law
from procedure import history, item_clock, lights, reminders, stage_clock
from procedure.clock import Clock
from procedure.item_clock import Attempt
from procedure.policies import DEFAULT
from procedure.policies import Policies as Readings

CALENDAR = load(CATALOGUE).calendar
ANY, ALL_OPEN = DEFAULT, replace(DEFAULT, stage_pause_policy="ALL_OPEN")


class Item(ItemStory):
    """One attempt of an item of a stage whose readings are the default ones, but for `settings`."""

    def __init__(self, code: str = "S1-05", attempt: int = 1, limit: int = 5, **settings: Any) -> None:
        super().__init__(StageStory(**settings), code, attempt, limit)


def dispatched(limit: int = 20, **settings: Any) -> StageDispatched:
    return StageStory(limit=limit, **settings).dispatched(2026, 3, 2)


def stage_accepted(*when: int) -> StageAccepted:
    return StageStory().accepted(*when)


def stage_concluded(*when: int) -> StageConcluded:
    return StageStory().concluded(*when)


def of_stage(events: Iterable[Event], readings: Readings = DEFAULT) -> Clock:
    told = history.of_stage([dispatched(), *events], policies=readings)
    assert told is not None
    return told.clock


def due_on(clock: Clock, readings: Readings = DEFAULT) -> date:
    found = stage_clock.due(clock, CALENDAR, PLACE, readings)
    assert found is not None
    return found.on


def used(clock: Clock, *when: int) -> int:
    return law.used_days(clock, at(*when), CALENDAR, PLACE)


def s5(other: bool) -> list[Event]:
    """S2–S4 of one item in a stage from 03-02; `other`: another item runs all along."""
    first, second = Item(limit=10), Item(attempt=2, limit=10)
    events: list[Event] = [
        first.received(2026, 3, 2, 9),
        first.accepted(2026, 3, 2, 9),
        stage_accepted(2026, 3, 2, 9),
        first.correction(2026, 3, 4, 10),
        first.supplemented(2026, 3, 9, 15),
        first.returned(2026, 3, 11, 9),
        second.received(2026, 3, 16, 9),
        second.accepted(2026, 3, 17, 9),
    ]
    beside = Item("S1-07", limit=20)
    return [beside.received(2026, 3, 2, 9), beside.accepted(2026, 3, 2, 9), *events] if other else events


# Stages ---------------------------------------------------------------------------------------------------------


def test_s5_under_any_every_pause_of_an_item_stops_the_stage() -> None:
    clock = of_stage(s5(other=True), ANY)
    assert (due_on(clock), used(clock, 2026, 3, 17)) == (date(2026, 4, 10), 2)


def test_s5_under_all_open_the_stage_runs_while_another_item_runs() -> None:
    clock = of_stage(s5(other=True), ALL_OPEN)
    assert (due_on(clock), used(clock, 2026, 3, 17)) == (date(2026, 4, 3), 6)


def test_under_all_open_the_stage_stands_still_with_its_only_item() -> None:
    assert due_on(of_stage(s5(other=False), ALL_OPEN)) == due_on(of_stage(s5(other=False), ANY)) == date(2026, 4, 10)


def test_the_order_in_which_events_are_read_changes_nothing() -> None:
    events = s5(other=True)
    for readings in (ANY, ALL_OPEN):
        assert of_stage([*reversed(events), *events], readings) == of_stage(events, readings)


def test_a_stage_runs_under_the_readings_that_it_was_admitted_under() -> None:
    events = s5(other=True)
    told = history.of_stage([dispatched(stage_pause_policy="ALL_OPEN"), *events])
    assert told is not None and due_on(told.clock) == date(2026, 4, 3)


def test_under_all_open_items_that_wait_do_not_keep_the_stage_running() -> None:
    running, waiting = Item("S1-05"), Item("S1-07")
    events = [
        running.received(2026, 3, 2, 9),
        waiting.received(2026, 3, 2, 9),
        running.accepted(2026, 3, 2, 9),
        stage_accepted(2026, 3, 2, 9),
        running.correction(2026, 3, 4, 10),
    ]
    clock = of_stage(events, ALL_OPEN)
    assert law.state(clock) is ClockState.PAUSED
    clock = of_stage([*events, waiting.accepted(2026, 3, 6, 9)], ALL_OPEN)
    assert law.state(clock) is ClockState.RUNNING


def test_under_all_open_a_return_always_stops_the_stage() -> None:
    kept, returned = Item("S1-07"), Item("S1-05")
    events = [kept.received(2026, 3, 2), kept.accepted(2026, 3, 2, 9), returned.received(2026, 3, 2)]
    events += [returned.accepted(2026, 3, 2, 9), stage_accepted(2026, 3, 2, 9), returned.returned(2026, 3, 4, 9)]
    assert of_stage(events, ALL_OPEN).reasons == {(PauseReason.RETURNED, "S1-05")}


def test_under_all_open_a_decision_known_by_its_receipt_stops_the_stage_from_when_the_others_stood_still() -> None:
    decided, paused = Item("S1-07"), Item("S1-05")
    events = [decided.received(2026, 3, 2), decided.accepted(2026, 3, 2, 9)]
    events += [paused.received(2026, 3, 2), paused.accepted(2026, 3, 2, 9)]
    stage = stage_clock.accepted(stage_clock.waiting(20), at(2026, 3, 2, 9))
    for step in (*events, paused.correction(2026, 3, 5, 9), decided.concluded(2026, 3, 4, 9)):
        stage = stage_clock.felt(stage, step, ALL_OPEN)
    assert [pause.began_at for pause in stage.clock.pauses] == [at(2026, 3, 5, 9)]


def test_an_expired_permit_stays_open_and_lets_the_stage_run_on() -> None:
    expired, paused = Item("S1-07"), Item("S1-05")
    events = [expired.received(2026, 3, 2), expired.accepted(2026, 3, 2, 9)]
    events += [paused.received(2026, 3, 2), paused.accepted(2026, 3, 2, 9), stage_accepted(2026, 3, 2, 9)]
    events += [paused.correction(2026, 3, 9, 9), expired.recalled(2026, 3, 10)]
    assert law.state(of_stage(events, ALL_OPEN)) is ClockState.RUNNING
    assert law.state(of_stage([*events, expired.closed(2026, 3, 11)], ALL_OPEN)) is ClockState.PAUSED


def test_what_a_stage_waited_for_goes_with_the_item_that_is_withdrawn_or_waived() -> None:
    for end in (lambda item: item.taken_back(2026, 3, 12, 9), lambda item: item.closed(2026, 3, 12, 9)):
        item = Item()
        events = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), stage_accepted(2026, 3, 2, 9)]
        events += [item.returned(2026, 3, 4, 9), end(item)]
        assert law.state(of_stage(events)) is ClockState.RUNNING


def test_p4_the_stage_resumes_as_the_item_is_declared_again_or_accepted_again() -> None:
    assert due_on(of_stage(s5(other=True))) == date(2026, 4, 10)
    later = replace(DEFAULT, stage_resumes_at="reacceptance")
    assert due_on(of_stage(s5(other=True), later), later) == date(2026, 4, 13)
    declared = [event for event in s5(other=True) if not _is_second_acceptance(event)]
    assert law.state(of_stage(declared)) is ClockState.RUNNING
    assert law.state(of_stage(declared, later)) is ClockState.PAUSED


def _is_second_acceptance(event: Event) -> bool:
    return isinstance(event, items.ItemAccepted) and event.attempt == 2


def test_a_second_attempt_that_is_not_accepted_lets_the_stage_run() -> None:
    first, second = Item(), Item(attempt=2)
    events = [first.received(2026, 3, 2), first.accepted(2026, 3, 2, 9), stage_accepted(2026, 3, 2, 9)]
    events += [first.returned(2026, 3, 4), second.received(2026, 3, 6), second.not_accepted(2026, 3, 9)]
    later = replace(DEFAULT, stage_resumes_at="reacceptance")
    assert law.state(of_stage(events, later)) is ClockState.RUNNING


def test_p3_the_stage_is_counted_anew_only_where_the_reading_says_so() -> None:
    anew = replace(DEFAULT, stage_restart_on_return=True)
    clock = of_stage(s5(other=True), anew)
    assert (clock.started_at, used(clock, 2026, 3, 17)) == (at(2026, 3, 16, 9), 0)
    assert due_on(clock, anew) == date(2026, 4, 14)


def test_reasons_open_when_the_stage_starts_hold_it() -> None:
    first, second = Item("S1-05"), Item("S1-07")
    events = [first.received(2026, 3, 2), first.accepted(2026, 3, 2, 9), first.correction(2026, 3, 3, 9)]
    events += [second.received(2026, 3, 2), second.accepted(2026, 3, 4, 9), stage_accepted(2026, 3, 4, 9)]
    clock = of_stage(events)
    assert law.state(clock) is ClockState.PAUSED and used(clock, 2026, 3, 20) == 0
    assert due_on(of_stage([*events, first.supplemented(2026, 3, 9, 9)])) == date(2026, 4, 7)


def test_a_start_stands_even_if_the_first_item_is_returned() -> None:
    item = Item()
    events = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), stage_accepted(2026, 3, 2, 9)]
    clock = of_stage([*events, item.returned(2026, 3, 2, 10)])
    assert stage_clock.is_started(clock) and law.state(clock) is ClockState.PAUSED


def test_corrections_before_acceptance_never_touch_the_stage() -> None:
    first, second = Item("S1-05"), Item("S1-07")
    events = [first.received(2026, 3, 2), first.accepted(2026, 3, 2, 9), stage_accepted(2026, 3, 2, 9)]
    events += [second.received(2026, 3, 2), second.correction(2026, 3, 3, early=True)]
    for readings in (ANY, ALL_OPEN):
        assert law.state(of_stage(events, readings)) is ClockState.RUNNING


def test_a_stage_without_a_limit_has_no_clock() -> None:
    told = history.of_stage([dispatched(limit=0), stage_accepted(2026, 3, 2, 9)])
    assert told is not None and not told.started


def test_a_concluded_stage_feels_nothing_any_more() -> None:
    item = Item()
    events = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), stage_accepted(2026, 3, 2, 9)]
    events += [stage_concluded(2026, 3, 5, 9), item.correction(2026, 3, 6, 9)]
    clock = of_stage(events)
    assert (clock.end, clock.pauses) == (ClockEnd.CONCLUDED, ())


def test_a_due_instant_that_passed_stays_whatever_stops_the_stage_later() -> None:
    item = Item(limit=40)
    stage = stage_clock.accepted(stage_clock.waiting(5), at(2026, 3, 2, 9))
    for step in (item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), item.correction(2026, 3, 12, 9)):
        stage = stage_clock.felt(stage, step, DEFAULT)
    assert due_on(stage.clock) == date(2026, 3, 9)
    stage = stage_clock.felt(stage, item.supplemented(2026, 3, 16, 9), DEFAULT)
    assert due_on(stage.clock) == date(2026, 3, 9)
    assert law.remaining_days(stage.clock, at(2026, 3, 20), CALENDAR, PLACE) == -5


def test_a_pause_before_the_due_instant_moves_it() -> None:
    item = Item(limit=40)
    stage = stage_clock.accepted(stage_clock.waiting(5), at(2026, 3, 2, 9))
    for step in (item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), item.correction(2026, 3, 9, 9)):
        stage = stage_clock.felt(stage, step, DEFAULT)
    assert stage_clock.due(stage.clock, CALENDAR, PLACE) is None


def test_how_items_stand_survives_its_column() -> None:
    stage = stage_clock.waiting(20)
    item = Item()
    for step in (item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), item.correction(2026, 3, 4, 9)):
        stage = stage_clock.felt(stage, step, ALL_OPEN)
    assert stage.open and stage_clock.from_record(stage_clock.as_record(stage.open)) == stage.open


# Attempts -------------------------------------------------------------------------------------------------------


def folded(*steps: items.ItemStepped) -> Attempt:
    attempt: Attempt | None = None
    for step in steps:
        attempt = item_clock.felt(attempt, step)
    assert attempt is not None
    return attempt


def test_s3_s4_a_returned_attempt_ends_and_the_next_one_has_the_full_limit() -> None:
    first, second = Item(), Item(attempt=2)
    steps = [first.received(2026, 3, 2), first.accepted(2026, 3, 2, 9), first.correction(2026, 3, 4, 10)]
    steps += [first.supplemented(2026, 3, 9, 15), first.returned(2026, 3, 11, 9)]
    ended = folded(*steps)
    assert (law.state(ended.clock), used(ended.clock, 2026, 5, 1)) == (ClockState.TERMINATED, 2)
    again = folded(second.received(2026, 3, 16, 9), second.accepted(2026, 3, 17, 9))
    due = law.due(again.clock, CALENDAR, PLACE)
    assert due is not None and due.on == date(2026, 3, 24)


def test_a_repeat_of_steps_changes_nothing() -> None:
    item = Item()
    steps = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), item.correction(2026, 3, 4, 10)]
    steps += [item.supplemented(2026, 3, 9, 15)]
    assert folded(*steps, *steps, *steps[2:]) == folded(*steps)


def test_more_time_and_another_limit_count_for_the_due_day_and_for_yellow() -> None:
    item = Item()
    steps = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9)]
    longer = folded(*steps, item.extended(2026, 3, 4, 9)).clock
    assert lights.turns_at(longer, CALENDAR, PLACE) == at(2026, 3, 19)
    due = law.due(longer, CALENDAR, PLACE)
    assert due is not None and due.on == date(2026, 3, 23)
    amended = folded(*steps, item.amended(2026, 3, 4, 9, limit=7)).clock
    due = law.due(amended, CALENDAR, PLACE)
    assert due is not None and due.on == date(2026, 3, 11)


def test_a_decision_holds_the_expiry_until_its_seal_fails() -> None:
    item = Item()
    steps = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), item.decided(2026, 3, 3, 9)]
    assert folded(*steps).held
    assert not folded(*steps, item.seal_failed(2026, 3, 3, 10)).held
    assert not folded(*steps, item.concluded(2026, 3, 3, 9)).held


def test_history_and_the_fold_tell_one_clock() -> None:
    item = Item()
    steps = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), item.special(2026, 3, 4, 10)]
    steps += [item.extended(2026, 3, 5, 9), item.special_ended(2026, 3, 9, 15), item.recalled(2026, 3, 26)]
    told = history.of_item(steps)
    assert told is not None and told.clock == folded(*steps).clock
    assert [mark.type for mark in told.marks] == [type(step).__name__ for step in steps[1:]]
    before = history.of_item(steps, until=at(2026, 3, 6))
    assert before is not None and law.state(before.clock) is ClockState.PAUSED


def test_a_waived_item_waits_for_nothing() -> None:
    item = Item()
    steps = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), item.correction(2026, 3, 4, 10)]
    waived = item_clock.closed(folded(*steps), at(2026, 3, 5))
    assert (waived.clock.end, waived.reminders) == (ClockEnd.WITHDRAWN, ())
    told = history.of_item([*steps, item.closed(2026, 3, 5)])
    assert told is not None and told.clock == waived.clock


# Acceptance -----------------------------------------------------------------------------------------------------


def test_the_acceptance_clock_runs_from_reception_and_ends_with_acceptance() -> None:
    item = Item()
    received = item.received(2026, 3, 2, 9)
    waiting = folded(received)
    due = law.due(waiting.clock, CALENDAR, PLACE)
    assert (waiting.subject, due and due.on) == (ClockSubject.ACCEPTANCE, date(2026, 3, 9))
    accepted = item.accepted(2026, 3, 5, 9)
    assert folded(received, accepted).subject is ClockSubject.ITEM
    told = history.of_acceptance([received, accepted])
    assert told is not None
    assert (told.clock.end, told.clock.ended_at) == (ClockEnd.ACCEPTED, at(2026, 3, 5, 9))
    assert [mark.type for mark in told.marks] == ["ItemReceived", "ItemAccepted"]


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (lambda item: item.not_accepted(2026, 3, 4), ClockEnd.NOT_ACCEPTED),
        (lambda item: item.taken_back(2026, 3, 4), ClockEnd.WITHDRAWN),
        (lambda item: item.correction(2026, 3, 4, early=True), ClockEnd.CORRECTION),
    ],
)
def test_what_else_ends_the_waiting_for_acceptance(end: Any, expected: ClockEnd) -> None:
    item = Item()
    steps = [item.received(2026, 3, 2, 9), end(item)]
    told = history.of_acceptance(steps)
    assert told is not None and told.clock.end is expected and folded(*steps).clock == told.clock


def test_the_supplement_before_acceptance_starts_a_new_clock() -> None:
    item = Item()
    steps = [item.received(2026, 3, 2, 9), item.correction(2026, 3, 4, early=True)]
    steps += [item.supplemented(2026, 3, 16, 9, early=True)]
    told = history.of_acceptance(steps)
    assert told is not None and told.clock == Clock(5, at(2026, 3, 16, 9)) == folded(*steps).clock
    earlier = history.of_acceptance(steps, until=at(2026, 3, 10))
    assert earlier is not None and earlier.clock.end is ClockEnd.CORRECTION
    assert history.of_item(steps) is None


def test_the_days_for_acceptance_are_those_of_the_readings() -> None:
    assert folded(Item(acceptance_days=2).received(2026, 3, 2, 9)).clock.limit_days == 2


# Reminders and lights -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("early", [True, False])
def test_a_correction_is_reminded_of_after_thirty_calendar_days(early: bool) -> None:
    item = Item()
    steps = [item.received(2026, 3, 2, 9)] + ([] if early else [item.accepted(2026, 3, 2, 9)])
    steps.append(item.correction(2026, 3, 4, 23, early=early))
    (reminder,) = folded(*steps).reminders
    assert reminder == (ReminderKind.CORRECTION_UNANSWERED, at(2026, 3, 4, 23), at(2026, 4, 4), False)
    assert folded(*steps, item.supplemented(2026, 3, 5, early=early)).reminders == ()


def test_a_returned_item_is_reminded_of_after_sixty_calendar_days() -> None:
    item = Item()
    steps = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), item.correction(2026, 3, 4)]
    steps.append(item.returned(2026, 3, 11, 9))
    assert folded(*steps).reminders == ((ReminderKind.NOT_DECLARED_AGAIN, at(2026, 3, 11, 9), at(2026, 5, 11), False),)
    assert folded(*steps, item.taken_back(2026, 3, 20)).reminders == ()


def test_the_days_of_a_reminder_are_those_of_the_readings() -> None:
    item = Item(correction_days=3)
    steps = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), item.correction(2026, 3, 4, 10)]
    assert reminders.next_due(folded(*steps).reminders) == at(2026, 3, 8)


def test_a_special_procedure_past_its_day_is_yellow_and_does_not_end_by_itself() -> None:
    item = Item()
    steps = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9)]
    steps.append(item.special(2026, 3, 4, 10, due_on=date(2026, 3, 10)))
    attempt = folded(*steps)
    for when, light in ((at(2026, 3, 10, 23), Light.GREY), (at(2026, 3, 11), Light.YELLOW)):
        over = reminders.special_is_over(attempt.reminders, when)
        shown, _ = lights.light_of(attempt.clock, when, CALENDAR, PLACE, overdue=False, special_over=over)
        assert shown is light
    assert law.state(attempt.clock) is ClockState.PAUSED
    assert folded(*steps, item.special_ended(2026, 3, 12)).reminders == ()


@pytest.mark.parametrize("due_on", [date.min, date.max, date(1999, 12, 31), date(2199, 12, 31)])
def test_a_due_day_beyond_all_reason_reminds_nobody(due_on: date) -> None:
    item = Item()
    steps = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), item.special(2026, 3, 4, due_on=due_on)]
    assert folded(*steps).reminders == ()


def test_reminders_survive_their_column() -> None:
    item = Item()
    steps = [item.received(2026, 3, 2), item.accepted(2026, 3, 2, 9), item.correction(2026, 3, 4)]
    steps.append(item.special(2026, 3, 4, due_on=date(2026, 3, 10)))
    kept = folded(*steps).reminders
    assert len(kept) == 2 and reminders.from_record(reminders.as_record(kept)) == kept


@pytest.mark.parametrize(
    ("limit", "turn"),
    [(1, None), (2, (2026, 3, 4)), (3, (2026, 3, 5)), (5, (2026, 3, 6)), (10, (2026, 3, 13)), (20, (2026, 3, 25))],
)
def test_a_light_turns_yellow_at_the_midnight_after_a_counted_day(limit: int, turn: tuple[int, ...] | None) -> None:
    clock = Clock(limit, at(2026, 3, 2, 9))
    found = lights.turns_at(clock, CALENDAR, PLACE)
    assert found == (None if turn is None else at(*turn))
    for when in (found, at(2026, 3, 2, 9)):
        if when is not None:
            before, _ = lights.light_of(clock, when - timedelta(seconds=1), CALENDAR, PLACE, overdue=False)
            then, _ = lights.light_of(clock, when, CALENDAR, PLACE, overdue=False)
            assert (before, then) == ((Light.GREEN, Light.YELLOW) if when == found else (then, then))


def test_a_pause_within_one_day_does_not_delay_the_turn() -> None:
    clock = Clock(5, at(2026, 3, 2, 9))
    paused = law.pause(clock, PauseReason.SPECIAL, "", at(2026, 3, 4, 10))
    resumed = law.resume(paused, PauseReason.SPECIAL, "", at(2026, 3, 4, 16))
    assert lights.turns_at(resumed, CALENDAR, PLACE) == lights.turns_at(clock, CALENDAR, PLACE)


# Provisional dates ----------------------------------------------------------------------------------------------


def test_nothing_is_late_by_a_provisional_date_unless_the_reading_says_so() -> None:
    clock = Clock(1, at(2026, 12, 31, 9))
    due = law.due(clock, CALENDAR, PLACE)
    assert due is not None and due.provisional and due.expires_at is None
    assert not law.is_late(due.at + timedelta(days=30), due)
    strict = law.due(clock, CALENDAR, PLACE, replace(DEFAULT, fire_on_provisional=True))
    assert strict is not None and strict.provisional and strict.expires_at == strict.at
    assert law.is_late(strict.at + timedelta(seconds=1), strict)


def test_a_clock_as_it_stood_before_an_instant() -> None:
    clock = law.pause(Clock(5, at(2026, 3, 2, 9)), PauseReason.CORRECTION, "", at(2026, 3, 4, 10))
    clock = law.stop(law.resume(clock, PauseReason.CORRECTION, "", at(2026, 3, 9)), ClockEnd.CONCLUDED, at(2026, 3, 10))
    assert law.as_of(clock, at(2026, 3, 4, 10)) == Clock(5, at(2026, 3, 2, 9))
    assert law.state(law.as_of(clock, at(2026, 3, 9))) is ClockState.PAUSED
    assert law.state(law.as_of(clock, at(2026, 3, 10))) is ClockState.RUNNING
    assert law.as_of(clock, at(2026, 3, 10, 1)) == clock
