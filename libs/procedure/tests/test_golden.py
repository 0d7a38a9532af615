"""The golden scenarios of the clock, counted by hand with the working calendar of Dalian (Art. 13)."""

from datetime import UTC, date, datetime, timedelta, timezone

import chinese_calendar
import pytest

from chassis.catalogue import load
from contracts.terms import ClockEnd, PauseReason
from local.suite import CATALOGUE
from procedure import clock as law
from procedure.calendar import Calendar, YearNotCovered
from procedure.clock import Clock

BEIJING = timezone(timedelta(hours=8))
PLACE = "210281"


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return load(CATALOGUE).calendar


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BEIJING)  # type: ignore[arg-type]


def due_on(clock: Clock, calendar: Calendar) -> date:
    found = law.due(clock, calendar, PLACE)
    assert found is not None
    return found.on


def test_every_day_of_nine_years_agrees_with_an_independent_calendar(calendar: Calendar) -> None:
    day = date(2018, 1, 1)
    while day <= date(2026, 12, 31):
        assert calendar.is_working_day(day) == chinese_calendar.is_workday(day), day
        day += timedelta(days=1)


def test_s1_the_due_day_ends_at_midnight_in_shanghai(calendar: Calendar) -> None:
    due = law.due(Clock(5, at(2026, 3, 2, 9)), calendar, PLACE)
    assert due is not None
    assert (due.on, due.at) == (date(2026, 3, 9), datetime(2026, 3, 9, 16, tzinfo=UTC))
    assert not law.is_late(due.at, due)
    assert law.is_late(due.at + timedelta(microseconds=1), due)


def test_s2_a_correction_stops_the_count(calendar: Calendar) -> None:
    clock = law.pause(Clock(5, at(2026, 3, 2, 9)), PauseReason.CORRECTION, "", at(2026, 3, 4, 10))
    assert law.used_days(clock, at(2026, 3, 6, 9), calendar, PLACE) == 1
    assert law.due(clock, calendar, PLACE) is None
    assert due_on(law.resume(clock, PauseReason.CORRECTION, "", at(2026, 3, 9, 15)), calendar) == date(2026, 3, 13)


def test_s3_a_returned_item_is_never_overdue(calendar: Calendar) -> None:
    clock = law.pause(Clock(5, at(2026, 3, 2, 9)), PauseReason.CORRECTION, "", at(2026, 3, 4, 10))
    clock = law.resume(clock, PauseReason.CORRECTION, "", at(2026, 3, 9, 15))
    clock = law.stop(clock, ClockEnd.RETURNED, at(2026, 3, 11, 9))
    assert law.used_days(clock, at(2026, 4, 30, 9), calendar, PLACE) == 2
    assert law.due(clock, calendar, PLACE) is None


@pytest.mark.parametrize(
    ("accepted", "limit", "due"),
    [
        ((2026, 3, 17, 9), 5, date(2026, 3, 24)),
        ((2026, 2, 12, 9), 5, date(2026, 2, 26)),
        ((2026, 9, 30, 9), 5, date(2026, 10, 13)),
        ((2018, 12, 28, 9), 5, date(2019, 1, 7)),
        ((2019, 4, 26, 9), 5, date(2019, 5, 6)),
        ((2019, 2, 1, 9), 10, date(2019, 2, 20)),
    ],
)
def test_s4_s6_s7_s9_limits_run_over_holidays_and_make_up_days(
    calendar: Calendar, accepted: tuple[int, ...], limit: int, due: date
) -> None:
    assert due_on(Clock(limit, at(*accepted)), calendar) == due


def test_s5_a_stage_counts_neither_correction_nor_return(calendar: Calendar) -> None:
    clock = Clock(20, at(2026, 3, 2, 9))
    assert due_on(clock, calendar) == date(2026, 3, 30)
    clock = law.pause(clock, PauseReason.CORRECTION, "S1-05", at(2026, 3, 4, 10))
    clock = law.resume(clock, PauseReason.CORRECTION, "S1-05", at(2026, 3, 9, 15))
    clock = law.pause(clock, PauseReason.RETURNED, "S1-05", at(2026, 3, 11, 9))
    assert law.used_days(clock, at(2026, 3, 16, 9), calendar, PLACE) == 2
    assert due_on(law.resume(clock, PauseReason.RETURNED, "S1-05", at(2026, 3, 16, 9)), calendar) == date(2026, 4, 10)


def test_s8_a_make_up_sunday_counts(calendar: Calendar) -> None:
    clock = law.pause(Clock(5, at(2026, 9, 18, 9)), PauseReason.SPECIAL, "", at(2026, 9, 23, 9))
    assert law.used_days(clock, at(2026, 10, 1, 9), calendar, PLACE) == 3
    assert due_on(law.resume(clock, PauseReason.SPECIAL, "", at(2026, 10, 9, 9)), calendar) == date(2026, 10, 12)


def test_s10_a_year_without_a_release_is_provisional_and_one_with_nothing_an_error(calendar: Calendar) -> None:
    due = law.due(Clock(1, at(2026, 12, 31, 9)), calendar, PLACE)
    assert due is not None and due.provisional
    with pytest.raises(YearNotCovered):
        law.due(Clock(300, at(2027, 3, 1, 9)), calendar, PLACE)


def test_pauses_that_overlap_end_when_the_last_one_ends(calendar: Calendar) -> None:
    clock = law.pause(Clock(5, at(2026, 3, 2, 9)), PauseReason.CORRECTION, "", at(2026, 3, 4, 10))
    clock = law.pause(clock, PauseReason.SPECIAL, "", at(2026, 3, 5, 10))
    clock = law.resume(clock, PauseReason.CORRECTION, "", at(2026, 3, 6, 10))
    assert law.due(clock, calendar, PLACE) is None
    assert due_on(law.resume(clock, PauseReason.SPECIAL, "", at(2026, 3, 9, 15)), calendar) == date(2026, 3, 13)


def test_a_pause_that_ends_on_its_own_day_changes_nothing(calendar: Calendar) -> None:
    clock = Clock(5, at(2026, 3, 2, 9))
    paused = law.pause(clock, PauseReason.CORRECTION, "", at(2026, 3, 4, 10))
    resumed = law.resume(paused, PauseReason.CORRECTION, "", at(2026, 3, 4, 16))
    assert due_on(resumed, calendar) == due_on(clock, calendar)
    assert law.used_days(resumed, at(2026, 3, 6, 9), calendar, PLACE) == 3


def test_a_clock_survives_its_column(calendar: Calendar) -> None:
    clock = law.pause(law.extend(Clock(5, at(2026, 3, 2, 9))), PauseReason.CORRECTION, "x", at(2026, 3, 4, 10))
    stopped = law.stop(clock, ClockEnd.WITHDRAWN, at(2026, 3, 5))
    assert law.from_record(law.as_record(stopped)) == stopped
