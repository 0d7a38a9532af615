"""What the department worker does when something happened: load a batch's items, decide act by act, keep, say."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, TypeGuard
from uuid import UUID

from chassis import metrics
from chassis.bus import Bus, Received, hold_back
from chassis.calendars import Calendars, InForce
from chassis.database import Work
from chassis.parking import Held, Lane, Why
from chassis.rostered import Roster
from contracts import topics
from contracts.codes import DepartmentCode, JurisdictionCode
from contracts.department import ItemReport
from contracts.dispatcher import (
    DeferredMaterialsPassedOn,
    ItemDispatched,
    ItemSupplemented,
    ItemWithdrawn,
    ResultsPassedOn,
)
from contracts.envelope import Event
from contracts.intake import ApplicationReceived, WindowDocumentRequested
from contracts.signing import SealCompleted, SealRejected
from contracts.supervision import SpecialHandlingGranted, UrgeAnswered, Urged, UrgeReceived
from contracts.terms import SealForm, SpecialEffect
from contracts.timer import AcceptanceOverdue, CalendarAmended, ItemAutoRecall
from department_worker import domain, paper_store, store
from department_worker.domain import Result
from department_worker.store import Batch
from procedure import items as law
from procedure.items import Act, Item
from procedure.refusals import Refusal
from procedure.roster import Record

BuilderEvent = ItemDispatched | ItemSupplemented | DeferredMaterialsPassedOn | ResultsPassedOn | ItemWithdrawn


@dataclass(slots=True)
class Asked:
    """What a unit of work knows of the calendar: asked once, and once more when an act seems late; `surely` is whether
    every amendment is in it, None before that was asked."""

    work: Work
    calendar: InForce
    surely: bool | None = None


class Handlers:
    """The department worker's handlers over one calendar in force."""

    def __init__(
        self,
        calendars: Calendars,
        bus: Bus,
        roster: Roster,
        *,
        sealed: bool = True,
        form: SealForm = SealForm.DIGEST,
        wake: Callable[[], None] = lambda: None,
        windows: Collection[JurisdictionCode] = (),
    ) -> None:
        self._calendars = calendars
        self._bus = bus
        self._roster = roster
        self._sealed = sealed
        self._form = form
        self._wake = wake
        self._windows = windows
        self._asked: Asked | None = None

    # Given out --------------------------------------------------------------------------------------------------

    async def on_dispatched(self, events: Sequence[Received[BuilderEvent]], work: Work) -> None:
        """A department is given items, supplements, other departments' results and withdrawals (Art. 8, 9, 13)."""
        batch = await store.load(work, {received.event.item_id for received in events})
        given = [r.event for r in events if isinstance(r.event, ItemDispatched) and r.event.item_id not in batch.items]
        receipts = await store.receipts(work, {one.application_id for one in given if domain.waits_for_window(one)})
        await _one_by_one(events, work, partial(self._give, receipts, batch, work))
        await self._keep(batch, work)

    async def _give(
        self, receipts: Mapping[UUID, Act], batch: Batch, work: Work, received: Received[BuilderEvent]
    ) -> bool:
        event, known = received.event, batch.items.get(received.event.item_id)
        if isinstance(event, ItemDispatched):
            if known is None:
                window = receipts.get(event.application_id)
                await self._open(event, domain.opening_of(event, received.appended_at, window), batch, work, received)
            return True
        if known is None:
            return True
        if isinstance(event, ResultsPassedOn):
            batch.pass_on(domain.with_results(known, event), event.results)
            return True
        if isinstance(event, DeferredMaterialsPassedOn):
            batch.put(domain.with_deferred(known, event))
            batch.add_materials(known.item_id, event.materials)
            return True
        return await self._answered(known, event, batch, work, received.traceparent)

    async def _open(
        self, event: ItemDispatched, acts: Sequence[Act], batch: Batch, work: Work, received: Received[Any]
    ) -> None:
        batch.open(domain.opened(event), domain.dossier_of(event))
        for act in acts:
            await self._apply(batch.items[event.item_id], act, batch, work, received.traceparent)

    async def _answered(
        self, item: Item, event: ItemSupplemented | ItemWithdrawn, batch: Batch, work: Work, traceparent: str
    ) -> bool:
        """Do what the builder did; a supplement that is refused leaves the dossier as it was."""
        told = await self._apply(item, domain.act_of(event), batch, work, traceparent)
        if isinstance(event, ItemSupplemented) and domain.is_answered(item, batch.items[item.item_id]):
            batch.add_materials(item.item_id, event.materials)
        return told

    async def on_applications(
        self, events: Sequence[Received[ApplicationReceived | WindowDocumentRequested]], work: Work
    ) -> None:
        """The window received a stage application, or is asked for a document about one (Art. 9, 10)."""
        received = [one for one in events if isinstance(one.event, ApplicationReceived)]
        if received:
            await self._on_received(received, work)
        asked = [one for one in events if isinstance(one.event, WindowDocumentRequested)]
        if asked and self._form is SealForm.PDF:
            await self._on_asked(asked, work)

    async def _on_asked(self, events: Sequence[Received[Any]], work: Work) -> None:
        """Note what is asked of the windows of this house."""
        ours = [one for one in events if one.event.jurisdiction in self._windows]
        await paper_store.write(work, [domain.window_paper(one.event, one.traceparent) for one in ours])
        work.wake(self._wake)

    async def _on_received(self, events: Sequence[Received[Any]], work: Work) -> None:
        """The items of a stage may be handled, those too that come later."""
        traces = {received.event.application_id: received.traceparent for received in events}
        receipts = {r.event.application_id: domain.window_receipt(r.event) for r in events}
        await store.receive(work, receipts)
        batch = await store.of_applications(work, receipts)
        for item in list(batch.items.values()):
            if item.state is law.S.DRAFT:
                await self._apply(item, receipts[item.application_id], batch, work, traces[item.application_id])
        await self._keep(batch, work)

    # Decided ----------------------------------------------------------------------------------------------------

    async def on_reports(self, events: Sequence[Received[ItemReport]], work: Work) -> None:
        """A department's own system reports steps; each counts from the broker's append time (Art. 14)."""
        batch = await store.load(work, {received.event.item_id for received in events})
        roster = await self._roster_of(events, batch, work)
        await _one_by_one(events, work, partial(self._report, roster, batch, work))
        await self._keep(batch, work)

    async def _roster_of(
        self, reports: Sequence[Received[ItemReport]], batch: Batch, work: Work
    ) -> Mapping[str, Record] | None:
        """Return what is known of who acted; None while it must not be judged by (Art. 18, 20)."""
        known = [one for one in reports if one.event.item_id in batch.items]

        def lets_all_act(roster: Mapping[str, Record]) -> bool:
            return all(
                domain.lets_act(roster[one.event.actor.certificate], batch.items[one.event.item_id], one.appended_at)
                for one in known
            )

        return await self._roster.judging(work, {one.event.actor.certificate for one in known}, lets_all_act)

    async def _report(
        self, roster: Mapping[str, Record] | None, batch: Batch, work: Work, received: Received[ItemReport]
    ) -> bool:
        report, item = received.event, batch.items.get(received.event.item_id)
        if item is None or roster is None:
            return False
        try:
            act = domain.reported(report, item, received.appended_at, roster[report.actor.certificate])
        except Refusal as refusal:
            refused = domain.turned_away(item, report, received.appended_at, refusal)
            self._take(refused, batch, work, received.traceparent)
            return True
        return await self._apply(item, act, batch, work, received.traceparent)

    async def on_seals(self, events: Sequence[Received[SealCompleted | SealRejected]], work: Work) -> None:
        """A seal was made, or refused: the decision concludes at its receipt, or stands open again (Art. 10, 16)."""
        answers = [domain.answered(received.event) for received in events if _answers_paper(received.event)]
        if answers:
            await paper_store.answer(work, answers)
            work.wake(self._wake)
        await self._on_sealed([received for received in events if not _is_of_paper(received.event)], work)

    async def _on_sealed(self, events: Sequence[Received[Any]], work: Work) -> None:
        batch = await store.load(work, {received.event.item_id for received in events if received.event.item_id})
        for received in events:
            event = received.event
            item = batch.items.get(event.item_id)
            if item is None or item.decision is None or item.decision.request_id != event.request_id:
                continue
            act = domain.sealed(event) if isinstance(event, SealCompleted) else domain.seal_rejected(event)
            await self._apply(item, act, batch, work, received.traceparent)
        await self._keep(batch, work)

    # Urged, handled specially -----------------------------------------------------------------------------------

    async def on_supervision(self, events: Sequence[Received[Event]], work: Work) -> None:
        """The lead urges, and what special handling allows takes effect on items (Art. 17, 22)."""
        said = [received.event for received in events]
        met = [event for event in said if isinstance(event, UrgeReceived | UrgeAnswered)]
        await store.urge(work, [event for event in said if isinstance(event, Urged)], met)
        granted = [r for r in events if isinstance(r.event, SpecialHandlingGranted) and domain.is_ours(r.event)]
        if granted:
            await self._on_granted(granted, work)

    async def _on_granted(self, granted: Sequence[Received[Any]], work: Work) -> None:
        done = await store.handled(work, {received.event.handling_id for received in granted})
        batch = await store.load(work, {received.event.item_id for received in granted})
        taken: dict[UUID, SpecialHandlingGranted] = {}

        async def handle(received: Received[SpecialHandlingGranted]) -> bool:
            event = received.event
            if event.handling_id in done or event.handling_id in taken:
                return True
            if event.item_id not in batch.items or not await self._special(received, batch, work):
                return False
            taken[event.handling_id] = event
            return True

        await _one_by_one(granted, work, handle)
        await store.handle(work, list(taken.values()))
        await self._keep(batch, work)

    async def _special(self, received: Received[SpecialHandlingGranted], batch: Batch, work: Work) -> bool:
        event = received.event
        assert event.item_id is not None
        item = batch.items[event.item_id]
        if event.effect is SpecialEffect.ENTER_DECISION:
            act = domain.entered(event, received.appended_at)
            return await self._apply(item, act, batch, work, received.traceparent)
        self._take(domain.corrected_once_more(item, event, received.appended_at), batch, work, received.traceparent)
        return True

    # Expired ----------------------------------------------------------------------------------------------------

    async def on_clocks(self, events: Sequence[Received[Any]], work: Work) -> None:
        """The timer calls items back, or takes silence for acceptance; only what is left undecided once everything that
        decides was applied past the due instant goes that way (Art. 14, P5).

        A report that waits for its time, or for the roster, may be a decision that came in time: the recall waits too.
        """
        expired = [received for received in events if _expires(received.event)]
        if not expired:
            return
        read = await self._bus.has_read_to_end({name for one in expired for name in _decisive(one.event)}, work)
        waiting = await self._bus.waiting({_reports_lane(received.event) for received in expired}, work)
        ready = hold_back(
            expired, work, lambda one: not _decisive(one.event) <= read or _reports_lane(one.event) in waiting
        )
        batch = await store.load(work, {received.event.item_id for received in ready})
        self._asked = None  # what was read to its end just now may have amended it
        calendar = await self._calendar(work)
        for received in ready:
            item = batch.items.get(received.event.item_id)
            if item is not None and not domain.is_outdated(received.event, item):
                act = domain.proposed(received.event, received.appended_at)
                result = domain.judged(item, act, calendar.at(received.event.occurred_at))
                if domain.is_told(result):
                    self._take(result, batch, work, received.traceparent)
        await self._keep(batch, work)

    # The calendar -----------------------------------------------------------------------------------------------

    async def on_calendar(self, events: Sequence[Received[CalendarAmended]], work: Work) -> None:
        """The calendar was amended: what is shown of running clocks is counted anew (P24, P25)."""
        await self._calendars.on_calendar(events, work)
        self._asked = None
        await store.reschedule(work, await self._calendars.current(work.connection))

    async def _calendar(self, work: Work) -> InForce:
        """Return the calendar in force, asked once in a unit of work."""
        if self._asked is None or self._asked.work is not work:
            self._asked = Asked(work, await self._calendars.in_force(work.connection))
        return self._asked.calendar

    async def _is_sure(self, work: Work) -> bool:
        """Whether no amendment ordered by now can be missing: asked once in a unit of work, when an act seems late."""
        asked = self._asked
        assert asked is not None and asked.work is work
        if asked.surely is None:
            surely = await self._calendars.surely(self._bus, work)
            asked.surely, asked.calendar = surely is not None, surely or asked.calendar
        return asked.surely

    # Deciding and keeping ---------------------------------------------------------------------------------------

    async def _apply(self, item: Item, act: Act, batch: Batch, work: Work, traceparent: str) -> bool:
        """Do what the act does, or say why it is refused. False, and nothing is done, while it seems late and an
        amendment of the calendar may still be unread."""
        result = await self._judged(item, act, work)
        if result.is_late:
            if not await self._is_sure(work):
                return False
            result = await self._judged(item, act, work)
        self._take(result, batch, work, traceparent)
        return True

    async def _judged(self, item: Item, act: Act, work: Work) -> Result:
        calendar = await self._calendar(work)
        return domain.judged(item, act, calendar.at(act.at), seal=self._sealed)

    def _take(self, result: Result, batch: Batch, work: Work, traceparent: str) -> None:
        if result.refusal is not None:
            metrics.refused(result.refusal.code)
        store.take(work, batch, result, traceparent, self._form)

    async def _keep(self, batch: Batch, work: Work) -> None:
        if batch.changed:
            await store.keep(work, batch, (await self._calendar(work)).newest)
        if batch.papers:
            work.wake(self._wake)


async def _one_by_one(
    events: Sequence[Received[Any]], work: Work, apply: Callable[[Received[Any]], Awaitable[bool]]
) -> None:
    """Apply events in their order; one that has to wait (False) holds the later ones of its lane back with it."""
    waiting: set[Lane] = set()
    for received in events:
        lane = received.raw.lane
        if lane in waiting or not await apply(received):
            waiting.add(lane)
            work.held.append(Held(received.raw, Why.EARLY))


def _answers_paper(event: SealCompleted | SealRejected) -> bool:
    """Whether it may answer a document that was printed; a rejection does not tell its form."""
    return isinstance(event, SealRejected) or _is_of_paper(event)


def _is_of_paper(event: SealCompleted | SealRejected) -> TypeGuard[SealCompleted]:
    return isinstance(event, SealCompleted) and event.form is SealForm.PDF


def _expires(event: Event) -> bool:
    return isinstance(event, ItemAutoRecall) or (isinstance(event, AcceptanceOverdue) and event.deems)


@lru_cache(4096)
def _topics_of(jurisdiction: JurisdictionCode, department: DepartmentCode) -> frozenset[str]:
    reports = topics.department_reports(jurisdiction, department).name
    return frozenset({reports, topics.SUPERVISION.name, topics.CALENDAR.name})


def _decisive(event: ItemAutoRecall | AcceptanceOverdue) -> frozenset[str]:
    """Return the topics that may hold a decision in time, or an amendment that the timer counted with."""
    return _topics_of(event.jurisdiction, event.department)


def _reports_lane(event: ItemAutoRecall | AcceptanceOverdue) -> Lane:
    return topics.department_reports(event.jurisdiction, event.department).name, event.key
