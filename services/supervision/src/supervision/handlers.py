"""What supervision does when anything happened: the story of its project grows, and every row that follows changes with
it, in the transaction of the batch."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from chassis import shown
from chassis.bus import Received, hold_back
from chassis.calendars import Calendars, keep
from chassis.catalogue import City
from chassis.database import Work
from contracts import topics
from contracts.department_worker import ItemActRefused, ItemConcluded, ItemStepped
from contracts.dispatcher import ItemClosed, ItemNotDispatched, StageDispatched
from contracts.envelope import Event
from contracts.intake import NoticeSent, StageApplied
from contracts.parts import AboutItem, AboutStage
from contracts.signing import AuditRootSealed, SealCompleted
from contracts.supervision import AuditRootClosed
from contracts.timer import AcceptanceOverdue, CalendarAmended, ClockStepped, ReminderDue
from evidence.audit import Place, Record
from procedure.calendar import Calendar
from supervision import domain, exchange, handlings, rules, signals
from supervision.auditing import LEDGERS
from supervision.deeds import doers
from supervision.domain import ItemRow, Mark, StageRow
from supervision.exchange import Flow, Told
from supervision.handlings import Consequence
from supervision.signals import Night, Thresholds
from supervision.store import audit, rows, said, story
from supervision.store import exchange as outbox
from supervision.store import handlings as kept_handlings
from supervision.store import rules as kept_rules
from supervision.store import signals as kept_signals

AnyReceived = Sequence[Received[Any]]
One = TypeVar("One")


@dataclass(slots=True)
class Batch:
    """The rows of one batch while they change, and what else follows from its events."""

    stages: dict[UUID, StageRow]
    items: dict[UUID, ItemRow]
    moved: set[UUID] = field(default_factory=set[UUID])
    touched: set[UUID] = field(default_factory=set[UUID])
    stories: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    deeds: dict[tuple[str, str], datetime] = field(default_factory=dict[tuple[str, str], datetime])
    records: defaultdict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    told: defaultdict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    marks: list[Mark] = field(default_factory=list[Mark])
    consequences: list[Consequence] = field(default_factory=list[Consequence])
    concluded: list[tuple[UUID, str, int]] = field(default_factory=list[tuple[UUID, str, int]])
    nights: list[Night] = field(default_factory=list[Night])

    def did(self, project: str, certificate: str, at: datetime) -> None:
        key = (project, certificate)
        self.deeds[key] = max(at, self.deeds.get(key, at))

    def put_stage(self, row: StageRow) -> None:
        if self.stages.get(row.application_id) != row:
            self.stages[row.application_id] = row
            self.moved.add(row.application_id)

    def put(self, row: ItemRow) -> None:
        if self.items.get(row.item_id) != row:
            self.items[row.item_id] = row
            self.touched.add(row.item_id)


class Handlers:
    """Supervision's handlers; `wake` is told when something waits to be judged, `moved` when an audit chain grew.
    `tells` False: nothing goes upwards."""

    def __init__(
        self,
        city: City,
        calendars: Calendars,
        thresholds: Thresholds,
        wake: Callable[[], None],
        moved: Callable[[], None],
        *,
        tells: bool,
    ) -> None:
        self._city = city
        self._calendars = calendars
        self._thresholds = thresholds
        self._wake = wake
        self._moved = moved
        self._tells = tells
        self._flows_told = not tells

    async def on_rules(self, events: AnyReceived, work: Work) -> None:
        """Policies, calendar, roster or certificates changed: who, when, by which document, to what effect; each is
        entered in its ledger (Art. 18, 20, 23)."""
        amendments = [one.event for one in events if isinstance(one.event, CalendarAmended)]
        if amendments:
            await keep(work, amendments)
        await kept_rules.keep(work, [rule for one in events for rule in rules.changes(one.event)])
        await self._enter(events, work)

    async def _enter(self, events: AnyReceived, work: Work) -> None:
        told = [(LEDGERS[one.raw.topic].value, one) for one in events]
        done = {
            (ledger, actor.certificate): one.event.occurred_at for ledger, one in told for actor in doers(one.event)
        }
        await story.tell(work, _by_owner((ledger, _told(one)) for ledger, one in told), done)
        await audit.follow(work, _by_owner((ledger, _record(one)) for ledger, one in told))
        work.wake(self._moved)

    async def on_audit(self, events: Sequence[Received[AuditRootClosed | AuditRootSealed]], work: Work) -> None:
        """Roots of audit chains were closed, or sealed."""
        await audit.take(work, [received.event for received in events])

    async def on_project(self, events: AnyReceived, work: Work) -> None:
        """Anything happened to a project: it is told, and the rows follow."""
        ready, stages = await self._in_time(events, work)
        heard = _sorted_out(ready)
        batch = Batch(stages, await rows.load(work, _item_ids(heard)))
        for received in ready:
            project = _project(received.event)
            batch.stories[project].append(_told(received))
            batch.records[project].append(_record(received))
            if type(received.event) in ACTS and received.event.actor is not None:
                batch.did(project, received.event.actor.certificate, received.event.occurred_at)
            if type(received.event) is SealCompleted:
                batch.did(project, received.event.certificate, received.event.occurred_at)
            if type(received.event) is ItemConcluded and self._thresholds.judge_conclusions:
                step = received.event
                batch.concluded.append((step.item_id, step.project_code, received.raw.partition))
        for event in heard["declared"]:
            self._declare(batch, event)
        for event in heard["stages"]:
            _move(batch, event)
        for event in heard["marks"]:
            _mark(batch, event)
        calendar = await self._calendars.current(work.connection) if self._thresholds.burst_steps else None
        for step in heard["steps"]:
            self._step(batch, step, calendar)
        await self._keep(batch, work)
        await rows.keep_projects(work, heard["projects"])
        await shown.follow(work, heard["clocks"])
        await said.take(work, heard["said"])

    async def _in_time(self, events: AnyReceived, work: Work) -> tuple[AnyReceived, dict[UUID, StageRow]]:
        """Hold back what comes before its time: the dispatcher's word on a stage that is not known to be declared, a
        step of an item whose stage is not known to be split. Returns the others, and the stages that are known."""
        new = _applications(events, StageApplied)
        of_stages, of_items = (
            {one.event.application_id for one in events if one.raw.topic == name} for name in (_STAGES, _ITEMS)
        )
        stages = await rows.load_stages(work, new | of_stages | of_items)
        declared = new | set(stages)
        split = {id_ for id_, row in stages.items() if row.version} | (
            _applications(events, StageDispatched) & declared
        )
        if of_stages <= declared and of_items <= split:
            return events, stages
        must_be_in = {_STAGES: declared, _ITEMS: split}

        def early(received: Received[AboutStage]) -> bool:
            known = must_be_in.get(received.raw.topic)
            return known is not None and received.event.application_id not in known

        return hold_back(events, work, early), stages

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
        if calendar is not None and (night := signals.night_of(step, calendar)) is not None:
            batch.nights.append(night)

    async def _keep(self, batch: Batch, work: Work) -> None:
        await story.tell(work, batch.stories, batch.deeds)
        await audit.follow(work, batch.records)
        work.wake(self._moved)
        await rows.keep_stages(work, [batch.stages[id_] for id_ in sorted(batch.moved)])
        await rows.keep(work, [batch.items[id_] for id_ in sorted(batch.touched)])
        await rows.keep_marks(work, batch.marks)
        await kept_handlings.follow(work, batch.consequences)
        await kept_signals.queue(work, batch.concluded)
        await kept_signals.watch(work, batch.nights)
        if batch.concluded or batch.nights:
            work.wake(self._wake)
        if not self._flows_told:
            flows = {version: exchange.of_catalogue(one) for version, one in sorted(self._city.catalogues.items())}
            self._flows_told = await outbox.tell_flows(work, flows)
        await outbox.tell(work, batch.told)


_STAGES, _ITEMS = topics.STAGES.name, topics.ITEMS.name
TAKEN_IN: Final[Mapping[type[Event], str]] = {
    **dict.fromkeys(topics.PROJECTS.says, "projects"),
    StageApplied: "declared",
    **dict.fromkeys(topics.STAGES.says, "stages"),
    **{model: "steps" for model in topics.ITEMS.says if issubclass(model, ItemStepped)},
    **dict.fromkeys((ItemActRefused, AcceptanceOverdue, ReminderDue), "marks"),
    **{model: "clocks" for model in topics.CLOCKS.says if issubclass(model, ClockStepped)},
    **dict.fromkeys(topics.SUPERVISION.says, "said"),
}
"""Event → how it changes rows; every event is told, most change nothing else. By exact type: the hot path asks it of
every record."""

ACTS: Final = frozenset(model for topic in topics.TOPICS for model in topic.says if "actor" in model.model_fields)
"""Events that somebody's certificate stands behind."""


def _sorted_out(ready: AnyReceived) -> dict[str, list[Any]]:
    """Return the events of a batch that change rows, by how they do, each in order."""
    heard: dict[str, list[Any]] = {how: [] for how in TAKEN_IN.values()}
    for received in ready:
        how = TAKEN_IN.get(type(received.event))
        if how is not None:
            heard[how].append(received.event)
    return heard


def _applications(events: AnyReceived, model: type[AboutStage]) -> set[UUID]:
    return {received.event.application_id for received in events if type(received.event) is model}


def _item_ids(heard: Mapping[str, list[Any]]) -> set[UUID]:
    """The items whose rows a batch may change."""
    ids: set[UUID] = {step.item_id for step in heard["steps"]}
    for event in heard["stages"]:
        if isinstance(event, ItemNotDispatched | ItemClosed):
            ids.add(event.item_id)
        elif isinstance(event, StageDispatched):
            ids.update(item.item_id for item in event.items)
    return ids


def _move(batch: Batch, event: AboutStage) -> None:
    """The dispatcher split, accepted or concluded a stage, closed one of its items, or refused a special handling."""
    batch.consequences.extend(handlings.consequences(event))
    batch.put_stage(domain.moved(batch.stages[event.application_id], event))
    if isinstance(event, StageDispatched):
        for item in event.items:
            if item.item_id not in batch.items:
                batch.put(domain.dispatched(event, item))
    elif isinstance(event, ItemNotDispatched):
        batch.put(domain.never_begun(batch.items.get(event.item_id) or domain.opened(event)))
    elif isinstance(event, ItemClosed):
        batch.put(domain.closed(batch.items.get(event.item_id) or domain.opened(event), event.outcome))


def _mark(batch: Batch, event: AboutItem) -> None:
    """An act was refused, or a day came that somebody should be told of."""
    batch.consequences.extend(handlings.consequences(event))
    mark = domain.mark(event)
    if mark is not None:
        batch.marks.append(mark)


def _by_owner(told: Iterable[tuple[str, One]]) -> dict[str, list[One]]:
    found: defaultdict[str, list[One]] = defaultdict(list)
    for owner, one in told:
        found[owner].append(one)
    return found


def _project(event: Event) -> str:
    """Return whose story an event belongs to; a notice is keyed by its builder, and tells of a project all the same."""
    return event.project_code if isinstance(event, NoticeSent) else event.key


def _record(received: Received[Event]) -> Record:
    """One event as an entry of its owner's audit chain: the very bytes, at their very place."""
    raw, event = received.raw, received.event
    place = Place(raw.topic, raw.partition)
    return Record(place, raw.offset, type(event).__name__, str(event.event_id), raw.value or b"")


def _told(received: Received[Event]) -> str:
    """One event of a story as JSON: its type and place, then the very bytes that were said."""
    raw, kind = received.raw, type(received.event).__name__
    value = (raw.value or b"null").decode()
    return (
        f'{{"type":"{kind}","topic":"{raw.topic}","partition":{raw.partition},"offset":{raw.offset},"event":{value}}}'
    )
