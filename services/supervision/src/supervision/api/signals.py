"""体外循环 (Art. 21): signs that items were handled off the platform, each with the events that show it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from contracts.labels import label
from contracts.supervision import SignalRaised
from contracts.terms import SignalKind, Stage
from supervision.api.desk import Desk, Most, Supervisor
from supervision.domain import places_of
from supervision.store import signals


class SignalView(BaseModel):
    """One sign, no verdict: what it is about, and its evidence by event ids."""

    signal_id: UUID
    signal: SignalKind
    signal_name: str
    project_code: str
    stage: Stage
    item_id: UUID
    item_code: str
    item_name: str
    department: str
    department_name: str
    jurisdiction: str
    raised_at: datetime
    detail: str
    evidence: list[UUID]


def router(desk: Desk) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/signals", summary="体外循环线索")
    async def read_signals(
        caller: Supervisor, signal: Annotated[SignalKind | None, Query()] = None, most: Most = 200
    ) -> list[SignalView]:
        async with desk.database.reading() as connection:
            kind = None if signal is None else signal.value
            found = await signals.listed(connection, places_of(caller), kind, most)
        return [_view(one, desk) for one in found]

    return routes


def _view(one: SignalRaised, desk: Desk) -> SignalView:
    return SignalView(
        signal_id=one.event_id,
        signal=one.signal,
        signal_name=label(one.signal),
        project_code=one.project_code,
        stage=one.stage,
        item_id=one.item_id,
        item_code=one.item_code,
        item_name=desk.names.item(one.item_code),
        department=one.department,
        department_name=desk.names.department(one.department),
        jurisdiction=one.jurisdiction,
        raised_at=one.occurred_at,
        detail=one.detail,
        evidence=list(one.evidence),
    )
