"""催办、督查、协调 (Art. 22): pressed and inspected by supervision or the stage's lead, answered by the department,
settled by the lead; each act once, in its legal order."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from chassis.database import Connection, Work
from contracts import supervision as said
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.envelope import Event, Instant, Line, Text
from contracts.terms import Role, Stage, UrgeLevel
from procedure import authority
from procedure.authority import Caller, NotFound, NotYourJurisdiction
from supervision import cases
from supervision.api.desk import Concerned, Desk, IdempotencyKey, Lead, Made, Most, Officer, Presser, about_item
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


class Assignment(Given):
    assigned_to: Line
    resolve_by: Instant


class Words(Given):
    """What somebody answers, put right, concludes or settles."""

    text: Text


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
    _by_department(routes, desk)
    _by_lead(routes, desk)
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
            _hold_to_words(body.finding)
            _hold_to_future(body.rectify_by, desk.wallclock.now())
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
    _hold_to_words(body.matter)
    _hold_to_future(body.resolve_by, now)
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


def _by_department(routes: APIRouter, desk: Desk) -> None:
    @routes.post("/urges/{case_id}/receipt", summary="签收催办", status_code=202)
    async def receive(request: Request, caller: Officer, case_id: UUID, idempotency_key: IdempotencyKey) -> Response:
        asked = ("receive urge", case_id)
        return await _follow(request, desk, caller, idempotency_key, asked, said.UrgeReceived, "urge_id", {})

    @routes.post("/urges/{case_id}/answer", summary="答复催办", status_code=202)
    async def answer(
        request: Request, caller: Officer, case_id: UUID, body: Words, idempotency_key: IdempotencyKey
    ) -> Response:
        asked, words = ("answer urge", case_id, body.model_dump_json()), {"answer": body.text}
        return await _follow(request, desk, caller, idempotency_key, asked, said.UrgeAnswered, "urge_id", words)

    @routes.post("/inspections/{case_id}/rectification", summary="报告整改", status_code=202)
    async def rectify(
        request: Request, caller: Officer, case_id: UUID, body: Words, idempotency_key: IdempotencyKey
    ) -> Response:
        asked, words = ("rectify", case_id, body.model_dump_json()), {"measures": body.text}
        kind = said.InspectionRectified
        return await _follow(request, desk, caller, idempotency_key, asked, kind, "inspection_id", words)


def _by_lead(routes: APIRouter, desk: Desk) -> None:
    @routes.post("/inspections/{case_id}/closure", summary="结束督查", status_code=202)
    async def close(
        request: Request, caller: Presser, case_id: UUID, body: Words, idempotency_key: IdempotencyKey
    ) -> Response:
        asked, words = ("close inspection", case_id, body.model_dump_json()), {"conclusion": body.text}
        kind = said.InspectionClosed
        return await _follow(request, desk, caller, idempotency_key, asked, kind, "inspection_id", words)

    @routes.post("/coordination-requests/{case_id}/assignment", summary="指定协调办理人和期限", status_code=202)
    async def assign(
        request: Request, caller: Lead, case_id: UUID, body: Assignment, idempotency_key: IdempotencyKey
    ) -> Response:
        _hold_to_future(body.resolve_by, desk.wallclock.now())
        asked = ("assign", case_id, body.model_dump_json())
        facts = {"assigned_to": body.assigned_to, "resolve_by": body.resolve_by}
        kind = said.CoordinationAssigned
        return await _follow(request, desk, caller, idempotency_key, asked, kind, "request_id", facts)

    @routes.post("/coordination-requests/{case_id}/resolution", summary="办结协调申请", status_code=202)
    async def resolve(
        request: Request, caller: Lead, case_id: UUID, body: Words, idempotency_key: IdempotencyKey
    ) -> Response:
        asked = ("resolve", case_id, body.model_dump_json())
        facts = {"resolution": body.text, "decided_by": caller.name}
        kind = said.CoordinationResolved
        return await _follow(request, desk, caller, idempotency_key, asked, kind, "request_id", facts)


async def _follow(
    request: Request,
    desk: Desk,
    caller: Caller,
    key: str,
    asked: tuple[object, ...],
    kind: type[Event],
    names_case: str,
    facts: dict[str, Any],
) -> Response:
    """Do one act of a case that is the caller's own, when its turn has come (`cases.TRANSITIONS`)."""
    case_id = asked[1]
    assert isinstance(case_id, UUID)

    async def act(work: Work, event_id: UUID) -> Made:
        case = (await kept.of(work.connection, [case_id])).get(case_id)
        if case is None or kind not in cases.ACTS[case.kind]:
            raise NotFound
        await _own(desk, work.connection, caller, case)
        _hold_to_words(*(value for value in facts.values() if isinstance(value, str)))
        cases.hold_to_order(case, kind)
        about = {"event_id": event_id, "causation_id": case_id, "occurred_at": desk.wallclock.now()}
        named = {"project_code": ProjectCode(case.project_code), names_case: case_id, "actor": caller.actor}
        return kind(**about, **named, **facts), {names_case: str(case_id)}

    return await desk.write(request, caller, key, asked, act)


async def _own(desk: Desk, connection: Connection, caller: Caller, case: Case) -> None:
    if caller.role is Role.OFFICER:
        authority.own_item(caller, case.jurisdiction, case.department)
    else:
        await desk.own_stage(connection, caller, case.stage, case.application_id, case.jurisdiction)


def _hold_to_words(*texts: str) -> None:
    if not all(text.strip() for text in texts):
        raise cases.WordsMissing


def _hold_to_future(at: datetime | None, now: datetime) -> None:
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
