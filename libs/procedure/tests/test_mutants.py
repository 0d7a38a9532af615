"""The judge bites: every hand-made fault in the clock or the calendar is caught within a few hundred histories."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

import pytest

from local.oracle import disagreement
from procedure import calendar as sound_calendar
from procedure import clock as sound_clock

SEEDS = range(1500)


class Fault(NamedTuple):
    """A fault by its source: what stands in the module, and what stands there instead."""

    what: str
    right: str
    wrong: str


CLOCK = (
    Fault("the start day counts", "(timedelta() if policies.count_start_day else ONE_DAY)", "timedelta()"),
    Fault("the start day never counts", "(timedelta() if policies.count_start_day else ONE_DAY)", "ONE_DAY"),
    Fault(
        "the day of resumption counts",
        "return max(first, local_day(resumed) + ONE_DAY)",
        "return max(first, local_day(resumed))",
    ),
    Fault("the day of a pause counts", "min(local_day(began), today) - ONE_DAY", "min(local_day(began), today)"),
    Fault(
        "the day of a pause counts for the due day",
        "first, local_day(began) - ONE_DAY, j",
        "first, local_day(began), j",
    ),
    Fault("a pause within one day costs it", "if local_day(began) == local_day(resumed):", "if False:"),
    Fault("the later of two overlapping reasons is dropped", "max(ended, one.ended_at)", "ended"),
    Fault("the longer of two overlapping reasons is dropped", "max(ended, one.ended_at)", "one.ended_at"),
    Fault(
        "an open reason is forgotten behind a closed one",
        "ended is None or one.ended_at is None else",
        "ended is None else ended if one.ended_at is None else",
    ),
    Fault(
        "one reason's end ends all",
        "one.ended_at is None and (one.reason, one.key) == (reason, key)",
        "one.ended_at is None",
    ),
    Fault("reasons are told apart by kind only", "(one.reason, one.key) == (reason, key)", "one.reason == reason"),
    Fault("a second reason is not taken in", "if (reason, key) in clock.reasons or", "if clock.reasons or"),
    Fault(
        "it fires at 23:59",
        "return start_of_day(day + ONE_DAY)",
        "return start_of_day(day + ONE_DAY) - timedelta(minutes=1)",
    ),
    Fault("it fires a day late", "return start_of_day(day + ONE_DAY)", "return start_of_day(day + 2 * ONE_DAY)"),
    Fault("offices close at 18:00", "timedelta(hours=17)", "timedelta(hours=18)"),
    Fault("the office hour is ignored", 'policies.due_day_ends == "office_close"', "False"),
    Fault("an extension is forgotten", "self.limit_days + self.extended_days", "self.limit_days"),
    Fault("an act at the due instant is late", "at > expires.at", "at >= expires.at"),
    Fault("nothing is ever late", "at > expires.at", "False"),
    Fault(
        "an ended clock counts on", "until = at if clock.ended_at is None else min(at, clock.ended_at)", "until = at"
    ),
    Fault("an ended clock is still due", "if clock.ended_at is not None or clock.reasons:", "if clock.reasons:"),
    Fault(
        "today counts before it is over",
        "calendar.count_working_days(first, today - ONE_DAY, j",
        "calendar.count_working_days(first, today, j",
    ),
    Fault("one day is left on the last", "clock.total_days - used_days(", "clock.total_days - 1 - used_days("),
)
CALENDAR = (
    Fault("a make-up Saturday is ignored", "return exception.works", "return exception.works and day.weekday() < 5"),
    Fault("holidays are ignored", "return exception.works", "return exception.works or day.weekday() < 5"),
    Fault(
        "overlays are ignored",
        "is not None:\n            return overlay.works",
        "is not None and False:\n            return overlay.works",
    ),
    Fault("the city's overlay holds for nobody", "{CITY, jurisdiction, ", "{jurisdiction, "),
    Fault(
        "a host's overlay does not hold for its zones", "PILOT_ZONES.get(jurisdiction, jurisdiction)", "jurisdiction"
    ),
    Fault("days are those of Greenwich", "(at.astimezone(UTC) + OFFSET).date()", "at.astimezone(UTC).date()"),
    Fault("the weekend counts", "return day.weekday() < 5", "return day.weekday() < 6"),
    Fault(
        "a due day is one too far",
        "bisect_right(self.ordinals, day.toordinal()) + days - 1",
        "bisect_right(self.ordinals, day.toordinal()) + days",
    ),
    Fault(
        "the last day of a count is left out",
        "bisect_right(self.ordinals, last.toordinal())",
        "bisect_left(self.ordinals, last.toordinal())",
    ),
)


@contextmanager
def built(of_clock: Fault | None, of_calendar: Fault | None) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The clock over the calendar, each with its fault."""
    calendar = _module("mutant_calendar", inspect.getsource(sound_calendar), of_calendar)
    source = inspect.getsource(sound_clock).replace("from procedure.calendar import", "from mutant_calendar import")
    try:
        yield _module("mutant_clock", source, of_clock), calendar
    finally:
        del sys.modules["mutant_calendar"], sys.modules["mutant_clock"]


def _module(name: str, source: str, fault: Fault | None) -> ModuleType:
    if fault is not None:
        assert fault.right in source, f"the fault '{fault.what}' is out of date"
        source = source.replace(fault.right, fault.wrong)
    module = sys.modules[name] = ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
    return module


def caught(clock: ModuleType, calendar: ModuleType) -> str:
    """Return the first disagreement among the seeds; an exception is one too."""
    for seed in SEEDS:
        try:
            if told := disagreement(seed, clock, calendar):
                return told
        except Exception as trouble:
            return f"seed {seed}: {trouble!r}"
    return ""


def test_without_a_fault_there_is_nothing_to_catch() -> None:
    with built(None, None) as (clock, calendar):
        assert caught(clock, calendar) == ""


@pytest.mark.parametrize("fault", CLOCK, ids=lambda fault: fault.what)
def test_a_fault_in_the_clock_is_caught(fault: Fault) -> None:
    with built(fault, None) as (clock, calendar):
        assert caught(clock, calendar), fault.what


@pytest.mark.parametrize("fault", CALENDAR, ids=lambda fault: fault.what)
def test_a_fault_in_the_calendar_is_caught(fault: Fault) -> None:
    with built(None, fault) as (clock, calendar):
        assert caught(clock, calendar), fault.what
