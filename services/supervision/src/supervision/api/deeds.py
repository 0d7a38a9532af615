"""After a loss (Art. 20): what a key did since it may have been misused, as list and file; what its holder left."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from chassis.database import Connection
from chassis.identity import requires
from contracts.codes import CITY
from contracts.envelope import Instant
from contracts.terms import ItemState, Ledger, Role
from procedure.authority import Caller, covers
from supervision import deeds
from supervision.api.desk import Desk
from supervision.deeds import Deed
from supervision.store import rows
from supervision.store import story as chapters
from supervision.story import lines

Reader = Annotated[Caller, Depends(requires(Role.SUPERVISOR, Role.ADMIN))]
Certificate = Annotated[str, Path(pattern=r"^[0-9A-Za-z:._-]{1,64}$", description="证书序列号")]


class DeedView(BaseModel):
    """One act under a certificate."""

    at: datetime
    project_code: str
    what: str
    item_code: str
    item_id: str
    event_id: str
    holder: str
    topic: str
    offset: int


class OpenItem(BaseModel):
    """An item that the holder had begun and that somebody else has to go on with."""

    item_id: UUID
    project_code: str
    item_code: str
    jurisdiction: str
    department: str
    state: ItemState


def router(desk: Desk) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/certificates")

    @routes.get(
        "/{serial}/acts",
        summary="一把 CA 锁办理的全部事项",
        response_model=list[DeedView],
        responses={200: {"content": {"text/csv": {}}, "description": "JSON 或 CSV"}},
    )
    async def read_acts(
        caller: Reader,
        serial: Certificate,
        since: Annotated[Instant | None, Query(description="自何时起；缺省为全部")] = None,
        form: Annotated[Literal["json", "csv"], Query(description="格式")] = "json",
    ) -> Any:
        async with desk.database.reading() as connection:
            done = await _done(connection, caller, serial, since)
        return PlainTextResponse(_as_csv(done), media_type="text/csv") if form == "csv" else _views(done)

    @routes.get("/{serial}/open-items", summary="持有人经手、尚未办结的事项（须改派）")
    async def read_open_items(caller: Reader, serial: Certificate) -> list[OpenItem]:
        async with desk.database.reading() as connection:
            begun = deeds.begun(await _done(connection, caller, serial, None))
            held = await rows.items_of(connection, begun)
        return [_open_item(one) for one in held.values() if deeds.is_open(one)]

    return routes


async def _done(connection: Connection, caller: Caller, serial: str, since: datetime | None) -> list[Deed]:
    """Return what was done in the caller's territory; what belongs to no project is the city's."""
    told = await chapters.naming(connection, serial, since)
    places = await rows.jurisdictions(connection, told) | dict.fromkeys(told.keys() & set(Ledger), CITY)
    own = {code: lines(told[code]) for code, place in places.items() if covers(caller.jurisdiction, place)}
    return deeds.deeds(own, serial, since)


def _views(done: Iterable[Deed]) -> list[DeedView]:
    return [DeedView(**one._asdict()) for one in done]


def _as_csv(done: Iterable[Deed]) -> str:
    held = io.StringIO()
    table = csv.writer(held, lineterminator="\n")
    table.writerow(Deed._fields)
    table.writerows((one.at.isoformat(), *one[1:]) for one in done)
    return held.getvalue()


def _open_item(item: Any) -> OpenItem:
    return OpenItem(
        item_id=item.item_id,
        project_code=item.project_code,
        item_code=item.item_code,
        jurisdiction=item.jurisdiction,
        department=item.department,
        state=ItemState(item.state),
    )
