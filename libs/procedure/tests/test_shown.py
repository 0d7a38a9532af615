"""What people are shown of a clock follows its steps alone, and its days are those of the law (Art. 11, 13, 22)."""

from datetime import UTC, datetime
from typing import Any

from chassis.catalogue import load
from contracts.terms import ClockEnd, ClockState, Light, PauseReason
from contracts.timer import (
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockStepped,
    ClockStopped,
    DueChanged,
    LightChanged,
)
from local.samples import sample
from local.suite import CATALOGUE
from procedure.clock import state
from procedure.lights import Shown, shown
from procedure.policies import DEFAULT, Policies

CALENDAR = load(CATALOGUE).calendar
PLACE = "210281"


def on(day: int, hour: int = 1) -> datetime:
    """An instant of March 2026, UTC."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def step(kind: type[ClockStepped], generation: int, at: datetime, **facts: Any) -> Any:
    return sample(kind).model_copy(update={"generation": generation, "at": at, **facts})


def told(*steps: ClockStepped) -> Shown:
    after = Shown()
    for one in steps:
        after = shown(after, one)
    return after


STARTED = step(ClockStarted, 1, on(2), limit_days=5, due_at=on(9, 16))
PAUSED = step(ClockPaused, 2, on(4, 2), used_days=1, reason=PauseReason.CORRECTION)
RESUMED = step(ClockResumed, 3, on(9, 7), used_days=1, due_at=on(13, 16))


def used(what: Shown, at: datetime, policies: Policies = DEFAULT) -> int | None:
    return what.used_days(at, CALENDAR, PLACE, policies)


def test_a_clock_whose_start_was_not_heard_has_no_days_but_its_light_and_due() -> None:
    late = told(RESUMED)
    assert (used(late, on(12)), late.due_at, late.light) == (None, RESUMED.due_at, Light.GREEN)
    assert used(told(RESUMED, step(ClockStopped, 4, on(12))), on(12)) is None


def test_the_days_used_are_those_of_the_golden_scenario() -> None:
    whole = told(STARTED, PAUSED, RESUMED)
    assert [used(whole, on(day)) for day in (10, 11, 12, 13)] == [1, 2, 3, 4]
    assert [used(told(STARTED, PAUSED), on(day)) for day in (4, 5, 9)] == [1, 1, 1]


def test_after_the_end_no_day_is_used_any_more() -> None:
    ended = told(STARTED, step(ClockStopped, 2, on(4), end=ClockEnd.RETURNED))
    assert [used(ended, on(day)) for day in (4, 20)] == [1, 1]
    assert (state(ended.clock), ended.light, ended.due_at) == (ClockState.TERMINATED, None, None)


def test_a_repeat_changes_nothing() -> None:
    once = told(STARTED, PAUSED)
    assert told(STARTED, PAUSED, STARTED, PAUSED) == once


def test_the_starting_day_counts_where_the_city_reads_it_so() -> None:
    assert used(told(STARTED), on(3), Policies(count_start_day=True)) == 1
    assert used(told(STARTED), on(3)) == 0


def test_by_p3_a_stage_counts_anew_with_what_was_declared_again() -> None:
    returned = step(ClockPaused, 2, on(4), used_days=1, reason=PauseReason.RETURNED)
    again = told(STARTED, returned, step(ClockResumed, 3, on(9), used_days=0))
    anew = Policies(stage_restart_on_return=True)
    assert [used(again, on(11), policies) for policies in (DEFAULT, anew)] == [2, 1]
    corrected = step(ClockPaused, 4, on(11), used_days=1, reason=PauseReason.CORRECTION)
    assert used(shown(again, corrected), on(20), anew) == 1


def test_red_stays_red_through_a_pause_and_its_end() -> None:
    red = told(STARTED, step(LightChanged, 2, on(10), light=Light.RED))
    paused = shown(red, step(ClockPaused, 3, on(11), reason=PauseReason.RETURNED))
    assert (paused.light, paused.due_at, state(paused.clock)) == (Light.RED, STARTED.due_at, ClockState.PAUSED)
    resumed = shown(paused, step(ClockResumed, 4, on(12)))
    assert resumed.light is Light.RED


def test_a_pause_is_grey_and_what_runs_again_is_green_until_its_light_turns() -> None:
    assert (told(STARTED, PAUSED).light, told(STARTED, PAUSED).due_at) == (Light.GREY, None)
    assert told(STARTED, PAUSED, RESUMED).light is Light.GREEN
    moved = told(STARTED, step(DueChanged, 2, on(3), due_at=on(10, 16)))
    assert (moved.due_at, moved.light, used(moved, on(4))) == (on(10, 16), Light.GREEN, 1)
