"""催办、督查、协调 (Art. 22): begun by supervision, the stage's lead or a department, listed for those concerned."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from chassis.database import Connection, Work
from contracts import supervision as said
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.envelope import Instant, Text
from contracts.terms import Role, Stage, UrgeLevel
from procedure import authority
from procedure.authority import Caller, NotFound, NotYourJurisdiction
from supervision import cases
from supervision.api.desk import Concerned, Desk, IdempotencyKey, Made, Most, Officer, Presser, about_item
from supervision.cases import Case, CaseKind, CaseState, Done
from supervision.domain import leads, places_of
from supervision.store import cases as kept
from supervision.store import rows
from supervision.store.cases import Wanted

PATHS = {CaseKind.URGE: "/urges", CaseKind.INSPECTION: "/inspections", CaseKind.COORDINATION: "/coordination-requests"}
TITLES = {CaseKind.URGE: "催办", CaseKind.INSPECTION: "督查", CaseKind.COORDINATION: "协调申请"}


class Given(BaseModel):
    """What callers send: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class UrgeText(Given):
    level: UrgeLevel = UrgeLevel.LOW
    message: Text


class Finding(Given):
    """督查: what was found, and by when it has to be put right."""

    finding: Text
    rectify_by: Instant


class Matter(Given):
    """协调申请: what a department cannot settle, about its items of a stage or about one of them."""

    matter: Text
    item_code: ItemCode | None = None
    resolve_by: Instant | None = None


class Answered(BaseModel):
    """One act of a case."""

    event_id: UUID
    what: str
    at: datetime
    holder: str
    certificate: str
    words: str


class CaseView(BaseModel):
    """One urge, inspection or coordination request: where it stands, how old it is, whether its deadline has passed."""

    case_id: UUID
    kind: CaseKind
    state: CaseState
    project_code: str
    application_id: UUID
    stage: int
    item_id: UUID | None
    item_code: str | None
    item_name: str | None
    department: str
    department_name: str
    jurisdiction: str
    level: str
    words: str
    opened_at: datetime
    age_hours: float
    due_at: datetime | None
    overdue: bool
    acts: list[Answered]


def router(desk: Desk) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    for kind in CaseKind:
        _list(routes, desk, kind)
    _opening(routes, desk)
    return routes


def _list(routes: APIRouter, desk: Desk, kind: CaseKind) -> None:
    @routes.get(PATHS[kind], summary=f"{TITLES[kind]}清单", operation_id=f"list_{kind.value.lower()}")
    async def read_cases(
        caller: Concerned, state: Annotated[CaseState | None, Query()] = None, most: Most = 200
    ) -> list[CaseView]:
        async with desk.database.reading() as connection:
            found = await kept.listed(connection, _wanted(desk, caller, kind, state), most)
        now = desk.wallclock.now()
        return [view(case, now, desk) for case in found]


def _wanted(desk: Desk, caller: Caller, kind: CaseKind, state: CaseState | None) -> Wanted:
    """A supervisor sees its territory's, a lead those of its stages there, an officer its own department's."""
    if caller.role is Role.OFFICER:
        return Wanted(kind, state, [caller.jurisdiction or ""], None, caller.department or "")
    led = leads(caller.department or "", desk.city.catalogue) if caller.role is Role.LEAD else None
    return Wanted(kind, state, places_of(caller), led, None)


def _opening(routes: APIRouter, desk: Desk) -> None:
    @routes.post("/items/{item_id}/urges", summary="催办", status_code=202)
    async def urge(
        request: Request, caller: Presser, item_id: UUID, body: UrgeText, idempotency_key: IdempotencyKey
    ) -> Response:
        async def act(work: Work, event_id: UUID) -> Made:
            item = await desk.item(work.connection, item_id)
            await desk.own_item(work.connection, caller, item)
            event = said.Urged(
                **about_item(item, event_id, desk.wallclock.now()),
                urge_id=event_id,
                level=body.level,
                message=body.message,
                actor=caller.actor,
            )
            return event, {"urge_id": str(event_id)}

        return await desk.write(request, caller, idempotency_key, ("urge", item_id, body.model_dump_json()), act)

    @routes.post("/items/{item_id}/inspections", summary="督查立项", status_code=202)
    async def inspect(
        request: Request, caller: Presser, item_id: UUID, body: Finding, idempotency_key: IdempotencyKey
    ) -> Response:
        async def act(work: Work, event_id: UUID) -> Made:
            item = await desk.item(work.connection, item_id)
            await desk.own_item(work.connection, caller, item)
            hold_to_words(body.finding)
            hold_to_future(body.rectify_by, desk.wallclock.now())
            event = said.InspectionOpened(
                **about_item(item, event_id, desk.wallclock.now()),
                inspection_id=event_id,
                finding=body.finding,
                rectify_by=body.rectify_by,
                actor=caller.actor,
            )
            return event, {"inspection_id": str(event_id)}

        return await desk.write(request, caller, idempotency_key, ("inspect", item_id, body.model_dump_json()), act)

    @routes.post("/applications/{application_id}/coordination-requests", summary="提出协调申请", status_code=202)
    async def request_coordination(
        request: Request, caller: Officer, application_id: UUID, body: Matter, idempotency_key: IdempotencyKey
    ) -> Response:
        async def act(work: Work, event_id: UUID) -> Made:
            event = await _requested(desk, work.connection, caller, application_id, body, event_id)
            return event, {"request_id": str(event_id)}

        asked = ("coordinate", application_id, body.model_dump_json())
        return await desk.write(request, caller, idempotency_key, asked, act)


async def _requested(
    desk: Desk, connection: Connection, caller: Caller, application_id: UUID, body: Matter, event_id: UUID
) -> said.CoordinationRequested:
    stage = await rows.stage(connection, application_id)
    if stage is None:
        raise NotFound
    place, department = caller.jurisdiction or "", caller.department or ""
    if not await rows.has_item_of(connection, application_id, place, department):
        raise NotYourJurisdiction
    if body.item_code is not None:
        item = await rows.newest_attempt(connection, application_id, body.item_code)
        if item is None:
            raise NotFound
        authority.own_item(caller, item.jurisdiction, item.department)
    now = desk.wallclock.now()
    hold_to_words(body.matter)
    hold_to_future(body.resolve_by, now)
    return said.CoordinationRequested(
        event_id=event_id,
        causation_id=event_id,
        occurred_at=now,
        project_code=ProjectCode(stage.project_code),
        application_id=application_id,
        stage=Stage(stage.stage),
        request_id=event_id,
        department=DepartmentCode(department),
        jurisdiction=JurisdictionCode(place),
        item_code=body.item_code,
        matter=body.matter,
        resolve_by=body.resolve_by,
        actor=caller.actor,
    )


def hold_to_words(*texts: str) -> None:
    """Hold what somebody says to being said. Raises WordsMissing."""
    if not all(text.strip() for text in texts):
        raise cases.WordsMissing


def hold_to_future(at: datetime | None, now: datetime) -> None:
    """Hold a deadline to lie ahead. Raises DeadlineInThePast."""
    if at is not None and at <= now:
        raise cases.DeadlineInThePast


def view(case: Case, now: datetime, desk: Desk) -> CaseView:
    """Return a case as people see it."""
    return CaseView(
        case_id=case.case_id,
        kind=case.kind,
        state=case.state,
        project_code=case.project_code,
        application_id=case.application_id,
        stage=case.stage,
        item_id=case.item_id,
        item_code=case.item_code,
        item_name=None if case.item_code is None else desk.names.item(case.item_code),
        department=case.department,
        department_name=desk.names.department(case.department),
        jurisdiction=case.jurisdiction,
        level=case.level,
        words=case.words,
        opened_at=case.opened_at,
        age_hours=round((now - case.opened_at).total_seconds() / 3600, 2),
        due_at=case.due_at,
        overdue=case.is_overdue(now),
        acts=[_answered(done) for done in case.acts],
    )


def _answered(done: Done) -> Answered:
    return Answered(**done._asdict())  # pyright: ignore[reportArgumentType]
