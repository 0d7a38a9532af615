"""What supervision does when anything happened: the story of its project grows, and every row that follows changes with
it, in the transaction of the batch."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from chassis import shown
from chassis.bus import Received, hold_back
from chassis.calendars import Calendars, keep
from chassis.catalogue import City
from chassis.database import Work
from contracts import topics
from contracts.department_worker import ItemConcluded, ItemStepped
from contracts.dispatcher import ItemClosed, ItemNotDispatched, StageDispatched
from contracts.envelope import Event
from contracts.intake import NoticeSent, ProjectRegistered, StageApplied
from contracts.parts import AboutItem, AboutStage
from contracts.timer import CalendarAmended, ClockStepped
from procedure.calendar import Calendar
from supervision import domain, exchange, handlings, rules, signals
from supervision.domain import ItemRow, Mark, StageRow
from supervision.exchange import Flow, Told
from supervision.handlings import Consequence
from supervision.signals import Night, Thresholds
from supervision.store import exchange as outbox
from supervision.store import handlings as kept_handlings
from supervision.store import rows, said, story
from supervision.store import rules as kept_rules
from supervision.store import signals as kept_signals

AnyReceived = Sequence[Received[Event]]


@dataclass(slots=True)
class Batch:
    """The rows of one batch while they change, and what else follows from its events."""

    stages: dict[UUID, StageRow]
    items: dict[UUID, ItemRow]
    moved: set[UUID] = field(default_factory=set[UUID])
    touched: set[UUID] = field(default_factory=set[UUID])
    stories: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    told: defaultdict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    marks: list[Mark] = field(default_factory=list[Mark])
    consequences: list[Consequence] = field(default_factory=list[Consequence])
    concluded: list[tuple[UUID, str]] = field(default_factory=list[tuple[UUID, str]])
    nights: list[Night] = field(default_factory=list[Night])

    def put_stage(self, row: StageRow) -> None:
        if self.stages.get(row.application_id) != row:
            self.stages[row.application_id] = row
            self.moved.add(row.application_id)

    def put(self, row: ItemRow) -> None:
        if self.items.get(row.item_id) != row:
            self.items[row.item_id] = row
            self.touched.add(row.item_id)


class Handlers:
    """Supervision's handlers; `wake` is told when something waits to be judged. `tells` False: nothing goes upwards."""

    def __init__(
        self, city: City, calendars: Calendars, thresholds: Thresholds, wake: Callable[[], None], *, tells: bool
    ) -> None:
        self._city = city
        self._calendars = calendars
        self._thresholds = thresholds
        self._wake = wake
        self._tells = tells
        self._flows_told = not tells

    async def on_rules(self, events: AnyReceived, work: Work) -> None:
        """Policies, calendar or roster changed: who, when, by which document, to what effect (Art. 18, 23)."""
        amendments = [one.event for one in events if isinstance(one.event, CalendarAmended)]
        if amendments:
            await keep(work, amendments)
        await kept_rules.keep(work, [rule for one in events for rule in rules.changes(one.event)])

    async def on_project(self, events: AnyReceived, work: Work) -> None:
        """Anything happened to a project: it is told, and the rows follow."""
        ready, stages = await self._in_time(events, work)
        heard = _sorted_out(ready)
        batch = Batch(stages, await rows.load(work, _item_ids(heard)))
        for received in ready:
            batch.stories[_project(received.event)].append(_told(received))
        for event in heard.declared:
            self._declare(batch, event)
        for event in heard.others:
            self._other(batch, event)
        calendar = await self._calendars.current(work.connection) if self._thresholds.burst_steps else None
        for step in heard.steps:
            self._step(batch, step, calendar)
        await self._keep(batch, work)
        await rows.keep_projects(work, [event for event in heard.others if isinstance(event, ProjectRegistered)])
        await shown.follow(work, heard.clocks)
        await said.take(work, heard.others)

    async def _in_time(self, events: AnyReceived, work: Work) -> tuple[AnyReceived, dict[UUID, StageRow]]:
        """Hold back what comes before its time: the dispatcher's word on a stage that is not known to be declared, a
        step of an item whose stage is not known to be split. Returns the others, and the stages that are known."""
        about = {one.event.application_id for one in events if isinstance(one.event, AboutStage)}
        stages = await rows.load_stages(work, about)
        declared = {*stages, *(one.event.application_id for one in events if isinstance(one.event, StageApplied))}
        split = {one.event.application_id for one in events if isinstance(one.event, StageDispatched)} & declared
        split |= {id_ for id_, row in stages.items() if row.version}
        must_be_in = {topics.STAGES.name: declared, topics.ITEMS.name: split}

        def early(received: Received[AboutStage]) -> bool:
            known = must_be_in.get(received.raw.topic)
            return known is not None and received.event.application_id not in known

        return hold_back(events, work, early), stages

    def _other(self, batch: Batch, event: Event) -> None:
        """Everything but declarations and the steps of items and clocks."""
        if isinstance(event, AboutStage) and (row := batch.stages.get(event.application_id)) is not None:
            batch.put_stage(domain.moved(row, event))
        if isinstance(event, StageDispatched):
            for item in event.items:
                if item.item_id not in batch.items:
                    batch.put(domain.dispatched(event, item))
        elif isinstance(event, ItemNotDispatched):
            batch.put(domain.never_begun(batch.items.get(event.item_id) or domain.opened(event)))
        elif isinstance(event, ItemClosed):
            batch.put(domain.closed(batch.items.get(event.item_id) or domain.opened(event), event.outcome))
        if isinstance(event, AboutItem) and (mark := domain.mark(event)) is not None:
            batch.marks.append(mark)
        batch.consequences.extend(handlings.consequences(event))

    def _declare(self, batch: Batch, event: StageApplied) -> None:
        """A stage was declared: the parent of everything that goes upwards about it."""
        batch.consequences.extend(handlings.consequences(event))
        if event.application_id in batch.stages:
            return
        batch.put_stage(domain.declared(event))
        if self._tells:
            batch.told[event.project_code].extend(exchange.of_application(event))

    def _step(self, batch: Batch, step: ItemStepped, calendar: Calendar | None) -> None:
        """An item stepped on; a repeat changes nothing and tells nothing."""
        before = batch.items.get(step.item_id) or domain.opened(step)
        after = domain.stepped(before, step)
        if after is before:
            return
        if self._tells:
            stage = batch.stages[step.application_id]
            flow = Flow(stage.process_type, stage.submission, self._city.under(step.policies))
            told, after = exchange.of_step(step, before, after, flow, self._city.calendar)
            if told:
                batch.told[step.project_code].extend(told)
        batch.put(after)
        batch.consequences.extend(handlings.consequences_of_step(step, after))
        if isinstance(step, ItemConcluded) and self._thresholds.judge_conclusions:
            batch.concluded.append((step.item_id, step.project_code))
        if calendar is not None and (night := signals.night_of(step, calendar)) is not None:
            batch.nights.append(night)

    async def _keep(self, batch: Batch, work: Work) -> None:
        await story.tell(work, batch.stories)
        await rows.keep_stages(work, [batch.stages[id_] for id_ in sorted(batch.moved)])
        await rows.keep(work, [batch.items[id_] for id_ in sorted(batch.touched)])
        await rows.keep_marks(work, batch.marks)
        await kept_handlings.follow(work, batch.consequences)
        await kept_signals.queue(work, batch.concluded)
        await kept_signals.watch(work, batch.nights)
        if batch.concluded or batch.nights:
            self._wake()
        if not self._flows_told:
            flows = {version: exchange.of_catalogue(one) for version, one in sorted(self._city.catalogues.items())}
            self._flows_told = await outbox.tell_flows(work, flows)
        await outbox.tell(work, batch.told)


class Heard(NamedTuple):
    """The events of a batch: declarations, steps of items, steps of clocks, and the others, each in order."""

    declared: list[StageApplied]
    steps: list[ItemStepped]
    clocks: list[ClockStepped]
    others: list[Event]


def _sorted_out(ready: AnyReceived) -> Heard:
    heard = Heard([], [], [], [])
    for received in ready:
        event = received.event
        if isinstance(event, ItemStepped):
            heard.steps.append(event)
        elif isinstance(event, ClockStepped):
            heard.clocks.append(event)
        elif isinstance(event, StageApplied):
            heard.declared.append(event)
        else:
            heard.others.append(event)
    return heard


def _item_ids(heard: Heard) -> set[UUID]:
    """The items whose rows a batch may change."""
    ids = {step.item_id for step in heard.steps}
    for event in heard.others:
        if isinstance(event, ItemNotDispatched | ItemClosed):
            ids.add(event.item_id)
        elif isinstance(event, StageDispatched):
            ids.update(item.item_id for item in event.items)
    return ids


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
