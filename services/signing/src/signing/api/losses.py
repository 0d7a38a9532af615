"""Loss over HTTP: a report suspends a certificate everywhere at once; lifting it takes two persons (Art. 20)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict

from chassis import idempotency, metrics
from chassis.database import Database, Work
from chassis.http import traceparent_of
from chassis.idempotency import Answer, Key
from chassis.identity import requires
from chassis.wallclock import WallClock
from contracts import topics
from contracts.envelope import Instant, Line, derived_id
from contracts.parts import Actor
from contracts.terms import Role
from procedure.authority import Caller
from signing import store
from signing.domain import losses
from signing.domain.losses import NoSuchReinstatement, NotSuspended, Reinstatement, Suspension
from signing.domain.roster import Stand

Anybody = Annotated[Caller, Depends(requires())]
Admin = Annotated[Caller, Depends(requires(Role.ADMIN))]
Reader = Annotated[Caller, Depends(requires(Role.ADMIN, Role.SUPERVISOR))]
IdempotencyKey = Annotated[str, Depends(idempotency.key_of)]
Certificate = Annotated[str, Path(pattern=r"^[0-9A-Za-z:._-]{1,64}$", description="证书序列号")]


class Given(BaseModel):
    """What callers send: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Loss(Given):
    """A report of loss; `invalid_since` is when the key may have come into other hands (now, if it is not known)."""

    reason: Line
    invalid_since: Instant | None = None


class Wish(Given):
    reason: Line


class SuspensionView(BaseModel):
    """A certificate that is accepted nowhere."""

    serial: str
    holder: str
    reason: str
    invalid_since: datetime
    suspended_at: datetime
    reported_by: Actor

    @classmethod
    def of(cls, s: Suspension) -> "SuspensionView":
        return cls(
            serial=s.serial,
            holder=s.holder,
            reason=s.reason,
            invalid_since=s.invalid_since,
            suspended_at=s.suspended_at,
            reported_by=s.reported_by,
        )


class ReinstatementView(BaseModel):
    """A request to lift a suspension: who asked, who approved."""

    request_id: UUID
    serial: str
    reason: str
    stand: Stand
    requested_by: Actor
    requested_at: datetime
    decided_by: Actor | None
    decided_at: datetime | None

    @classmethod
    def of(cls, r: Reinstatement) -> "ReinstatementView":
        return cls(
            request_id=r.request_id,
            serial=r.serial,
            reason=r.reason,
            stand=r.stand,
            requested_by=r.requested_by,
            requested_at=r.requested_at,
            decided_by=r.decided_by,
            decided_at=r.decided_at,
        )


class Losses:
    """What the routes do, over one database and clock."""

    def __init__(self, database: Database, wallclock: WallClock) -> None:
        self._database = database
        self._wallclock = wallclock

    async def report(self, work: Work, key: Key, caller: Caller, serial: str, body: Loss) -> Answer:
        """Suspend a certificate: its sessions end here, and every service is told. A second report changes nothing."""
        entries = (await store.roster.entries(work, [serial]))[serial]
        holder = await store.roster.holder(work, serial) or (caller.name if caller.certificate == serial else serial)
        now = self._wallclock.now()
        made = losses.report(caller, serial, holder, entries, body.reason, body.invalid_since, now)
        if await store.losses.add(work, made):
            await store.logins.end_all(work, serial)
            earlier = (await store.losses.earlier(work, [serial]))[serial]
            work.say(topics.IDENTITY, losses.suspended(made, earlier, derived_id("loss", key.caller, key.key)))
            metrics.add("lianshen_certificates_suspended_total")
        else:
            made = await store.losses.suspension(work, serial) or made
        return await idempotency.remember(work, key, 201, SuspensionView.of(made).model_dump(mode="json"))

    async def ask(self, work: Work, key: Key, caller: Caller, serial: str, body: Wish) -> Answer:
        """An administrator asks to lift a suspension."""
        await self._suspended(work, caller, serial)
        request_id = derived_id("reinstatement", key.caller, key.key)
        asked = Reinstatement(request_id, serial, body.reason, caller.actor, self._wallclock.now())
        await store.losses.ask(work, asked)
        return await self._told(work, key, 201, asked)

    async def approve(self, work: Work, key: Key, caller: Caller, serial: str, request_id: UUID) -> Answer:
        """Another administrator approves: the certificate counts again, everywhere."""
        losses.hold_to_list(caller, (await store.roster.entries(work, [serial]))[serial])
        request = await store.losses.request(work, request_id, serial)
        if request is None:
            raise NoSuchReinstatement
        at = self._wallclock.now()
        decided = losses.approve(request, caller.actor, at)
        held = await self._suspended(work, caller, serial)
        await store.losses.decide(work, decided)
        await store.losses.lift(work, serial, at)
        earlier = (await store.losses.earlier(work, [serial]))[serial]
        work.say(topics.IDENTITY, losses.reinstated(decided, held.holder, earlier))
        return await self._told(work, key, 200, decided)

    async def _suspended(self, work: Work, caller: Caller, serial: str) -> Suspension:
        losses.hold_to_list(caller, (await store.roster.entries(work, [serial]))[serial])
        held = await store.losses.suspension(work, serial)
        if held is None:
            raise NotSuspended
        return held

    async def _told(self, work: Work, key: Key, status: int, request: Reinstatement) -> Answer:
        return await idempotency.remember(work, key, status, ReinstatementView.of(request).model_dump(mode="json"))

    async def all(self) -> list[SuspensionView]:
        """Tell every certificate that is suspended now."""
        async with self._database.reading() as connection:
            return [SuspensionView.of(one) for one in await store.losses.suspensions(connection)]


def router(database: Database, wallclock: WallClock) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/certificates")
    lost = Losses(database, wallclock)

    def key_for(request: Request, caller: Caller, given: str, what: str) -> Key:
        return Key(caller.subject, given, idempotency.digest(request.method, request.url.path, what))

    @routes.get("/suspended", summary="已挂失的证书")
    async def read_suspended(caller: Reader) -> list[SuspensionView]:
        return await lost.all()

    @routes.post("/{serial}/loss", summary="证书挂失：立即停用", status_code=201, response_model=SuspensionView)
    async def report_loss(
        request: Request, caller: Anybody, serial: Certificate, body: Loss, given: IdempotencyKey
    ) -> Response:
        key = key_for(request, caller, given, body.model_dump_json())
        async with database.work(traceparent_of(request)) as work:
            return _told(await idempotency.claim(work, key) or await lost.report(work, key, caller, serial, body))

    @routes.post(
        "/{serial}/reinstatements", summary="申请恢复已挂失的证书", status_code=201, response_model=ReinstatementView
    )
    async def ask_for_reinstatement(
        request: Request, caller: Admin, serial: Certificate, body: Wish, given: IdempotencyKey
    ) -> Response:
        key = key_for(request, caller, given, body.model_dump_json())
        async with database.work(traceparent_of(request)) as work:
            return _told(await idempotency.claim(work, key) or await lost.ask(work, key, caller, serial, body))

    @routes.post(
        "/{serial}/reinstatements/{request_id}/approval",
        summary="批准恢复（须另一人）",
        response_model=ReinstatementView,
    )
    async def approve_reinstatement(
        request: Request, caller: Admin, serial: Certificate, request_id: UUID, given: IdempotencyKey
    ) -> Response:
        key = key_for(request, caller, given, "")
        async with database.work(traceparent_of(request)) as work:
            return _told(
                await idempotency.claim(work, key) or await lost.approve(work, key, caller, serial, request_id)
            )

    return routes


def _told(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type="application/json")
