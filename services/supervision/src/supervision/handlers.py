"""What supervision does when anything happened: the story of its project grows, and the rows follow."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from chassis import shown
from chassis.bus import Received
from chassis.database import Work
from contracts.department_worker import ItemStepped
from contracts.dispatcher import StageDispatched
from contracts.envelope import Event
from contracts.intake import NoticeSent
from contracts.parts import AboutStage
from contracts.timer import ClockStepped
from supervision import domain, store
from supervision.domain import ItemRow

AnyReceived = Sequence[Received[Event]]


class Handlers:
    """Supervision's handlers."""

    async def on_story(self, events: AnyReceived, work: Work) -> None:
        """Something happened to a project: it is told."""
        stories: defaultdict[str, list[str]] = defaultdict(list)
        for received in events:
            stories[_project(received.event)].append(_told(received))
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
        rows = [known.get(item_id, row)._replace(limit_days=row.limit_days) for item_id, row in fresh.items()]
        await store.keep(work, rows)
        steps = [domain.stage_step(event) for event in said if isinstance(event, AboutStage)]
        await store.keep_stages(work, [step for step in steps if step is not None])

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
        await shown.follow(work, [one.event for one in events if isinstance(one.event, ClockStepped)])


def _project(event: Event) -> str:
    """Return whose story an event belongs to; a notice is keyed by its builder, and tells of a project all the same."""
    return event.project_code if isinstance(event, NoticeSent) else event.key


def _told(received: Received[Event]) -> str:
    """One event of a story as JSON: its type and place, then the very bytes that were said."""
    raw, kind = received.raw, type(received.event).__name__
    value = (raw.value or b"null").decode()
    return (
        f'{{"type":"{kind}","topic":"{raw.topic}","partition":{raw.partition},"offset":{raw.offset},"event":{value}}}'
    )
