"""The officers' side: a desk, and the same steps that a department's system reports, over HTTP (Art. 10, 18)."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from chassis import idempotency
from chassis.catalogue import City
from chassis.database import Database
from chassis.http import traceparent_of
from chassis.idempotency import Key
from chassis.identity import requires
from chassis.wallclock import WallClock
from contracts.department_worker import LateOpinionRecorded
from contracts.envelope import Text, derived_id
from contracts.parts import Special
from contracts.terms import ItemState, ItemStep, Outcome, Role
from department_worker import domain, store
from department_worker.domain import Result
from procedure import authority
from procedure import items as law
from procedure.authority import Caller, NotFound
from procedure.calendar import SHANGHAI
from procedure.items import Act, Item

Officer = Annotated[Caller, Depends(requires(Role.OFFICER))]
IdempotencyKey = Annotated[str, Depends(idempotency.key_of)]


class Step(BaseModel):
    """One step by an officer; `outcome` with CONCLUDE, `special` with START_SPECIAL, `opinion` where one is due."""

    model_config = ConfigDict(extra="forbid")

    step: ItemStep
    outcome: Outcome | None = None
    opinion: Text = ""
    special: Special | None = None


class Desk(BaseModel):
    """Open items, the earliest due first."""

    items: list["ItemView"]


class ItemView(BaseModel):
    """One item as its department sees it; `due_at` is empty while the clock does not run."""

    item_id: UUID
    project_code: str
    item_code: str
    attempt: int
    state: ItemState
    version: int
    outcome: Outcome | None
    due_at: datetime | None

    @classmethod
    def of(cls, item: Item, due_at: datetime | None) -> "ItemView":
        return cls(
            item_id=item.item_id,
            project_code=item.project_code,
            item_code=item.item_code,
            attempt=item.attempt,
            state=item.state,
            version=item.version,
            outcome=item.outcome,
            due_at=due_at,
        )


def router(database: Database, wallclock: WallClock, city: City, *, sealed: bool = True) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/desk", summary="本部门待办事项，按到期先后")
    async def read_desk(caller: Officer, most: Annotated[int, Query(ge=1, le=500)] = 100) -> Desk:
        async with database.reading() as connection:
            rows = await store.desk(connection, caller.jurisdiction or "", caller.department or "", most)
        return Desk(items=[ItemView.of(item, due) for item, due in rows])

    @routes.get("/items/{item_id}", summary="一个事项")
    async def read_item(caller: Officer, item_id: UUID) -> ItemView:
        async with database.reading() as connection:
            item = _own(await store.find(connection, item_id), caller)
        return _view(item, city)

    @routes.post("/items/{item_id}/steps", status_code=200, summary="办理一个环节", response_model=ItemView)
    async def take_step(
        request: Request, caller: Officer, item_id: UUID, step: Step, idempotency_key: IdempotencyKey
    ) -> Response:
        key = Key(caller.subject, idempotency_key, idempotency.digest("step", item_id, step.model_dump_json()))
        async with database.work(traceparent_of(request)) as work:
            answer = await idempotency.claim(work, key)
            if answer is None:
                item = _own((await store.load(work, [item_id])).get(item_id), caller)
                result = _done(item, step, caller, key, wallclock.now(), city, sealed)
                store.say(work, result, "")
                await store.update(work, [(result.item, _view(result.item, city).due_at)])
                await store.register(work, [result.document] if result.document else [])
                answer = await idempotency.remember(work, key, *_told(result, city))
        return Response(answer.body, answer.status, media_type="application/json")

    return routes


def _own(item: Item | None, caller: Caller) -> Item:
    if item is None:
        raise NotFound
    authority.own_item(caller, item.jurisdiction, item.department)
    return item


def _view(item: Item, city: City) -> ItemView:
    due = law.expires(item, city.calendar)
    return ItemView.of(item, None if due is None else due.at)


def _done(item: Item, step: Step, caller: Caller, key: Key, at: datetime, city: City, sealed: bool) -> Result:
    if step.step not in domain.BY_DEPARTMENT:
        raise domain.NotADepartmentsStep(step=step.step.value)
    cause = derived_id("step", key.caller, key.key)
    act = Act(step.step, caller.actor, at, cause, step.outcome, step.opinion, step.special)
    return domain.decide(item, act, city.calendar, seal=sealed)


def _told(result: Result, city: City) -> tuple[int, Any]:
    """A late opinion is refused and kept (Art. 14): the record commits, the answer says no."""
    late = next((event for event in result.said if isinstance(event, LateOpinionRecorded)), None)
    if late is not None:
        refusal = law.TooLate(due_at=late.due_at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M"))
        problem = {"title": refusal.message, "status": 409, "detail": refusal.message}
        return 409, {"type": "too-late", **problem, "code": refusal.code, "article": refusal.article, "errors": []}
    return 200, _view(result.item, city).model_dump(mode="json")
