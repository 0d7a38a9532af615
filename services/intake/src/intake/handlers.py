"""What intake does when something happened: the builder's progress is brought up to date, and the builder is told."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from chassis import shown
from chassis.bus import Received, hold_back
from chassis.database import Work
from contracts import topics
from contracts.codes import CreditCode, ItemCode
from contracts.department_worker import ItemStepped
from contracts.dispatcher import ItemNotDispatched, StageAccepted, StageConcluded, StageDispatched
from contracts.intake import NoticeSent
from contracts.parts import AboutStage, DispatchedItem
from contracts.terms import ItemState
from contracts.timer import ClockStepped
from intake import domain, store
from intake.store import Progress, StageStep
from procedure import stages
from procedure.catalogue import Catalogue
from procedure.stages import Standing

ProgressOf = dict[tuple[UUID, ItemCode], Progress]


class Handlers:
    """Intake's handlers over one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def on_stages(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """A stage was dispatched, accepted or concluded (Art. 9, 13, 15)."""
        builders = await store.builders(work, {received.event.application_id for received in events})
        ours = [received for received in events if received.event.application_id in builders]
        fresh = [
            _fresh(received.event, item)
            for received in ours
            if isinstance(received.event, StageDispatched)
            for item in received.event.items
        ]
        known = await store.progress(work.connection, builders)
        rows = {(row.application_id, row.item_code): row for row in fresh} | known
        closed = [
            _not_dispatched(received.event, rows) for received in ours if isinstance(received.event, ItemNotDispatched)
        ]
        rows |= {(row.application_id, row.item_code): row for row in closed}
        await store.keep_progress(work, [row for key, row in rows.items() if known.get(key) != row])
        await store.keep_stages(work, [step for received in ours for step in self._stage_steps(received.event)])
        notices = [
            (domain.notice_of_stage(received.event, builders[received.event.application_id], self._catalogue), received)
            for received in ours
        ]
        await _tell(work, notices)

    def _stage_steps(self, event: AboutStage) -> Iterable[StageStep]:
        if isinstance(event, StageDispatched):
            yield StageStep(event.application_id, event.version, "DISPATCHED", limit_days=event.limit_days)
        if isinstance(event, StageAccepted):
            yield StageStep(event.application_id, event.version, "ACCEPTED")
        if isinstance(event, StageConcluded):
            standings = [
                Standing(one.item_code, one.state, one.outcome, optional=self._is_optional(one.item_code))
                for one in event.items
            ]
            passed = stages.passed(standings)
            yield StageStep(event.application_id, event.version, "CONCLUDED", event.result.value, passed)

    def _is_optional(self, code: ItemCode) -> bool:
        return code in self._catalogue.items and self._catalogue.items[code].optional

    async def on_items(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """A step of an item (Art. 11): shown to the builder, who is told where the law says so."""
        steps = [received for received in events if isinstance(received.event, ItemStepped)]
        ids = {received.event.application_id for received in steps}
        builders = await store.builders(work, ids)
        rows = await store.progress(work.connection, ids)
        ours = [received for received in steps if received.event.application_id in builders]
        ready = hold_back(
            ours, work, lambda received: (received.event.application_id, received.event.item_code) not in rows
        )
        changed: ProgressOf = {}
        notices: list[tuple[NoticeSent | None, Received[AboutStage]]] = []
        for received in ready:
            step = received.event
            key = (step.application_id, step.item_code)
            row = changed.get(key, rows[key])
            if step.attempt < row.attempt or (step.attempt == row.attempt and step.version <= row.version):
                continue
            changed[key] = _stepped(row, step)
            notices.append((domain.notice_of_item(step, _of(builders, step), self._catalogue), received))
        await store.keep_progress(work, list(changed.values()))
        await _tell(work, notices)

    async def on_clocks(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """A clock turned: due instants and lights as the builder sees them (Art. 11, 22)."""
        await shown.follow(work, [one.event for one in events if isinstance(one.event, ClockStepped)])


def _fresh(event: StageDispatched, item: DispatchedItem) -> Progress:
    return Progress(
        event.application_id,
        item.item_code,
        item.item_id,
        item.attempt,
        item.department,
        item.jurisdiction,
        ItemState.DRAFT,
        None,
        "",
        item.limit_days,
        0,
    )


def _not_dispatched(event: ItemNotDispatched, rows: ProgressOf) -> Progress:
    return rows[event.application_id, event.item_code]._replace(state=ItemState.NOT_DISPATCHED)


def _stepped(row: Progress, step: ItemStepped) -> Progress:
    outcome, opinion = step.told
    return row._replace(
        item_id=step.item_id,
        attempt=step.attempt,
        version=step.version,
        state=domain.state_after(step, row.state),
        outcome=outcome,
        opinion=opinion,
    )


def _of(builders: dict[UUID, CreditCode], step: ItemStepped) -> CreditCode:
    return builders[step.application_id]


async def _tell(work: Work, notices: Sequence[tuple[NoticeSent | None, Received[AboutStage]]]) -> None:
    told = {notice.event_id: (notice, received) for notice, received in notices if notice is not None}
    for notice in await store.keep_notices(work, [notice for notice, _ in told.values()]):
        work.say(topics.NOTICES, notice, traceparent=told[notice.event_id][1].traceparent)
