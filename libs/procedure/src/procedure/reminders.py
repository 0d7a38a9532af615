"""What somebody is reminded of when its day has come; nothing else follows from it by itself (P12, R8, R10)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from contracts.envelope import EARLIEST, FIRST_BEYOND
from contracts.parts import Special
from contracts.terms import ReminderKind
from procedure.calendar import local_day, start_of_day
from procedure.policies import Policies

NEAREST_DAY, FURTHEST_DAY = EARLIEST.date(), FIRST_BEYOND.date() - timedelta(days=1)


class Reminder(NamedTuple):
    """One thing that waits for an answer `since` an instant and is told of at `due_at`, once."""

    kind: ReminderKind
    since: datetime
    due_at: datetime
    told: bool = False


def correction_unanswered(since: datetime, policies: Policies) -> Reminder:
    """A correction waits for its supplement: 00:00 after the last calendar day, no shift for days off (R8)."""
    return Reminder(ReminderKind.CORRECTION_UNANSWERED, since, after_calendar_days(since, policies.correction_days))


def not_declared_again(since: datetime, policies: Policies) -> Reminder:
    """A returned item waits to be declared again (R8)."""
    return Reminder(ReminderKind.NOT_DECLARED_AGAIN, since, after_calendar_days(since, policies.redeclare_days))


def special_overdue(since: datetime, special: Special) -> Reminder | None:
    """A special procedure has a due day of its own (R10); None where it has none within living memory."""
    if special.due_on is None or not NEAREST_DAY < special.due_on < FURTHEST_DAY - timedelta(days=1):
        return None
    return Reminder(ReminderKind.SPECIAL_OVERDUE, since, start_of_day(special.due_on + timedelta(days=1)))


def after_calendar_days(since: datetime, days: int) -> datetime:
    """Return the instant at which the `days`-th calendar day following the day of `since` is over."""
    return start_of_day(local_day(since) + timedelta(days=days + 1))


def without(reminders: Iterable[Reminder], *kinds: ReminderKind) -> tuple[Reminder, ...]:
    """Return `reminders` without those that were answered."""
    return tuple(one for one in reminders if one.kind not in kinds)


def next_due(reminders: Iterable[Reminder]) -> datetime | None:
    """Return when the next of them has to be told."""
    return min((one.due_at for one in reminders if not one.told), default=None)


def special_is_over(reminders: Iterable[Reminder], at: datetime) -> bool:
    """Whether a special procedure that still runs is past its own due day: its light is yellow then (R10)."""
    return any(one.kind is ReminderKind.SPECIAL_OVERDUE and one.due_at <= at for one in reminders)


def as_record(reminders: Iterable[Reminder]) -> list[Any]:
    """Return reminders as plain JSON, for a column."""
    return [[one.kind.value, one.since.isoformat(), one.due_at.isoformat(), one.told] for one in reminders]


def from_record(record: Iterable[Any]) -> tuple[Reminder, ...]:
    """Return the reminders of a column."""
    return tuple(
        Reminder(ReminderKind(kind), datetime.fromisoformat(since), datetime.fromisoformat(due_at), told)
        for kind, since, due_at, told in record
    )
