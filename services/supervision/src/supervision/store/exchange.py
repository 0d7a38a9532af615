"""The outbox of the national exchange: one row a project and batch, read in order by whoever uploads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import orjson

from chassis.database import Connection, Work
from supervision.exchange import Told

_TELL = """
    INSERT INTO exchange (project_code, told) SELECT * FROM unnest($1::text[], $2::text[])
"""
_SETTLED = "written_in < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
"""What a transaction still open may have written before is waited for: who goes on from an `id` misses nothing."""
_FLOWS_STAND = f"SELECT count(*) FROM exchange WHERE catalogue_version = ANY($1::text[]) AND {_SETTLED}"
_FLOWS = """
    INSERT INTO exchange (project_code, catalogue_version, told) SELECT '', v, t
    FROM unnest($1::text[], $2::text[]) AS flow (v, t) ON CONFLICT (catalogue_version) DO NOTHING
"""
_PAGE = f"SELECT id, told FROM exchange WHERE id > $1 AND {_SETTLED} ORDER BY id LIMIT $2"


class Page(NamedTuple):
    """Rows in order, and where the next page begins."""

    rows: list[Told]
    next: int


async def tell(work: Work, told: Mapping[str, Sequence[Told]]) -> None:
    """Add what a batch tells, by project, in order."""
    if told:
        await work.execute(_TELL, list(told), [_text(rows) for rows in told.values()])


async def tell_flows(work: Work, flows: Mapping[str, Sequence[Told]]) -> bool:
    """Add the rows of each version of the catalogue, once; returns whether all of them stood already."""
    if await work.fetchval(_FLOWS_STAND, list(flows)) == len(flows):
        return True
    await work.execute(_FLOWS, list(flows), [_text(rows) for rows in flows.values()])
    return False


async def page(connection: Connection, after: int, table: str | None, most: int) -> Page:
    """Return what was told after `after`, of one table or of all, at most `most` batches of it."""
    found = await connection.fetch(_PAGE, after, most)
    rows = [one for row in found for one in _rows(row["told"]) if table in (None, one.table)]
    return Page(rows, found[-1]["id"] if found else after)


async def everything(connection: Connection) -> list[Told]:
    """Return every row, by its running number, for comparing two outboxes."""
    found = await connection.fetch("SELECT told FROM exchange")
    return sorted((one for row in found for one in _rows(row["told"])), key=lambda one: (one.row["LSH"], one.table))


def _text(rows: Iterable[Told]) -> str:
    return orjson.dumps([[one.table, one.row] for one in rows]).decode()


def _rows(text: str) -> list[Told]:
    return [Told(*one) for one in orjson.loads(text)]
