"""The officers' side: a desk, a dossier, and the same steps that a department's system reports (Art. 10, 12, 18)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import idempotency, problems
from chassis.bus import Bus, NotNow
from chassis.calendars import Calendars, InForce
from chassis.database import Connection, Database, Work
from chassis.http import traceparent_of
from chassis.idempotency import Answer, Key
from chassis.identity import requires
from chassis.rostered import Roster
from chassis.wallclock import WallClock
from contracts.codes import ItemCode, MaterialCode, Sha256
from contracts.envelope import Line, Text, derived_id
from contracts.parts import DeferredMaterial, MaterialRef, OwnSignature, ResultRef, Special
from contracts.terms import (
    ItemKind,
    ItemState,
    ItemStep,
    Light,
    Outcome,
    PauseReason,
    Role,
    SealForm,
    SpecialKind,
    UrgeLevel,
)
from department_worker import domain, store
from department_worker.domain import Dossier, Result
from department_worker.signed import SIGNED
from department_worker.stepping_up import Asked, Challenge, Signature, StepUp
from department_worker.store import FirstRecorder, Urge
from procedure import authority
from procedure.authority import Caller, NotFound, NotYourJurisdiction
from procedure.calendar import Calendar
from procedure.items import LONGEST_LIMIT, Act, Item
from procedure.refusals import Refusal
from procedure.roster import Record, hold_to_record

Officer = Annotated[Caller, Depends(requires(Role.OFFICER))]
Admin = Annotated[Caller, Depends(requires(Role.ADMIN))]
IdempotencyKey = Annotated[str, Depends(idempotency.key_of)]
Ask = Callable[[datetime], Act]
Holds = Callable[[Work, Item, Act], Awaitable[None]]
Proves = Callable[[Work], Awaitable[OwnSignature | None]]
PATIENCE_SECONDS: Final = 5.0
"""How long a request waits for the calendar to be known for sure before it is told to come again."""
MOST_URGES: Final = 1000


async def _unsigned(work: Work) -> None:
    """What is not signed by a key of its own."""


class SpecialAsked(BaseModel):
    """特别程序 as an officer asks for it in JSON; `contracts.parts.Special` takes no enumeration by its text."""

    model_config = ConfigDict(extra="forbid")

    kind: SpecialKind
    reason: Line
    due_on: date | None = None

    @property
    def said(self) -> Special:
        return Special(kind=self.kind, reason=self.reason, due_on=self.due_on)


class Step(BaseModel):
    """One step by an officer; `outcome` and, where the document bears another date, `document_dated_on` with CONCLUDE,
    `special` with START_SPECIAL, `approved_by` with EXTEND, `opinion` where one is due."""

    model_config = ConfigDict(extra="forbid")

    step: ItemStep
    outcome: Outcome | None = None
    opinion: Text = ""
    special: SpecialAsked | None = None
    document_dated_on: date | None = None
    approved_by: Line | None = None
    signature: Signature | None = None

    @property
    def asked(self) -> str:
        """What is asked, without the signature over it."""
        return self.model_dump_json(exclude={"signature"})

    def to_sign(self, item_id: UUID) -> Asked:
        """Return the step of an item as it is signed."""
        decision = "" if self.outcome is None else self.outcome.value
        return Asked(item_id, self.step, decision, self.asked, self.signature)

    def by(self, caller: Caller, key: Key, at: datetime) -> Act:
        """Return the step as an act received at `at`."""
        return Act(
            self.step,
            caller.actor,
            at,
            _cause(key),
            self.outcome,
            self.opinion,
            None if self.special is None else self.special.said,
            document_dated_on=self.document_dated_on,
            approved_by=self.approved_by or "",
        )


class Limit(BaseModel):
    """Another limit for one clock, in working days from its start, and why (R13)."""

    model_config = ConfigDict(extra="forbid")

    limit_days: Annotated[int, Field(ge=1, le=LONGEST_LIMIT)]
    opinion: Text

    def by(self, caller: Caller, key: Key, at: datetime) -> Act:
        """Return the amendment as an act received at `at`."""
        act = Act(ItemStep.AMEND_LIMIT, caller.actor, at, _cause(key), opinion=self.opinion)
        return act._replace(limit_days=self.limit_days)


class UrgeView(BaseModel):
    """催办: by whom, how pressing, and whether it was received and answered (Art. 22)."""

    urge_id: UUID
    level: UrgeLevel
    message: str
    holder: str
    urged_at: datetime
    received_at: datetime | None
    answered_at: datetime | None
    answer: str | None


class ItemView(BaseModel):
    """One item as its department sees it, its days in working days.

    `due_at` is empty while the clock does not run, `paused_by` says why it stands still; before acceptance there is
    neither clock nor light.
    """

    item_id: UUID
    project_code: str
    item_code: str
    attempt: int
    state: ItemState
    version: int
    outcome: Outcome | None
    limit_days: int
    due_at: datetime | None
    provisional: bool
    used_days: int | None
    remaining_days: int | None
    paused_by: list[PauseReason]
    light: Light | None
    urges: list[UrgeView]


class Desk(BaseModel):
    """Open items, the earliest due first; `next` is where the next page begins, empty on the last one."""

    items: list[ItemView]
    next: UUID | None


class Recorder(BaseModel):
    """首录人: who checked a material against its original, and answers for it (Art. 12)."""

    department: str
    jurisdiction: str
    holder: str
    certificate: str
    recorded_at: datetime


class MaterialView(BaseModel):
    """A material: an officer has checked it against its original, or that is this department's duty (Art. 12)."""

    code: MaterialCode
    name: str
    sha256: Sha256
    size: int
    verified: bool
    first_recorder: Recorder | None
    duty: bool


class Dossiered(ItemView):
    """An item with its dossier: materials, and the results passed on from other departments (Art. 8)."""

    name: str
    project_name: str
    kind: ItemKind
    applied_at: datetime
    catalogue_version: str
    policy_version: str
    materials: list[MaterialView]
    deferred: list[DeferredMaterial]
    results: list[ResultRef]
    missing_results: list[ItemCode]


@dataclass(frozen=True, slots=True)
class Office:
    """What officers' requests are answered with."""

    database: Database
    bus: Bus
    wallclock: WallClock
    calendars: Calendars
    roster: Roster
    step_up: StepUp
    sealed: bool = True
    form: SealForm = SealForm.DIGEST
    wake: Callable[[], None] = lambda: None

    async def act(
        self, request: Request, key: Key, item_id: UUID, asked: Ask, holds: Holds, proves: Proves = _unsigned
    ) -> Response:
        """Do what was asked, received now, once; the refusal of an act on an item that exists is recorded too.

        Raises TimeoutError (503) when calendar or roster cannot be known for sure in time.
        """
        act, began = asked(self.wallclock.now()), time.monotonic()
        while True:
            try:
                async with self.database.work(traceparent_of(request)) as work:
                    answer = await idempotency.claim(work, key)
                    if answer is None:
                        signed = act._replace(signature=await proves(work))
                        answer = await self._answer(work, key, item_id, signed, holds)
            except NotNow:
                if time.monotonic() - began > PATIENCE_SECONDS:
                    raise TimeoutError from None
                await asyncio.sleep(0.05)
            else:
                return _response(answer)

    async def _answer(self, work: Work, key: Key, item_id: UUID, act: Act, holds: Holds) -> Answer:
        batch = await store.load(work, [item_id])
        item = batch.items.get(item_id)
        if item is None:
            raise NotFound
        in_force = await self.calendars.in_force(work.connection)
        result = await self._done(work, item, act, holds, in_force)
        if result.is_late:
            in_force = await self._surely(work)
            result = await self._done(work, item, act, holds, in_force)
        store.take(work, batch, result, form=self.form)
        await store.keep(work, batch, in_force.newest)
        if batch.papers:
            work.wake(self.wake)
        if result.refusal is not None:
            return await _refused(work, key, result.refusal)
        view = _view(result.item, in_force.newest, act.at, ())
        return await idempotency.remember(work, key, 200, view.model_dump(mode="json"))

    async def _surely(self, work: Work) -> InForce:
        """An amendment of the calendar ordered before the act may be on its way: only then is it late for sure."""
        surely = await self.calendars.surely(self.bus, work)
        if surely is None:
            raise NotNow("the calendar topic is not yet read to its end")
        return surely

    async def record(self, work: Work, item: Item, act: Act) -> Record:
        """Return what is known of who acts. Raises NotNow while it must not be judged by (Art. 18, 20)."""
        serial = act.actor.certificate
        known = await self.roster.judging(work, [serial], lambda told: domain.lets_act(told[serial], item, act.at))
        if known is None:
            raise NotNow("the identity topic is not yet read to its end")
        return known[serial]

    async def _done(self, work: Work, item: Item, act: Act, holds: Holds, in_force: InForce) -> Result:
        try:
            await holds(work, item, act)
        except Refusal as refusal:
            return domain.turned_away(item, act, act.at, refusal)
        return domain.judged(item, act, in_force.at(act.at), seal=self.sealed)


def router(office: Office) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/desk", summary="本部门待办事项，按到期先后")
    async def read_desk(
        caller: Officer, most: Annotated[int, Query(ge=1, le=500)] = 100, after: UUID | None = None
    ) -> Desk:
        async with office.database.reading() as connection:
            place = (caller.jurisdiction or "", caller.department or "")
            items = await store.desk(connection, *place, most, after)
            urges = await _urges(connection, items, open_only=True)
            calendar = await office.calendars.current(connection)
        now = office.wallclock.now()
        views = [_view(item, calendar, now, urges.get(item.item_id, ())) for item in items]
        return Desk(items=views, next=items[-1].item_id if len(items) == most else None)

    @routes.get("/items/{item_id}", summary="一个事项及其案卷")
    async def read_item(caller: Officer, item_id: UUID) -> Dossiered:
        async with office.database.reading() as connection:
            item = await store.find(connection, item_id)
            if item is None:
                raise NotFound
            authority.own_item(caller, item.jurisdiction, item.department)
            dossier = await store.dossier(connection, item_id) or Dossier("", "", ())
            first = await store.first_recorders(connection, item.project_code, dossier.materials)
            urges = await _urges(connection, [item], open_only=False)
            calendar = await office.calendars.current(connection)
        view = _view(item, calendar, office.wallclock.now(), urges.get(item_id, ()))
        return _dossiered(view, item, dossier, first)

    @routes.post("/items/{item_id}/steps/challenge", status_code=200, summary="批准、办结：取得待签名的内容")
    async def challenge(caller: Officer, item_id: UUID, step: Step) -> Challenge:
        return await office.step_up.challenge(caller, step.to_sign(item_id))

    @routes.post("/items/{item_id}/steps", status_code=200, summary="办理一个环节", response_model=ItemView)
    async def take_step(
        request: Request, caller: Officer, item_id: UUID, step: Step, idempotency_key: IdempotencyKey
    ) -> Response:
        key = Key(caller.subject, idempotency_key, idempotency.digest("step", item_id, step.asked))
        holds, proves = _officers(caller, office), _signed(caller, office, step.to_sign(item_id), step.step)
        return await office.act(request, key, item_id, lambda at: step.by(caller, key, at), holds, proves)

    @routes.post(
        "/items/{item_id}/limit", status_code=200, summary="调整事项时限（平台管理员）", response_model=ItemView
    )
    async def amend_limit(
        request: Request, caller: Admin, item_id: UUID, limit: Limit, idempotency_key: IdempotencyKey
    ) -> Response:
        key = Key(caller.subject, idempotency_key, idempotency.digest("limit", item_id, limit.model_dump_json()))
        return await office.act(request, key, item_id, lambda at: limit.by(caller, key, at), _administrators(caller))

    return routes


def _officers(caller: Caller, office: Office) -> Holds:
    """Return what an officer is held to: the own department's item, a step of a department's, the roster as of the
    act's instant (Art. 10, 18)."""

    async def holds(work: Work, item: Item, act: Act) -> None:
        authority.own_item(caller, item.jurisdiction, item.department)
        domain.hold_to_department(act.step)
        record = await office.record(work, item, act)
        hold_to_record(record, act.at, item.jurisdiction, item.department, item.item_code)

    return holds


def _signed(caller: Caller, office: Office, asked: Asked, step: ItemStep) -> Proves:
    """Return what proves that an officer's own key was asked: needed for what binds the office (Art. 19, 20)."""

    async def proves(work: Work) -> OwnSignature:
        return await office.step_up.proved(work, caller, asked)

    return proves if step in SIGNED else _unsigned


def _administrators(caller: Caller) -> Holds:
    """Return what an administrator's act is held to: its own territory (Art. 18)."""

    async def holds(work: Work, item: Item, act: Act) -> None:
        if not authority.covers(caller.jurisdiction, item.jurisdiction):
            raise NotYourJurisdiction

    return holds


def _cause(key: Key) -> UUID:
    return derived_id("step", key.caller, key.key)


async def _refused(work: Work, key: Key, refusal: Refusal) -> Answer:
    """The record of a refusal commits, and the answer says no."""
    told = problems.answer(refusal.status, refusal.code, refusal.message, refusal.article)
    return await idempotency.remember(work, key, told.status_code, orjson.Fragment(told.body))


def _response(answer: Answer) -> Response:
    kind = "application/problem+json" if answer.status >= 400 else "application/json"
    return Response(answer.body, answer.status, media_type=kind)


async def _urges(connection: Connection, items: Iterable[Item], *, open_only: bool) -> dict[UUID, list[Urge]]:
    found: dict[UUID, list[Urge]] = {}
    ids = [item.item_id for item in items]
    for urge in await store.urges(connection, ids, open_only=open_only, most=MOST_URGES):
        found.setdefault(urge.item_id, []).append(urge)
    return found


def _view(item: Item, calendar: Calendar, at: datetime, urges: Iterable[Urge]) -> ItemView:
    progress = domain.progress_of(item, calendar, at)
    return ItemView(
        item_id=item.item_id,
        project_code=item.project_code,
        item_code=item.item_code,
        attempt=item.attempt,
        state=item.state,
        version=item.version,
        outcome=item.outcome,
        limit_days=item.limit_days,
        due_at=progress.due_at,
        provisional=progress.provisional,
        used_days=progress.used_days,
        remaining_days=progress.remaining_days,
        paused_by=list(progress.paused_by),
        light=progress.light,
        urges=[UrgeView(**urge._asdict()) for urge in urges],
    )


def _dossiered(view: ItemView, item: Item, dossier: Dossier, first: dict[tuple[str, str], FirstRecorder]) -> Dossiered:
    return Dossiered(
        **view.model_dump(),
        name=dossier.name,
        project_name=dossier.project_name,
        kind=item.kind,
        applied_at=item.applied_at,
        catalogue_version=item.versions.catalogue_version,
        policy_version=item.versions.policy_version,
        materials=[_material_view(one, first.get((one.code, one.sha256))) for one in dossier.materials],
        deferred=list(item.deferred),
        results=list(dossier.results),
        missing_results=list(item.missing_results),
    )


def _material_view(one: MaterialRef, recorder: FirstRecorder | None) -> MaterialView:
    first = None if recorder is None else Recorder(**recorder._asdict())
    return MaterialView(**one.model_dump(), verified=first is not None, first_recorder=first, duty=first is None)
