"""Lanes that wait: records whose time has not come, or that break their handler, and all that came after them.

A lane is one topic and one key. Parked records are rows in the service's own database, so the position may pass them;
they are tried again when something else of their key arrives, and with back-off; `run dead-letters` shows them.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

import asyncpg
from aiokafka import TopicPartition

from chassis.database import Connection

LONGEST_WAIT_SECONDS: Final = 60
Lane = tuple[str, str]


class Why(StrEnum):
    """Why a record waits: what it builds on has not come yet, or its handler failed."""

    EARLY = "early"
    FAILED = "failed"


class Raw(NamedTuple):
    """A record as it stood on the topic; `timestamp` is the broker's append time in epoch milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    attempts: int = 0
    first_at: datetime | None = None
    broke: bool = False

    @property
    def lane(self) -> Lane:
        """The topic and key by which order is kept."""
        return self.topic, (self.key or b"").decode("utf-8", "replace")


class Held(NamedTuple):
    """A record that has to wait, and why; `detail` is for the operator."""

    raw: Raw
    why: Why
    detail: str = ""


_PUT = """
    INSERT INTO parked (topic, partition, record_offset, appended_ms, key, value, headers,
                        why, detail, attempts, first_at, next_try_at)
    SELECT t, p, o, ms, k, v, h, w, d, a, coalesce(f, clock_timestamp()),
           clock_timestamp() + least($13::float, 0.25 * 2 ^ least(a, 16)) * interval '1 second'
    FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::text[], $6::bytea[], $7::text[],
                $8::text[], $9::text[], $10::int[], $11::timestamptz[], $12::bigint[])
         AS held (t, p, o, ms, k, v, h, w, d, a, f, n)
    ORDER BY n
"""
_ALONE = """
    SELECT pg_advisory_xact_lock(hashtextextended(lane, 0)) FROM unnest($1::text[]) AS lane ORDER BY lane
"""
_TAKE = """
    WITH taken AS (
        DELETE FROM parked USING unnest($1::text[], $2::text[]) AS lane (t, k)
        WHERE topic = lane.t AND key = lane.k RETURNING parked.*)
    SELECT * FROM taken ORDER BY id
"""
_LANES = """
    SELECT DISTINCT topic, partition, key FROM parked
    JOIN unnest($1::text[], $2::int[]) AS mine (t, p) ON topic = mine.t AND partition = mine.p
"""
_DUE = """
    SELECT topic, key FROM parked WHERE (topic, key) IN (SELECT * FROM unnest($1::text[], $2::text[]))
    GROUP BY topic, key HAVING min(next_try_at) <= clock_timestamp() LIMIT 50
"""
_EARLY = """
    SELECT topic, key FROM (
        SELECT DISTINCT ON (topic, key) topic, key, why FROM parked
        WHERE (topic, key) IN (SELECT * FROM unnest($1::text[], $2::text[])) ORDER BY topic, key, id) AS first
    WHERE why = 'early'
"""


async def put(connection: Connection, held: Sequence[Held]) -> None:
    """Park `held`, in order, with the next try after a doubling wait of at most a minute."""
    if not held:
        return
    raws = [one.raw for one in held]
    await connection.execute(
        _PUT,
        [raw.topic for raw in raws],
        [raw.partition for raw in raws],
        [raw.offset for raw in raws],
        [raw.timestamp for raw in raws],
        [raw.lane[1] for raw in raws],
        [raw.value for raw in raws],
        [_headers_text(raw.headers) for raw in raws],
        [one.why.value for one in held],
        [one.detail[:2000] for one in held],
        [raw.attempts + 1 for raw in raws],
        [raw.first_at for raw in raws],
        list(range(len(raws))),
        float(LONGEST_WAIT_SECONDS),
    )


async def take(connection: Connection, lanes: Iterable[Lane]) -> list[Raw]:
    """Take every record of `lanes` out, in the order in which they came.

    The lock comes first and by itself: a former owner of the partition may be taking out and parking the same lane just
    now, and only a statement that begins after its commit sees what it parked.
    """
    wanted = list(lanes)
    if not wanted:
        return []
    await connection.execute(_ALONE, ["\x1f".join(lane) for lane in wanted])
    rows = await connection.fetch(_TAKE, [lane[0] for lane in wanted], [lane[1] for lane in wanted])
    return [_raw(row) for row in rows]


async def lanes_of(connection: Connection, partitions: Iterable[TopicPartition]) -> dict[Lane, TopicPartition]:
    """Return the lanes that wait in `partitions`."""
    wanted = list(partitions)
    rows = await connection.fetch(_LANES, [tp.topic for tp in wanted], [tp.partition for tp in wanted])
    return {(row["topic"], row["key"]): TopicPartition(row["topic"], row["partition"]) for row in rows}


async def due(connection: Connection, lanes: Iterable[Lane]) -> list[Lane]:
    """Return those of `lanes` whose next try has come."""
    wanted = list(lanes)
    rows = await connection.fetch(_DUE, [lane[0] for lane in wanted], [lane[1] for lane in wanted])
    return [(row["topic"], row["key"]) for row in rows]


async def early(connection: Connection, lanes: Iterable[Lane]) -> set[Lane]:
    """Return those of `lanes` that wait because their first record came early, not because it broke its handler."""
    wanted = list(lanes)
    rows = await connection.fetch(_EARLY, [lane[0] for lane in wanted], [lane[1] for lane in wanted])
    return {(row["topic"], row["key"]) for row in rows}


def _headers_text(headers: Sequence[tuple[str, bytes]]) -> str:
    return json.dumps([(name, value.hex()) for name, value in headers])


def _raw(row: asyncpg.Record) -> Raw:
    headers = [(name, bytes.fromhex(value)) for name, value in json.loads(row["headers"])]
    return Raw(
        row["topic"],
        row["partition"],
        row["record_offset"],
        row["appended_ms"],
        row["key"].encode(),
        row["value"],
        headers,
        row["attempts"],
        row["first_at"],
        row["why"] == Why.FAILED,
    )
