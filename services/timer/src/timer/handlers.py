"""What the timer does when something happened: load a batch's clocks, turn them, keep, say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from chassis.bus import Received, hold_back
from chassis.database import Work
from contracts import department_worker as items
from contracts import topics
from contracts.dispatcher import StageAccepted, StageConcluded, StageDispatched
from contracts.parts import AboutStage
from procedure.calendar import Calendar
from timer import domain, store
from timer.domain import Said, Tracked
from timer.store import Kept


@dataclass(slots=True)
class Batch:
    """The clocks of one batch while they turn."""

    clocks: dict[UUID, Tracked]
    new: set[UUID] = field(default_factory=set[UUID])
    changed: set[UUID] = field(default_factory=set[UUID])

    def put(self, tracked: Tracked, *, new: bool = False) -> None:
        if new:
            self.new.add(tracked.clock_id)
        if self.clocks.get(tracked.clock_id) != tracked:
            self.clocks[tracked.clock_id] = tracked
            self.changed.add(tracked.clock_id)


def act_at(tracked: Tracked, at: datetime, calendar: Calendar) -> datetime | None:
    """Return when the timer has to act on a clock next: its light turns, or it expires."""
    instants = (domain.fires_at(tracked, calendar), domain.turns_at(tracked, at, calendar))
    return min((one for one in instants if one is not None), default=None)


class Handlers:
    """The timer's handlers over one calendar; `wake` is told the earliest instant to act at."""

    def __init__(self, calendar: Calendar, wake: Callable[[datetime], None]) -> None:
        self._calendar = calendar
        self._wake = wake

    async def on_stages(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """A stage was dispatched, accepted or concluded: its clock waits, starts, stops (Art. 13)."""
        ids = {domain.stage_clock_id(received.event.application_id) for received in events}
        batch = Batch(await store.load(work, ids))
        for received in events:
            event = received.event
            tracked = batch.clocks.get(domain.stage_clock_id(event.application_id))
            if tracked is None and isinstance(event, StageDispatched):
                batch.put(domain.dispatched(event), new=True)
            elif tracked is not None and isinstance(event, StageAccepted):
                self._turn(batch, domain.stage_accepted(tracked, event, self._calendar), work, received.traceparent)
            elif tracked is not None and isinstance(event, StageConcluded):
                self._turn(batch, domain.stage_concluded(tracked, event, self._calendar), work, received.traceparent)
        await self._keep(batch, work, max(received.appended_at for received in events))

    async def on_items(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """A step of an item starts, pauses, resumes or stops its clock, and is felt by its stage's (Art. 13)."""
        steps = [Received(r.event, r.raw, r.appended_at) for r in events if isinstance(r.event, items.ItemStepped)]
        batch = Batch(await store.load(work, _clock_ids(steps)))
        ready = hold_back(
            steps, work, lambda received: domain.stage_clock_id(received.event.application_id) not in batch.clocks
        )
        for received in ready:
            self._step(batch, received.event, work, received.traceparent)
        if ready:
            await self._keep(batch, work, max(received.appended_at for received in ready))

    def _step(self, batch: Batch, step: items.ItemStepped, work: Work, traceparent: str) -> None:
        tracked = batch.clocks.get(domain.item_clock_id(step.item_id))
        if tracked is not None and step.version <= tracked.seen:
            return
        if tracked is not None:
            self._turn(batch, domain.stepped(tracked, step, self._calendar), work, traceparent)
        elif isinstance(step, items.ItemAccepted):
            clock = domain.started(step)
            batch.put(clock, new=True)
            self._turn(batch, domain.begun(clock, step.event_id, step.at, self._calendar), work, traceparent)
        stage = batch.clocks[domain.stage_clock_id(step.application_id)]
        self._turn(batch, domain.stage_felt(stage, step, self._calendar), work, traceparent)

    def _turn(self, batch: Batch, turned: tuple[Tracked, Said], work: Work, traceparent: str) -> None:
        tracked, said = turned
        batch.put(tracked)
        work.say(topics.CLOCKS, *said, traceparent=traceparent)

    async def _keep(self, batch: Batch, work: Work, at: datetime) -> None:
        kept: list[Kept] = [(batch.clocks[one], self._next(batch.clocks[one], at)) for one in sorted(batch.changed)]
        await store.add(work, [one for one in kept if one[0].clock_id in batch.new])
        await store.keep(work, [one for one in kept if one[0].clock_id not in batch.new])

    def _next(self, tracked: Tracked, at: datetime) -> datetime | None:
        instant = act_at(tracked, at, self._calendar)
        if instant is not None:
            self._wake(instant)
        return instant


def _clock_ids(steps: Sequence[Received[items.ItemStepped]]) -> set[UUID]:
    of_items = {domain.item_clock_id(received.event.item_id) for received in steps}
    return of_items | {domain.stage_clock_id(received.event.application_id) for received in steps}
