"""Every clock of one partition as the topics have it, independent of the timer's handlers and rows.

The facts are folds over the stages and items topics (`procedure.item_clock`, `procedure.stage_clock`); what was said is
a fold over the timer's own topic. Partitions of one number hold the same projects, so each is judged by itself.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from contracts.department_worker import ItemStepped
from contracts.dispatcher import ItemClosed, StageAccepted, StageConcluded, StageDispatched
from contracts.envelope import Event
from contracts.terms import ClockEnd, ClockState, Light
from contracts.timer import (
    AcceptanceOverdue,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockStepped,
    ClockStopped,
    ItemOverdue,
    LightChanged,
    ReminderDue,
    StageOverdue,
)
from procedure import history, item_clock
from procedure.history import StageEvent
from procedure.item_clock import Attempt
from procedure.stage_clock import StageClock
from timer import one_instant, speech, tracked
from timer.one_instant import Split
from timer.tracked import SILENT, Spoken, Tracked

Place = tuple[UUID, UUID]
EVER: Final = 2**31


class Word(NamedTuple):
    """What one event said of a clock; None where it says nothing of that. What tells that a due instant passed names
    the generation that it is about and is none of its own."""

    generation: int
    state: ClockState | None = None
    light: Light | None = None
    told: datetime | None = None

    @property
    def counts(self) -> bool:
        return self.told is None


@dataclass(slots=True)
class _Stage:
    """A stage while it is derived: `pending` are the dispatcher's events, which are taken in between the steps of its
    items as they happened."""

    row: Tracked
    splits: list[Split]
    pending: list[StageEvent] = field(default_factory=list[StageEvent])


class Derived:
    """The clocks of one partition; hand it the stages first, then the items, and the timer's own topic at any time."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self._stages: dict[UUID, _Stage] = {}
        self._items: dict[UUID, Tracked] = {}
        self._words: defaultdict[UUID, list[Word]] = defaultdict(list)
        self._reminded: set[UUID] = set()

    # Hearing ----------------------------------------------------------------------------------------------------

    def hear(self, event: Event) -> bool:
        """Take one event in; False when it builds on a stage that is not known."""
        match event:
            case StageDispatched():
                self._dispatch(event)
            case StageAccepted() | StageConcluded() | ItemClosed():
                self._announce(event)
            case ItemStepped():
                return self._step(event)
            case _:
                self._say(event)
        return True

    def _dispatch(self, event: StageDispatched) -> None:
        if event.application_id not in self._stages:
            splits = [one_instant.split(item) for item in event.items]
            self._stages[event.application_id] = _Stage(tracked.dispatched(event, self.partition), splits)

    def _announce(self, event: StageAccepted | StageConcluded | ItemClosed) -> None:
        stage = self._stages.get(event.application_id)
        if stage is not None and event not in stage.pending:
            stage.pending = sorted((*stage.pending, event), key=history.instant)

    def _step(self, step: ItemStepped) -> bool:
        stage = self._stages.get(step.application_id)
        if stage is None:
            return False
        item = self._items.get(step.item_id)
        before = item.kept if item is not None and isinstance(item.kept, Attempt) else None
        if before is not None and step.version <= before.seen:
            return True
        self._take_pending(stage, step.at)
        kept = item_clock.felt(before, step)
        if kept is not None:
            opened = item or tracked.opened(step, kept, self.partition)
            self._items[step.item_id] = opened._replace(kept=kept)
        stage.row = _after(stage.row, step)
        return True

    def _take_pending(self, stage: _Stage, until: datetime | None = None) -> None:
        """Take in what the dispatcher said of the time before `until`, or all of it."""
        while stage.pending and (until is None or history.instant(stage.pending[0]) < until):
            event = stage.pending.pop(0)
            stage.row = _after(stage.row, event)
            if isinstance(event, ItemClosed) and (item := self._items.get(event.item_id)) is not None:
                assert isinstance(item.kept, Attempt)
                self._items[event.item_id] = item._replace(kept=item_clock.closed(item.kept, event.at))

    def _say(self, event: Event) -> None:
        if isinstance(event, ReminderDue):
            self._reminded.add(event.event_id)
        elif (word := _word(event)) is not None:
            clock_id, said = word
            known = self._words[clock_id]
            if said not in known:
                known.append(said)

    # Telling ----------------------------------------------------------------------------------------------------

    def rows(self) -> dict[Place, Tracked]:
        """Return every row as the facts have it; of what was said only the reminders."""
        for stage in self._stages.values():
            self._take_pending(stage)
        rows = [stage.row for stage in self._stages.values()] + [self._with_told(one) for one in self._items.values()]
        return {(row.whose.application_id, row.whose.about): row for row in rows}

    def _with_told(self, row: Tracked) -> Tracked:
        kept = row.kept
        if not isinstance(kept, Attempt) or not kept.reminders:
            return row
        told = tuple(
            one._replace(told=speech.reminder_id(row.whose.about, one) in self._reminded) for one in kept.reminders
        )
        return row._replace(kept=kept._replace(reminders=told))

    def splits(self) -> dict[UUID, list[Split]]:
        """Return how every stage was split."""
        return {application_id: stage.splits for application_id, stage in self._stages.items()}

    def heard(self) -> dict[UUID, int]:
        """Return the newest generation said of each clock so far."""
        return {
            clock_id: max((word.generation for word in words if word.counts), default=0)
            for clock_id, words in self._words.items()
        }

    def spoken(self, clock_id: UUID, until: int = EVER) -> Spoken:
        """Return what was said of a clock up to a generation."""
        spoken = SILENT
        for word in sorted(self._words.get(clock_id, ()), key=lambda one: one.generation):
            if word.generation <= (until if word.counts else max(until, 1)):
                spoken = spoken._replace(
                    state=word.state or spoken.state,
                    light=word.light or spoken.light,
                    told=word.told or spoken.told,
                    generation=word.generation if word.counts else spoken.generation,
                )
        return spoken


def _after(row: Tracked, event: StageEvent) -> Tracked:
    assert isinstance(row.kept, StageClock)
    return row._replace(kept=history.after(row.kept, event, row.whose.policies))


def _word(event: Event) -> tuple[UUID, Word] | None:
    match event:
        case ClockStarted() | ClockResumed():
            return event.clock_id, Word(event.generation, state=ClockState.RUNNING)
        case ClockPaused():
            return event.clock_id, Word(event.generation, state=ClockState.PAUSED)
        case ClockStopped():
            ended = ClockState.TERMINATED if event.end is ClockEnd.RETURNED else ClockState.STOPPED
            return event.clock_id, Word(event.generation, state=ended)
        case LightChanged():
            return event.clock_id, Word(event.generation, light=event.light)
        case ItemOverdue() | StageOverdue() | AcceptanceOverdue():
            return event.clock_id, Word(event.generation, told=event.due_at)
        case ClockStepped():
            return event.clock_id, Word(event.generation)
        case _:
            return None
