"""What follows upon an urge, an inspection or a coordination request (Art. 22): each act once, by whose turn it is, in
the order of `cases.TRANSITIONS`."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from chassis.database import Connection, Work
from contracts import supervision as said
from contracts.codes import ProjectCode
from contracts.envelope import Event, Instant, Line, Text
from contracts.terms import Role
from procedure import authority
from procedure.authority import Caller, NotFound
from supervision import cases
from supervision.api.cases import Given, hold_to_future, hold_to_words
from supervision.api.desk import Desk, IdempotencyKey, Lead, Made, Officer, Presser
from supervision.cases import Case
from supervision.store import cases as kept


class Assignment(Given):
    assigned_to: Line
    resolve_by: Instant


class Words(Given):
    """What somebody answers, put right, concludes or settles."""

    text: Text


def router(desk: Desk) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    _by_department(routes, desk)
    _by_lead(routes, desk)
    return routes


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
        hold_to_future(body.resolve_by, desk.wallclock.now())
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
        hold_to_words(*(value for value in facts.values() if isinstance(value, str)))
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
