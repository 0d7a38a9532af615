"""What the timer does when something happened: load a batch's rows, turn their clocks, keep, say."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from chassis.bus import Received, hold_back
from chassis.database import Work
from contracts import topics
from contracts.dispatcher import ItemClosed, ItemResult, StageAccepted, StageConcluded, StageDispatched
from contracts.parts import AboutStage
from contracts.terms import ItemState
from contracts.timer import CalendarAmended
from procedure import history, item_clock, stage_clock
from procedure.item_clock import Attempt
from procedure.stage_clock import StageClock
from timer import domain, one_instant, store, tracked
from timer.one_instant import Split
from timer.reckoning import Reckonings
from timer.restoring import Memory
from timer.tracked import Cause, Kept, Place, Reckoning, Tracked

STAGE_EVENTS: Final = (StageDispatched, StageAccepted, StageConcluded, ItemClosed)
"""The dispatcher's events that some clock feels; the timer passes over the others."""
STEPS: Final = frozenset(item_clock.STEPS)
"""The steps of items that some clock feels. Events are told apart by their very type: asking a model whether it is one
of a kind is dear, and there are many."""
HAS_ENDED: Final = (ItemState.CONCLUDED, ItemState.AUTO_RECALLED, ItemState.NOT_ACCEPTED)
"""How items stand whose end the timer must have read before it stops their stage's clock; one that was withdrawn may
never have been received."""

AnyReceived = Received[AboutStage]


@dataclass(slots=True)
class Batch:
    """The rows of one batch while they turn; `changed` are those to be kept, in the order in which they first were."""

    rows: dict[UUID, Tracked]
    now: datetime
    reckoning: Reckoning
    new: set[UUID] = field(default_factory=set[UUID])
    changed: dict[UUID, None] = field(default_factory=dict[UUID, None])
    splits: dict[UUID, list[Split]] = field(default_factory=dict[UUID, list[Split]])

    def put(self, row: Tracked, *, new: bool = False) -> None:
        about = row.whose.about
        if new:
            self.new.add(about)
        self.rows[about] = row
        self.changed[about] = None


class Handlers:
    """The timer's handlers; `wake` is told the earliest instant to act at, `recount` that the calendar is another one;
    `patience` is how long a recall may stay unanswered before it is proposed again (business time)."""

    def __init__(
        self,
        reckonings: Reckonings,
        memory: Memory,
        wake: Callable[[datetime], None],
        recount: Callable[[], None],
        patience: timedelta,
    ) -> None:
        self._reckonings = reckonings
        self._memory = memory
        self._wake = wake
        self._recount = recount
        self._patience = patience

    async def on_calendar(self, events: Sequence[Received[CalendarAmended]], work: Work) -> None:
        """The timer's own amendments come back: every process counts by them (P24, P25)."""
        await self._reckonings.on_calendar(events, work)
        self._recount()

    async def on_story(self, events: Sequence[AnyReceived], work: Work) -> None:
        """What dispatcher and departments said, in the order in which it was said: clocks start, stand still, stop."""
        await self._memory.hold(work, {received.raw.partition for received in events})
        reckoning = await self._reckonings.current(work.connection)
        told = _in_order(events)
        batch = Batch(await store.load(work, _places(told)), max(one.appended_at for one in told), reckoning)
        for received in hold_back(told, work, _Early(batch, told)):
            self._apply(received, batch, work)
        await self._keep(batch, work)

    def _apply(self, received: AnyReceived, batch: Batch, work: Work) -> None:
        kind = type(received.event)
        if kind in STEPS:
            self._step(received.event, received, batch, work)
        elif kind is StageDispatched:
            self._open_stage(received.event, received, batch)
        elif kind is ItemClosed:
            self._close(received.event, received, batch, work)
        elif kind in STAGE_EVENTS:
            self._turn_stage(received.event, received, batch, work)

    def _open_stage(self, event: Any, received: AnyReceived, batch: Batch) -> None:
        if event.application_id not in batch.rows:
            batch.put(tracked.dispatched(event, received.raw.partition), new=True)
            batch.splits[event.application_id] = [one_instant.split(item) for item in event.items]

    def _turn_stage(self, event: Any, received: AnyReceived, batch: Batch, work: Work) -> None:
        stage = batch.rows.get(event.application_id)
        if stage is not None and isinstance(stage.kept, StageClock):
            kept = history.after(stage.kept, event, stage.whose.policies)
            cause = Cause(event.event_id, history.instant(event), received.appended_at)
            self._turn(stage, kept, cause, received, batch, work)

    def _close(self, event: Any, received: AnyReceived, batch: Batch, work: Work) -> None:
        """An item was closed without its department's decision: neither it nor its stage waits for it (Art. 14, 17)."""
        self._turn_stage(event, received, batch, work)
        item = batch.rows.get(event.item_id)
        if item is not None and isinstance(item.kept, Attempt):
            cause = Cause(event.event_id, event.at, received.appended_at)
            self._turn(item, item_clock.closed(item.kept, event.at), cause, received, batch, work)

    def _step(self, step: Any, received: AnyReceived, batch: Batch, work: Work) -> None:
        """A step moves the clock of its attempt and is felt by its stage's; a repeat moves nothing."""
        cause = tracked.because(step, received.appended_at)
        item = batch.rows.get(step.item_id)
        before = None if item is None or isinstance(item.kept, StageClock) else item.kept
        if before is not None and step.version <= before.seen:
            return
        kept = item_clock.felt(before, step)
        if kept is not None:
            item = item or tracked.opened(step, kept, received.raw.partition)
            self._turn(item, kept, cause, received, batch, work, new=before is None)
        stage = batch.rows[step.application_id]
        if isinstance(stage.kept, StageClock):
            felt = stage_clock.felt(stage.kept, step, stage.whose.policies)
            self._turn(stage, felt, cause, received, batch, work)

    def _turn(
        self,
        row: Tracked,
        kept: Attempt | StageClock,
        cause: Cause,
        received: AnyReceived,
        batch: Batch,
        work: Work,
        *,
        new: bool = False,
    ) -> None:
        if kept == row.kept and not new:
            return
        after, said = domain.turned(row, kept, cause, batch.reckoning)
        batch.put(after, new=new)
        work.say(topics.CLOCKS, *said, traceparent=received.traceparent)

    async def _keep(self, batch: Batch, work: Work) -> None:
        new = [self._armed(about, batch) for about in batch.changed if about in batch.new]
        known = [self._armed(about, batch) for about in batch.changed if about not in batch.new]
        await store.add(work, new, batch.splits)
        await store.keep(work, known)
        earliest = min((at for _, at in (*new, *known) if at is not None), default=None)
        if earliest is not None:
            work.wake(partial(self._wake, earliest))

    def _armed(self, about: UUID, batch: Batch) -> Kept:
        row = batch.rows[about]
        return row, domain.acts_at(row, batch.now, batch.reckoning, self._patience)


class _Early:
    """Whether an event has to wait for what it builds on: a step for its stage, a stage's conclusion for the ends of
    its items (on another topic), or what held it still would be missing from its days."""

    def __init__(self, batch: Batch, events: Sequence[AnyReceived]) -> None:
        self._rows = batch.rows
        self._stages = {row.whose.about for row in batch.rows.values() if isinstance(row.kept, StageClock)}
        steps: list[Any] = [one.event for one in events if type(one.event) in item_clock.ENDS]
        self._ending = {step.item_id for step in steps}

    def __call__(self, received: AnyReceived) -> bool:
        event, kind = received.event, type(received.event)
        if kind in STEPS:
            return event.application_id not in self._stages
        if kind is StageDispatched:
            self._stages.add(event.application_id)
        return isinstance(event, StageConcluded) and any(map(self._goes_on, event.items))

    def _goes_on(self, item: ItemResult) -> bool:
        """Whether an item has ended and the timer does not know of it yet."""
        row = self._rows.get(item.item_id)
        if item.item_id in self._ending or (row is not None and row.clock.ended_at is not None):
            return False
        return item.state in HAS_ENDED or (row is not None and item.state is ItemState.WITHDRAWN)


def _in_order(events: Sequence[AnyReceived]) -> list[AnyReceived]:
    """Return the events of both topics in the order in which they were appended; at one instant a stage is split before
    its items step, and they step before it is accepted or concluded. No partition's own order is touched."""
    latest: dict[tuple[str, int], datetime] = {}
    placed: list[tuple[datetime, int, AnyReceived]] = []
    for received in events:
        partition = (received.raw.topic, received.raw.partition)
        at = latest[partition] = max(received.appended_at, latest.get(partition, received.appended_at))
        placed.append((at, _rank(received.event), received))
    return [received for _, _, received in sorted(placed, key=lambda one: one[:2])]


def _rank(event: AboutStage) -> int:
    kind = type(event)
    return 1 if kind in STEPS else 0 if kind is StageDispatched else 2


def _places(events: Collection[AnyReceived]) -> set[Place]:
    """Return the rows that events are about: stages, attempts, and the items that a conclusion rests on."""
    places: set[Place] = set()
    for received in events:
        event: Any = received.event
        kind = type(event)
        if kind in STEPS or kind is ItemClosed:
            places.add((event.application_id, event.item_id))
        elif kind is StageConcluded:
            places.update((event.application_id, one.item_id) for one in event.items)
    stages = {received.event.application_id for received in events}
    return places | {(one, one) for one in stages}
