"""Projects, stages, items with their marks and lights: what is loaded, kept and listed of them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from chassis.database import Connection, Work
from contracts.intake import ProjectRegistered
from contracts.terms import ItemState, Outcome
from supervision.domain import OPEN, ItemRow, Mark, StageRow
from supervision.store import columns
from supervision.store.handlings import DECIDED

_ITEM = ", ".join(ItemRow._fields)
_TYPES: Final = "uuid text uuid int text int text text text text int int timestamptz timestamptz int text text int int"
_ITEM_ARRAYS = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(_TYPES.split(), 1))
_FIXED: Final = (
    "item_id",
    "project_code",
    "application_id",
    "stage",
    "item_code",
    "attempt",
    "department",
    "jurisdiction",
)
_MOVES = ", ".join(f"{name} = excluded.{name}" for name in ItemRow._fields if name not in _FIXED)
_LOAD = f"SELECT {_ITEM} FROM items WHERE item_id = ANY($1::uuid[])"
_KEEP = f"""
    INSERT INTO items ({_ITEM}) SELECT * FROM unnest({_ITEM_ARRAYS})
    ON CONFLICT (item_id) DO UPDATE SET {_MOVES}
"""
_STAGE = ", ".join(StageRow._fields)
_LOAD_STAGES = f"SELECT {_STAGE} FROM stages WHERE application_id = ANY($1::uuid[])"
_KEEP_STAGES = f"""
    INSERT INTO stages ({_STAGE})
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::text[], $6::text[], $7::text[], $8::int[],
                         $9::text[], $10::text[])
    ON CONFLICT (application_id) DO UPDATE SET version = excluded.version, state = excluded.state,
        result = excluded.result
"""
_KEEP_PROJECTS = """
    INSERT INTO projects (code, version, process_type, jurisdiction)
    SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::text[])
    ON CONFLICT (code) DO UPDATE SET version = excluded.version, process_type = excluded.process_type,
        jurisdiction = excluded.jurisdiction
    WHERE projects.version < excluded.version
"""
_PLACES = """
    SELECT DISTINCT ON (code) code, jurisdiction FROM (
        SELECT code, jurisdiction, 1 AS place FROM projects WHERE code = ANY($1::text[])
        UNION ALL SELECT project_code, jurisdiction, 2 FROM stages WHERE project_code = ANY($1::text[])) AS told
    ORDER BY code, place
"""
_KEEP_MARKS = f"""
    INSERT INTO marks ({", ".join(Mark._fields)})
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                         $7::text[])
    ON CONFLICT (item_id, kind) DO UPDATE SET event_id = excluded.event_id, since = excluded.since,
        due_at = excluded.due_at, detail = excluded.detail
    WHERE marks.since < excluded.since
"""
_EXPIRED = f"""
    i.state = '{ItemState.AUTO_RECALLED}' AND i.outcome = '{Outcome.EXPIRED_NO_OPINION}' AND i.closed IS NULL
    AND NOT {DECIDED.format(item="i.item_id")}
    AND NOT EXISTS (SELECT FROM items n WHERE n.application_id = i.application_id AND n.item_code = i.item_code
                    AND n.attempt > i.attempt)
"""
"""An item that expired without an opinion and waits for the lead (R3)."""
_LIGHT = f"CASE WHEN i.outcome = '{Outcome.EXPIRED_NO_OPINION}' THEN 'RED' ELSE light END"
_ITEMS_OF = ", ".join(f"i.{name}" for name in ItemRow._fields)
_BOARD = f"""
    SELECT {_ITEMS_OF}, {_LIGHT} AS light, due_at FROM items i LEFT JOIN shown_clocks ON about = i.item_id
    WHERE i.stage = $1 AND ($2::text[] IS NULL OR i.jurisdiction = ANY($2)) AND i.closed IS NULL
          AND (i.state = ANY($3::text[]) OR ({_EXPIRED}))
    ORDER BY i.department, array_position(ARRAY['RED', 'YELLOW', 'GREEN', 'GREY'], {_LIGHT}),
             i.received_at NULLS LAST, i.item_id
    LIMIT $4
"""
_OPEN: Final = [state.value for state in OPEN]


async def load(work: Work, item_ids: Collection[UUID]) -> dict[UUID, ItemRow]:
    """Return the rows that exist among `item_ids`; the positions keep their writers apart."""
    return {row["item_id"]: ItemRow(*row) for row in await work.fetch(_LOAD, list(item_ids))} if item_ids else {}


async def keep(work: Work, rows: Collection[ItemRow]) -> None:
    """Keep rows of items."""
    if rows:
        await work.execute(_KEEP, *columns(rows))


async def load_stages(work: Work, application_ids: Collection[UUID]) -> dict[UUID, StageRow]:
    """Return the rows of the stage applications that are known."""
    if not application_ids:
        return {}
    found = await work.fetch(_LOAD_STAGES, list(application_ids))
    return {row["application_id"]: StageRow(*row) for row in found}


async def keep_stages(work: Work, rows: Collection[StageRow]) -> None:
    """Keep rows of stages."""
    if rows:
        await work.execute(_KEEP_STAGES, *columns(rows))


async def keep_projects(work: Work, events: Collection[ProjectRegistered]) -> None:
    """Keep what projects are, the newest version of each."""
    newest = {event.project_code: event for event in sorted(events, key=lambda one: one.version)}
    rows = [(code, one.version, one.process_type.value, one.jurisdiction) for code, one in newest.items()]
    if rows:
        await work.execute(_KEEP_PROJECTS, *columns(rows))


async def keep_marks(work: Work, marks: Collection[Mark]) -> None:
    """Keep the newest mark of each kind of each item."""
    newest = {(one.item_id, one.kind): one for one in sorted(marks, key=lambda one: one.since)}
    if newest:
        await work.execute(_KEEP_MARKS, *columns(newest.values()))


# Read -----------------------------------------------------------------------------------------------------------


async def jurisdictions(connection: Connection, codes: Collection[str]) -> dict[str, str]:
    """Return where projects are, as `project` tells of one; those of which nothing is known are left out."""
    return dict(await connection.fetch(_PLACES, list(codes)))


async def project(connection: Connection, code: str) -> asyncpg.Record | None:
    """Return where a project is and of which type: as it was pushed, or as its first declaration tells; or None."""
    return await connection.fetchrow(
        """SELECT jurisdiction, process_type FROM projects WHERE code = $1
           UNION ALL SELECT jurisdiction, process_type FROM stages WHERE project_code = $1 LIMIT 1""",
        code,
    )


async def stage(connection: Connection, application_id: UUID) -> StageRow | None:
    """Return a stage application, or None."""
    row = await connection.fetchrow(f"SELECT {_STAGE} FROM stages WHERE application_id = $1", application_id)
    return None if row is None else StageRow(*row)


async def item(connection: Connection, item_id: UUID) -> ItemRow | None:
    """Return an item, or None."""
    row = await connection.fetchrow(f"SELECT {_ITEM} FROM items WHERE item_id = $1", item_id)
    return None if row is None else ItemRow(*row)


async def hold(connection: Connection, item_id: UUID) -> None:
    """Hold an item until the unit of work ends: whoever decides on it does so after another who does."""
    await connection.execute("SELECT FROM items WHERE item_id = $1 FOR UPDATE", item_id)


async def newest_attempt(connection: Connection, application_id: UUID, item_code: str) -> ItemRow | None:
    """Return the newest attempt of an item of a stage application, or None."""
    row = await connection.fetchrow(
        f"SELECT {_ITEM} FROM items WHERE application_id = $1 AND item_code = $2 ORDER BY attempt DESC LIMIT 1",
        application_id,
        item_code,
    )
    return None if row is None else ItemRow(*row)


async def has_item_of(connection: Connection, application_id: UUID, jurisdiction: str, department: str) -> bool:
    """Whether a department of a jurisdiction handles an item of a stage application."""
    query = "SELECT true FROM items WHERE application_id = $1 AND jurisdiction = $2 AND department = $3 LIMIT 1"
    return bool(await connection.fetchval(query, application_id, jurisdiction, department))


async def items_of(connection: Connection, item_ids: Collection[UUID]) -> dict[UUID, ItemRow]:
    """Return the rows that exist among `item_ids`."""
    return {row["item_id"]: ItemRow(*row) for row in await connection.fetch(_LOAD, list(item_ids))}


async def overview(connection: Connection, places: Sequence[str] | None) -> list[asyncpg.Record]:
    """Return how many items of each stage and department stand in which state and light, in `places` (None: all)."""
    return await connection.fetch(
        f"""SELECT stage, department, count(*) AS items,
                   count(*) FILTER (WHERE light = 'GREEN') AS green, count(*) FILTER (WHERE light = 'YELLOW') AS yellow,
                   count(*) FILTER (WHERE light = 'RED' OR ({_EXPIRED})) AS red,
                   count(*) FILTER (WHERE light = 'GREY') AS grey,
                   count(*) FILTER (WHERE state = 'CONCLUDED') AS concluded,
                   count(*) FILTER (WHERE state = 'AUTO_RECALLED') AS recalled
            FROM items i LEFT JOIN shown_clocks ON about = i.item_id
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


async def board(
    connection: Connection, stage: int, places: Sequence[str] | None, most: int
) -> list[tuple[ItemRow, str | None, datetime | None]]:
    """Return a stage's open items with light and due instant: by department, worst light and longest wait first."""
    rows = await connection.fetch(_BOARD, stage, places, _OPEN, most)
    return [(ItemRow(*row[:-2]), row["light"], row["due_at"]) for row in rows]


async def expired(connection: Connection, stage: int, places: Sequence[str] | None, most: int) -> list[ItemRow]:
    """Return a stage's items that expired without an opinion and wait for the lead's decision (R3)."""
    rows = await connection.fetch(
        f"""SELECT {_ITEMS_OF} FROM items i WHERE i.stage = $1 AND ($2::text[] IS NULL OR i.jurisdiction = ANY($2))
            AND {_EXPIRED} ORDER BY i.received_at, i.item_id LIMIT $3""",
        stage,
        places,
        most,
    )
    return [ItemRow(*row) for row in rows]


async def marked(
    connection: Connection, stage: int, places: Sequence[str] | None, most: int
) -> list[tuple[Mark, ItemRow]]:
    """Return the marks of a stage's items, the oldest first, each with its item's newest attempt only."""
    rows = await connection.fetch(
        f"""SELECT {", ".join(f"m.{name}" for name in Mark._fields)}, {_ITEMS_OF}
            FROM marks m JOIN items i USING (item_id)
            WHERE i.stage = $1 AND ($2::text[] IS NULL OR i.jurisdiction = ANY($2))
              AND NOT EXISTS (SELECT FROM items n WHERE n.application_id = i.application_id
                              AND n.item_code = i.item_code AND n.attempt > i.attempt)
            ORDER BY m.since, m.item_id LIMIT $3""",
        stage,
        places,
        most,
    )
    width = len(Mark._fields)
    return [(Mark(*row[:width]), ItemRow(*row[width:])) for row in rows]


async def indicators(
    connection: Connection, places: Sequence[str] | None, since: datetime | None, until: datetime | None
) -> list[asyncpg.Record]:
    """Return by department how the attempts accepted from `since` to before `until` went."""
    return await connection.fetch(
        """SELECT department, count(*) AS accepted,
                  count(*) FILTER (WHERE state IN ('CONCLUDED', 'REVOKED')) AS concluded,
                  count(*) FILTER (WHERE state = 'AUTO_RECALLED') AS recalled,
                  count(*) FILTER (WHERE state = 'RETURNED') AS returned,
                  sum(corrections) AS corrections, count(*) FILTER (WHERE corrections > 0) AS corrected
           FROM items WHERE accepted_at IS NOT NULL AND ($1::text[] IS NULL OR jurisdiction = ANY($1))
                AND ($2::timestamptz IS NULL OR accepted_at >= $2) AND ($3::timestamptz IS NULL OR accepted_at < $3)
           GROUP BY department ORDER BY department""",
        places,
        since,
        until,
    )
