"""What intake does when something happened: the builder's progress is brought up to date, and the builder is told."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from chassis import shown
from chassis.bus import Received, hold_back
from chassis.catalogue import City
from chassis.database import Work
from contracts import topics
from contracts.codes import ItemCode
from contracts.department_worker import (
    DocumentIssued,
    ItemConcluded,
    ItemStepped,
    MaterialsRecorded,
    WindowDocumentIssued,
)
from contracts.dispatcher import (
    ItemClosed,
    ItemNotDispatched,
    StageAccepted,
    StageConcluded,
    StageDispatched,
    StageResultAmended,
)
from contracts.parts import AboutStage
from contracts.signing import SealRejected
from contracts.supervision import SpecialHandlingGranted
from contracts.terms import StageState
from contracts.timer import ClockStepped, ReminderDue
from intake import domain, store
from intake.domain.progress import Progress
from intake.store.applications import Case, StageStep
from procedure import special_handling, stages
from procedure.catalogue import Catalogue
from procedure.stages import Standing

ProgressOf = dict[tuple[UUID, ItemCode], Progress]
CaseOf = Mapping[UUID, Case]


class Handlers:
    """Intake's handlers over one city: each case is read under the versions that it was admitted under."""

    def __init__(self, city: City) -> None:
        self._city = city

    async def on_stages(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """A stage was dispatched, accepted or concluded, its result amended, an item of it closed (Art. 9, 13, 15)."""
        cases = await store.applications.cases(work, {received.event.application_id for received in events})
        ours = [received for received in events if received.event.application_id in cases]
        known = await store.progress.load(work.connection, cases)
        rows = dict(known)
        for received in ours:
            _take_in(received.event, rows)
        await store.progress.keep(work, [row for key, row in rows.items() if known.get(key) != row])
        steps = [step for received in ours for step in _stage_steps(received.event, self._under(cases, received))]
        await store.applications.keep_stages(work, steps)
        await self._tell(work, ours, cases)

    async def on_items(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """A step of an item (Art. 11): shown to the builder, who is told where the law says so; and who was the first
        to check a material against its original (Art. 12)."""
        await store.given.record(work, [r.event for r in events if isinstance(r.event, MaterialsRecorded)])
        await store.results.keep(work, [r.event for r in events if isinstance(r.event, ItemConcluded)])
        await store.results.keep_notices(work, [r.event for r in events if isinstance(r.event, DocumentIssued)])
        await store.documents.issue(work, [r.event for r in events if isinstance(r.event, WindowDocumentIssued)])
        steps = [received for received in events if isinstance(received.event, ItemStepped)]
        ids = {received.event.application_id for received in steps}
        cases = await store.applications.cases(work, ids)
        rows = await store.progress.load(work.connection, ids)
        ours = [received for received in steps if received.event.application_id in cases]
        ready = hold_back(
            ours, work, lambda received: (received.event.application_id, received.event.item_code) not in rows
        )
        changed: ProgressOf = {}
        fresh: list[Received[Any]] = []
        for received in ready:
            step = received.event
            key = (step.application_id, step.item_code)
            row = changed.get(key, rows[key])
            if domain.progress.is_new(row, step):
                changed[key] = domain.progress.stepped(row, step)
                fresh.append(received)
        await store.progress.keep(work, list(changed.values()))
        await self._tell(work, fresh, cases)

    async def on_clocks(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """A clock turned: due instants and lights as the builder sees them (Art. 11, 22); or a day came that the
        builder is reminded of (P12, R8)."""
        await shown.follow(work, [one.event for one in events if isinstance(one.event, ClockStepped)])
        reminders = [received for received in events if isinstance(received.event, ReminderDue)]
        if reminders:
            cases = await store.applications.cases(work, {received.event.application_id for received in reminders})
            await self._tell(work, [one for one in reminders if one.event.application_id in cases], cases)

    async def on_seals(self, events: Sequence[Received[SealRejected]], work: Work) -> None:
        """The seal on a document of the window was refused: who asks for it again has it made anew (Art. 16)."""
        await store.documents.refuse(work, [received.event for received in events])

    async def on_special_handling(self, events: Sequence[Received[SpecialHandlingGranted]], work: Work) -> None:
        """A special handling was granted that a later declaration may use (Art. 17)."""
        granted = [received.event for received in events]
        await store.given.grant(work, [event for event in granted if _is_for_declarations(event)])

    def _under(self, cases: CaseOf, received: Received[AboutStage]) -> Catalogue:
        return self._city.under(cases[received.event.application_id].policies)

    async def _tell(self, work: Work, events: Iterable[Received[AboutStage]], cases: CaseOf) -> None:
        """Tell builders what they have to know, once."""
        told = {}
        for received in events:
            event = received.event
            builder = cases[event.application_id].builder
            notice = domain.notices.notice_of(event, builder, self._under(cases, received))
            if notice is not None:
                told[notice.event_id] = (notice, received.traceparent)
        for notice in await store.notices.keep(work, [notice for notice, _ in told.values()]):
            work.say(topics.NOTICES, notice, traceparent=told[notice.event_id][1])


def _is_for_declarations(event: SpecialHandlingGranted) -> bool:
    return special_handling.EFFECTS[event.effect].carried_out_by == "intake"


def _take_in(event: AboutStage, rows: ProgressOf) -> None:
    """Take an event of the dispatcher's into the items of its stage."""
    match event:
        case StageDispatched():
            for item in event.items:
                rows.setdefault((event.application_id, item.item_code), domain.progress.fresh(event, item))
        case ItemNotDispatched():
            key = (event.application_id, event.item_code)
            rows[key] = domain.progress.not_dispatched(rows[key])
        case ItemClosed():
            key = (event.application_id, event.item_code)
            rows[key] = domain.progress.closed(rows[key], event)
        case _:
            return


def _stage_steps(event: AboutStage, catalogue: Catalogue) -> Iterable[StageStep]:
    match event:
        case StageDispatched():
            dispatched = StageState.DISPATCHED.value
            told = store.applications.announced(event)
            yield StageStep(
                event.application_id, event.version, dispatched, limit_days=event.limit_days, announced=told
            )
        case StageAccepted():
            yield StageStep(event.application_id, event.version, StageState.ACCEPTED.value)
        case StageConcluded() | StageResultAmended():
            concluded, passed = StageState.CONCLUDED.value, _passed(event, catalogue)
            yield StageStep(event.application_id, event.version, concluded, event.result.value, passed)
        case _:
            return


def _passed(event: StageConcluded | StageResultAmended, catalogue: Catalogue) -> bool:
    """Whether the next stage may be declared, as the items of this one stand (R28)."""
    return stages.passed(
        [
            Standing(one.item_code, one.state, one.outcome, optional=_is_optional(one.item_code, catalogue))
            for one in event.items
        ]
    )


def _is_optional(code: ItemCode, catalogue: Catalogue) -> bool:
    return code in catalogue.items and catalogue.items[code].optional
