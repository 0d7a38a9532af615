"""亮灯 (Art. 22): which light a clock shows, and when it turns."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from procedure.calendar import Calendar, start_of_day
from procedure.clock import Clock, ahead, pause, remaining_days, resume, state, stop, used_days
from procedure.policies import DEFAULT, Policies

SHORT_LIMIT: Final = 3
"""Items with a limit of at most so many working days turn yellow on their last day only (R32)."""
WORST_FIRST: Final = (Light.RED, Light.YELLOW, Light.GREEN, Light.GREY)


def light(
    remaining: int, limit: int, *, paused: bool = False, overdue: bool = False, special_over: bool = False
) -> Light:
    """Return the light: red once overdue and ever after, grey while paused, yellow near the end (R32, R33).

    A pause is yellow instead of grey while a special procedure is past its own due day (R10).
    """
    if overdue:
        return Light.RED
    if paused:
        return Light.YELLOW if special_over else Light.GREY
    return Light.YELLOW if is_near(remaining, limit) else Light.GREEN


def is_near(remaining: int, limit: int) -> bool:
    """Whether so few working days remain that the light is yellow."""
    return remaining <= near(limit)


def near(limit: int) -> int:
    """Return with how many working days left a clock's light turns yellow (R32)."""
    return 1 if limit <= SHORT_LIMIT else max(10, limit) // 5


def light_of(
    clock: Clock,
    at: datetime,
    calendar: Calendar,
    jurisdiction: str,
    *,
    overdue: bool,
    special_over: bool = False,
    policies: Policies = DEFAULT,
) -> tuple[Light, int]:
    """Return the light of a clock at `at`, and its remaining working days."""
    remaining = remaining_days(clock, at, calendar, jurisdiction, policies)
    paused = state(clock) is ClockState.PAUSED
    return light(remaining, clock.total_days, paused=paused, overdue=overdue, special_over=special_over), remaining


def turns_at(clock: Clock, calendar: Calendar, jurisdiction: str, policies: Policies = DEFAULT) -> datetime | None:
    """Return the midnight at which a running clock's light turns yellow; None for one that stands still, has ended, or
    was yellow from its start.

    A light turns at the midnight after a counted day, even before a day off (R33). Red comes with the due instant.
    Raises YearNotCovered.
    """
    if state(clock) is not ClockState.RUNNING:
        return None
    first, left = ahead(clock, calendar, jurisdiction, policies)
    counted = left - near(clock.total_days)
    if counted < 1:
        return None
    last = calendar.working_days_after(first - timedelta(days=1), counted, jurisdiction)
    return start_of_day(last + timedelta(days=1))


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
