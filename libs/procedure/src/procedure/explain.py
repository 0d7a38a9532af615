"""Why a date is what it is: the ledger of a clock, day by day (Art. 13).

The ledger walks the days and applies the one counting rule to each; it does not use the arithmetic of
`procedure.clock`, so a test can hold the two against each other. The same functions answer *what if*: hand in another
calendar, limit or policy, and nothing is touched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from contracts.labels import label
from contracts.terms import ClockState
from procedure import clock as law
from procedure.calendar import Calendar, Overlay, local_day, start_of_day
from procedure.clock import Clock, Due, Pause
from procedure.history import History, Mark
from procedure.policies import DEFAULT, Policies

WEEKDAYS: Final = "一二三四五六日"
ONE_DAY: Final = timedelta(days=1)
START_DAY: Final = "起算日不计（民法典第二百零一条）"
END_DAY: Final = "计时于当日终止，不计"


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the ledger: whether it counts, why, and the counted days up to its end."""

    on: date
    counted: bool
    why: str
    used: int

    @property
    def weekday(self) -> str:
        """星期, in Chinese."""
        return f"周{WEEKDAYS[self.on.weekday()]}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A clock explained at one instant: `days` from its start to its due day, its end, or `at` while it is paused."""

    state: ClockState
    at: datetime
    limit_days: int
    extended_days: int
    started_at: datetime
    ended_at: datetime | None
    days: tuple[Day, ...]
    used_days: int
    due: Due | None
    jurisdiction: str
    calendar_version: str
    policy_version: str
    marks: tuple[Mark, ...]

    @property
    def remaining_days(self) -> int:
        """Limit minus used; 1 on the due day."""
        return self.limit_days + self.extended_days - self.used_days


def explain(history: History, at: datetime, calendar: Calendar, policies: Policies = DEFAULT) -> Explanation:
    """Return the ledger of a started clock at `at`. Raises YearNotCovered where the calendar ends."""
    clock, place = history.clock, history.jurisdiction
    due = law.due(clock, calendar, place, policies)
    days = tuple(_days(clock, at, due, calendar, place, policies))
    return Explanation(
        state=law.state(clock),
        at=at,
        limit_days=clock.limit_days,
        extended_days=clock.extended_days,
        started_at=clock.started_at,
        ended_at=clock.ended_at,
        days=days,
        used_days=sum(day.counted and _is_over(day.on, at, clock) for day in days),
        due=due,
        jurisdiction=place,
        calendar_version=calendar.version,
        policy_version=policies.version,
        marks=history.marks,
    )


def _is_over(day: date, at: datetime, clock: Clock) -> bool:
    return start_of_day(day + ONE_DAY) <= (at if clock.ended_at is None else min(at, clock.ended_at))


def _days(
    clock: Clock, at: datetime, due: Due | None, calendar: Calendar, place: str, policies: Policies
) -> Iterable[Day]:
    day, used = local_day(clock.started_at), 0
    last = _last_day(clock, at, due)
    while day <= last:
        why_not = _why_not(clock, day, calendar, place, policies)
        used += not why_not
        yield Day(day, not why_not, why_not or calendar.why(day, place), used)
        day += ONE_DAY


def _last_day(clock: Clock, at: datetime, due: Due | None) -> date:
    if clock.ended_at is not None:
        return local_day(clock.ended_at - timedelta.resolution)
    return local_day(at) if due is None else due.on


def _why_not(clock: Clock, day: date, calendar: Calendar, place: str, policies: Policies) -> str:
    """Return why a day does not count, or '': a working day at whose beginning and end the clock runs."""
    begins, ends = start_of_day(day), start_of_day(day + ONE_DAY)
    if not calendar.is_working_day(day, place):
        return calendar.why(day, place)
    if clock.started_at >= begins and not policies.count_start_day:
        return START_DAY
    held = [one for one in clock.pauses if _holds(one, begins) or _holds(one, ends)]
    if held:
        return "；".join(dict.fromkeys(_paused(one, begins, ends) for one in held))
    if clock.ended_at is not None and clock.ended_at < ends:
        return END_DAY
    return ""


def _holds(pause: Pause, at: datetime) -> bool:
    """Whether a pause held just before `at`; what happens at midnight belongs to the day that begins."""
    return pause.began_at < at and (pause.ended_at is None or pause.ended_at >= at)


def _paused(pause: Pause, begins: datetime, ends: datetime) -> str:
    of = f"（{pause.key}）" if pause.key not in ("", "*") else ""
    reason = f"{label(pause.reason)}{of}"
    if pause.began_at >= begins:
        return f"{reason}开始，当日不计"
    if pause.ended_at is not None and pause.ended_at < ends:
        return f"{reason}结束，恢复当日不计"
    return f"{reason}期间暂停计时"


# What if --------------------------------------------------------------------------------------------------------


def with_limit(history: History, limit_days: int) -> History:
    """Return the same history under another limit (working days)."""
    return history._replace(clock=history.clock._replace(limit_days=limit_days))


def with_overlays(calendar: Calendar, overlays: Sequence[Overlay]) -> Calendar:
    """Return the same calendar with more days ordered otherwise; theirs come first."""
    return replace(calendar, version=f"{calendar.version}+假设", overlays=(*overlays, *calendar.overlays), _tables={})


# As text --------------------------------------------------------------------------------------------------------


def as_text(told: Explanation) -> str:
    """Return the ledger as a person reads it."""
    lines = [
        f"时限 {told.limit_days} 个工作日" + (f"，延长 {told.extended_days} 个工作日" if told.extended_days else ""),
        f"起算 {_instant(told.started_at)}　状态 {label(told.state)}　{_sum(told)}",
        f"日历 {told.calendar_version}　政策 {told.policy_version}　辖区 {told.jurisdiction}",
        "",
    ]
    lines += [
        f"{day.on} {day.weekday}  {f'第 {day.used} 日' if day.counted else '　—　'}  {day.why}" for day in told.days
    ]
    lines += ["", "依据："]
    lines += [
        f"  {_instant(mark.at)}  {mark.type}  {mark.item_code}  {mark.holder}  {mark.event_id}" for mark in told.marks
    ]
    return "\n".join(lines) + "\n"


def _sum(told: Explanation) -> str:
    counted = f"已用 {told.used_days}，余 {told.remaining_days}"
    if told.due is None:
        return counted
    sure = "（暂定）" if told.due.provisional else ""
    return f"{counted}　到期 {due_text(told.due)}{sure}"


def due_text(due: Due) -> str:
    """Return a due instant as the law says it: midnight is 24:00 of the due day (P7)."""
    hours = (due.at - start_of_day(due.on)) // timedelta(hours=1)
    return f"{due.on} {hours:02}:00"


def _instant(at: datetime) -> str:
    day = local_day(at)
    return f"{day} {(at - start_of_day(day)) + datetime.min:%H:%M}"
