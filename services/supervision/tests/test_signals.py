"""体外循环: each sign where its events show it, and nowhere else."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chassis.catalogue import City
from contracts.codes import ItemCode
from contracts.supervision import SignalRaised
from contracts.terms import ItemStep, SignalKind
from procedure.calendar import YearNotCovered
from supervision import signals
from supervision.signals import BY_HAND, Judge, Thresholds

OFF = Thresholds(minutes=0, document_date=False, unviewed=False, burst_steps=0)


def judged(city: City, lived: Any, *viewed: Any, **thresholds: Any) -> list[SignalRaised]:
    judge = Judge(replace(OFF, **thresholds), city.under)
    return signals.judged([*lived.events, *viewed], {lived.item.item_id}, judge)


def accepted(begin: Any, **facts: Any) -> Any:
    return begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1, **facts)


def test_concluded_within_minutes_is_a_sign_with_both_events(city: City, begin: Any) -> None:
    lived = accepted(begin).conclude(1 + 9 / 60)
    (sign,) = judged(city, lived, minutes=10)
    assert sign.signal is SignalKind.CONCLUDED_IN_MINUTES
    assert sign.evidence == (lived.events[1].event_id, lived.events[-1].event_id)
    assert "9.0 分钟" in sign.detail and sign.occurred_at == lived.events[-1].at
    assert judged(city, accepted(begin).conclude(1 + 11 / 60), minutes=10) == []
    assert judged(city, lived, minutes=0) == []


def test_a_document_dated_before_the_acceptance_day_is_a_sign(city: City, begin: Any) -> None:
    (sign,) = judged(city, accepted(begin).conclude(50, document_dated_on=date(2026, 3, 1)), document_date=True)
    assert sign.signal is SignalKind.DOCUMENT_BEFORE_ACCEPTANCE and "2026-03-01" in sign.detail
    assert judged(city, accepted(begin).conclude(50, document_dated_on=date(2026, 3, 2)), document_date=True) == []
    assert judged(city, accepted(begin).conclude(50), document_date=True) == []


def test_nobody_looked_is_a_sign_unless_somebody_looked_before_the_decision(
    city: City, begin: Any, viewed: Any
) -> None:
    lived = accepted(begin).conclude(50)
    (sign,) = judged(city, lived, unviewed=True)
    assert (sign.signal, sign.evidence) == (SignalKind.MATERIAL_NOT_VIEWED, (lived.events[-1].event_id,))
    assert judged(city, lived, viewed(lived, 2), unviewed=True) == []
    assert len(judged(city, lived, viewed(lived, 51), unviewed=True)) == 1


def test_a_departments_own_system_looks_where_nobody_sees_it(city: City, begin: Any) -> None:
    lived = accepted(begin).do(ItemStep.REVIEW, 2).do(ItemStep.APPROVE, 3)
    lived.do(ItemStep.CONCLUDE, 4, certificate="CA-210281-GHJ").do(ItemStep.SEAL, 4)
    assert len(judged(city, lived, unviewed=True)) == 1
    assert judged(city, lived, unviewed=True, systems=("CA-210281", "SYS-")) == []


def test_an_item_without_files_has_nothing_to_look_at(city: City, begin: Any) -> None:
    rule = city.catalogue.items[ItemCode("S1-05")]
    bare = replace(city.catalogue, items={**city.catalogue.items, rule.code: replace(rule, materials=())})
    lived = accepted(begin).conclude(50)
    for under in (lambda versions: bare, lambda versions: city.version("2017")):
        assert signals.judged(lived.events, {lived.item.item_id}, Judge(replace(OFF, unviewed=True), under)) == []


def test_a_decision_entered_by_special_handling_raises_no_sign(city: City, begin: Any) -> None:
    lived = accepted(begin)
    lived.do(ItemStep.ENTER_DECISION, 1.05, special_handling=lived.item.item_id, document_dated_on=date(2026, 2, 1))
    lived.do(ItemStep.SEAL, 1.05)
    assert judged(city, lived, minutes=10, document_date=True, unviewed=True) == []


def test_a_sign_has_the_same_id_whenever_it_is_raised(city: City, begin: Any) -> None:
    one, other = (judged(city, accepted(begin).conclude(1.1), minutes=10)[0] for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("at", "off"),
    [
        (datetime(2026, 3, 2, 0, 0, tzinfo=UTC), False),  # Monday 8:00
        (datetime(2026, 3, 1, 23, 59, tzinfo=UTC), True),  # Monday 7:59
        (datetime(2026, 3, 2, 9, 59, tzinfo=UTC), False),  # Monday 17:59
        (datetime(2026, 3, 2, 10, 0, tzinfo=UTC), True),  # Monday 18:00
        (datetime(2026, 3, 7, 2, 0, tzinfo=UTC), True),  # Saturday
        (datetime(2026, 2, 14, 2, 0, tzinfo=UTC), False),  # Saturday that is worked
        (datetime(2026, 2, 17, 2, 0, tzinfo=UTC), True),  # Spring Festival
        (datetime(2027, 3, 1, 2, 0, tzinfo=UTC), False),
    ],
)
def test_office_hours_are_those_of_working_days_in_shanghai(city: City, at: datetime, off: bool) -> None:
    assert signals.is_after_hours(at, "210281", city.calendar) is off


def test_a_year_without_calendar_judges_by_the_hour(city: City) -> None:
    with pytest.raises(YearNotCovered):
        city.calendar.is_working_day(date(2031, 3, 1))
    assert not signals.is_after_hours(datetime(2031, 3, 1, 2, tzinfo=UTC), "210281", city.calendar)


def nights(city: City, begin: Any, minutes: list[float]) -> list[signals.Night]:
    """Acceptances by one holder on a Saturday, so many minutes after 10:00."""
    made: list[signals.Night] = []
    for minute in minutes:
        hours = 24 * 5 + minute / 60
        lived = begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, hours + 1)
        night = signals.night_of(lived.events[-1], city.calendar)
        assert night is not None
        made.append(night._replace(event_id=signals.derived_id("night", minute)))
    return made


def test_so_many_steps_of_one_holder_within_an_hour_are_one_sign_a_day(city: City, begin: Any) -> None:
    five = nights(city, begin, [0, 10, 20, 30, 60])
    sign = signals.burst(five, 5)
    assert sign is not None and sign.signal is SignalKind.BURST_AFTER_HOURS
    assert sign.evidence == tuple(one.event_id for one in five)
    assert "张三" in sign.detail and "5 个环节" in sign.detail
    again = signals.burst([*reversed(five), *nights(city, begin, [500])], 5)
    assert again is not None and again.event_id == sign.event_id
    assert signals.burst(nights(city, begin, [0, 10, 20, 30, 61]), 5) is None
    assert signals.burst(five[:4], 5) is None


def test_what_builder_and_platform_do_at_night_is_no_sign(city: City, begin: Any) -> None:
    late = begin("S1-05").do(ItemStep.RECEIVE, 12).do(ItemStep.DEEM_ACCEPTED, 13)
    late.do(ItemStep.START_CORRECTION, 14).do(ItemStep.SUPPLEMENT, 15)
    by_hand = [signals.night_of(one, city.calendar) is not None for one in late.events]
    assert by_hand == [False, False, True, False]
    assert all(timedelta() < signals.BURST for _ in BY_HAND)
