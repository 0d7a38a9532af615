"""Supervision's SQL: stories by project, items with their lights, stages. All of it follows from the topics."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any
from uuid import UUID

import asyncpg

from chassis.database import Connection, Work
from supervision.domain import ItemRow, StageStep

_ITEM = """item_id, project_code, application_id, stage, item_code, attempt, department, jurisdiction, state, outcome,
    version, limit_days"""
_LOAD = f"SELECT {_ITEM} FROM items WHERE item_id = ANY($1::uuid[])"
_KEEP = f"""
    INSERT INTO items ({_ITEM})
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::text[], $6::int[], $7::text[], $8::text[],
                         $9::text[], $10::text[], $11::int[], $12::int[])
    ON CONFLICT (item_id) DO UPDATE SET state = excluded.state, outcome = excluded.outcome, version = excluded.version,
        limit_days = excluded.limit_days
"""
_CHAPTERS = """
    INSERT INTO chapters (project_code, events)
    SELECT * FROM unnest($1::text[], $2::text[])
"""
_STAGES = """
    INSERT INTO stages (application_id, project_code, stage, version, jurisdiction, state, result)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::text[], $6::text[], $7::text[])
    ON CONFLICT (application_id) DO UPDATE SET version = excluded.version, state = excluded.state,
        jurisdiction = coalesce(excluded.jurisdiction, stages.jurisdiction),
        result = coalesce(excluded.result, stages.result)
    WHERE stages.version < excluded.version
"""


async def load(work: Work, item_ids: Collection[UUID]) -> dict[UUID, ItemRow]:
    """Return the rows that exist among `item_ids`; the positions keep their writers apart."""
    return {row["item_id"]: ItemRow(*row) for row in await work.fetch(_LOAD, list(item_ids))} if item_ids else {}


async def keep(work: Work, rows: Collection[ItemRow]) -> None:
    """Keep rows of items."""
    if rows:
        await work.execute(_KEEP, *_columns(rows))


async def keep_stages(work: Work, steps: Iterable[StageStep]) -> None:
    """Take steps of stages in, each stage's in order; a repeat changes nothing."""
    merged: dict[UUID, StageStep] = {}
    for step in steps:
        merged[step.application_id] = _merged(merged.get(step.application_id), step)
    if merged:
        await work.execute(_STAGES, *_columns(astuple(step) for step in merged.values()))


def _merged(before: StageStep | None, step: StageStep) -> StageStep:
    """An upsert takes one row per stage: the steps of one batch become one."""
    if before is None or step.version <= before.version:
        return before or step
    pairs = zip(astuple(step), astuple(before), strict=True)
    return StageStep(*(old if new is None else new for new, old in pairs))


async def tell(work: Work, stories: Mapping[str, Sequence[str]]) -> None:
    """Add to each project's story the events of one batch: one row a project, whatever the number of events."""
    if stories:
        chapters = ["[" + ",".join(events) + "]" for events in stories.values()]
        await work.execute(_CHAPTERS, list(stories), chapters)


async def story(connection: Connection, project_code: str) -> list[str]:
    """Return the chapters of a project's story, each a JSON array of events, as they came."""
    rows = await connection.fetch("SELECT events FROM chapters WHERE project_code = $1 ORDER BY id", project_code)
    return [row["events"] for row in rows]


async def place_of(connection: Connection, project_code: str) -> str | None:
    """Return the jurisdiction of a project whose stages are known."""
    query = "SELECT jurisdiction FROM stages WHERE project_code = $1 LIMIT 1"
    return await connection.fetchval(query, project_code)


async def overview(connection: Connection, places: Sequence[str] | None) -> list[asyncpg.Record]:
    """Return how many items of each stage and department stand in which state and light, in `places` (None: all)."""
    return await connection.fetch(
        """SELECT stage, department, count(*) AS items,
                  count(*) FILTER (WHERE light = 'GREEN') AS green, count(*) FILTER (WHERE light = 'YELLOW') AS yellow,
                  count(*) FILTER (WHERE light = 'RED') AS red, count(*) FILTER (WHERE light = 'GREY') AS grey,
                  count(*) FILTER (WHERE state = 'CONCLUDED') AS concluded,
                  count(*) FILTER (WHERE state = 'AUTO_RECALLED') AS recalled
           FROM items LEFT JOIN shown_clocks ON about = item_id
           WHERE $1::text[] IS NULL OR jurisdiction = ANY($1) GROUP BY stage, department ORDER BY 1, 2""",
        places,
    )


async def lit(connection: Connection, places: Sequence[str] | None, most: int) -> list[asyncpg.Record]:
    """Return the items whose light is red or yellow, the earliest due first."""
    return await connection.fetch(
        f"""SELECT {_ITEM}, light, due_at FROM shown_clocks JOIN items ON item_id = about
            WHERE light IN ('RED', 'YELLOW') AND ($1::text[] IS NULL OR jurisdiction = ANY($1))
            ORDER BY light, due_at, item_id LIMIT $2""",
        places,
        most,
    )


async def item(connection: Connection, item_id: UUID) -> ItemRow | None:
    """Return an item, or None."""
    row = await connection.fetchrow(f"SELECT {_ITEM} FROM items WHERE item_id = $1", item_id)
    return None if row is None else ItemRow(*row)


async def everything(connection: Connection) -> list[asyncpg.Record]:
    """Return every row of the read model that is not a story, in one order, for comparing two of them."""
    return await connection.fetch(
        f"""SELECT 'item' AS kind, to_json(i)::text AS row FROM (SELECT {_ITEM} FROM items ORDER BY item_id) i
            UNION ALL SELECT 'stage', to_json(s)::text FROM (SELECT * FROM stages ORDER BY application_id) s
            UNION ALL SELECT 'clock', to_json(c)::text FROM (SELECT * FROM shown_clocks ORDER BY about) c"""
    )


async def stories(connection: Connection) -> list[asyncpg.Record]:
    """Return all chapters."""
    return await connection.fetch("SELECT project_code, events FROM chapters ORDER BY project_code, id")


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
