"""The golden scenarios S1–S10 against the law alone: acts go through the state machine of items, clocks come from its
events, and every day is the one that a person counted with the working calendar of Dalian (Art. 13, 14)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chassis.catalogue import load
from contracts.codes import CITY, CreditCode, ItemCode, JurisdictionCode
from contracts.department_worker import ItemReturned, ItemStepped, LateOpinionRecorded
from contracts.envelope import Event, derived_id
from contracts.parts import Actor, DayOrdered, Special
from contracts.terms import ClockEnd, ClockState, DueCause, ItemState, ItemStep, Outcome, PauseReason, SpecialKind
from contracts.timer import CalendarAmended
from local.golden import (
    EXPIRIES,
    REAPPLY,
    S2_DUE_ON,
    S5_STAGE,
    S9B_STAGE,
    S10_DUE_ON,
    SCENARIOS,
    STAGE,
    TYPE,
    Expiry,
    at,
)
from local.said import StageStory
from local.suite import CATALOGUE
from procedure import clock as law
from procedure import history, stage_clock
from procedure.calendar import Calendar, YearNotCovered, amended, start_of_day
from procedure.clock import Clock
from procedure.history import History
from procedure.items import Act, Item, ItemAlreadyEnded, NotExpired, advance, expires
from procedure.policies import DEFAULT, Policies

CITY_OF_DALIAN = load(CATALOGUE)
CATALOGUE_2018 = CITY_OF_DALIAN.version("2018.1")
CALENDAR = CITY_OF_DALIAN.calendar
PLACE = JurisdictionCode("210281")
ACTOR = Actor(holder="经办人", certificate="CA-1")
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
EXPERTS = Special(kind=SpecialKind.EXPERT_REVIEW, reason="组织文物勘探专家评审")


class Played:
    """A scenario as the law plays it: the newest attempt of each item, every event, the attempts by their number."""

    def __init__(self, scenario: str) -> None:
        self.story = StageStory(limit=CATALOGUE_2018.limit(TYPE, STAGE))
        self.attempts: dict[tuple[str, int], Item] = {}
        self.newest: dict[str, Item] = {}
        self.events: list[Event] = [self.story.dispatched(*_parts(SCENARIOS[scenario][0].at - DAY))]
        for act in SCENARIOS[scenario]:
            if act.item not in self.newest:
                self._begin(act.item, 1, act.at - DAY)
            self._do(act.item, act.what, act.at)
        self.events.append(self.story.accepted(*_parts(SCENARIOS[scenario][0].at)))

    def _do(self, code: str, what: ItemStep | str, when: datetime) -> None:
        if not isinstance(what, ItemStep):
            assert what == REAPPLY
            self._begin(code, self.newest[code].attempt + 1, when)
            return
        self.take(code, what, when)

    def _begin(self, code: str, attempt: int, when: datetime) -> None:
        """Put an attempt of an item on its department's desk."""
        rule = CATALOGUE_2018.items[ItemCode(code)]
        self.newest[code] = Item(
            item_id=derived_id("item", code, attempt),
            project_code=self.story.code,
            application_id=self.story.application_id,
            stage=STAGE,
            item_code=rule.code,
            attempt=attempt,
            department=rule.department,
            jurisdiction=PLACE,
            kind=rule.kind,
            limit_days=rule.limit_days,
            on_expiry=rule.on_expiry,
            builder=CreditCode("91210281MA0ABC123K"),
            versions=self.story.policies,
            applied_at=when,
        )
        self.take(code, ItemStep.RECEIVE, when)

    def take(self, code: str, step: ItemStep, when: datetime, **more: Any) -> tuple[Event, ...]:
        """Take one step and return what the law says of it."""
        item = self.newest[code]
        cause = derived_id(item.item_id, item.version, step)
        act = Act(step, ACTOR, when, cause, opinion="一次性告知", special=EXPERTS, **more)
        after, said = advance(item, act, CALENDAR)
        self.newest[code] = self.attempts[code, after.attempt] = after
        self.events += said
        return said

    def item(self, code: str, attempt: int = 1, until: datetime | None = None) -> History:
        """The clock of an attempt, from its events."""
        steps = [e for e in self.events if isinstance(e, ItemStepped) and (e.item_code, e.attempt) == (code, attempt)]
        return _found(history.of_item(steps, until))

    def stage(self, policies: Policies = DEFAULT, until: datetime | None = None) -> Clock:
        return _found(history.of_stage(self.events, until, policies)).clock


def _parts(when: datetime) -> Iterable[int]:
    return when.year, when.month, when.day, when.hour, when.minute


def _found(told: History | None) -> History:
    assert told is not None
    return told


def due_on(clock: Clock, calendar: Calendar = CALENDAR) -> date:
    found = law.due(clock, calendar, PLACE)
    assert found is not None
    return found.on


def stage_due_on(clock: Clock) -> date:
    found = stage_clock.due(clock, CALENDAR, PLACE)
    assert found is not None
    return found.on


def used(clock: Clock, *when: int) -> int:
    return law.used_days(clock, at(*when), CALENDAR, PLACE)


def name_of(expiry: Expiry) -> str:
    return f"{expiry.scenario} {expiry.item}"


@pytest.mark.parametrize("expiry", EXPIRIES, ids=name_of)
def test_the_due_day_is_the_one_that_was_counted_by_hand(expiry: Expiry) -> None:
    """S1, S4, S6, S7, S8, S9: at acceptance, and after whatever happened since."""
    played = Played(expiry.scenario)
    accepted = [act.at for act in SCENARIOS[expiry.scenario] if (act.item, act.what) == (expiry.item, ItemStep.ACCEPT)]
    first = played.item(expiry.item, expiry.attempt, until=accepted[expiry.attempt - 1]).clock
    assert due_on(first) == expiry.first_due_on
    assert due_on(played.item(expiry.item, expiry.attempt).clock) == expiry.due_on


@pytest.mark.parametrize("expiry", EXPIRIES, ids=name_of)
def test_silence_is_no_opinion_from_the_midnight_after_the_due_day_on_and_not_before(expiry: Expiry) -> None:
    played, due_at = Played(expiry.scenario), start_of_day(expiry.due_on + DAY)
    assert due_at.astimezone(at(2026, 1, 1).tzinfo).time().isoformat() == "00:00:00"
    with pytest.raises(NotExpired):
        played.take(expiry.item, ItemStep.RECALL, due_at - INSTANT)
    (recalled,) = played.take(expiry.item, ItemStep.RECALL, due_at)
    deemed = CATALOGUE_2018.items[ItemCode(expiry.item)].on_expiry == "deem_no_objection"
    assert recalled.outcome is (Outcome.DEEMED_NO_OPINION if deemed else Outcome.EXPIRED_NO_OPINION)  # type: ignore[attr-defined]
    assert recalled.due_at == due_at  # type: ignore[attr-defined]
    with pytest.raises(ItemAlreadyEnded):
        played.take(expiry.item, ItemStep.RECALL, due_at + DAY)


@pytest.mark.parametrize("expiry", EXPIRIES, ids=name_of)
def test_a_decision_at_the_due_instant_counts_and_one_after_it_is_refused_and_kept(expiry: Expiry) -> None:
    due_at = start_of_day(expiry.due_on + DAY)
    for when, in_time in ((due_at, True), (due_at + INSTANT, False)):
        played = Played(expiry.scenario)
        played.take(expiry.item, ItemStep.REVIEW, due_at - DAY)
        played.take(expiry.item, ItemStep.APPROVE, due_at - DAY)
        (said,) = played.take(expiry.item, ItemStep.CONCLUDE, when, outcome=Outcome.GRANTED)
        assert isinstance(said, LateOpinionRecorded) is not in_time
        assert (played.newest[expiry.item].state is ItemState.SEALING) is in_time


def test_s2_a_correction_stops_the_count() -> None:
    played = Played("S2-S5")
    paused = played.item("S1-10", until=at(2026, 3, 6, 9)).clock
    assert (law.state(paused), used(paused, 2026, 3, 6, 9)) == (ClockState.PAUSED, 1)
    assert law.due(paused, CALENDAR, PLACE) is None
    assert due_on(played.item("S1-10", until=at(2026, 3, 9, 16)).clock) == S2_DUE_ON


def test_s3_a_returned_attempt_ends_with_what_was_used_and_is_never_overdue() -> None:
    played = Played("S2-S5")
    returned = played.item("S1-10").clock
    assert (law.state(returned), returned.end) == (ClockState.TERMINATED, ClockEnd.RETURNED)
    assert used(returned, 2026, 4, 30, 9) == 2
    assert law.due(returned, CALENDAR, PLACE) is None
    first = played.attempts["S1-10", 1]
    assert expires(first, CALENDAR) is None
    with pytest.raises(ItemAlreadyEnded):
        advance(first, Act(ItemStep.RECALL, ACTOR, at(2026, 12, 1), derived_id("late")), CALENDAR)
    stage = played.stage(until=at(2026, 3, 12, 9))
    assert stage.reasons == {(PauseReason.RETURNED, "S1-10")}


def test_s4_the_next_attempt_waits_for_its_acceptance_and_has_the_full_limit() -> None:
    played = Played("S2-S5")
    steps = [e for e in played.events if isinstance(e, ItemStepped) and e.attempt == 2]
    assert history.of_item(steps, until=at(2026, 3, 16, 18)) is None
    assert used(played.item("S1-10", 2).clock, 2026, 3, 17, 18) == 0


def test_s5_a_stage_counts_neither_correction_nor_return() -> None:
    played = Played("S2-S5")
    assert stage_due_on(played.stage(until=at(2026, 3, 2, 10))) == S5_STAGE["original"]
    assert used(played.stage(until=at(2026, 3, 5, 9)), 2026, 3, 5, 9) == 1
    assert used(played.stage(), 2026, 3, 16, 9) == 2
    assert stage_due_on(played.stage()) == S5_STAGE["ANY"]


def test_s5_while_another_item_runs_all_open_counts_through_the_correction() -> None:
    all_open = replace(DEFAULT, stage_pause_policy="ALL_OPEN")
    played = Played("S2-S5")
    assert used(played.stage(all_open), 2026, 3, 16, 9) == 6
    assert stage_due_on(played.stage(all_open)) == S5_STAGE["ALL_OPEN"]


def test_s5_the_stage_resumes_with_the_resubmission_not_with_the_acceptance() -> None:
    played = Played("S2-S5")
    returned = next(e.at for e in played.events if isinstance(e, ItemReturned))
    pause = next(one for one in played.stage().pauses if one.reason is PauseReason.RETURNED)
    assert (pause.began_at, pause.ended_at) == (returned, at(2026, 3, 16, 9).astimezone(UTC))


def test_s8_a_make_up_sunday_counts_before_the_pause() -> None:
    paused = Played("S8").item("S1-10", until=at(2026, 10, 1, 9)).clock
    assert (law.state(paused), used(paused, 2026, 10, 1, 9)) == (ClockState.PAUSED, 3)


def test_s9_the_stage_of_april_runs_over_labour_day() -> None:
    assert stage_due_on(Played("S9b").stage()) == S9B_STAGE


def test_s10_a_day_of_a_year_without_a_release_is_provisional_and_binds_nobody() -> None:
    played = Played("S10")
    due = law.due(played.item("S1-03").clock, CALENDAR, PLACE)
    assert due is not None
    assert (due.on, due.provisional, due.expires_at) == (S10_DUE_ON, True, None)
    assert not law.is_late(due.at + 30 * DAY, due)


def test_s10_the_release_settles_it() -> None:
    """Had the notice of 2027 moved the Monday after New Year, the day after it would be due, and bind."""
    release = CalendarAmended(
        event_id=derived_id("2027"),
        causation_id=derived_id("2027"),
        occurred_at=at(2026, 11, 10).astimezone(UTC),
        authority=JurisdictionCode(CITY),
        sequence=1,
        calendar_version="2027",
        cause=DueCause.CALENDAR,
        released_year=2027,
        jurisdiction=JurisdictionCode(CITY),
        days=tuple(DayOrdered(day=date(2027, 1, day), works=False, name="元旦") for day in (1, 4)),
        document="国办发明电〔2026〕号",
        ordered_at=at(2026, 11, 10).astimezone(UTC),
        affected=0,
        actor=ACTOR,
    )
    due = law.due(Played("S10").item("S1-03").clock, amended(CALENDAR, [release]), PLACE)
    assert due is not None
    assert (due.on, due.provisional, due.expires_at) == (date(2027, 1, 5), False, start_of_day(date(2027, 1, 6)))


def test_a_year_with_neither_release_nor_statutory_days_is_an_error() -> None:
    with pytest.raises(YearNotCovered):
        law.due(Clock(300, at(2027, 3, 1, 9)), CALENDAR, PLACE)


# Beside the scenarios -------------------------------------------------------------------------------------------


def test_pauses_that_overlap_end_when_the_last_one_ends() -> None:
    clock = law.pause(Clock(5, at(2026, 3, 2, 9)), PauseReason.CORRECTION, "", at(2026, 3, 4, 10))
    clock = law.pause(clock, PauseReason.SPECIAL, "", at(2026, 3, 5, 10))
    clock = law.resume(clock, PauseReason.CORRECTION, "", at(2026, 3, 6, 10))
    assert law.due(clock, CALENDAR, PLACE) is None
    assert due_on(law.resume(clock, PauseReason.SPECIAL, "", at(2026, 3, 9, 15))) == date(2026, 3, 13)


def test_a_pause_that_ends_on_its_own_day_changes_nothing() -> None:
    clock = Clock(5, at(2026, 3, 2, 9))
    paused = law.pause(clock, PauseReason.CORRECTION, "", at(2026, 3, 4, 10))
    resumed = law.resume(paused, PauseReason.CORRECTION, "", at(2026, 3, 4, 16))
    assert due_on(resumed) == due_on(clock)
    assert used(resumed, 2026, 3, 6, 9) == 3


def test_a_clock_survives_its_column() -> None:
    clock = law.pause(law.extend(Clock(5, at(2026, 3, 2, 9))), PauseReason.CORRECTION, "x", at(2026, 3, 4, 10))
    stopped = law.stop(clock, ClockEnd.WITHDRAWN, at(2026, 3, 5))
    assert law.from_record(law.as_record(stopped)) == stopped
