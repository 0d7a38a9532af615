"""What intake does when something happened: the builder's progress is brought up to date, and the builder is told."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from chassis.bus import Received, hold_back
from chassis.database import Work
from contracts import topics
from contracts.codes import CreditCode, ItemCode
from contracts.department_worker import ItemStepped
from contracts.dispatcher import ItemNotDispatched, StageAccepted, StageConcluded, StageDispatched
from contracts.intake import NoticeSent
from contracts.parts import AboutStage, DispatchedItem
from contracts.terms import ClockSubject, ItemState, Light
from contracts.timer import (
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockStepped,
    ClockStopped,
    DueChanged,
    LightChanged,
)
from intake import domain, store
from intake.store import Progress
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
        known = await store.progress(work.connection, builders, lock=True)
        rows = {(row.application_id, row.item_code): row for row in fresh} | known
        closed = [
            _not_dispatched(received.event, rows) for received in ours if isinstance(received.event, ItemNotDispatched)
        ]
        rows |= {(row.application_id, row.item_code): row for row in closed}
        await store.keep_progress(work, [row for key, row in rows.items() if known.get(key) != row])
        await store.keep_stages(work, [row for received in ours for row in self._stage_rows(received.event)])
        notices = [
            (domain.notice_of_stage(received.event, builders[received.event.application_id], self._catalogue), received)
            for received in ours
        ]
        await _tell(work, notices)

    def _stage_rows(self, event: AboutStage) -> Iterable[tuple[Any, ...]]:
        if isinstance(event, StageDispatched):
            yield event.application_id, "DISPATCHED", None, None, event.limit_days, None, None
        if isinstance(event, StageAccepted):
            yield event.application_id, "ACCEPTED", None, None, None, None, None
        if isinstance(event, StageConcluded):
            standings = [
                Standing(one.item_code, one.state, one.outcome, optional=self._is_optional(one.item_code))
                for one in event.items
            ]
            passed = stages.passed(standings)
            yield event.application_id, "CONCLUDED", event.result.value, passed, None, None, None

    def _is_optional(self, code: ItemCode) -> bool:
        return code in self._catalogue.items and self._catalogue.items[code].optional

    async def on_items(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """A step of an item (Art. 11): shown to the builder, who is told where the law says so."""
        steps = [received for received in events if isinstance(received.event, ItemStepped)]
        ids = {received.event.application_id for received in steps}
        builders = await store.builders(work, ids)
        rows = await store.progress(work.connection, ids, lock=True)
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
        steps = [received.event for received in events if isinstance(received.event, ClockStepped)]
        of_items = [step for step in steps if step.subject is ClockSubject.ITEM]
        rows = await store.progress(work.connection, {step.application_id for step in of_items}, lock=True)
        changed: ProgressOf = {}
        for step in of_items:
            assert step.item_code is not None
            key = (step.application_id, step.item_code)
            row = changed.get(key, rows.get(key))
            if row is not None and row.item_id == step.item_id:
                changed[key] = _clocked(row, step)
        await store.keep_progress(work, list(changed.values()))
        of_stages = [step for step in steps if step.subject is ClockSubject.STAGE]
        last = {step.application_id: step for step in of_stages if _light(step, None) is not None}
        await store.keep_stages(work, [_stage_clocked(step) for step in last.values()])


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
        None,
        None,
        0,
    )


def _not_dispatched(event: ItemNotDispatched, rows: ProgressOf) -> Progress:
    return replace(rows[event.application_id, event.item_code], state=ItemState.NOT_DISPATCHED)


def _stepped(row: Progress, step: ItemStepped) -> Progress:
    return replace(
        row,
        item_id=step.item_id,
        attempt=step.attempt,
        version=step.version,
        state=domain.state_after(step, row.state),
        outcome=getattr(step, "outcome", None),
        opinion=getattr(step, "opinion", ""),
    )


def _light(step: ClockStepped, before: Light | None) -> Light | None:
    if isinstance(step, LightChanged):
        return step.light
    if isinstance(step, ClockPaused):
        return Light.GREY
    if isinstance(step, (ClockStarted, ClockResumed)):
        return Light.GREEN
    return before


def _clocked(row: Progress, step: ClockStepped) -> Progress:
    if isinstance(step, (ClockStarted, ClockResumed, DueChanged)):
        row = replace(row, due_at=step.due_at)
    if isinstance(step, (ClockPaused, ClockStopped)):
        row = replace(row, due_at=None)
    return replace(row, light=None if isinstance(step, ClockStopped) else _light(step, row.light))


def _stage_clocked(step: ClockStepped) -> tuple[Any, ...]:
    light = _light(step, None)
    due = step.due_at if isinstance(step, (ClockStarted, ClockResumed, DueChanged)) else None
    return step.application_id, None, None, None, None, due, None if light is None else light.value


def _of(builders: dict[UUID, CreditCode], step: ItemStepped) -> CreditCode:
    return builders[step.application_id]


async def _tell(work: Work, notices: Sequence[tuple[NoticeSent | None, Received[AboutStage]]]) -> None:
    told = {notice.event_id: (notice, received) for notice, received in notices if notice is not None}
    for notice in await store.keep_notices(work, [notice for notice, _ in told.values()]):
        work.say(topics.NOTICES, notice, traceparent=told[notice.event_id][1].traceparent)
