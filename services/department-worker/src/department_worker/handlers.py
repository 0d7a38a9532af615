"""What the department worker does when something happened: load a batch's items, decide act by act, keep, say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from chassis import metrics
from chassis.bus import Bus, Received, hold_back
from chassis.catalogue import City
from chassis.database import Work
from chassis.parking import Lane
from chassis.rostered import Entries, Roster
from chassis.wallclock import WallClock
from contracts import topics
from contracts.department import ItemReport
from contracts.dispatcher import ItemDispatched, ItemSupplemented, ItemWithdrawn
from contracts.envelope import Event
from contracts.intake import ApplicationReceived
from contracts.signing import SealCompleted, SealRejected
from contracts.timer import ItemAutoRecall
from department_worker import domain, store
from department_worker.domain import Document, Result
from procedure import items as law
from procedure.items import Act, Item
from procedure.refusals import Refusal

BuilderEvent = ItemDispatched | ItemSupplemented | ItemWithdrawn


@dataclass(slots=True)
class Batch:
    """The items of one batch while it is decided: known ones, new ones, changed ones, documents to be sealed."""

    items: dict[UUID, Item]
    new: set[UUID] = field(default_factory=set[UUID])
    changed: set[UUID] = field(default_factory=set[UUID])
    documents: list[Document] = field(default_factory=list[Document])

    def put(self, item: Item) -> None:
        self.items[item.item_id] = item
        self.changed.add(item.item_id)


class Handlers:
    """The department worker's handlers over one city."""

    def __init__(self, city: City, bus: Bus, wallclock: WallClock, roster: Roster, *, sealed: bool = True) -> None:
        self._calendar = city.calendar
        self._bus = bus
        self._wallclock = wallclock
        self._roster = roster
        self._sealed = sealed

    async def on_dispatched(self, events: Sequence[Received[BuilderEvent]], work: Work) -> None:
        """A department is given items, supplements and withdrawals (Art. 9, 13)."""
        batch = Batch(await store.load(work, {received.event.item_id for received in events}))
        given = [r.event for r in events if isinstance(r.event, ItemDispatched) and r.event.item_id not in batch.items]
        receipts = await store.receipts(work, {one.application_id for one in given if domain.waits_for_window(one)})
        for received in events:
            event = received.event
            known = batch.items.get(event.item_id)
            if isinstance(event, ItemDispatched):
                if known is None:
                    receipt = domain.receipt_of(event, received.appended_at, receipts.get(event.application_id))
                    self._open(event, receipt, received.traceparent, batch, work)
            elif known is not None:
                self._apply(known, domain.act_of(event), batch, work, received.traceparent)
        await self._keep(batch, work)

    def _open(self, event: ItemDispatched, receipt: Act | None, traceparent: str, batch: Batch, work: Work) -> None:
        item = domain.opened(event)
        batch.put(item)
        batch.new.add(item.item_id)
        if receipt is not None:
            self._apply(item, receipt, batch, work, traceparent)

    async def on_applications(self, events: Sequence[Received[ApplicationReceived]], work: Work) -> None:
        """The window received a stage application: its items may be handled, those too that come later (Art. 10)."""
        traces = {received.event.application_id: received.traceparent for received in events}
        receipts = {r.event.application_id: domain.window_receipt(r.event) for r in events}
        await store.receive(work, receipts)
        batch = Batch({item.item_id: item for item in await store.of_applications(work, receipts)})
        for item in list(batch.items.values()):
            if item.state is law.S.DRAFT:
                self._apply(item, receipts[item.application_id], batch, work, traces[item.application_id])
        await self._keep(batch, work)

    async def on_reports(self, events: Sequence[Received[ItemReport]], work: Work) -> None:
        """A department's own system reports steps; each counts from the broker's append time (Art. 14)."""
        batch = Batch(await store.load(work, {received.event.item_id for received in events}))
        ready = hold_back(events, work, lambda received: received.event.item_id not in batch.items)
        roster = await self._roster_of(ready, batch, work)
        if roster is None:
            hold_back(ready, work, lambda _: True)
            return
        for received in ready:
            report = received.event
            item = batch.items[report.item_id]
            try:
                act = domain.reported(report, item, received.appended_at, roster[report.actor.certificate])
            except Refusal as refusal:
                self._refuse(item, report, received, refusal, work)
                continue
            self._apply(item, act, batch, work, received.traceparent)
        await self._keep(batch, work)

    async def _roster_of(
        self, reports: Sequence[Received[ItemReport]], batch: Batch, work: Work
    ) -> Mapping[str, Entries] | None:
        """Return what the roster says of who acted; None while it must not be judged by (Art. 18)."""

        def lets_all_act(roster: Mapping[str, Entries]) -> bool:
            return all(
                domain.is_rostered(roster[r.event.actor.certificate], batch.items[r.event.item_id], r.appended_at)
                for r in reports
            )

        return await self._roster.judging(work, {r.event.actor.certificate for r in reports}, lets_all_act)

    def _refuse(
        self, item: Item, report: ItemReport, received: Received[ItemReport], refusal: Refusal, work: Work
    ) -> None:
        metrics.refused(refusal.code)
        event = domain.refused(item, report, received.appended_at, refusal)
        work.say(topics.ITEMS, event, traceparent=received.traceparent)

    async def on_seals(self, events: Sequence[Received[SealCompleted | SealRejected]], work: Work) -> None:
        """A seal was made, or refused: the decision concludes at its receipt, or stands open again (Art. 10, 16)."""
        batch = Batch(await store.load(work, {received.event.item_id for received in events}))
        for received in events:
            event = received.event
            item = batch.items.get(event.item_id)
            if item is None or item.decision is None or item.decision.request_id != event.request_id:
                continue
            act = domain.sealed(event) if isinstance(event, SealCompleted) else domain.seal_rejected(event)
            self._apply(item, act, batch, work, received.traceparent)
        await self._keep(batch, work)

    async def on_clocks(self, events: Sequence[Received[Event]], work: Work) -> None:
        """The timer calls items back; only what the reports topic, applied past the due instant, leaves undecided goes.

        A report that waits for its time, or for the roster, may be a decision that came in time: the recall waits too.
        """
        recalls = [Received(r.event, r.raw, r.appended_at) for r in events if isinstance(r.event, ItemAutoRecall)]
        if not recalls:
            return
        reports = {self._reports_of(received.event) for received in recalls}
        read = await self._bus.has_read_to_end(reports, work)
        waiting = await self._bus.waiting({self._lane_of(received.event) for received in recalls}, work)
        ready = hold_back(
            recalls, work, lambda r: self._reports_of(r.event) not in read or self._lane_of(r.event) in waiting
        )
        batch = Batch(await store.load(work, {received.event.item_id for received in ready}))
        for received in ready:
            item = batch.items.get(received.event.item_id)
            if item is not None:
                act = domain.recalled(received.event, received.appended_at)
                self._propose(item, act, batch, work, received.traceparent)
        await self._keep(batch, work)

    def _reports_of(self, event: ItemAutoRecall) -> str:
        return topics.department_reports(event.jurisdiction, event.department).name

    def _lane_of(self, event: ItemAutoRecall) -> Lane:
        return self._reports_of(event), event.key

    def _propose(self, item: Item, act: Act, batch: Batch, work: Work, traceparent: str) -> None:
        """Recall an item unless it was decided, paused or ended in time: then the proposal is void."""
        try:
            self._take(domain.decide(item, act, self._calendar), batch, work, traceparent)
        except Refusal:
            return

    def _apply(self, item: Item, act: Act, batch: Batch, work: Work, traceparent: str) -> None:
        """Do what the act does, or say why it is refused."""
        try:
            result = domain.decide(item, act, self._calendar, seal=self._sealed)
        except Refusal as refusal:
            metrics.refused(refusal.code)
            work.say(topics.ITEMS, domain.refused(item, act, act.at, refusal), traceparent=traceparent)
            return
        self._take(result, batch, work, traceparent)

    def _take(self, result: Result, batch: Batch, work: Work, traceparent: str) -> None:
        batch.put(result.item)
        store.say(work, result, traceparent)
        if result.document is not None:
            batch.documents.append(result.document)

    async def _keep(self, batch: Batch, work: Work) -> None:
        due = self._due_of
        await store.add(work, [(batch.items[one], due(batch.items[one])) for one in sorted(batch.new)])
        known = sorted(batch.changed - batch.new)
        await store.update(work, [(batch.items[one], due(batch.items[one])) for one in known])
        await store.register(work, batch.documents)

    def _due_of(self, item: Item) -> datetime | None:
        due = law.expires(item, self._calendar)
        return None if due is None else due.at
