"""The outbox of the national data exchange (Art. 3), in order, for whoever uploads it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from contracts.codes import CITY
from procedure import authority
from procedure.refusals import Refusal
from supervision.api.desk import Desk, Supervisor
from supervision.exchange import COLUMNS
from supervision.store import exchange


class NoSuchTable(Refusal):
    """交换标准中没有本平台上报的表 {table}；应为 {tables}"""

    article = "第三条"
    status = 422


class ExchangeRow(BaseModel):
    """One row of a table of the standard, with its columns as they go up."""

    table: str
    row: dict[str, Any]


class Page(BaseModel):
    """Rows, parents before children; `next` is where the next page begins."""

    rows: list[ExchangeRow]
    next: int


def router(desk: Desk) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/exchange/rows", summary="国家数据共享交换标准的上报数据")
    async def read_rows(
        caller: Supervisor,
        table: Annotated[str | None, Query(max_length=40)] = None,
        after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
        most: Annotated[int, Query(ge=1, le=500, description="至多多少批")] = 100,
    ) -> Page:
        authority.own_territory(caller, CITY)
        if table is not None and table not in COLUMNS:
            raise NoSuchTable(table=table[:40], tables="、".join(COLUMNS))
        async with desk.database.reading() as connection:
            page = await exchange.page(connection, after, table, most)
        return Page(rows=[ExchangeRow(table=one.table, row=one.row) for one in page.rows], next=page.next)

    return routes
