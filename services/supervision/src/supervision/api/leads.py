"""The lead's board and tasks of a stage (Art. 5, 22), and its decision on what expired without an opinion (Art. 14)."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict

from chassis.database import Work
from contracts.envelope import Text
from contracts.supervision import ExpiryDecided
from contracts.terms import ExpiryDecision, Light, Role, Stage
from procedure.authority import Caller
from supervision import handlings
from supervision.api.cases import CaseView, view
from supervision.api.desk import Desk, IdempotencyKey, Lead, Made, Most, Presser, about_item
from supervision.cases import CaseKind, WordsMissing
from supervision.domain import ItemRow, Mark, MarkKind, places_of, stands
from supervision.store import cases as kept_cases
from supervision.store import handlings as kept
from supervision.store import rows
from supervision.store.cases import Wanted

StageInPath = Annotated[Stage, Path()]


class ItemOnBoard(BaseModel):
    """One open item, or one that expired without an opinion: since when it lies there, its light, what marks it."""

    item_id: UUID
    project_code: str
    application_id: UUID
    item_code: str
    name: str
    attempt: int
    jurisdiction: str
    state: str
    outcome: str | None
    limit_days: int
    received_at: datetime | None
    light: Light | None
    due_at: datetime | None
    marks: list[MarkKind]


class DepartmentOnBoard(BaseModel):
    """One department's items of a stage, the worst light first, and under each the longest wait."""

    department: str
    department_name: str
    red: int
    yellow: int
    items: list[ItemOnBoard]


class Board(BaseModel):
    stage: Stage
    lead: str
    departments: list[DepartmentOnBoard]


class Marked(BaseModel):
    """An item that somebody has to look at: since when, and why."""

    item: ItemOnBoard
    kind: MarkKind
    since: datetime
    due_at: datetime | None
    detail: str


class Tasks(BaseModel):
    """What waits for the stage's lead: expired items to decide on (R3), reminders and missing results (R8, R22), and
    coordination requests not yet settled."""

    stage: Stage
    expired: list[ItemOnBoard]
    not_declared_again: list[Marked]
    results_missing: list[Marked]
    coordination_requests: list[CaseView]


class Decision(BaseModel):
    """What becomes of an expired item: given to its department anew, or closed as not granted (R3)."""

    model_config = ConfigDict(extra="forbid")

    decision: ExpiryDecision
    reason: Text


def router(desk: Desk) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/stages/{stage}/board", summary="阶段看板：各部门在办事项与亮灯")
    async def read_board(caller: Presser, stage: StageInPath, most: Most = 500) -> Board:
        desk.own_board(caller, stage)
        places = places_of(caller)
        async with desk.database.reading() as connection:
            found = await rows.board(connection, stage.value, places, most)
            marked = await rows.marked(connection, stage.value, places, most)
        items = [(row.department, _on_board(row, desk, marked, light, due)) for row, light, due in found]
        departments = dict.fromkeys(department for department, _ in items)
        lead = desk.city.catalogue.stages[stage].lead_department
        told = [_department(code, [item for own, item in items if own == code], desk) for code in departments]
        return Board(stage=stage, lead=lead, departments=told)

    @routes.get("/stages/{stage}/tasks", summary="牵头部门待办")
    async def read_tasks(caller: Presser, stage: StageInPath, most: Most = 500) -> Tasks:
        desk.own_board(caller, stage)
        places = places_of(caller)
        wanted = Wanted(CaseKind.COORDINATION, None, places, [stage.value], None)
        async with desk.database.reading() as connection:
            expired = await rows.expired(connection, stage.value, places, most)
            marked = await rows.marked(connection, stage.value, places, most)
            requests = await kept_cases.listed(connection, wanted, most)
        now = desk.wallclock.now()
        return Tasks(
            stage=stage,
            expired=[_on_board(row, desk, marked, Light.RED.value) for row in expired],
            not_declared_again=_marked(marked, MarkKind.NOT_DECLARED_AGAIN, desk),
            results_missing=_marked(marked, MarkKind.RESULT_STILL_MISSING, desk),
            coordination_requests=[view(case, now, desk) for case in requests if case.is_open],
        )

    @routes.post("/items/{item_id}/expiry-decision", summary="逾期无意见事项的处理决定", status_code=202)
    async def decide(
        request: Request, caller: Lead, item_id: UUID, body: Decision, idempotency_key: IdempotencyKey
    ) -> Response:
        async def act(work: Work, event_id: UUID) -> Made:
            event = await _decided(desk, work, caller, item_id, body, event_id)
            return event, {"item_id": str(item_id), "decision": body.decision.value}

        asked = ("expiry decision", item_id, body.model_dump_json())
        return await desk.write(request, caller, idempotency_key, asked, act)

    return routes


async def _decided(
    desk: Desk, work: Work, caller: Caller, item_id: UUID, body: Decision, event_id: UUID
) -> ExpiryDecided:
    item = await desk.item(work.connection, item_id)
    assert caller.role is Role.LEAD
    await desk.own_item(work.connection, caller, item)
    if not body.reason.strip():
        raise WordsMissing
    await rows.hold(work.connection, item_id)
    newest = await rows.newest_attempt(work.connection, item.application_id, item.item_code)
    superseded = newest is not None and newest.attempt > item.attempt
    handlings.hold_to_expiry(item, decided=superseded or await kept.is_decided(work.connection, item_id))
    return ExpiryDecided(
        **about_item(item, event_id, desk.wallclock.now()),
        decision=body.decision,
        reason=body.reason,
        actor=caller.actor,
    )


def _on_board(
    row: ItemRow,
    desk: Desk,
    marked: list[tuple[Mark, ItemRow]],
    light: str | None,
    due_at: datetime | None = None,
) -> ItemOnBoard:
    marks = [MarkKind(mark.kind) for mark, item in marked if item.item_id == row.item_id and stands(mark, row)]
    held: dict[str, Any] = {name: getattr(row, name) for name in ItemOnBoard.model_fields if name in ItemRow._fields}
    return ItemOnBoard(
        **held,
        name=desk.names.item(row.item_code),
        light=None if light is None else Light(light),
        due_at=due_at,
        marks=sorted(marks),
    )


def _department(code: str, items: list[ItemOnBoard], desk: Desk) -> DepartmentOnBoard:
    return DepartmentOnBoard(
        department=code,
        department_name=desk.names.department(code),
        red=sum(item.light is Light.RED for item in items),
        yellow=sum(item.light is Light.YELLOW for item in items),
        items=items,
    )


def _marked(marked: list[tuple[Mark, ItemRow]], kind: MarkKind, desk: Desk) -> list[Marked]:
    return [
        Marked(
            item=_on_board(row, desk, marked, None),
            kind=kind,
            since=mark.since,
            due_at=mark.due_at,
            detail=mark.detail,
        )
        for mark, row in marked
        if mark.kind == kind.value and stands(mark, row)
    ]
