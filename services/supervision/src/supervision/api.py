"""What leaders and supervisors ask: overview, lit items, a project's timeline; and the urge (Art. 21, 22)."""

import hashlib
import json
from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from chassis import idempotency
from chassis.database import Database
from chassis.http import traceparent_of
from chassis.idempotency import Key
from chassis.identity import requires
from chassis.wallclock import WallClock
from contracts import labels, topics
from contracts.codes import CITY, PILOT_ZONES, DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.envelope import Text, derived_id
from contracts.supervision import Urged
from contracts.terms import Light, Role, Stage, UrgeLevel
from procedure import authority
from procedure.authority import Caller, NotFound
from procedure.catalogue import Catalogue
from supervision import store

Supervisor = Annotated[Caller, Depends(requires(Role.SUPERVISOR))]
IdempotencyKey = Annotated[str, Depends(idempotency.key_of)]


class OverviewRow(BaseModel):
    """How many items of a stage and department stand under which light."""

    stage: int
    stage_name: str
    department: str
    department_name: str
    items: int
    green: int
    yellow: int
    red: int
    grey: int
    concluded: int
    recalled: int


class LitItem(BaseModel):
    """An item whose light is red or yellow."""

    item_id: UUID
    project_code: str
    item_code: str
    name: str
    department: str
    jurisdiction: str
    state: str
    light: Light
    due_at: datetime | None


class StoryEvent(BaseModel):
    """One event of a project's story, with the place of the very message."""

    type: str
    topic: str
    partition: int
    offset: int
    event: dict[str, Any]


class UrgeText(BaseModel):
    model_config = ConfigDict(extra="forbid")

    level: UrgeLevel = UrgeLevel.LOW
    message: Text


class Fingerprint(BaseModel):
    """What two read models are compared by: the digest of all rows and of every project's events."""

    items_and_stages: str
    stories: str
    events: int


def router(database: Database, wallclock: WallClock, catalogue: Catalogue) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/overview", summary="各阶段各部门总览")
    async def read_overview(caller: Supervisor) -> list[OverviewRow]:
        async with database.reading() as connection:
            rows = await store.overview(connection, _places(caller))
        return [_overview_row(dict(row), catalogue) for row in rows]

    @routes.get("/lights", summary="亮灯事项")
    async def read_lights(caller: Supervisor, most: Annotated[int, Query(ge=1, le=1000)] = 200) -> list[LitItem]:
        async with database.reading() as connection:
            rows = await store.lit(connection, _places(caller), most)
        return [_lit_item(dict(row), catalogue) for row in rows]

    @routes.get("/projects/{code}/timeline", summary="一个项目的全部经过")
    async def read_timeline(caller: Supervisor, code: Annotated[ProjectCode, Path()]) -> list[StoryEvent]:
        async with database.reading() as connection:
            place = await store.place_of(connection, code)
            chapters = await store.story(connection, code)
        if place is None and not chapters:
            raise NotFound
        authority.own_territory(caller, place or CITY)
        events = {event.event["event_id"]: event for text in chapters for event in _events(text)}
        return sorted(events.values(), key=lambda one: (one.event["occurred_at"], one.topic, one.offset))

    @routes.get("/read-model/fingerprint", summary="读模型指纹")
    async def read_fingerprint(caller: Supervisor) -> Fingerprint:
        authority.own_territory(caller, CITY)
        async with database.reading() as connection:
            rows = [tuple(row) for row in await store.everything(connection)]
            chapters = await store.stories(connection)
        told: defaultdict[str, set[str]] = defaultdict(set)
        for row in chapters:
            told[row["project_code"]].update(one["event"]["event_id"] for one in json.loads(row["events"]))
        stories = sorted((code, sorted(events)) for code, events in told.items())
        count = sum(len(events) for _, events in stories)
        return Fingerprint(items_and_stages=_digest(rows), stories=_digest(stories), events=count)

    @routes.post("/items/{item_id}/urges", summary="催办", status_code=202)
    async def urge(
        request: Request, caller: Supervisor, item_id: UUID, body: UrgeText, idempotency_key: IdempotencyKey
    ) -> Response:
        key = Key(caller.subject, idempotency_key, idempotency.digest("urge", item_id, body.model_dump_json()))
        async with database.work(traceparent_of(request)) as work:
            answer = await idempotency.claim(work, key)
            if answer is None:
                event = await _urged(work.connection, caller, item_id, body, key, wallclock.now())
                work.say(topics.SUPERVISION, event)
                answer = await idempotency.remember(work, key, 202, {"urge_id": str(event.urge_id)})
        return Response(answer.body, answer.status, media_type="application/json")

    return routes


async def _urged(connection: Any, caller: Caller, item_id: UUID, body: UrgeText, key: Key, at: datetime) -> Urged:
    item = await store.item(connection, item_id)
    if item is None:
        raise NotFound
    authority.own_territory(caller, item.jurisdiction)
    urge_id = derived_id("urge", key.caller, key.key)
    return Urged(
        event_id=urge_id,
        causation_id=urge_id,
        occurred_at=at,
        project_code=ProjectCode(item.project_code),
        application_id=item.application_id,
        stage=Stage(item.stage),
        item_id=item.item_id,
        item_code=ItemCode(item.item_code),
        attempt=item.attempt,
        department=DepartmentCode(item.department),
        jurisdiction=JurisdictionCode(item.jurisdiction),
        urge_id=urge_id,
        level=body.level,
        message=body.message,
        actor=caller.actor,
    )


def _places(caller: Caller) -> list[str] | None:
    """The jurisdictions a supervisor sees: all for the city's, its own and the pilot zones it hosts else (Art. 21)."""
    if caller.jurisdiction == CITY:
        return None
    own = caller.jurisdiction or ""
    return [own, *(zone for zone, host in PILOT_ZONES.items() if host == own)]


def _events(text: str) -> list[StoryEvent]:
    return [StoryEvent(**one) for one in json.loads(text)]


def _digest(rows: object) -> str:
    return hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()


def _overview_row(row: dict[str, Any], catalogue: Catalogue) -> OverviewRow:
    stage = labels.label(Stage(row["stage"]))
    return OverviewRow(
        **row, stage_name=stage, department_name=catalogue.departments[DepartmentCode(row["department"])]
    )


def _lit_item(row: dict[str, Any], catalogue: Catalogue) -> LitItem:
    names = {name: row[name] for name in LitItem.model_fields if name != "name"}
    return LitItem(**names, name=catalogue.items[ItemCode(row["item_code"])].name)
