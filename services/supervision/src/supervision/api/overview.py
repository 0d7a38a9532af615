"""The overview, lit items and indicators, and what two read models are compared by (Art. 21)."""

import hashlib
import json
from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel

from contracts import labels
from contracts.codes import CITY
from contracts.envelope import Instant
from contracts.terms import Light, Stage
from procedure import authority
from supervision.api.desk import Desk, Most, Supervisor
from supervision.domain import places_of
from supervision.store import exchange, rows, story


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


class Indicators(BaseModel):
    """How the accepted attempts of a department's items went. Withdrawn and returned ones say nothing of time; what is
    not concluded at its due instant is recalled, so what ended in time is what was concluded (Art. 13, 14)."""

    department: str
    department_name: str
    accepted: int
    concluded: int
    recalled: int
    returned: int
    corrections: int
    corrected: int
    on_time_rate: float | None
    """按时办结率: concluded / (concluded + recalled)."""
    recalled_rate: float | None
    """自动收回率: recalled / accepted."""
    correction_rate: float | None
    """补正率: attempts with a correction / accepted."""


class Fingerprint(BaseModel):
    """What two read models are compared by: the digest of all rows, of every project's events, of the exchange."""

    items_and_stages: str
    stories: str
    events: int
    exchange: str
    exchanged: int


def router(desk: Desk) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/overview", summary="各阶段各部门总览")
    async def read_overview(caller: Supervisor) -> list[OverviewRow]:
        async with desk.database.reading() as connection:
            found = await rows.overview(connection, places_of(caller))
        return [_overview_row(dict(row), desk) for row in found]

    @routes.get("/lights", summary="亮灯事项")
    async def read_lights(caller: Supervisor, most: Most = 200) -> list[LitItem]:
        async with desk.database.reading() as connection:
            found = await rows.lit(connection, places_of(caller), most)
        return [_lit_item(dict(row), desk) for row in found]

    @routes.get("/indicators", summary="各部门指标：按时办结、自动收回、补正")
    async def read_indicators(
        caller: Supervisor,
        since: Annotated[Instant | None, Query(description="受理时间自")] = None,
        until: Annotated[Instant | None, Query(description="受理时间早于")] = None,
    ) -> list[Indicators]:
        async with desk.database.reading() as connection:
            found = await rows.indicators(connection, places_of(caller), since, until)
        return [_indicators(dict(row), desk) for row in found]

    @routes.get("/read-model/fingerprint", summary="读模型指纹")
    async def read_fingerprint(caller: Supervisor) -> Fingerprint:
        authority.own_territory(caller, CITY)
        async with desk.database.reading() as connection:
            held = [tuple(row) for row in await story.everything(connection)]
            chapters = await story.stories(connection)
            exchanged = await exchange.everything(connection)
        told: defaultdict[str, set[str]] = defaultdict(set)
        for row in chapters:
            told[row["project_code"]].update(one["event"]["event_id"] for one in orjson.loads(row["events"]))
        stories = sorted((code, sorted(events)) for code, events in told.items())
        return Fingerprint(
            items_and_stages=_digest(held),
            stories=_digest(stories),
            events=sum(len(events) for _, events in stories),
            exchange=_digest(exchanged),
            exchanged=len(exchanged),
        )

    return routes


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()


def _overview_row(row: dict[str, Any], desk: Desk) -> OverviewRow:
    stage = labels.label(Stage(row["stage"]))
    return OverviewRow(**row, stage_name=stage, department_name=desk.names.department(row["department"]))


def _lit_item(row: dict[str, Any], desk: Desk) -> LitItem:
    held = {name: row[name] for name in LitItem.model_fields if name != "name"}
    return LitItem(**held, name=desk.names.item(row["item_code"]))


def _indicators(row: dict[str, Any], desk: Desk) -> Indicators:
    return Indicators(
        **row,
        department_name=desk.names.department(row["department"]),
        on_time_rate=_rate(row["concluded"], row["concluded"] + row["recalled"]),
        recalled_rate=_rate(row["recalled"], row["accepted"]),
        correction_rate=_rate(row["corrected"], row["accepted"]),
    )


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
