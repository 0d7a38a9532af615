"""Every deadline can be proven day by day: the ledger and the arithmetic of the clock hold each other."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chassis.catalogue import load
from contracts.terms import ClockEnd, ClockState, PauseReason
from local.suite import CATALOGUE
from procedure import clock as law
from procedure.calendar import Overlay, local_day
from procedure.clock import Clock, Pause
from procedure.explain import as_text, due_text, explain, with_limit, with_overlays
from procedure.history import History
from procedure.policies import DEFAULT, Policies

CALENDAR = load(CATALOGUE).calendar
BEIJING = timezone(timedelta(hours=8))
PLACE = "210281"


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BEIJING)  # type: ignore[arg-type]


def history(clock: Clock) -> History:
    return History(clock, PLACE, True, ())


POLICIES = (DEFAULT, Policies(count_start_day=True), Policies(due_day_ends="office_close"))
START = datetime(2018, 2, 1, tzinfo=UTC)
seconds = st.integers(0, 60 * 86400)
spans = st.lists(
    st.tuples(st.sampled_from([PauseReason.CORRECTION, PauseReason.SPECIAL]), seconds, st.integers(1, 12 * 86400)),
    max_size=4,
)


def clock_of(started: datetime, limit: int, pauses: list[tuple[PauseReason, int, int]], to_midnight: bool) -> Clock:
    """Pauses that may overlap; `to_midnight` moves their edges to midnights, where a day's beginning is decided."""
    clock = Clock(limit, started)
    for place, (reason, after, lasting) in enumerate(sorted(pauses, key=lambda one: one[1])):
        began, ended = started + timedelta(seconds=after), started + timedelta(seconds=after + lasting)
        if to_midnight:
            began, ended = midnight(began), midnight(ended) + timedelta(days=1)
            if began < started:
                continue
        clock = clock._replace(pauses=(*clock.pauses, Pause(reason, str(place), began, ended)))
    return clock


def midnight(when: datetime) -> datetime:
    return datetime.combine(local_day(when), datetime.min.time(), BEIJING).astimezone(UTC)


@settings(max_examples=2000, deadline=None)
@given(
    started=st.integers(0, 8 * 365 * 86400).map(lambda after: START + timedelta(seconds=after)),
    limit=st.integers(1, 40),
    pauses=spans,
    to_midnight=st.booleans(),
    policies=st.sampled_from(POLICIES),
    later=seconds,
)
def test_the_ledger_adds_up_to_the_due_date(
    started: datetime,
    limit: int,
    pauses: list[tuple[PauseReason, int, int]],
    to_midnight: bool,
    policies: Policies,
    later: int,
) -> None:
    clock = clock_of(started, limit, pauses, to_midnight)
    last = max((one.ended_at or started for one in clock.pauses), default=started)
    assume(law.used_days(clock, last, CALENDAR, PLACE, policies) < limit)
    due = law.due(clock, CALENDAR, PLACE, policies)
    assert due is not None
    now = min(started + timedelta(seconds=later), due.at)
    told = explain(history(clock), now, CALENDAR, policies)
    assert (told.days[-1].on, told.days[-1].used, told.days[-1].counted) == (due.on, limit, True)
    assert told.used_days == law.used_days(clock, now, CALENDAR, PLACE, policies)


def test_s2_told_day_by_day() -> None:
    clock = law.pause(Clock(5, at(2026, 3, 2, 9)), PauseReason.CORRECTION, "", at(2026, 3, 4, 10))
    clock = law.resume(clock, PauseReason.CORRECTION, "", at(2026, 3, 9, 15))
    told = explain(history(clock), at(2026, 3, 10, 9), CALENDAR)
    assert [(day.on.day, day.why) for day in told.days] == [
        (2, "起算日不计（民法典第二百零一条）"),
        (3, "工作日"),
        (4, "补正开始，当日不计"),
        (5, "补正期间暂停计时"),
        (6, "补正期间暂停计时"),
        (7, "周末"),
        (8, "周末"),
        (9, "补正结束，恢复当日不计"),
        (10, "工作日"),
        (11, "工作日"),
        (12, "工作日"),
        (13, "工作日"),
    ]
    assert (told.used_days, told.remaining_days, told.state) == (1, 4, ClockState.RUNNING)
    assert told.due is not None and due_text(told.due) == "2026-03-13 24:00"
    assert "到期 2026-03-13 24:00" in as_text(told)


def test_a_holiday_is_named_and_a_make_up_day_counts() -> None:
    told = explain(history(Clock(5, at(2026, 2, 12, 9))), at(2026, 2, 12, 10), CALENDAR)
    why = {day.on: (day.counted, day.why) for day in told.days}
    assert why[date(2026, 2, 14)][0] and "调休上班" in why[date(2026, 2, 14)][1]
    assert not why[date(2026, 2, 17)][0] and "春节" in why[date(2026, 2, 17)][1]
    assert told.days[-1].on == date(2026, 2, 26)


def test_a_clock_that_stands_still_is_told_up_to_now_and_one_that_ended_up_to_its_end() -> None:
    standing = law.pause(Clock(5, at(2026, 3, 2, 9)), PauseReason.SPECIAL, "", at(2026, 3, 4, 10))
    told = explain(history(standing), at(2026, 3, 6, 9), CALENDAR)
    assert (told.due, told.days[-1].on, told.used_days, told.state) == (None, date(2026, 3, 6), 1, ClockState.PAUSED)
    ended = law.stop(Clock(5, at(2026, 3, 2, 9)), ClockEnd.CONCLUDED, at(2026, 3, 5, 16))
    told = explain(history(ended), at(2026, 4, 1, 9), CALENDAR)
    assert (told.used_days, told.days[-1].on, told.days[-1].why) == (2, date(2026, 3, 5), "计时于当日终止，不计")
    recalled = law.stop(Clock(5, at(2026, 3, 2, 9)), ClockEnd.RECALLED, at(2026, 3, 10))
    told = explain(history(recalled), at(2026, 4, 1, 9), CALENDAR)
    assert (told.used_days, told.days[-1].on, told.days[-1].counted) == (5, date(2026, 3, 9), True)


@pytest.mark.parametrize(
    ("history_if", "calendar_if", "policies_if", "due"),
    [
        (lambda h: h, lambda c: c, DEFAULT, "2026-03-09 24:00"),
        (lambda h: with_limit(h, 7), lambda c: c, DEFAULT, "2026-03-11 24:00"),
        (lambda h: h, lambda c: c, Policies(count_start_day=True), "2026-03-06 24:00"),
        (lambda h: h, lambda c: c, Policies(due_day_ends="office_close"), "2026-03-09 17:00"),
        (
            lambda h: h,
            lambda c: with_overlays(c, [Overlay(date(2026, 3, 5), "210200", False, "大政办〔2026〕台风停工")]),
            DEFAULT,
            "2026-03-10 24:00",
        ),
    ],
)
def test_what_if_answers_without_touching_anything(
    history_if: object, calendar_if: object, policies_if: Policies, due: str
) -> None:
    before = history(Clock(5, at(2026, 3, 2, 9)))
    told = explain(history_if(before), at(2026, 3, 3, 9), calendar_if(CALENDAR), policies_if)  # type: ignore[operator]
    assert told.due is not None and due_text(told.due) == due
    untouched = explain(before, at(2026, 3, 3, 9), CALENDAR).due
    assert untouched is not None and due_text(untouched) == "2026-03-09 24:00"


def test_an_overlay_is_named_by_its_document() -> None:
    typhoon = [Overlay(date(2026, 3, 5), "210200", False, "大政办〔2026〕台风停工")]
    told = explain(history(Clock(5, at(2026, 3, 2, 9))), at(2026, 3, 3), with_overlays(CALENDAR, typhoon))
    assert "台风停工" in next(day.why for day in told.days if day.on == date(2026, 3, 5))
