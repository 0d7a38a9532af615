"""Working days of Dalian: which days count, and why.

A calendar is a release of the State Council's notices (exceptions to Monday–Friday by date) plus overlays that the city
or a district orders (a typhoon day). It outlives no year: a count that touches a year without a release is provisional,
a count that touches a year with neither release nor statutory days is an error.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from contracts.codes import CITY, PILOT_ZONES
from contracts.timer import CalendarAmended

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
OFFSET: Final = timedelta(hours=8)
"""Shanghai has known no other offset since 1991; a test holds it against the zone for every covered day."""
LAST_SURE_DAY: Final = (12, 24)
"""After this day of the last released year next year's notice may still move a day."""


@dataclass(frozen=True, slots=True)
class Exception_:
    """A day that is not what its weekday says: `works` or not, and by which name or document."""

    day: date
    works: bool
    name: str


@dataclass(frozen=True, slots=True)
class Overlay:
    """A day ordered otherwise in one jurisdiction, with the document that orders it (P25)."""

    day: date
    jurisdiction: str
    works: bool
    document: str


class YearNotCovered(ValueError):
    """A computation needs a year for which there is neither a release nor statutory days."""

    def __init__(self, year: int) -> None:
        super().__init__(f"日历没有 {year} 年的工作日安排")
        self.year = year


@dataclass(frozen=True, slots=True)
class Calendar:
    """One release: `released` years are settled, `statutory` years have only their statutory days."""

    version: str
    exceptions: Mapping[date, Exception_]
    released: frozenset[int]
    statutory: frozenset[int]
    overlays: tuple[Overlay, ...] = ()
    _tables: dict[str, "_Table"] = field(default_factory=dict[str, "_Table"], compare=False, repr=False)

    def table(self, jurisdiction: str) -> "_Table":
        """Return the counting table of a jurisdiction."""
        found = self._tables.get(jurisdiction)
        if found is None:
            found = self._tables[jurisdiction] = _Table.of(self, jurisdiction)
        return found

    def overlay(self, day: date, jurisdiction: str) -> Overlay | None:
        """Return the overlay that holds on `day`: the city's holds for all, a host's for its pilot zones (R16)."""
        holds = {CITY, jurisdiction, PILOT_ZONES.get(jurisdiction, jurisdiction)}
        return next((one for one in self.overlays if one.day == day and one.jurisdiction in holds), None)

    def is_working_day(self, day: date, jurisdiction: str = CITY) -> bool:
        """Whether `day` counts in `jurisdiction`. Raises YearNotCovered."""
        if day.year not in self.released and day.year not in self.statutory:
            raise YearNotCovered(day.year)
        if (overlay := self.overlay(day, jurisdiction)) is not None:
            return overlay.works
        if (exception := self.exceptions.get(day)) is not None:
            return exception.works
        return day.weekday() < 5

    def why(self, day: date, jurisdiction: str = CITY) -> str:
        """Return in Chinese why `day` counts or does not."""
        if (overlay := self.overlay(day, jurisdiction)) is not None:
            return f"{overlay.document}（{'上班' if overlay.works else '停止办公'}）"
        if (exception := self.exceptions.get(day)) is not None:
            return f"{exception.name}调休上班" if exception.works else exception.name
        return "工作日" if day.weekday() < 5 else "周末"

    def is_provisional(self, day: date) -> bool:
        """Whether a count that ends on `day` may still move (R5)."""
        if day.year not in self.released:
            return True
        return day.year + 1 not in self.released and (day.month, day.day) > LAST_SURE_DAY

    def working_days_after(self, day: date, days: int, jurisdiction: str = CITY) -> date:
        """Return the `days`-th working day after `day` (days ≥ 1). Raises YearNotCovered."""
        return self.table(jurisdiction).after(day, days)

    def count_working_days(self, first: date, last: date, jurisdiction: str = CITY) -> int:
        """Return how many working days lie from `first` to `last`, both included; 0 when last < first."""
        return self.table(jurisdiction).count(first, last)


@dataclass(frozen=True, slots=True)
class _Table:
    """The ordinals of every working day, ascending; counting is bisection."""

    ordinals: list[int]
    first: int
    last: int

    @classmethod
    def of(cls, calendar: Calendar, jurisdiction: str) -> "_Table":
        years = calendar.released | calendar.statutory
        begin, end = date(min(years), 1, 1), date(max(years), 12, 31)
        span = range(begin.toordinal(), end.toordinal() + 1)
        days = [ordinal for ordinal in span if calendar.is_working_day(date.fromordinal(ordinal), jurisdiction)]
        return cls(days, begin.toordinal(), end.toordinal())

    def after(self, day: date, days: int) -> date:
        place = bisect_right(self.ordinals, day.toordinal()) + days - 1
        if day.toordinal() < self.first:
            raise YearNotCovered(day.year)
        if place >= len(self.ordinals):
            raise YearNotCovered(date.fromordinal(self.last).year + 1)
        return date.fromordinal(self.ordinals[place])

    def count(self, first: date, last: date) -> int:
        if last < first:
            return 0
        for day in (first, last):
            if not self.first <= day.toordinal() <= self.last:
                raise YearNotCovered(day.year)
        return bisect_right(self.ordinals, last.toordinal()) - bisect_left(self.ordinals, first.toordinal())


def local_day(at: datetime) -> date:
    """Return the day of Shanghai in which the instant `at` lies; 00:00:00 belongs to the day that begins."""
    return (at.astimezone(UTC) + OFFSET).date()


@lru_cache(maxsize=8192)
def start_of_day(day: date) -> datetime:
    """Return the UTC instant at which `day` begins in Shanghai."""
    return datetime.combine(day, time(), UTC) - OFFSET


def amended(base: Calendar, amendments: Iterable[CalendarAmended]) -> Calendar:
    """Return `base` with amendments, each in its order: a year's release replaces what was known of that year, days
    ordered in a jurisdiction outrank what was ordered before (P24, P25, R16)."""
    calendar = base
    for one in sorted(amendments, key=lambda amendment: amendment.sequence):
        calendar = _amended(calendar, one)
    return calendar


def _amended(calendar: Calendar, one: CalendarAmended) -> Calendar:
    if one.released_year is None:
        ordered = tuple(Overlay(day.day, one.jurisdiction, day.works, day.name) for day in one.days)
        return replace(calendar, version=one.calendar_version, overlays=(*ordered, *calendar.overlays), _tables={})
    year = one.released_year
    kept = {day: exception for day, exception in calendar.exceptions.items() if day.year != year}
    said = {day.day: Exception_(day.day, day.works, day.name) for day in one.days}
    return replace(
        calendar,
        version=one.calendar_version,
        exceptions=kept | said,
        released=calendar.released | {year},
        statutory=calendar.statutory - {year},
        _tables={},
    )


def merged(
    version: str,
    exceptions: Iterable[Exception_],
    released: Iterable[int],
    statutory: Iterable[int],
    overlays: Iterable[Overlay],
) -> Calendar:
    """Return the calendar made of its parts."""
    by_day = {one.day: one for one in exceptions}
    return Calendar(version, by_day, frozenset(released), frozenset(statutory), tuple(overlays))
