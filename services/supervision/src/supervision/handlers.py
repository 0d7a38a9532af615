"""What supervision does when anything happened: the story of its project grows, and the rows follow."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from chassis.bus import Received
from chassis.database import Work
from contracts.department_worker import ItemStepped
from contracts.dispatcher import StageAccepted, StageConcluded, StageDispatched
from contracts.envelope import Event
from contracts.terms import ClockSubject, Light, StageState
from contracts.timer import ClockPaused, ClockResumed, ClockStarted, ClockStepped, LightChanged
from supervision import domain, store
from supervision.domain import ItemRow

AnyReceived = Sequence[Received[Event]]


class Handlers:
    """Supervision's handlers."""

    async def on_story(self, events: AnyReceived, work: Work) -> None:
        """Something happened to a project: it is told."""
        stories: defaultdict[str, list[str]] = defaultdict(list)
        for received in events:
            stories[str(getattr(received.event, "project_code"))].append(_told(received))  # noqa: B009
        await store.tell(work, stories)

    async def on_stages(self, events: AnyReceived, work: Work) -> None:
        """A stage was dispatched, accepted or concluded."""
        await self.on_story(events, work)
        said = [received.event for received in events]
        fresh = {
            item.item_id: domain.dispatched(event, item)
            for event in said
            if isinstance(event, StageDispatched)
            for item in event.items
        }
        known = await store.load(work, fresh)
        await store.keep(work, [row for item_id, row in fresh.items() if item_id not in known])
        await store.keep_stages(work, [row for event in said for row in _stage_rows(event)])

    async def on_items(self, events: AnyReceived, work: Work) -> None:
        """A step of an item."""
        await self.on_story(events, work)
        steps = [received.event for received in events if isinstance(received.event, ItemStepped)]
        known = await store.load(work, {step.item_id for step in steps})
        changed: dict[UUID, ItemRow] = {}
        for step in steps:
            row = changed.get(step.item_id) or known.get(step.item_id) or domain.opened(step)
            changed[step.item_id] = domain.stepped(row, step)
        await store.keep(work, list(changed.values()))

    async def on_clocks(self, events: AnyReceived, work: Work) -> None:
        """A clock turned: lights and due instants."""
        await self.on_story(events, work)
        steps = [received.event for received in events if isinstance(received.event, ClockStepped)]
        of_items = [step for step in steps if step.subject is ClockSubject.ITEM]
        known = await store.load(work, {step.item_id for step in of_items if step.item_id is not None})
        changed: dict[UUID, ItemRow] = {}
        for step in of_items:
            if step.item_id is not None and step.item_id in known:
                changed[step.item_id] = domain.clocked(changed.get(step.item_id, known[step.item_id]), step)
        await store.keep(work, list(changed.values()))
        await store.keep_stages(work, [row for step in steps for row in _stage_clocked(step)])


def _told(received: Received[Event]) -> str:
    """One event of a story as JSON: its type and place, then the very bytes that were said."""
    raw, kind = received.raw, type(received.event).__name__
    value = (raw.value or b"null").decode()
    return (
        f'{{"type":"{kind}","topic":"{raw.topic}","partition":{raw.partition},"offset":{raw.offset},"event":{value}}}'
    )


def _stage_rows(event: Event) -> Iterable[tuple[Any, ...]]:
    if isinstance(event, StageDispatched):
        place, state = event.jurisdiction, StageState.DISPATCHED.value
        yield event.application_id, event.project_code, event.stage.value, place, state, None, None, None
    if isinstance(event, StageAccepted):
        state = StageState.ACCEPTED.value
        yield event.application_id, event.project_code, event.stage.value, event.jurisdiction, state, None, None, None
    if isinstance(event, StageConcluded):
        state = StageState.CONCLUDED.value
        yield event.application_id, event.project_code, event.stage.value, None, state, event.result.value, None, None


def _stage_clocked(step: ClockStepped) -> Iterable[tuple[Any, ...]]:
    if step.subject is not ClockSubject.STAGE:
        return
    about = (step.application_id, step.project_code, step.stage.value, step.jurisdiction, None, None)
    if isinstance(step, (ClockStarted, ClockResumed)):
        yield *about, Light.GREEN.value, step.due_at
    if isinstance(step, ClockPaused):
        yield *about, Light.GREY.value, None
    if isinstance(step, LightChanged):
        yield *about, step.light.value, None
