"""An independent judge of the clock: day by day, no cleverness, from Article 13 and its readings, not from the code.

A history is made from a seed: acts at instants, a calendar with holidays, make-up days and overlays. The judge walks
the days; the law computes; both have to say the same. `disagreement(seed)` tells the first thing they do not agree on.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from types import ModuleType
from typing import Any, Final

from contracts.codes import PILOT_ZONES
from contracts.terms import ClockEnd, PauseReason
from procedure.policies import Policies

HOURS: Final = timedelta(hours=8)
DAY: Final = timedelta(days=1)
NEVER: Final = datetime(2199, 1, 1, tzinfo=UTC)
EARLIEST: Final = date(2018, 3, 1)
PLACES: Final = ("210281", "210283", *sorted(PILOT_ZONES))
REASONS: Final = tuple((reason, key) for reason in PauseReason for key in ("", "S1-05"))


@dataclass(frozen=True)
class Act:
    """Something that happened to the clock."""

    at: datetime
    kind: str
    reason: Any = None


@dataclass
class Case:
    """One random history under one random calendar."""

    place: str
    limit: int
    started: datetime
    policies: Policies
    exceptions: dict[date, bool]
    overlays: list[tuple[date, str, bool]]
    acts: list[Act] = field(default_factory=list[Act])
    asked: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    # What the judge knows -----------------------------------------------------------------------------------

    def works(self, day: date) -> bool:
        """Whether `day` is a working day here: an overlay outranks the notice, the notice the weekday (R16)."""
        for ordered, place, works in self.overlays:
            if ordered == day and place in ("210200", self.place, PILOT_ZONES.get(self.place)):
                return works
        return self.exceptions.get(day, day.weekday() < 5)

    def held(self, before: datetime = NEVER) -> set[Any]:
        """What held the clock just before an instant; a reason that holds already is not taken twice."""
        held: set[Any] = set()
        for act in self.acts:
            if act.at < before and act.kind == "pause":
                held.add(act.reason)
            if act.at < before and act.kind == "resume":
                held.discard(act.reason)
        return held

    def held_before(self, at: datetime) -> bool:
        return bool(self.held(at))

    def counts(self, day: date) -> bool:
        """The one rule: a working day at whose beginning and at whose end the clock ran."""
        begins, ends = midnight(day), midnight(day + DAY)
        starts_here = begins <= self.started < ends
        begun = self.started < begins or (starts_here and self.policies.count_start_day)
        at_begin = begun and (starts_here or not self.held_before(begins))
        at_end = self.started < ends and not self.held_before(ends)
        return self.works(day) and at_begin and at_end

    @property
    def total(self) -> int:
        return self.limit + sum(10 for act in self.acts if act.kind == "extend")

    @property
    def ended(self) -> datetime | None:
        return next((act.at for act in self.acts if act.kind == "stop"), None)

    def used(self, at: datetime) -> int:
        until = at if self.ended is None else min(at, self.ended)
        day, used = local_day(self.started), 0
        while midnight(day + DAY) <= until:
            used += self.counts(day)
            day += DAY
        return used

    def due(self) -> datetime | None:
        if self.ended is not None or self.held():
            return None
        day, used = local_day(self.started), 0
        while True:
            used += self.counts(day)
            if used == self.total:
                closes = self.policies.due_day_ends == "office_close"
                return midnight(day) + timedelta(hours=17) if closes else midnight(day + DAY)
            day += DAY


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) - HOURS


def local_day(at: datetime) -> date:
    return (at + HOURS).date()


# A case from a seed ---------------------------------------------------------------------------------------------


def case_of(seed: int) -> Case:
    """Return the history and calendar that `seed` stands for; only legal acts, each while time remains."""
    chance = random.Random(seed)
    first = EARLIEST + timedelta(days=chance.randrange(9 * 365))
    exceptions = {
        first + timedelta(days=chance.randrange(90)): chance.random() < 0.4 for _ in range(chance.randrange(12))
    }
    ordered = ("210200", *PLACES)
    overlays = {
        (first + timedelta(days=chance.randrange(60)), chance.choice(ordered)): chance.random() < 0.3
        for _ in range(chance.randrange(4))
    }
    policies = Policies(
        count_start_day=chance.random() < 0.2, due_day_ends="office_close" if chance.random() < 0.2 else "midnight"
    )
    once = {day: (day, place, works) for (day, place), works in overlays.items()}
    case = Case(
        chance.choice(PLACES),
        chance.choice((1, 2, 3, 5, 10, 15, 20, 30)),
        _instant(chance, first),
        policies,
        exceptions,
        list(once.values()),
    )
    at = case.started
    for _ in range(chance.randrange(8)):
        at = max(at, _instant(chance, local_day(at) + timedelta(days=chance.choice((0, 0, 1, 1, 2, 5, 9)))))
        _act(chance, case, at)
    case.asked = at + timedelta(hours=chance.randrange(24 * 20))
    return case


def _instant(chance: random.Random, day: date) -> datetime:
    """Mostly some second of the day; often its very beginning, sometimes its last moment."""
    kind = chance.random()
    if kind < 0.2:
        return midnight(day)
    if kind < 0.25:
        return midnight(day + DAY) - timedelta(microseconds=1)
    return midnight(day) + timedelta(seconds=chance.randrange(86400))


def _act(chance: random.Random, case: Case, at: datetime) -> None:
    if case.ended is not None:
        return
    due = case.due()
    if due is not None and (at >= due or case.used(at) >= case.total):
        return
    kinds = ("pause", "pause", "pause", "resume", "resume", "resume", "extend", "stop")
    kind = chance.choices(kinds, weights=(4, 4, 4, 4, 4, 4, 1, 1))[0]
    if kind == "extend" and any(act.kind == "extend" for act in case.acts):
        return
    case.acts.append(Act(at, kind, _reason(chance, case, kind)))


def _reason(chance: random.Random, case: Case, kind: str) -> Any:
    """A pause takes any reason; a resumption mostly one that holds, now and then one that does not."""
    if kind not in ("pause", "resume"):
        return None
    held = sorted(case.held())
    return chance.choice(held if kind == "resume" and held and chance.random() < 0.9 else REASONS)


# The two against each other -------------------------------------------------------------------------------------


def disagreement(seed: int, clock: ModuleType, calendar: ModuleType) -> str:
    """Return what the law's modules say otherwise than the judge about the case of `seed`, or ''."""
    case = case_of(seed)
    days = _calendar(case, calendar)
    told = _played(case, clock)
    rest = (days, case.place, case.policies)
    due = clock.due(told, *rest)
    facts = {
        "due": (None if due is None else due.at, case.due()),
        "used": (clock.used_days(told, case.asked, *rest), case.used(case.asked)),
        "remaining": (clock.remaining_days(told, case.asked, *rest), case.total - case.used(case.asked)),
        "running": (not told.reasons, not case.held()),
        "late": (_late(clock, due), [False, due is not None]),
    }
    wrong = [
        f"{name}: the law says {said}, the judge {judged}" for name, (said, judged) in facts.items() if said != judged
    ]
    return f"seed {seed}: " + "; ".join(wrong) if wrong else ""


def _late(clock: ModuleType, due: Any) -> list[bool]:
    """An act at the due instant is in time, one a microsecond later is not (R6)."""
    at = datetime(2030, 1, 1, tzinfo=UTC) if due is None else due.at
    return [clock.is_late(at, due), clock.is_late(at + timedelta(microseconds=1), due)]


def _calendar(case: Case, calendar: ModuleType) -> Any:
    exceptions = [
        calendar.Exception_(day, works, "调休" if works else "节日") for day, works in case.exceptions.items()
    ]
    overlays = [calendar.Overlay(day, place, works, "文件") for day, place, works in case.overlays]
    year = case.started.year
    return calendar.merged("oracle", exceptions, range(year - 1, year + 3), (), overlays)


def _played(case: Case, clock: ModuleType) -> Any:
    told = clock.Clock(case.limit, case.started)
    for act in case.acts:
        if act.kind == "pause":
            told = clock.pause(told, *act.reason, act.at)
        elif act.kind == "resume":
            told = clock.resume(told, *act.reason, act.at)
        elif act.kind == "extend":
            told = clock.extend(told)
        else:
            told = clock.stop(told, ClockEnd.CONCLUDED, act.at)
    return told
