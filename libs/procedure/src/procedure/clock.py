"""The clock of Articles 13 and 14 as pure functions over its own history.

The one counting rule: a working day counts if and only if the clock ran both at its beginning and at its end. `used` is
the counted days that are completely over, so the day of acceptance, of a pause and of a resumption never count. The due
instant is 24:00 of the due day in Shanghai; what the platform received at or before it is in time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from contracts.terms import ClockEnd, ClockState, PauseReason
from procedure.calendar import Calendar, local_day, start_of_day
from procedure.policies import DEFAULT, Policies

ONE_DAY: Final = timedelta(days=1)
OFFICE_CLOSE: Final = timedelta(hours=17)
EXTENSION_DAYS: Final = 10
"""延长审批, once per attempt (行政许可法 Art. 42)."""


class Pause(NamedTuple):
    """One reason for which the clock stands still, from `began_at` to `ended_at` (None: still). `key` tells pauses of
    one reason apart (the item, for a stage)."""

    reason: PauseReason
    key: str
    began_at: datetime
    ended_at: datetime | None = None


class Clock(NamedTuple):
    """The history of one clock: everything its due date follows from, besides the calendar."""

    limit_days: int
    started_at: datetime
    pauses: tuple[Pause, ...] = ()
    extended_days: int = 0
    ended_at: datetime | None = None
    end: ClockEnd | None = None

    @property
    def total_days(self) -> int:
        """The limit with its extension, in working days."""
        return self.limit_days + self.extended_days

    @property
    def reasons(self) -> frozenset[tuple[PauseReason, str]]:
        """The reasons that hold the clock now; it runs if and only if there is none."""
        return frozenset((pause.reason, pause.key) for pause in self.pauses if pause.ended_at is None)


@dataclass(frozen=True, slots=True)
class Due:
    """When a clock expires: the instant, its day in Shanghai, and whether a calendar release may still move it.

    A provisional instant does not bind: nothing is late by it and nothing expires at it, unless the readings say that
    it does (P24, R5).
    """

    at: datetime
    on: date
    provisional: bool
    binds: bool = True

    @property
    def expires_at(self) -> datetime | None:
        """The instant at which the timer has to act; None while the date does not bind."""
        return self.at if self.binds else None


def state(clock: Clock | None) -> ClockState:
    """Return the state of a clock; a clock not yet started waits."""
    if clock is None:
        return ClockState.WAITING
    if clock.ended_at is not None:
        return ClockState.TERMINATED if clock.end is ClockEnd.RETURNED else ClockState.STOPPED
    return ClockState.PAUSED if clock.reasons else ClockState.RUNNING


def pause(clock: Clock, reason: PauseReason, key: str, at: datetime) -> Clock:
    """Add a reason to stand still; a reason that already holds changes nothing."""
    if (reason, key) in clock.reasons or clock.ended_at is not None:
        return clock
    return clock._replace(pauses=(*clock.pauses, Pause(reason, key, at)))


def resume(clock: Clock, reason: PauseReason, key: str, at: datetime) -> Clock:
    """Take a reason away; the clock runs again once none is left."""
    ended = tuple(
        one._replace(ended_at=at) if one.ended_at is None and (one.reason, one.key) == (reason, key) else one
        for one in clock.pauses
    )
    return clock._replace(pauses=ended)


def stop(clock: Clock, end: ClockEnd, at: datetime) -> Clock:
    """End the clock for good."""
    return clock if clock.ended_at is not None else clock._replace(ended_at=at, end=end)


def extend(clock: Clock, days: int = EXTENSION_DAYS) -> Clock:
    """延长审批: a longer limit, not a pause."""
    return clock._replace(extended_days=clock.extended_days + days)


def amend(clock: Clock, limit_days: int) -> Clock:
    """Another limit for this clock alone, from its start (R13)."""
    return clock._replace(limit_days=limit_days)


def as_of(clock: Clock, at: datetime) -> Clock:
    """Return the clock as it stood just before `at`: what began then or later is not yet, what ended then still is."""
    known = tuple(
        one if one.ended_at is not None and one.ended_at < at else one._replace(ended_at=None)
        for one in clock.pauses
        if one.began_at < at
    )
    ended = clock.ended_at is not None and clock.ended_at < at
    return clock._replace(pauses=known) if ended else clock._replace(pauses=known, ended_at=None, end=None)


def standing(clock: Clock) -> list[tuple[datetime, datetime | None]]:
    """Return the stretches during which the clock stood still: the union of its pauses, in order."""
    stretches: list[tuple[datetime, datetime | None]] = []
    for one in sorted(clock.pauses, key=lambda pause: pause.began_at):
        if stretches and (stretches[-1][1] is None or one.began_at <= stretches[-1][1]):
            began, ended = stretches[-1]
            later = None if ended is None or one.ended_at is None else max(ended, one.ended_at)
            stretches[-1] = (began, later)
        else:
            stretches.append((one.began_at, one.ended_at))
    return stretches


def used_days(clock: Clock, at: datetime, calendar: Calendar, jurisdiction: str, policies: Policies = DEFAULT) -> int:
    """Return the working days counted and completely over at `at` (or at the clock's end, if that was before)."""
    until = at if clock.ended_at is None else min(at, clock.ended_at)
    today = local_day(until)
    total = 0
    first = local_day(clock.started_at) + (timedelta() if policies.count_start_day else ONE_DAY)
    for began, ended in standing(clock):
        if began >= until:
            break
        total += calendar.count_working_days(first, min(local_day(began), today) - ONE_DAY, jurisdiction)
        if ended is None:
            return total
        first = _first_whole_day(ended, first, began)
    return total + calendar.count_working_days(first, today - ONE_DAY, jurisdiction)


def _first_whole_day(resumed: datetime, first: date, began: datetime) -> date:
    """The first day that can count after a stretch; a stretch within one day has no effect on that day (P9)."""
    if local_day(began) == local_day(resumed):
        return max(first, local_day(resumed))
    return max(first, local_day(resumed) + ONE_DAY)


def due(clock: Clock, calendar: Calendar, jurisdiction: str, policies: Policies = DEFAULT) -> Due | None:
    """Return when a running clock expires; None while it stands still or has ended. Raises YearNotCovered."""
    if clock.ended_at is not None or clock.reasons:
        return None
    first, left = ahead(clock, calendar, jurisdiction, policies)
    on = calendar.working_days_after(first - ONE_DAY, max(left, 1), jurisdiction)
    provisional = calendar.is_provisional(on)
    return Due(_end_of(on, policies), on, provisional, not provisional or policies.fire_on_provisional)


def ahead(clock: Clock, calendar: Calendar, jurisdiction: str, policies: Policies = DEFAULT) -> tuple[date, int]:
    """Return what lies ahead of a running clock since it last stood still: the first day that can count, and how many
    working days have to count from it on. Raises YearNotCovered."""
    first = local_day(clock.started_at) + (timedelta() if policies.count_start_day else ONE_DAY)
    left = clock.total_days
    for began, ended in standing(clock):
        assert ended is not None
        left -= calendar.count_working_days(first, local_day(began) - ONE_DAY, jurisdiction)
        first = _first_whole_day(ended, first, began)
    return first, left


def _end_of(day: date, policies: Policies) -> datetime:
    if policies.due_day_ends == "office_close":
        return start_of_day(day) + OFFICE_CLOSE
    return start_of_day(day + ONE_DAY)


def remaining_days(
    clock: Clock, at: datetime, calendar: Calendar, jurisdiction: str, policies: Policies = DEFAULT
) -> int:
    """Return limit minus used: 1 on the due day, 0 or less once it is over."""
    return clock.total_days - used_days(clock, at, calendar, jurisdiction, policies)


def is_late(at: datetime, expires: Due | None) -> bool:
    """Whether an act received at `at` came after the due instant; at the instant itself it still counts (R6), and
    while the date is provisional every act does (R5)."""
    return expires is not None and expires.binds and at > expires.at


def as_record(clock: Clock | None) -> list[Any] | None:
    """Return a clock as plain JSON, for a column."""
    if clock is None:
        return None
    end = None if clock.end is None else clock.end.value
    ended_at = _text(clock.ended_at)
    return [clock.limit_days, _text(clock.started_at), pauses_as_record(clock), clock.extended_days, ended_at, end]


def pauses_as_record(clock: Clock) -> list[Any]:
    """Return a clock's pauses as plain JSON, for a column of their own."""
    return [[one.reason.value, one.key, _text(one.began_at), _text(one.ended_at)] for one in clock.pauses]


def from_record(record: Sequence[Any] | None) -> Clock | None:
    """Return the clock of a column."""
    if record is None:
        return None
    limit, started, pauses, extended, ended, end = record
    return Clock(
        limit,
        _instant(started),
        pauses_from_record(pauses),
        extended,
        _maybe(ended),
        None if end is None else ClockEnd(end),
    )


def pauses_from_record(rows: Iterable[Sequence[Any]]) -> tuple[Pause, ...]:
    """Return the pauses of a column."""
    return tuple(Pause(PauseReason(reason), key, _instant(began), _maybe(ended)) for reason, key, began, ended in rows)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _maybe(text: str | None) -> datetime | None:
    return None if text is None else _instant(text)
