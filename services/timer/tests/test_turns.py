"""What the timer says of a clock that turned, and what comes first at one instant: pure."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from chassis.catalogue import load
from contracts.department_worker import ItemStepped
from contracts.envelope import Event, derived_id
from contracts.terms import ClockSubject, DueCause, ItemKind, Light, Outcome
from local.said import ItemStory, StageStory, at
from local.suite import CATALOGUE
from procedure import history, item_clock, stage_clock
from procedure.calendar import Calendar, Overlay
from procedure.explain import with_overlays
from procedure.item_clock import Attempt
from procedure.stage_clock import StageClock
from timer import domain, one_instant, tracked
from timer.tracked import Cause, Reckoning, Tracked

CALENDAR = load(CATALOGUE).calendar
PATIENCE = timedelta(minutes=1)


def reckoning(calendar: Calendar = CALENDAR, cause: DueCause = DueCause.CALENDAR) -> Reckoning:
    return Reckoning(calendar, calendar.version, cause, derived_id("calendar", calendar.version))


class Told:
    """One row through its events, with all that was said of it."""

    def __init__(self, row: Tracked) -> None:
        self.row = row
        self.said: list[Any] = []

    def turn(self, kept: Attempt | StageClock, cause: Cause, by: Reckoning | None = None) -> None:
        self.row, said = domain.turned(self.row, kept, cause, by or reckoning())
        self.said += said

    @property
    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.said]


def item_told(*steps: ItemStepped) -> Told:
    kept = item_clock.felt(None, steps[0])
    assert kept is not None
    told = Told(tracked.opened(steps[0], kept, 0))
    told.turn(kept, tracked.because(steps[0], steps[0].at))
    for step in steps[1:]:
        assert isinstance(told.row.kept, Attempt)
        felt = item_clock.felt(told.row.kept, step)
        assert felt is not None
        told.turn(felt, tracked.because(step, step.at))
    return told


def stage_told(stage: StageStory, events: Sequence[Event]) -> Told:
    told = Told(tracked.dispatched(stage.dispatched(2026, 3, 2, 9), 0))
    for event in events:
        assert isinstance(told.row.kept, StageClock) and isinstance(event, history.StageEvent)
        kept = history.after(told.row.kept, event, told.row.whose.policies)
        told.turn(kept, Cause(event.event_id, history.instant(event), history.instant(event)))
    return told


def accepted(code: str = "S1-05", **more: Any) -> tuple[StageStory, ItemStory, list[ItemStepped]]:
    stage = StageStory()
    item = stage.item(code, **more)
    return stage, item, [item.received(2026, 3, 2, 9), item.accepted(2026, 3, 2, 9)]


# Turns ----------------------------------------------------------------------------------------------------------


def test_the_acceptance_clock_is_quiet_until_it_runs_out() -> None:
    _, _, steps = accepted()
    told = item_told(steps[0])
    assert (told.kinds, told.row.subject, told.row.expires_at) == ([], ClockSubject.ACCEPTANCE, at(2026, 3, 10))
    row, said = domain.expired(told.row, at(2026, 3, 10, 1), reckoning())
    assert [type(event).__name__ for event in said] == ["AcceptanceOverdue"]
    assert domain.acts_at(row, at(2026, 3, 10, 1), reckoning(), PATIENCE) is None


def test_an_item_of_one_day_is_yellow_from_its_start() -> None:
    _, _, steps = accepted(limit=1)
    told = item_told(*steps)
    assert told.kinds == ["ClockStarted", "LightChanged"] and told.row.spoken.light is Light.YELLOW


def test_generations_count_one_by_one_and_ids_follow_from_them() -> None:
    _, item, steps = accepted()
    steps += [item.correction(2026, 3, 3, 9), item.supplemented(2026, 3, 4, 9), item.concluded(2026, 3, 5, 9)]
    told, again = item_told(*steps), item_told(*steps)
    assert [event.generation for event in told.said] == list(range(1, len(told.said) + 1))
    assert told.said == again.said


def test_a_stage_heard_of_late_starts_with_what_held_it_still() -> None:
    """The acceptance stands on another topic than the steps: it may be read after a whole correction, or in one."""
    stage, item, steps = accepted(limit=20)
    correction, supplement = item.correction(2026, 3, 4, 10), item.supplemented(2026, 3, 9, 15)
    late = stage_told(stage, [*steps, correction, stage.accepted(2026, 3, 2, 9)])
    assert late.kinds == ["ClockStarted", "ClockPaused", "LightChanged"]
    assert (late.said[1].used_days, late.said[1].at) == (1, at(2026, 3, 4, 10))
    later = stage_told(stage, [*steps, correction, supplement, stage.accepted(2026, 3, 2, 9)])
    assert later.kinds == ["ClockStarted"]
    assert later.said[0].due_at == at(2026, 4, 4)


def test_a_calendar_that_moves_nothing_says_nothing() -> None:
    _, _, steps = accepted()
    told = item_told(*steps)
    elsewhere = with_overlays(CALENDAR, [Overlay(date(2026, 3, 5), "210283", False, "台风")])
    told.turn(told.row.kept, Cause(told.row.clock_id, at(2026, 3, 3), at(2026, 3, 3)), reckoning(elsewhere))
    assert told.kinds == ["ClockStarted"] and told.row.reckoned == elsewhere.version


def test_another_due_arms_a_clock_that_had_expired() -> None:
    _, _, steps = accepted()
    told = item_told(*steps)
    told.row, said = domain.expired(told.row, at(2026, 3, 10, 1), reckoning())
    assert told.row.spoken.is_overdue and said[-1].light is Light.RED  # type: ignore[union-attr]
    off = with_overlays(CALENDAR, [Overlay(date(2026, 3, 9), "210200", False, "台风")])
    by = reckoning(off, DueCause.OVERLAY)
    told.turn(told.row.kept, Cause(by.event_id, at(2026, 3, 10, 2), at(2026, 3, 10, 2)), by)
    assert told.kinds[-2:] == ["DueChanged", "LightChanged"]
    assert told.row.spoken.light is Light.YELLOW
    assert domain.acts_at(told.row, at(2026, 3, 10, 2), by, PATIENCE) == at(2026, 3, 11)


def test_a_recall_without_an_answer_is_proposed_again_ever_more_seldom() -> None:
    _, _, steps = accepted()
    told = item_told(*steps)
    row, said = domain.expired(told.row, at(2026, 3, 10, 0, 0, 1), reckoning())
    waits = [domain.acts_at(row, at(2026, 3, 10, 0, minute), reckoning(), PATIENCE) for minute in (0, 1, 3, 5)]
    assert waits == [at(2026, 3, 10, 0, minute) for minute in (1, 2, 4, 8)]
    (again,) = domain.proposed_again(row, at(2026, 3, 10, 0, 1))
    assert again == said[1]


def test_a_provisional_date_turns_yellow_and_expires_only_where_the_reading_says_so() -> None:
    for settings, expires in (({}, None), ({"fire_on_provisional": True}, at(2027, 1, 12))):
        item = StageStory(**settings).item(limit=6)
        told = item_told(item.received(2026, 12, 31, 9), item.accepted(2026, 12, 31, 9))
        assert told.row.expires_at == expires
        assert domain.acts_at(told.row, at(2027, 1, 1), reckoning(), PATIENCE) == at(2027, 1, 8)


def test_a_stage_that_concluded_late_tells_first_that_it_was_overdue() -> None:
    stage, _, steps = accepted(limit=20)
    stage.limit = 5
    told = stage_told(stage, [*steps, stage.accepted(2026, 3, 2, 9), stage.concluded(2026, 3, 11, 9)])
    assert told.kinds == ["ClockStarted", "StageOverdue", "ClockStopped"]
    in_time = stage_told(stage, [*steps, stage.accepted(2026, 3, 2, 9), stage.concluded(2026, 3, 10)])
    assert in_time.kinds == ["ClockStarted", "ClockStopped"]


# One instant ----------------------------------------------------------------------------------------------------


def waits(stage: StageStory, *items: Tracked) -> bool:
    """Whether a stage that is due at 2026-03-10 00:00 waits for these items."""
    row = tracked.dispatched(stage.dispatched(2026, 3, 2, 9), 0)
    started = stage_clock.accepted(stage_clock.waiting(5), at(2026, 3, 2, 9))
    row = row._replace(kept=started, expires_at=at(2026, 3, 10))
    splits = [one_instant.split(one.dispatched()) for one in {one.code: one for one in stage.items}.values()]
    return one_instant.waits_for_items(row, items, splits)


def test_a_stage_waits_for_the_answer_to_a_recall_of_its_own_instant() -> None:
    stage, item, steps = accepted()
    row = item_told(*steps).row
    assert waits(stage, row)
    overdue, _ = domain.expired(row, at(2026, 3, 10, 1), reckoning())
    assert waits(stage, overdue)
    recalled = item_told(*steps, item.recalled(2026, 3, 10)).row
    assert not waits(stage, recalled), "an expired permit holds its stage"


def test_a_stage_waits_for_the_seal_of_a_decision() -> None:
    stage, item, steps = accepted(limit=20)
    assert not waits(stage, item_told(*steps).row)
    assert waits(stage, item_told(*steps, item.decided(2026, 3, 9, 9)).row)


def test_a_stage_of_which_every_item_ended_in_time_waits_for_the_dispatchers_word() -> None:
    stage, item, steps = accepted(kind=ItemKind.CONSULT)
    assert waits(stage, item_told(*steps, item.recalled(2026, 3, 10)).row)
    stage, item, steps = accepted()
    late = item_told(*steps, item.concluded(2026, 3, 10, 0, 0, 1)).row
    assert not waits(stage, late)


def test_what_never_starts_after_a_refusal_does_not_hold_the_stage() -> None:
    stage, item, steps = accepted()
    stage.item("S1-06", after=("S1-05",))
    refused = item_told(*steps, item.concluded(2026, 3, 9, 9, outcome=Outcome.REFUSED)).row
    assert waits(stage, refused)
    stage, item, steps = accepted()
    stage.item("S1-06", after=("S1-05",))
    assert not waits(stage, item_told(*steps, item.concluded(2026, 3, 9, 9)).row), "the next one is to be dispatched"


def test_only_the_newest_attempt_counts() -> None:
    stage, item, steps = accepted()
    refused = item_told(*steps, item.concluded(2026, 3, 5, 9, outcome=Outcome.REFUSED)).row
    again = stage.item("S1-05", attempt=2, limit=20)
    opened = item_told(again.received(2026, 3, 6, 9), again.accepted(2026, 3, 6, 9)).row
    assert not waits(stage, refused, opened) and waits(stage, refused)
