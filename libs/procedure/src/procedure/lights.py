"""亮灯 (Art. 22): which light a clock shows, and when it turns."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from contracts.terms import ClockState, Light, PauseReason
from contracts.timer import (
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockStepped,
    ClockStopped,
    DueChanged,
    LightChanged,
)
from procedure.calendar import Calendar, local_day, start_of_day
from procedure.clock import Clock, due, pause, remaining_days, resume, state, stop, used_days
from procedure.policies import DEFAULT, Policies

SHORT_LIMIT: Final = 3
"""Items with a limit of at most so many working days turn yellow on their last day only (R32)."""
WORST_FIRST: Final = (Light.RED, Light.YELLOW, Light.GREEN, Light.GREY)


def light(remaining: int, limit: int, *, paused: bool = False, overdue: bool = False) -> Light:
    """Return the light: red once overdue and ever after, grey while paused, yellow near the end (R32, R33)."""
    if overdue:
        return Light.RED
    if paused:
        return Light.GREY
    return Light.YELLOW if is_near(remaining, limit) else Light.GREEN


def is_near(remaining: int, limit: int) -> bool:
    """Whether so few working days remain that the light is yellow."""
    return remaining <= 1 if limit <= SHORT_LIMIT else remaining * 5 <= max(10, limit)


def light_of(
    clock: Clock, at: datetime, calendar: Calendar, jurisdiction: str, *, overdue: bool, policies: Policies = DEFAULT
) -> tuple[Light, int]:
    """Return the light of a clock at `at`, and its remaining working days."""
    remaining = remaining_days(clock, at, calendar, jurisdiction, policies)
    paused = state(clock) is ClockState.PAUSED
    return light(remaining, clock.total_days, paused=paused, overdue=overdue), remaining


def next_turn(
    clock: Clock, at: datetime, calendar: Calendar, jurisdiction: str, policies: Policies = DEFAULT
) -> datetime | None:
    """Return the midnight at which a green running clock turns yellow; None when no turn lies ahead.

    A light turns at the midnight after a counted day, even before a day off (R33). Red comes with the due instant.
    """
    expires = due(clock, calendar, jurisdiction, policies)
    if expires is None:
        return None
    remaining = remaining_days(clock, at, calendar, jurisdiction, policies)
    if is_near(remaining, clock.total_days):
        return None
    over = next(count for count in range(1, remaining + 1) if is_near(remaining - count, clock.total_days))
    turn = start_of_day(_nth_counted(clock, at, over, calendar, jurisdiction) + timedelta(days=1))
    return turn if turn < expires.at else None


def _nth_counted(clock: Clock, at: datetime, days: int, calendar: Calendar, jurisdiction: str) -> date:
    """The day that is the `days`-th counted one from today on, if the clock runs on."""
    begun = [local_day(clock.started_at), *(local_day(one.ended_at) for one in clock.pauses if one.ended_at)]
    return calendar.working_days_after(max(local_day(at) - timedelta(days=1), *begun), days, jurisdiction)


def worst(lights: Iterable[Light]) -> Light | None:
    """Return the worst of several lights: red, yellow, green, grey; None for none."""
    shown = set(lights)
    return next((one for one in WORST_FIRST if one in shown), None)


@dataclass(frozen=True, slots=True)
class Shown:
    """What people are shown of a clock: its due instant and light, the generation that both follow from, and the clock
    itself as its steps tell it (None where its start was not heard)."""

    due_at: datetime | None = None
    light: Light | None = None
    generation: int = 0
    clock: Clock | None = None

    def used_days(
        self, at: datetime, calendar: Calendar, jurisdiction: str, policies: Policies = DEFAULT
    ) -> int | None:
        """Return the working days used at `at` by the calendar in force; None where no clock ever ran (Art. 11, 13).

        Raises YearNotCovered.
        """
        if self.clock is None:
            return None
        return used_days(_counted(self.clock, policies), at, calendar, jurisdiction, policies)


def _counted(clock: Clock, policies: Policies) -> Clock:
    """The clock as its days count: by P3 a stage may begin anew with what was declared again after a return."""
    again = [one.ended_at for one in clock.pauses if one.reason is PauseReason.RETURNED and one.ended_at is not None]
    if not policies.stage_restart_on_return or not again:
        return clock
    later = tuple(one for one in clock.pauses if one.began_at >= max(again))
    return clock._replace(started_at=max(again), pauses=later)


def shown(before: Shown, step: ClockStepped) -> Shown:
    """Return what is shown after a step of the clock; a repeat changes nothing. Red stays red (R23)."""
    if step.generation <= before.generation:
        return before
    red, clock = before.light is Light.RED, before.clock
    match step:
        case ClockStarted():
            return Shown(step.due_at, Light.GREEN, step.generation, Clock(step.limit_days, step.at))
        case ClockResumed():
            running = None if clock is None else _running(clock, step.at)
            return Shown(step.due_at, Light.RED if red else Light.GREEN, step.generation, running)
        case ClockPaused():
            standing = None if clock is None else pause(clock, step.reason, "", step.at)
            light = Light.RED if red else Light.GREY
            return Shown(before.due_at if red else None, light, step.generation, standing)
        case DueChanged():
            return Shown(step.due_at, before.light, step.generation, clock)
        case LightChanged():
            return Shown(before.due_at, step.light, step.generation, clock)
        case ClockStopped():
            stopped = None if clock is None else stop(clock, step.end, step.at)
            return Shown(None, None, step.generation, stopped)
        case _:
            return before


def _running(clock: Clock, at: datetime) -> Clock:
    for reason, key in clock.reasons:
        clock = resume(clock, reason, key, at)
    return clock
