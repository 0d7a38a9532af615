"""The judges bite: every hand-made fault in clock, calendar, lights or the clock of a stage is caught within a few
hundred histories."""

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from contracts import department_worker as items
from contracts.dispatcher import ItemClosed, StageAccepted, StageConcluded
from contracts.envelope import Event
from contracts.terms import Outcome
from local import oracle, oracle_trial
from local.oracle_trial import Spoil
from procedure import calendar as sound_calendar
from procedure import clock as sound_clock
from procedure import lights as sound_lights
from procedure.policies import Policies

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
    Fault("an amended limit is forgotten", "return clock._replace(limit_days=limit_days)", "return clock"),
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


LIGHTS = (
    Fault("every limit turns yellow two days before its end", "max(10, limit) // 5", "2"),
    Fault("yellow comes a day early", "max(10, limit) // 5", "max(15, limit) // 5"),
    Fault("a short limit is like a long one", "1 if limit <= SHORT_LIMIT else ", ""),
    Fault("four days are a short limit", "SHORT_LIMIT: Final = 3", "SHORT_LIMIT: Final = 4"),
    Fault("nothing turns red", "if overdue:", "if False:"),
    Fault("what stands still goes on shining", "if paused:", "if False:"),
    Fault(
        "a light turns a day late", "start_of_day(last + timedelta(days=1))", "start_of_day(last + timedelta(days=2))"
    ),
    Fault("a light turns as its day begins", "start_of_day(last + timedelta(days=1))", "start_of_day(last)"),
    Fault("the turn forgets what has been used", "counted = left - near(", "counted = clock.total_days - near("),
    Fault("an extension does not count for the turn", "near(clock.total_days)", "near(clock.limit_days)"),
    Fault("grey is worse than green", "Light.GREEN, Light.GREY)", "Light.GREY, Light.GREEN)"),
)


@contextmanager
def built(**faults: Fault) -> Iterator[tuple[ModuleType, ModuleType, ModuleType]]:
    """Clock, calendar and lights over one another, each with its fault."""
    sound = {"calendar": sound_calendar, "clock": sound_clock, "lights": sound_lights}
    made: dict[str, ModuleType] = {}
    try:
        for name, module in sound.items():
            source = inspect.getsource(module)
            for below in made:
                source = source.replace(f"from procedure.{below} import", f"from mutant_{below} import")
            made[name] = _module(f"mutant_{name}", source, faults.get(name))
        yield made["clock"], made["calendar"], made["lights"]
    finally:
        for name in made:
            del sys.modules[f"mutant_{name}"]


def _module(name: str, source: str, fault: Fault | None) -> ModuleType:
    if fault is not None:
        assert fault.right in source, f"the fault '{fault.what}' is out of date"
        source = source.replace(fault.right, fault.wrong)
    module = sys.modules[name] = ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
    return module


def caught(told: Callable[[int], str]) -> str:
    """Return the first disagreement among the seeds; an exception is one too."""
    for seed in SEEDS:
        try:
            if wrong := told(seed):
                return wrong
        except Exception as trouble:
            return f"seed {seed}: {trouble!r}"
    return ""


def test_without_a_fault_there_is_nothing_to_catch() -> None:
    with built() as modules:
        assert caught(lambda seed: oracle.disagreement(seed, *modules)) == ""


@pytest.mark.parametrize("fault", CLOCK, ids=lambda fault: fault.what)
def test_a_fault_in_the_clock_is_caught(fault: Fault) -> None:
    with built(clock=fault) as modules:
        assert caught(lambda seed: oracle.disagreement(seed, *modules)), fault.what


@pytest.mark.parametrize("fault", CALENDAR, ids=lambda fault: fault.what)
def test_a_fault_in_the_calendar_is_caught(fault: Fault) -> None:
    with built(calendar=fault) as modules:
        assert caught(lambda seed: oracle.disagreement(seed, *modules)), fault.what


@pytest.mark.parametrize("fault", LIGHTS, ids=lambda fault: fault.what)
def test_a_fault_in_the_lights_is_caught(fault: Fault) -> None:
    with built(lights=fault) as modules:
        assert caught(lambda seed: oracle.disagreement(seed, *modules)), fault.what


# The clock of a stage: what it is told is spoilt, whatever the law is made of ------------------------------------


def unheard(*kinds: type[Event], when: Callable[[Any], bool] = lambda event: True) -> Spoil:
    """The law does not hear of some events."""
    return lambda events, policies: ([e for e in events if not (isinstance(e, kinds) and when(e))], policies)


def altered(kind: type[Event], alter: Callable[[Any], dict[str, Any]]) -> Spoil:
    """The law hears of some events otherwise."""

    def spoil(events: Sequence[Event], policies: Policies) -> tuple[Sequence[Event], Policies]:
        return [e.model_copy(update=alter(e)) if isinstance(e, kind) else e for e in events], policies

    return spoil


def read(**settings: Any) -> Spoil:
    """The law always takes one reading."""
    return lambda events, policies: (events, replace(policies, **settings))


def withdrawn_instead(events: Sequence[Event], policies: Policies) -> tuple[Sequence[Event], Policies]:
    """The law takes a return for a withdrawal."""
    taken = [items.ItemTakenBack(**e.model_dump()) if isinstance(e, items.ItemReturned) else e for e in events]
    return taken, policies


STAGE: dict[str, Spoil] = {
    "a correction does not stop it": unheard(items.CorrectionRequested),
    "a correction never ends": unheard(items.CorrectionEnded),
    "a correction before acceptance stops it": altered(
        items.CorrectionRequested, lambda e: {"before_acceptance": False}
    ),
    "a special procedure does not stop it": unheard(items.SpecialStarted),
    "a special procedure never ends": unheard(items.SpecialEnded),
    "a return does not stop it": withdrawn_instead,
    "it goes on when the department has the item again": altered(items.ItemReceived, lambda e: {"applied_at": e.at}),
    "what was declared again never lets it go on": unheard(items.ItemReceived, when=lambda e: e.attempt > 1),
    "a withdrawn item goes on stopping it": unheard(items.ItemTakenBack),
    "a concluded item is still open": unheard(items.ItemConcluded),
    "a refused acceptance goes on stopping it": unheard(items.ItemNotAccepted),
    "an expired permit no longer is open": altered(
        items.ItemRecalled, lambda e: {"outcome": Outcome.DEEMED_NO_OPINION}
    ),
    "a deemed opinion is still open": altered(items.ItemRecalled, lambda e: {"outcome": Outcome.EXPIRED_NO_OPINION}),
    "what the lead closed goes on stopping it": unheard(ItemClosed),
    "it starts a day late": altered(StageAccepted, lambda e: {"accepted_at": e.accepted_at + oracle.DAY}),
    "it never ends": unheard(StageConcluded),
    "P1 is always ANY": read(stage_pause_policy="ANY"),
    "P1 is always ALL_OPEN": read(stage_pause_policy="ALL_OPEN"),
    "P3: it never begins anew": read(stage_restart_on_return=False),
    "P3: it always begins anew": read(stage_restart_on_return=True),
    "P4 is always the resubmission": read(stage_resumes_at="resubmission"),
    "P4 is always the acceptance": read(stage_resumes_at="reacceptance"),
    "an item's extension is forgotten": unheard(items.ItemExtended),
    "an item's amended limit is forgotten": unheard(items.LimitAmended),
}
"""What is wrong → how it is brought about."""


def test_a_stage_without_a_fault_gives_nothing_to_catch() -> None:
    assert caught(oracle_trial.disagreement) == ""


@pytest.mark.parametrize("what", STAGE)
def test_a_fault_in_the_clock_of_a_stage_is_caught(what: str) -> None:
    assert caught(lambda seed: oracle_trial.disagreement(seed, STAGE[what])), what
