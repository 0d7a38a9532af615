"""Special handlings with what came of them, and leads' decisions on expired items, as rows."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final
from uuid import UUID

from chassis.database import Connection, Work
from contracts.dispatcher import SpecialHandlingRefused
from contracts.supervision import ExpiryDecided, SpecialHandlingGranted
from supervision.handlings import Consequence
from supervision.store import columns

_GRANT = """
    INSERT INTO handlings (handling_id, project_code, item_id, jurisdiction, granted_at, event)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[])
    ON CONFLICT (handling_id) DO NOTHING
"""
_DECIDE = """
    INSERT INTO expiry_decisions (event_id, item_id, event) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[])
    ON CONFLICT (event_id) DO NOTHING
"""
_FOLLOW = f"""
    INSERT INTO consequences ({", ".join(Consequence._fields)})
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
    ON CONFLICT DO NOTHING
"""


async def grant(work: Work, events: Collection[SpecialHandlingGranted]) -> None:
    """Keep special handlings; a repeat changes nothing."""
    rows = [
        (one.handling_id, one.project_code, one.item_id, one.jurisdiction, one.occurred_at, one.model_dump_json())
        for one in events
    ]
    if rows:
        await work.execute(_GRANT, *columns(rows))


async def decide(work: Work, events: Collection[ExpiryDecided]) -> None:
    """Keep leads' decisions; a repeat changes nothing."""
    if events:
        await work.execute(_DECIDE, *columns((one.event_id, one.item_id, one.model_dump_json()) for one in events))


async def follow(work: Work, told: Collection[Consequence]) -> None:
    """Keep what follows from special handlings; a repeat changes nothing."""
    if told:
        await work.execute(_FOLLOW, *columns(told))


DECIDED: Final = f"""
    EXISTS (SELECT FROM expiry_decisions d WHERE d.item_id = {{item}} AND NOT EXISTS (
        SELECT FROM consequences c WHERE c.cause = d.event_id AND c.what = '{SpecialHandlingRefused.__name__}'))
"""
"""The lead has decided on an item, and its decision was not refused."""


async def is_decided(connection: Connection, item_id: UUID) -> bool:
    """Whether the lead has decided on an expired item."""
    return bool(await connection.fetchval(f"SELECT {DECIDED.format(item='$1')}", item_id))


async def listed(
    connection: Connection, places: Sequence[str] | None, most: int
) -> list[tuple[str, SpecialHandlingGranted]]:
    """Return special handlings, the newest first, each with its place: that of its item, or else of its project."""
    rows = await connection.fetch(
        """WITH placed AS (
               SELECT h.*, coalesce(i.jurisdiction, p.jurisdiction, s.jurisdiction, h.jurisdiction) AS place
               FROM handlings h LEFT JOIN items i USING (item_id) LEFT JOIN projects p ON p.code = h.project_code
               LEFT JOIN LATERAL (SELECT jurisdiction FROM stages WHERE project_code = h.project_code LIMIT 1) s
                    ON true)
           SELECT place, event FROM placed
           WHERE $1::text[] IS NULL OR place = ANY($1) OR jurisdiction = ANY($1)
           ORDER BY granted_at DESC, handling_id LIMIT $2""",
        places,
        most,
    )
    return [(row["place"], SpecialHandlingGranted.model_validate_json(row["event"], extra="ignore")) for row in rows]


async def consequences(connection: Connection, causes: Iterable[UUID]) -> dict[UUID, list[Consequence]]:
    """Return what stands under each of `causes`, as it happened."""
    query = f"""SELECT {", ".join(Consequence._fields)} FROM consequences WHERE cause = ANY($1::uuid[])
                ORDER BY at, event_id"""
    found: dict[UUID, list[Consequence]] = {}
    for row in await connection.fetch(query, list(causes)):
        found.setdefault(row["cause"], []).append(Consequence(*row))
    return found
