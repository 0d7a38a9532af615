"""Signs of handling off the platform: what waits to be judged, steps out of office hours, and the signs raised."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date
from uuid import UUID

from chassis.database import Connection, Work
from contracts.supervision import SignalRaised
from procedure.calendar import local_day
from supervision.signals import Night
from supervision.store import columns

_QUEUE = """
    INSERT INTO unjudged (item_id, project_code, partition) SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[])
    ON CONFLICT (item_id) DO NOTHING
"""
_TAKE = """
    DELETE FROM unjudged WHERE item_id IN (
        SELECT item_id FROM unjudged
        WHERE queued_at <= clock_timestamp() - $1 * interval '1 second' AND partition = ANY($2::int[])
        ORDER BY queued_at LIMIT $3 FOR UPDATE SKIP LOCKED)
    RETURNING item_id, project_code
"""
_NIGHT = ", ".join(Night._fields)
_WATCH = f"""
    INSERT INTO nights ({_NIGHT}, day)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::uuid[], $7::int[],
                         $8::uuid[], $9::text[], $10::int[], $11::text[], $12::text[], $13::date[])
    ON CONFLICT (event_id) DO NOTHING
"""
_TOUCHED = "UPDATE nights SET judged = true WHERE NOT judged RETURNING certificate, day"
_OF_DAYS = f"""
    SELECT {_NIGHT} FROM nights JOIN unnest($1::text[], $2::date[]) AS touched (c, d) ON certificate = c AND day = d
"""
_RAISE = """
    INSERT INTO signals (signal_id, kind, item_id, jurisdiction, raised_at, event)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[])
    ON CONFLICT (signal_id) DO NOTHING RETURNING signal_id
"""


async def queue(work: Work, concluded: Collection[tuple[UUID, str, int]]) -> None:
    """Put concluded items, with their projects and the partition that tells of them, where they wait to be judged."""
    if concluded:
        await work.execute(_QUEUE, *columns(concluded))


async def watch(work: Work, nights: Collection[Night]) -> None:
    """Keep steps that were taken out of office hours."""
    if nights:
        await work.execute(_WATCH, *columns((*one, local_day(one.at)) for one in nights))


async def are_waiting(connection: Connection, partitions: Collection[int]) -> bool:
    """Whether anything of `partitions` waits to be judged."""
    query = """SELECT EXISTS (SELECT FROM unjudged WHERE partition = ANY($1::int[]))
                   OR EXISTS (SELECT FROM nights WHERE NOT judged)"""
    return bool(await connection.fetchval(query, list(partitions)))


Waiting = dict[str, list[UUID]]
"""Items that wait to be judged, by their projects."""


async def take(work: Work, older_than_seconds: float, partitions: Collection[int], most: int) -> Waiting:
    """Take items of `partitions` out that have waited long enough, by their projects."""
    taken: defaultdict[str, list[UUID]] = defaultdict(list)
    for row in await work.fetch(_TAKE, older_than_seconds, list(partitions), most):
        taken[row["project_code"]].append(row["item_id"])
    return taken


async def take_nights(work: Work) -> dict[tuple[str, date], list[Night]]:
    """Return every step out of office hours of the holders and days to which one was added."""
    touched = {(row["certificate"], row["day"]) for row in await work.fetch(_TOUCHED)}
    found: defaultdict[tuple[str, date], list[Night]] = defaultdict(list)
    for row in await work.fetch(_OF_DAYS, *columns(touched)) if touched else ():
        night = Night(*row)
        found[night.certificate, local_day(night.at)].append(night)
    return found


async def keep(work: Work, raised: Collection[SignalRaised]) -> set[UUID]:
    """Keep signs; returns which are new."""
    once = {one.event_id: one for one in raised}
    rows = [
        (id_, one.signal.value, one.item_id, one.jurisdiction, one.occurred_at, one.model_dump_json())
        for id_, one in sorted(once.items())
    ]
    return {row["signal_id"] for row in await work.fetch(_RAISE, *columns(rows))} if rows else set()


async def listed(
    connection: Connection, places: Sequence[str] | None, kind: str | None, most: int
) -> list[SignalRaised]:
    """Return signs, the newest first."""
    rows = await connection.fetch(
        """SELECT event FROM signals WHERE ($1::text[] IS NULL OR jurisdiction = ANY($1))
           AND ($2::text IS NULL OR kind = $2) ORDER BY raised_at DESC, signal_id LIMIT $3""",
        places,
        kind,
        most,
    )
    return [SignalRaised.model_validate_json(row["event"], extra="ignore") for row in rows]
