"""The timer's SQL: its rows, which of them have to be acted on next, the calendar's amendments, and how far it read."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from aiokafka import TopicPartition

from chassis import positions
from chassis.database import Connection, Work
from contracts.timer import CalendarAmended
from timer import columns
from timer.columns import KEPT, LANES, PLACE, SPLIT, WHOSE
from timer.one_instant import Split
from timer.tracked import Kept, Place, Tracked


def _arrays(wanted: Mapping[str, str]) -> str:
    return ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(wanted.values(), 1))


_NEW = {**PLACE, **WHOSE, **SPLIT, **KEPT}
_COLUMNS = ", ".join(f"c.{name}" for name in (*PLACE, *WHOSE, *KEPT))
_LOAD = f"""
    SELECT {_COLUMNS} FROM clocks c
    JOIN unnest($1::uuid[], $2::uuid[]) AS wanted (a, b) ON c.application_id = a AND c.about = b
    ORDER BY c.application_id, c.about FOR UPDATE OF c
"""
_ADD = f"""
    INSERT INTO clocks ({", ".join(_NEW)}) SELECT * FROM unnest({_arrays(_NEW)}) ON CONFLICT DO NOTHING
"""
_KEEP = f"""
    UPDATE clocks c SET ({", ".join(KEPT)}) = ROW ({", ".join(f"u.{name}" for name in KEPT)})
    FROM unnest({_arrays({**PLACE, **KEPT})}) AS u ({", ".join((*PLACE, *KEPT))})
    WHERE c.application_id = u.application_id AND c.about = u.about
"""
_EXPIRE = """
    UPDATE clocks c SET told = due_at, light = 'RED', generation = generation + 1, act_at = u.again
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS u (application_id, about, again)
    WHERE c.application_id = u.application_id AND c.about = u.about
"""
_NEXT_ACT = """
    SELECT min(act_at) FROM unnest($1::int[]) AS mine (p)
    CROSS JOIN LATERAL (SELECT act_at FROM clocks WHERE partition = p AND act_at IS NOT NULL
                        ORDER BY act_at LIMIT 1) AS first
"""
_GOES_ON = "project_code NOT IN (SELECT key FROM parked WHERE topic = ANY($4::text[]))"
"""What waits behind parked records is passed over everywhere, or it would fill every batch."""
_HERD = f"""
    SELECT act_at FROM unnest($1::int[]) AS mine (p)
    CROSS JOIN LATERAL (SELECT act_at FROM clocks WHERE partition = p AND act_at <= $2 AND {_GOES_ON}
                        ORDER BY act_at LIMIT $3) AS oldest
    ORDER BY act_at OFFSET $3 - 1 LIMIT 1
"""
_TAKE_ALL = f"""
    SELECT {_COLUMNS} FROM clocks c
    WHERE partition = ANY($1::int[]) AND act_at <= $2 AND {_GOES_ON}
    ORDER BY act_at, lane LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_TAKE_OF_HERD = f"""
    WITH lanes AS MATERIALIZED (
        SELECT p, l FROM unnest($1::int[]) AS mine (p), generate_series(0, {LANES}) AS lane (l)
        WHERE EXISTS (SELECT FROM clocks WHERE partition = p AND act_at = $2 AND lane = l)),
    level AS (
        SELECT one.* FROM lanes CROSS JOIN LATERAL (
            SELECT application_id, about, l = {LANES} AS after_items, row_number() OVER () AS turn
            FROM clocks WHERE partition = p AND act_at = $2 AND lane = l AND {_GOES_ON}
            LIMIT ceil($3::float / (SELECT count(*) FROM lanes))::bigint) AS one),
    older AS (
        SELECT application_id, about, act_at FROM clocks
        WHERE partition = ANY($1::int[]) AND act_at < $2 AND {_GOES_ON}),
    chosen AS (
        SELECT application_id, about, act_at, false AS after_items, 0::bigint AS turn FROM older
        UNION ALL
        SELECT application_id, about, $2, after_items, turn FROM level)
    SELECT {_COLUMNS} FROM chosen JOIN clocks c USING (application_id, about)
    WHERE c.act_at <= $2
    ORDER BY chosen.act_at, chosen.after_items, chosen.turn LIMIT $3 FOR UPDATE OF c SKIP LOCKED
"""
_FAMILIES = f"""
    SELECT {_COLUMNS}, c.split FROM clocks c WHERE application_id = ANY($1::uuid[])
"""
_STALE = f"""
    SELECT {_COLUMNS} FROM clocks c
    WHERE reckoned NOT IN ('', $1) AND (application_id, about) > ($2, $3)
    ORDER BY application_id, about LIMIT $4 FOR UPDATE SKIP LOCKED
"""
_RUNNING = f"""
    SELECT {_COLUMNS} FROM clocks c
    WHERE due_at >= $1 AND (application_id, about) > ($2, $3) ORDER BY application_id, about LIMIT $4
"""
_OF_PARTITION = f"""
    SELECT {_COLUMNS} FROM clocks c
    WHERE partition = $1 AND (application_id, about) > ($2, $3) ORDER BY application_id, about LIMIT $4
"""


class Family(NamedTuple):
    """The items of one stage application that the timer knows, and how the stage was split."""

    items: list[Tracked]
    splits: list[Split]


FIRST_PLACE: Final = (UUID(int=0), UUID(int=0))


# Rows -----------------------------------------------------------------------------------------------------------


async def load(work: Work, places: Collection[Place]) -> dict[UUID, Tracked]:
    """Return the rows that exist among `places`, by what they are about, locked for this unit of work."""
    if not places:
        return {}
    rows = await work.fetch(_LOAD, *columns.arrays(places))
    return {row["about"]: columns.tracked(row) for row in rows}


async def add(work: Work, rows: Collection[Kept], splits: Mapping[UUID, Sequence[Split]]) -> None:
    """Keep new rows; `splits` are those of the stages among them, by application_id."""
    if rows:
        new = [
            (*columns.whose(one.whose), *columns.split(one.whose, splits), *columns.kept(one), at) for one, at in rows
        ]
        await work.execute(_ADD, *columns.arrays(new))


async def keep(work: Work, rows: Collection[Kept]) -> None:
    """Keep what changed of known rows."""
    if rows:
        changed = [(one.whose.application_id, one.whose.about, *columns.kept(one), at) for one, at in rows]
        await work.execute(_KEEP, *columns.arrays(changed))


async def remove(work: Work, places: Collection[Place]) -> None:
    """Remove rows that nothing on the topics stands for."""
    query = "DELETE FROM clocks WHERE (application_id, about) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"
    if places:
        await work.execute(query, *columns.arrays(places))


async def knows(work: Work, partition: int) -> bool:
    """Whether any row of a partition exists."""
    return bool(await work.fetchval("SELECT EXISTS (SELECT FROM clocks WHERE partition = $1)", partition))


# Time -----------------------------------------------------------------------------------------------------------


async def next_act(connection: Connection, partitions: Collection[int]) -> datetime | None:
    """Return the earliest instant at which a row of `partitions` has to be acted on."""
    return await connection.fetchval(_NEXT_ACT, list(partitions))


async def take_due(
    work: Work, partitions: Collection[int], now: datetime, most: int, topics: Collection[str]
) -> list[asyncpg.Record]:
    """Return at most `most` rows that have to be acted on at `now`, by their columns and locked; another timer's are
    passed over, and so are those of projects that have records of `topics` parked.

    The oldest instant comes first; where more stand at one instant than fit, every department has its share.
    """
    partitions = list(partitions)
    level = await work.fetchval(_HERD, partitions, now, most, list(topics))
    query = _TAKE_ALL if level is None else _TAKE_OF_HERD
    return await work.fetch(query, partitions, level or now, most, list(topics))


async def expire(work: Work, rows: Collection[asyncpg.Record], again: Collection[datetime]) -> None:
    """Keep that the due instants of `rows` were told, with their light, and when each recall is proposed again."""
    places = [[row["application_id"] for row in rows], [row["about"] for row in rows]]
    await work.execute(_EXPIRE, *places, list(again))


async def families(work: Work, application_ids: Collection[UUID]) -> dict[UUID, Family]:
    """Return what is known of the items of stage applications, as this unit of work sees it."""
    found = {one: Family([], []) for one in application_ids}
    for row in await work.fetch(_FAMILIES, list(application_ids)) if application_ids else ():
        family = found[row["application_id"]]
        if row["split"] is None:
            family.items.append(columns.tracked(row))
        else:
            family.splits.extend(columns.splits(row["split"]))
    return found


# Calendar -------------------------------------------------------------------------------------------------------


async def stale(work: Work, name: str, after: Place, most: int) -> list[Tracked]:
    """Return the next rows after `after` whose due instant was counted by another calendar than `name`, locked."""
    return [columns.tracked(row) for row in await work.fetch(_STALE, name, *after, most)]


async def due_from(connection: Connection, since: datetime, after: Place, most: int) -> list[Tracked]:
    """Return the next rows after `after` with a due instant at or after `since`."""
    return [columns.tracked(row) for row in await connection.fetch(_RUNNING, since, *after, most)]


async def of_partition(connection: Connection, partition: int, after: Place, most: int) -> list[Kept]:
    """Return the next rows of a partition after `after`, with when they have to be acted on."""
    rows = await connection.fetch(_OF_PARTITION, partition, *after, most)
    return [(columns.tracked(row), row["act_at"]) for row in rows]


async def amendments(connection: Connection) -> list[CalendarAmended]:
    """Return every amendment of the calendar, in order."""
    rows = await connection.fetch("SELECT amendment FROM calendar_amendments ORDER BY sequence")
    return [CalendarAmended.model_validate_json(row["amendment"], extra="ignore") for row in rows]


async def amend_alone(work: Work) -> None:
    """Let nobody else amend the calendar until this unit of work ends; who counts by it goes on."""
    await work.execute("LOCK TABLE calendar_amendments IN SHARE ROW EXCLUSIVE MODE")


# How far the topics are applied ---------------------------------------------------------------------------------


async def positions_of(connection: Connection, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return how far partitions are applied, without waiting for anybody."""
    return await _positions(connection, partitions)


async def hold_positions(work: Work, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return how far partitions are applied, and let nobody apply more of them until this unit of work ends."""
    await positions.read(work.connection, partitions)
    return await _positions(work.connection, partitions, "FOR UPDATE OF positions")


async def _positions(
    connection: Connection, partitions: Sequence[TopicPartition], lock: str = ""
) -> dict[TopicPartition, int]:
    query = f"""SELECT topic, partition, next_offset FROM positions
                JOIN unnest($1::text[], $2::int[]) AS wanted (t, p) ON topic = t AND partition = p
                ORDER BY topic, partition {lock}"""
    rows = await connection.fetch(query, [tp.topic for tp in partitions], [tp.partition for tp in partitions])
    found = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    return {tp: found.get(tp, 0) for tp in partitions}


async def read_until(work: Work, offsets: Mapping[TopicPartition, int]) -> None:
    """Say that partitions are applied up to these offsets."""
    query = """UPDATE positions SET next_offset = greatest(next_offset, o), moved_at = clock_timestamp()
               FROM unnest($1::text[], $2::int[], $3::bigint[]) AS read (t, p, o)
               WHERE topic = t AND partition = p"""
    await work.execute(query, *columns.arrays((tp.topic, tp.partition, offset) for tp, offset in offsets.items()))


async def waiting_projects(connection: Connection, names: Collection[str]) -> set[str]:
    """Return the projects that have records of these topics parked."""
    rows = await connection.fetch("SELECT DISTINCT key FROM parked WHERE topic = ANY($1::text[])", list(names))
    return {row["key"] for row in rows}


async def newest_outbox_row(connection: Connection) -> int:
    """Return the newest outbox row that is not yet on its topic; 0 when there is none."""
    return await connection.fetchval("SELECT max(id) FROM outbox") or 0


async def is_in_outbox(connection: Connection, row: int) -> bool:
    """Whether an outbox row, or one before it, is not yet on its topic."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM outbox WHERE id <= $1)", row))
