"""The roster over HTTP: an administrator asks for a change, another decides it, any date can be asked for (Art. 18)."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import idempotency, problems
from chassis.database import Database, Work
from chassis.http import traceparent_of
from chassis.idempotency import Answer, Key
from chassis.identity import requires
from chassis.wallclock import WallClock
from contracts import topics
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode
from contracts.envelope import Instant, Line, derived_id
from contracts.parts import Actor, Serial
from contracts.signing import RosterEntry
from contracts.terms import Role
from procedure.authority import Caller
from procedure.catalogue import Catalogue
from procedure.roster import OwnRequest
from signing import store
from signing.domain import roster
from signing.domain.roster import Attempt, Change, Entry, PersonalSerial, Responsibility, Stand

Admin = Annotated[Caller, Depends(requires(Role.ADMIN))]
Reader = Annotated[Caller, Depends(requires(Role.ADMIN, Role.SUPERVISOR))]
IdempotencyKey = Annotated[str, Depends(idempotency.key_of)]
Act = Callable[[Work, Key], Awaitable[Answer]]


class Given(BaseModel):
    """What callers send: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Wanted(Given):
    """A change of the roster: who enters or leaves, in which role, where, for which items, from when, by which
    document."""

    change: Change
    serial: PersonalSerial
    holder: Line
    role: Role
    jurisdiction: JurisdictionCode
    department: DepartmentCode | None = None
    items: Annotated[list[ItemCode], Field(max_length=100)] = []
    effective_at: Instant
    document: Line

    @property
    def what(self) -> Responsibility:
        items = tuple(sorted(set(self.items)))
        return Responsibility(self.serial, self.holder, self.role, self.jurisdiction, self.department, items)


class Rejection(Given):
    reason: Line


class EntryView(RosterEntry):
    """One line of the roster; `requested_by` and `approved_by` are certificates, or who confirmed the initial list."""

    serial: Serial
    holder: Line

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        return cls(serial=entry.what.serial, holder=entry.what.holder, **dict(entry.said))


class AttemptView(BaseModel):
    """An attempt to decide one's own request."""

    by: Actor
    attempted: Stand
    at: datetime


class RequestView(BaseModel):
    """A change that was asked for: by whom and when, who decided it and when, and what was attempted."""

    request_id: UUID
    change: Change
    serial: str
    holder: str
    role: Role
    jurisdiction: str
    department: str | None
    items: list[str]
    effective_at: datetime
    document: str
    stand: Stand
    requested_by: Actor
    requested_at: datetime
    decided_by: Actor | None
    decided_at: datetime | None
    reason: str
    attempts: list[AttemptView]

    @classmethod
    def of(cls, request: roster.Request, attempts: Sequence[Attempt] = ()) -> "RequestView":
        what = request.what
        return cls(
            request_id=request.request_id,
            change=request.change,
            serial=what.serial,
            holder=what.holder,
            role=what.role,
            jurisdiction=what.jurisdiction,
            department=what.department,
            items=list(what.items),
            effective_at=request.effective_at,
            document=request.document,
            stand=request.stand,
            requested_by=request.requested_by,
            requested_at=request.requested_at,
            decided_by=request.decided_by,
            decided_at=request.decided_at,
            reason=request.reason,
            attempts=[AttemptView(by=one.by, attempted=one.attempted, at=one.at) for one in attempts],
        )


class Roster:
    """What the routes do, over one database, clock and the versions of the catalogue."""

    def __init__(self, database: Database, wallclock: WallClock, catalogues: Sequence[Catalogue]) -> None:
        self._database = database
        self._wallclock = wallclock
        self._catalogues = catalogues

    async def ask(self, work: Work, key: Key, caller: Caller, body: Wanted) -> Answer:
        """An administrator asks for a change."""
        roster.may_change(caller, body.jurisdiction)
        asked = roster.Request(
            derived_id("roster-request", key.caller, key.key),
            body.change,
            body.what,
            body.effective_at,
            body.document,
            caller.actor,
            self._wallclock.now(),
        )
        holder = await store.roster.holder(work, body.serial)
        entries = await store.roster.entries(work, [body.serial])
        await store.roster.add_request(work, roster.ask(asked, holder, entries[body.serial], self._catalogues))
        return await self._told(work, key, 201, asked)

    async def approve(self, work: Work, key: Key, caller: Caller, request_id: UUID) -> Answer:
        """Another administrator approves: the roster changes, and all that it says of the holder is said anew."""
        request = await self._request(work, caller, request_id)
        serial, now = request.what.serial, self._wallclock.now()
        holder = (await store.roster.hold(work, {serial: request.what.holder}))[serial]
        entries = (await store.roster.entries(work, [serial]))[serial]
        decided, changed = roster.approve(request, caller.actor, now, holder, entries)
        await store.roster.decide(work, decided)
        await store.roster.keep(work, changed)
        entries = (await store.roster.entries(work, [serial]))[serial]
        work.say(topics.IDENTITY, roster.listed(serial, holder, entries, request_id, now, decided))
        return await self._told(work, key, 200, decided)

    async def reject(self, work: Work, key: Key, caller: Caller, request_id: UUID, body: Rejection) -> Answer:
        """Another administrator rejects: the roster stays as it is."""
        request = await self._request(work, caller, request_id)
        now = self._wallclock.now()
        decided = roster.reject(request, caller.actor, now, body.reason)
        await store.roster.decide(work, decided)
        work.say(topics.IDENTITY, roster.refused(request, caller.actor, Stand.REJECTED.value, body.reason, now))
        return await self._told(work, key, 200, decided)

    async def attempted(
        self, work: Work, key: Key, caller: Caller, request_id: UUID, attempted: Stand, refusal: OwnRequest
    ) -> Answer:
        """Whoever asked tried to decide it too: refused, and kept with the request."""
        attempt_id = derived_id("roster-attempt", key.caller, key.key)
        attempt = Attempt(attempt_id, request_id, caller.actor, attempted, self._wallclock.now())
        request = await self._request(work, caller, request_id)
        if await store.roster.add_attempt(work, attempt):
            work.say(topics.IDENTITY, roster.refused(request, attempt.by, refusal.code, refusal.message, attempt.at))
        told = problems.answer(refusal.status, refusal.code, refusal.message, refusal.article)
        return await idempotency.remember(work, key, refusal.status, orjson.loads(told.body))

    async def _request(self, work: Work, caller: Caller, request_id: UUID) -> roster.Request:
        request = await store.roster.request(work, request_id)
        if request is None:
            raise roster.NoSuchRequest
        roster.may_change(caller, request.what.jurisdiction)
        return request

    async def _told(self, work: Work, key: Key, status: int, request: roster.Request) -> Answer:
        return await idempotency.remember(work, key, status, RequestView.of(request).model_dump(mode="json"))

    async def as_of(
        self, caller: Caller, at: datetime | None, wanted: JurisdictionCode | None, department: DepartmentCode | None
    ) -> list[EntryView]:
        """Tell who might do what at an instant, now or then."""
        places = roster.places(caller, wanted)
        async with self._database.reading() as connection:
            entries = await store.roster.as_of(connection, at or self._wallclock.now(), places, department)
        return [EntryView.of(one) for one in entries]

    async def requests(self, caller: Caller, wanted: JurisdictionCode | None) -> list[RequestView]:
        """Tell every change that was asked for, the oldest first."""
        places = roster.places(caller, wanted)
        async with self._database.reading() as connection:
            return [RequestView.of(*one) for one in await store.roster.requests(connection, places)]


def router(database: Database, wallclock: WallClock, catalogues: Sequence[Catalogue]) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/roster")
    roster = Roster(database, wallclock, catalogues)

    async def once(request: Request, caller: Caller, given: str, what: str, act: Act) -> Response:
        """Run a write once per idempotency key, in one unit of work."""
        key = Key(caller.subject, given, idempotency.digest(request.method, request.url.path, what))
        async with database.work(traceparent_of(request)) as work:
            answer = await idempotency.claim(work, key) or await act(work, key)
        kind = "application/json" if answer.status < 400 else "application/problem+json"
        return Response(answer.body, answer.status, media_type=kind)

    def by_another(caller: Caller, request_id: UUID, stand: Stand, act: Act) -> Act:
        """Return `act`, which only another than who asked may do: an attempt by itself is refused and recorded."""

        async def decide(work: Work, key: Key) -> Answer:
            try:
                return await act(work, key)
            except OwnRequest as refusal:
                return await roster.attempted(work, key, caller, request_id, stand, refusal)

        return decide

    @routes.get("", summary="责任人名单：任一时点")
    async def read_roster(
        caller: Reader,
        at: Annotated[Instant | None, Query(description="时点；缺省为现在")] = None,
        jurisdiction: JurisdictionCode | None = None,
        department: DepartmentCode | None = None,
    ) -> list[EntryView]:
        return await roster.as_of(caller, at, jurisdiction, department)

    @routes.get("/requests", summary="名单变更申请：谁提出、谁决定、何时")
    async def read_requests(caller: Reader, jurisdiction: JurisdictionCode | None = None) -> list[RequestView]:
        return await roster.requests(caller, jurisdiction)

    @routes.post("/requests", summary="申请变更责任人名单", status_code=201, response_model=RequestView)
    async def ask_for_change(request: Request, caller: Admin, body: Wanted, key: IdempotencyKey) -> Response:
        return await once(request, caller, key, body.model_dump_json(), _bound(roster.ask, caller, body))

    @routes.post("/requests/{request_id}/approval", summary="批准名单变更（须另一人）", response_model=RequestView)
    async def approve_change(request: Request, caller: Admin, request_id: UUID, key: IdempotencyKey) -> Response:
        act = by_another(caller, request_id, Stand.APPROVED, _bound(roster.approve, caller, request_id))
        return await once(request, caller, key, "", act)

    @routes.post("/requests/{request_id}/rejection", summary="驳回名单变更（须另一人）", response_model=RequestView)
    async def reject_change(
        request: Request, caller: Admin, request_id: UUID, body: Rejection, key: IdempotencyKey
    ) -> Response:
        act = by_another(caller, request_id, Stand.REJECTED, _bound(roster.reject, caller, request_id, body))
        return await once(request, caller, key, body.model_dump_json(), act)

    return routes


def _bound(act: Callable[..., Awaitable[Answer]], *arguments: Any) -> Act:
    """Return `act` with what the request said, still waiting for its unit of work and key."""
    return lambda work, key: act(work, key, *arguments)
