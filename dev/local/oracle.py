"""An independent judge of the clock: day by day, no cleverness, from Article 13 and its readings, not from the code.

A history is made from a seed: acts at instants, a calendar with holidays, make-up days and overlays. The judge walks
the days; the law computes; both have to say the same. `disagreement(seed, …)` tells what they do not agree on. The
stage's clock, which stands on its items' histories, has a judge of its own on the same walk: `local.oracle_stage`.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from types import ModuleType
from typing import Any, Final, NamedTuple

from contracts.codes import PILOT_ZONES
from contracts.terms import ClockEnd, Light, PauseReason
from procedure.policies import Policies

HOURS: Final = timedelta(hours=8)
DAY: Final = timedelta(days=1)
NEVER: Final = datetime(2199, 1, 1, tzinfo=UTC)
EARLIEST: Final = date(2018, 3, 1)
PLACES: Final = ("210281", "210283", *sorted(PILOT_ZONES))
REASONS: Final = tuple((reason, key) for reason in PauseReason for key in ("", "S1-05"))
WORST: Final = (Light.RED, Light.YELLOW, Light.GREEN, Light.GREY)
"""R33: a stage shows the worst light of its items."""
LIMITS: Final = (1, 2, 3, 4, 5, 10, 15, 20, 30, 60)


@dataclass(frozen=True)
class Days:
    """The days of one place: what the notices and the overlays order; the weekday decides the rest."""

    place: str
    exceptions: dict[date, bool]
    overlays: Sequence[tuple[date, str, bool]]

    def works(self, day: date) -> bool:
        """Whether `day` is a working day here: an overlay outranks the notice, the notice the weekday (R16)."""
        for ordered, place, works in self.overlays:
            if ordered == day and place in ("210200", self.place, PILOT_ZONES.get(self.place)):
                return works
        return self.exceptions.get(day, day.weekday() < 5)


class Walk(ABC):
    """A clock told by walking its days. What held it, and when it began and ended, is each kind of clock's own."""

    days: Days
    policies: Policies

    @property
    @abstractmethod
    def started(self) -> datetime: ...

    @property
    @abstractmethod
    def ended(self) -> datetime | None: ...

    @property
    @abstractmethod
    def total(self) -> int:
        """The limit as it stands, with an extension, in working days."""

    @abstractmethod
    def held_before(self, at: datetime) -> bool:
        """Whether the clock stood still just before `at`: what happens at an instant begins with it."""

    def counts(self, day: date, closes: datetime | None = None) -> bool:
        """The one rule: a working day at whose beginning and at whose end (or when it `closes`) the clock ran."""
        begins, ends = midnight(day), midnight(day + DAY)
        starts_here = begins <= self.started < ends
        begun = self.started < begins or (starts_here and self.policies.count_start_day)
        at_begin = begun and (starts_here or not self.held_before(begins))
        at_end = self.started < ends and not self.held_before(closes or ends)
        return self.days.works(day) and at_begin and at_end

    def used(self, at: datetime) -> int:
        """The counted days that are completely over."""
        until = at if self.ended is None else min(at, self.ended)
        day, used = local_day(self.started), 0
        while midnight(day + DAY) <= until:
            used += self.counts(day)
            day += DAY
        return used

    def remaining(self, at: datetime) -> int:
        return self.total - self.used(at)

    def due(self) -> datetime | None:
        """The end of the day that is the last of the limit; none while it stands still or once it ended."""
        if self.ended is not None or self.held_before(NEVER):
            return None
        day, used = local_day(self.started), 0
        while (used := used + self.counts(day)) < self.total:
            day += DAY
        return self.closes(day)

    def closes(self, day: date) -> datetime:
        """When a due day ends (P7, R17)."""
        return (
            midnight(day) + timedelta(hours=17) if self.policies.due_day_ends == "office_close" else midnight(day + DAY)
        )

    # Lights (Art. 22) -------------------------------------------------------------------------------------------

    def is_near(self, at: datetime) -> bool:
        """Yellow (R32): a fifth of the limit or two days are left; of a short limit the last day."""
        if self.total <= 3:
            return self.remaining(at) <= 1
        return self.remaining(at) * 5 <= max(10, self.total)

    def light(self, at: datetime) -> Light:
        """Red from the due instant on, grey while it stands still, yellow near the end, else green (R32, R33)."""
        due = self.due()
        if due is not None and at >= due:
            return Light.RED
        if self.held_before(NEVER):
            return Light.GREY
        return Light.YELLOW if self.is_near(at) else Light.GREEN

    def turn(self, at: datetime) -> datetime | None:
        """The midnight at which a green light turns yellow, if nothing more happens; None when none lies ahead."""
        due = self.due()
        if due is None or self.is_near(at):
            return None
        turn = midnight(local_day(at) + DAY)
        while turn < due:
            if self.is_near(turn):
                return turn
            turn += DAY
        return None


class Act(NamedTuple):
    """Something that happened to the clock; `what` is a pause's reason, or an amended limit."""

    at: datetime
    kind: str
    what: Any = None


@dataclass
class Case(Walk):
    """One random history under one random calendar."""

    days: Days
    limit: int
    begun: datetime
    policies: Policies
    acts: list[Act] = field(default_factory=list[Act])
    asked: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    @property
    def started(self) -> datetime:
        return self.begun

    @property
    def ended(self) -> datetime | None:
        return next((act.at for act in self.acts if act.kind == "stop"), None)

    @property
    def extended(self) -> int:
        return sum(10 for act in self.acts if act.kind == "extend")

    @property
    def total(self) -> int:
        amended = [act.what for act in self.acts if act.kind == "amend"]
        return (amended[-1] if amended else self.limit) + self.extended

    def held(self, before: datetime = NEVER) -> set[Any]:
        """What held the clock just before an instant; a reason that holds already is not taken twice."""
        held: set[Any] = set()
        for act in self.acts:
            if act.at < before and act.kind == "pause":
                held.add(act.what)
            if act.at < before and act.kind == "resume":
                held.discard(act.what)
        return held

    def held_before(self, at: datetime) -> bool:
        return bool(self.held(at))


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) - HOURS


def local_day(at: datetime) -> date:
    return (at + HOURS).date()


# A case from a seed ---------------------------------------------------------------------------------------------


def days_of(chance: random.Random, first: date) -> Days:
    """Return a calendar around `first`: days off and make-up days, and days ordered here or elsewhere."""
    exceptions = {
        first + timedelta(days=chance.randrange(90)): chance.random() < 0.4 for _ in range(chance.randrange(12))
    }
    ordered = {
        (first + timedelta(days=chance.randrange(60)), chance.choice(("210200", *PLACES))): chance.random() < 0.3
        for _ in range(chance.randrange(4))
    }
    overlays = [(day, place, works) for (day, place), works in ordered.items()]
    return Days(chance.choice(PLACES), exceptions, overlays)


def first_day(chance: random.Random) -> date:
    return EARLIEST + timedelta(days=chance.randrange(9 * 365))


def case_of(seed: int) -> Case:
    """Return the history and calendar that `seed` stands for; only legal acts, each while time remains."""
    chance = random.Random(seed)
    first = first_day(chance)
    policies = Policies(
        count_start_day=chance.random() < 0.2, due_day_ends="office_close" if chance.random() < 0.2 else "midnight"
    )
    case = Case(days_of(chance, first), chance.choice(LIMITS), instant_on(chance, first), policies)
    at = case.started
    for _ in range(chance.randrange(8)):
        at = later(chance, at)
        _act(chance, case, at)
    case.asked = later(chance, at) if chance.random() < 0.3 else at + timedelta(hours=chance.randrange(24 * 20))
    return case


def instant_on(chance: random.Random, day: date) -> datetime:
    """Mostly some second of the day; often its very beginning, sometimes its last moment."""
    kind = chance.random()
    if kind < 0.2:
        return midnight(day)
    if kind < 0.25:
        return midnight(day + DAY) - timedelta(microseconds=1)
    return midnight(day) + timedelta(seconds=chance.randrange(86400))


def later(chance: random.Random, at: datetime) -> datetime:
    """An instant that is not before `at`: the same, the same day, or up to nine days on."""
    return max(at, instant_on(chance, local_day(at) + timedelta(days=chance.choice((0, 0, 1, 1, 2, 5, 9)))))


KINDS: Final = {"pause": 12, "resume": 12, "extend": 1, "amend": 2, "stop": 1}
"""What may happen, and how often beside the others."""


def _act(chance: random.Random, case: Case, at: datetime) -> None:
    if case.ended is not None:
        return
    due = case.due()
    if due is not None and (at >= due or case.used(at) >= case.total):
        return
    kind = chance.choices(list(KINDS), weights=list(KINDS.values()))[0]
    if kind == "extend" and case.extended:
        return
    case.acts.append(Act(at, kind, _what(chance, case, kind, at)))


def _what(chance: random.Random, case: Case, kind: str, at: datetime) -> Any:
    """A pause takes any reason; a resumption mostly one that holds, now and then one that does not; an amended limit
    is never below what is used plus one (R13)."""
    if kind == "amend":
        return max(1, case.used(at) + 1 - case.extended) + chance.choice((0, 0, 1, 5, 20))
    if kind not in ("pause", "resume"):
        return None
    held = sorted(case.held())
    return chance.choice(held if kind == "resume" and held and chance.random() < 0.9 else REASONS)


# The two against each other -------------------------------------------------------------------------------------


def disagreement(seed: int, clock: ModuleType, calendar: ModuleType, lights: ModuleType) -> str:
    """Return what the law's modules say otherwise than the judge about the case of `seed`, or ''."""
    case = case_of(seed)
    days = calendar_of(case.days, case.started.year, calendar)
    told = _played(case, clock)
    return compared(seed, {**_times(case, told, days, clock), **_lights(case, told, days, lights)})


def compared(seed: int, facts: dict[str, tuple[Any, Any]]) -> str:
    """Return what differs among `facts`: name → what the law says, what the judge says."""
    wrong = [
        f"{name}: the law says {said}, the judge {judged}" for name, (said, judged) in facts.items() if said != judged
    ]
    return f"seed {seed}: " + "; ".join(wrong) if wrong else ""


def _times(case: Case, told: Any, days: Any, clock: ModuleType) -> dict[str, tuple[Any, Any]]:
    rest = (days, case.days.place, case.policies)
    due = clock.due(told, *rest)
    return {
        "due": (None if due is None else due.at, case.due()),
        "used": (clock.used_days(told, case.asked, *rest), case.used(case.asked)),
        "remaining": (clock.remaining_days(told, case.asked, *rest), case.remaining(case.asked)),
        "running": (not told.reasons, not case.held()),
        "late": (_late(clock, due), [False, due is not None]),
    }


def _late(clock: ModuleType, due: Any) -> list[bool]:
    """An act at the due instant is in time, one a microsecond later is not (R6)."""
    at = datetime(2030, 1, 1, tzinfo=UTC) if due is None else due.at
    return [clock.is_late(at, due), clock.is_late(at + timedelta(microseconds=1), due)]


def _lights(case: Case, told: Any, days: Any, lights: ModuleType) -> dict[str, tuple[Any, Any]]:
    """A clock that ended has no light (R33)."""
    if case.ended is not None:
        return {}
    at, rest, judged = case.asked, (days, case.days.place), case.light(case.asked)
    shown = lights.light_of(told, at, *rest, overdue=judged is Light.RED, policies=case.policies)
    turn = lights.turns_at(told, *rest, case.policies)
    several = random.Random(f"{at}").choices(list(Light), k=3)
    return {
        "light": (shown, (judged, case.remaining(at))),
        "worst": (lights.worst(several), next(one for one in WORST if one in several)),
        "turn": (None if turn is None or turn <= at else turn, case.turn(at)),
    }


def calendar_of(days: Days, year: int, calendar: ModuleType, years: int = 2) -> Any:
    """Return the judge's days as the law's calendar of so many years from `year` on, and the one before."""
    exceptions = [
        calendar.Exception_(day, works, "调休" if works else "节日") for day, works in days.exceptions.items()
    ]
    overlays = [calendar.Overlay(day, place, works, "文件") for day, place, works in days.overlays]
    return calendar.merged("oracle", exceptions, range(year - 1, year + years), (), overlays)


def _played(case: Case, clock: ModuleType) -> Any:
    told = clock.Clock(case.limit, case.started)
    for act in case.acts:
        if act.kind == "pause":
            told = clock.pause(told, *act.what, act.at)
        elif act.kind == "resume":
            told = clock.resume(told, *act.what, act.at)
        elif act.kind == "extend":
            told = clock.extend(told)
        elif act.kind == "amend":
            told = clock.amend(told, act.what)
        else:
            told = clock.stop(told, ClockEnd.CONCLUDED, act.at)
    return told
