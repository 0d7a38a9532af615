"""What may be ordered of the working calendar, by whom, and what it would change (P24, P25, R5, R14–R16)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple
from uuid import UUID

from contracts.codes import CITY, JurisdictionCode
from contracts.parts import DayOrdered
from contracts.terms import DueCause
from contracts.timer import CalendarAmended
from procedure.authority import Caller, NotYourJurisdiction, covers
from procedure.calendar import LAST_SURE_DAY, Calendar, amended, start_of_day
from procedure.refusals import Refusal
from timer import domain
from timer.tracked import Reckoning, Tracked


class DayTwice(Refusal):
    """同一日期不得重复安排：{day}"""

    article = "第十三条"
    status = 422


class DayAlreadyBegun(Refusal):
    """{day} 早于今日，停办或上班的安排只能自当日起作出"""

    article = "第十三条"
    status = 422


class DayOutsideYear(Refusal):
    """{day} 不属于 {year} 年的放假安排（可以包括上一年 12 月 25 日以后的日期）"""

    article = "第十三条"
    status = 422


class YearUnknown(Refusal):
    """日历尚未涉及 {year} 年，只能发布 {first} 年至 {last} 年的放假安排"""

    article = "第十三条"
    status = 422


class YearAlreadyReleased(Refusal):
    """{year} 年的放假安排已经发布；如有更正，须注明为更正并写明文号"""

    article = "第十三条"
    status = 409


class ReleaseIsTheCitys(Refusal):
    """年度放假安排对全市有效，应由市级平台管理员发布"""

    article = "第十八条"
    status = 403


class CalendarNotYetKnown(Refusal):
    """以往的日历调整正在恢复，请稍后再试"""

    article = None
    status = 503


@dataclass(frozen=True, slots=True)
class Order:
    """What is ordered: the release of `year` with its exceptions, or, with None, days ordered otherwise in
    `jurisdiction`; `corrects` says that the document corrects a year released before."""

    jurisdiction: JurisdictionCode
    days: tuple[DayOrdered, ...]
    document: str
    year: int | None = None
    corrects: bool = False

    @property
    def cause(self) -> DueCause:
        return DueCause.OVERLAY if self.year is None else DueCause.CALENDAR


class Change(NamedTuple):
    """A running clock whose due instant an order would really change."""

    row: Tracked
    due_at: datetime


def admit(order: Order, caller: Caller, today: date, calendar: Calendar) -> None:
    """Hold an order to what may be ordered.

    Raises NotYourJurisdiction, ReleaseIsTheCitys, DayTwice, DayAlreadyBegun, YearUnknown, YearAlreadyReleased or
    DayOutsideYear.
    """
    if not covers(caller.jurisdiction, order.jurisdiction):
        raise NotYourJurisdiction
    if twice := _twice(day.day for day in order.days):
        raise DayTwice(day=twice)
    if order.year is None:
        _admit_overlay(order.days, today, calendar)
    else:
        _admit_release(order, order.year, calendar)


def _twice(days: Iterable[date]) -> date | None:
    seen: set[date] = set()
    for day in days:
        if day in seen:
            return day
        seen.add(day)
    return None


def _admit_overlay(days: Collection[DayOrdered], today: date, calendar: Calendar) -> None:
    covered = calendar.released | calendar.statutory
    for one in days:
        if one.day < today:
            raise DayAlreadyBegun(day=one.day)
        if one.day.year not in covered:
            raise YearUnknown(year=one.day.year, first=min(covered), last=max(covered))


def _admit_release(order: Order, year: int, calendar: Calendar) -> None:
    if order.jurisdiction != CITY:
        raise ReleaseIsTheCitys
    covered = calendar.released | calendar.statutory
    if not min(covered) <= year <= max(covered) + 1:
        raise YearUnknown(year=year, first=min(covered), last=max(covered) + 1)
    if year in calendar.released and not order.corrects:
        raise YearAlreadyReleased(year=year)
    for one in order.days:
        if not _belongs(one.day, year):
            raise DayOutsideYear(day=one.day, year=year)


def _belongs(day: date, year: int) -> bool:
    """A year's notice may still move the last days of the year before (R5)."""
    return day.year == year or (day.year == year - 1 and (day.month, day.day) > LAST_SURE_DAY)


def said(
    order: Order, event_id: UUID, sequence: int, caller: Caller, now: datetime, calendar: Calendar
) -> CalendarAmended:
    """Return the amendment as it is said; how many clocks it affects is counted afterwards."""
    assert caller.jurisdiction is not None
    newest = max((*calendar.released, order.year or 0))
    overlays = len(calendar.overlays) + (len(order.days) if order.year is None else 0)
    return CalendarAmended(
        event_id=event_id,
        causation_id=event_id,
        occurred_at=now,
        authority=caller.jurisdiction,
        sequence=sequence,
        calendar_version=f"{newest}+{overlays}.{sequence}",
        cause=order.cause,
        released_year=order.year,
        jurisdiction=order.jurisdiction,
        days=order.days,
        document=order.document,
        ordered_at=now,
        affected=0,
        actor=caller.actor,
    )


def reckoned(event: CalendarAmended, calendar: Calendar) -> Reckoning:
    """Return by what clocks would be counted after an amendment."""
    after = amended(calendar, [event])
    return Reckoning(after, after.version, event.cause, event.event_id)


FIRST_AFFECTED: Final = (12, 25)


def affected_from(order: Order) -> datetime:
    """Return the instant before which no due instant can change."""
    first = min(day.day for day in order.days)
    if order.year is not None:
        first = min(first, date(order.year - 1, *FIRST_AFFECTED))
    return start_of_day(first)


def changes(rows: Sequence[Tracked], reckoning: Reckoning) -> list[Change]:
    """Return those of `rows` whose due instant would really change. Raises YearNotCovered."""
    dues = [(row, domain.due_of(row, reckoning)) for row in rows]
    return [Change(row, due.at) for row, due in dues if due is not None and due.at != row.spoken.due_at]
