"""The timer's SQL: its rows, which of them have to be acted on next, and the calendar's amendments."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID
from zlib import crc32

import asyncpg
import orjson
from aiokafka import TopicPartition

from chassis import positions
from chassis.database import Connection, Work
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.parts import Policies as Versions
from contracts.terms import ClockEnd, ClockSubject, Light, OnExpiry, Outcome, Stage
from contracts.timer import CalendarAmended
from procedure import clock as law
from procedure import reminders, stage_clock
from procedure.clock import Clock
from procedure.item_clock import Attempt
from procedure.stage_clock import UNSTARTED, StageClock
from timer.one_instant import Split
from timer.tracked import Spoken, Tracked, Whose

LANES: Final = 64
"""Departments share so many lanes; stages have the one after, so that at one instant items come first (R19)."""

PLACE: Final = {"application_id": "uuid", "about": "uuid"}
WHOSE: Final = {
    "partition": "int",
    "project_code": "text",
    "stage": "int",
    "jurisdiction": "text",
    "versions": "text",
    "item_code": "text",
    "attempt": "int",
    "department": "text",
    "on_expiry": "text",
}
SPLIT: Final = {"lane": "int", "split": "text"}
KEPT: Final = {
    "subject": "text",
    "began": "int",
    "limit_days": "int",
    "extended_days": "int",
    "started_at": "timestamptz",
    "pauses": "text",
    "ended_at": "timestamptz",
    "ended": "text",
    "open": "text",
    "held": "bool",
    "reminders": "text",
    "outcome": "text",
    "seen": "int",
    "due_at": "timestamptz",
    "light": "text",
    "told": "timestamptz",
    "generation": "int",
    "expires_at": "timestamptz",
    "reckoned": "text",
    "act_at": "timestamptz",
}
"""Columns and their types: what a row is found by, what never changes, what a stage was split into, what changes."""


def _arrays(columns: Mapping[str, str]) -> str:
    return ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(columns.values(), 1))


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
_NEXT_ACT = """
    SELECT min(act_at) FROM unnest($1::int[]) AS mine (p)
    CROSS JOIN LATERAL (SELECT act_at FROM clocks WHERE partition = p AND act_at IS NOT NULL
                        ORDER BY act_at LIMIT 1) AS first
"""
_HERD = """
    SELECT act_at FROM unnest($1::int[]) AS mine (p)
    CROSS JOIN LATERAL (SELECT act_at FROM clocks WHERE partition = p AND act_at <= $2
                        ORDER BY act_at LIMIT $3) AS oldest
    ORDER BY act_at OFFSET $3 - 1 LIMIT 1
"""
_WAITING_PROJECTS = "SELECT key FROM parked WHERE topic = ANY($4::text[])"
_TAKE_ALL = f"""
    SELECT {_COLUMNS} FROM clocks c
    WHERE partition = ANY($1::int[]) AND act_at <= $2 AND project_code NOT IN ({_WAITING_PROJECTS})
    ORDER BY act_at, lane LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_TAKE_OF_HERD = f"""
    WITH lanes AS MATERIALIZED (
        SELECT p, l FROM unnest($1::int[]) AS mine (p), generate_series(0, {LANES}) AS lane (l)
        WHERE EXISTS (SELECT FROM clocks WHERE partition = p AND act_at = $2 AND lane = l)),
    level AS (
        SELECT one.* FROM lanes CROSS JOIN LATERAL (
            SELECT application_id, about, l = {LANES} AS after_items, row_number() OVER () AS turn
            FROM clocks WHERE partition = p AND act_at = $2 AND lane = l
            LIMIT ceil($3::float / (SELECT count(*) FROM lanes))::bigint) AS one),
    older AS (
        SELECT application_id, about, act_at FROM clocks WHERE partition = ANY($1::int[]) AND act_at < $2),
    chosen AS (
        SELECT application_id, about, act_at, false AS after_items, 0::bigint AS turn FROM older
        UNION ALL
        SELECT application_id, about, $2, after_items, turn FROM level)
    SELECT {_COLUMNS} FROM chosen JOIN clocks c USING (application_id, about)
    WHERE c.act_at <= $2 AND project_code NOT IN ({_WAITING_PROJECTS})
    ORDER BY chosen.act_at, chosen.after_items, chosen.turn LIMIT $3 FOR UPDATE OF c SKIP LOCKED
"""
_FAMILIES = f"""
    SELECT {_COLUMNS}, c.split FROM clocks c WHERE application_id = ANY($1::uuid[])
"""
_STALE = f"""
    SELECT {_COLUMNS} FROM clocks c
    WHERE due_at IS NOT NULL AND reckoned <> $1 AND (application_id, about) > ($2, $3)
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


Due = tuple[Tracked, datetime]
"""A row with the instant at which it had to be acted on."""
Kept = tuple[Tracked, datetime | None]
"""A row with the instant at which the timer has to act on it next."""
Place = tuple[UUID, UUID]
"""application_id and about: what a row is found by."""
FIRST_PLACE: Final = (UUID(int=0), UUID(int=0))


# Rows -----------------------------------------------------------------------------------------------------------


async def load(work: Work, places: Collection[Place]) -> dict[UUID, Tracked]:
    """Return the rows that exist among `places`, by what they are about, locked for this unit of work."""
    if not places:
        return {}
    rows = await work.fetch(_LOAD, *_columns(places))
    return {row["about"]: _tracked(row) for row in rows}


async def add(work: Work, rows: Collection[Kept], splits: Mapping[UUID, Sequence[Split]]) -> None:
    """Keep new rows; `splits` are those of the stages among them, by application_id."""
    if rows:
        new = [(*_whose(one.whose), *_split(one.whose, splits), *_kept(one), at) for one, at in rows]
        await work.execute(_ADD, *_columns(new))


async def keep(work: Work, rows: Collection[Kept]) -> None:
    """Keep what changed of known rows."""
    if rows:
        changed = [(one.whose.application_id, one.whose.about, *_kept(one), at) for one, at in rows]
        await work.execute(_KEEP, *_columns(changed))


async def remove(work: Work, places: Collection[Place]) -> None:
    """Remove rows that nothing on the topics stands for."""
    query = "DELETE FROM clocks WHERE (application_id, about) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"
    if places:
        await work.execute(query, *_columns(places))


async def knows(work: Work, partition: int) -> bool:
    """Whether any row of a partition exists."""
    return bool(await work.fetchval("SELECT EXISTS (SELECT FROM clocks WHERE partition = $1)", partition))


# Time -----------------------------------------------------------------------------------------------------------


async def next_act(connection: Connection, partitions: Collection[int]) -> datetime | None:
    """Return the earliest instant at which a row of `partitions` has to be acted on."""
    return await connection.fetchval(_NEXT_ACT, list(partitions))


async def take_due(
    work: Work, partitions: Collection[int], now: datetime, most: int, topics: Collection[str]
) -> list[Due]:
    """Return at most `most` rows that have to be acted on at `now`, locked; another timer's are passed over, and so are
    those of projects that have records of `topics` parked.

    The oldest instant comes first; where more stand at one instant than fit, every department has its share.
    """
    partitions = list(partitions)
    level = await work.fetchval(_HERD, partitions, now, most)
    query = _TAKE_ALL if level is None else _TAKE_OF_HERD
    rows = await work.fetch(query, partitions, level or now, most, list(topics))
    return [(_tracked(row), row["act_at"]) for row in rows]


async def families(work: Work, application_ids: Collection[UUID]) -> dict[UUID, Family]:
    """Return what is known of the items of stage applications, as this unit of work sees it."""
    found = {one: Family([], []) for one in application_ids}
    for row in await work.fetch(_FAMILIES, list(application_ids)) if application_ids else ():
        family = found[row["application_id"]]
        if row["split"] is None:
            family.items.append(_tracked(row))
        else:
            family.splits.extend(_splits(row["split"]))
    return found


# Calendar -------------------------------------------------------------------------------------------------------


async def stale(work: Work, name: str, after: Place, most: int) -> list[Tracked]:
    """Return the next rows after `after` whose due instant was counted by another calendar than `name`, locked."""
    return [_tracked(row) for row in await work.fetch(_STALE, name, *after, most)]


async def due_from(connection: Connection, since: datetime, after: Place, most: int) -> list[Tracked]:
    """Return the next rows after `after` with a due instant at or after `since`."""
    return [_tracked(row) for row in await connection.fetch(_RUNNING, since, *after, most)]


async def of_partition(connection: Connection, partition: int, after: Place, most: int) -> list[Kept]:
    """Return the next rows of a partition after `after`, with when they have to be acted on."""
    rows = await connection.fetch(_OF_PARTITION, partition, *after, most)
    return [(_tracked(row), row["act_at"]) for row in rows]


async def amendments(connection: Connection) -> list[CalendarAmended]:
    """Return every amendment of the calendar, in order."""
    rows = await connection.fetch("SELECT amendment FROM calendar_amendments ORDER BY sequence")
    return [CalendarAmended.model_validate_json(row["amendment"], extra="ignore") for row in rows]


async def amend_alone(work: Work) -> None:
    """Let nobody else amend the calendar until this unit of work ends; who counts by it goes on."""
    await work.execute("LOCK TABLE calendar_amendments IN SHARE ROW EXCLUSIVE MODE")


# Rows as columns ------------------------------------------------------------------------------------------------


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def lane_of(whose: Whose) -> int:
    """Return the lane in which a department's rows stand at one instant."""
    if whose.department is None:
        return LANES
    return crc32(f"{whose.jurisdiction}.{whose.department}".encode()) % LANES


def _whose(one: Whose) -> tuple[Any, ...]:
    place = (one.application_id, one.about, one.partition, one.project_code, one.stage.value, one.jurisdiction)
    on_expiry = None if one.on_expiry is None else one.on_expiry.value
    item = (one.item_code, one.attempt, one.department, on_expiry)
    return (*place, one.versions.model_dump_json(), *item)


def _split(one: Whose, splits: Mapping[UUID, Sequence[Split]]) -> tuple[int, str | None]:
    items = splits.get(one.about)
    return lane_of(one), None if items is None else _text([list(item) for item in items])


def _kept(one: Tracked) -> tuple[Any, ...]:
    clock, kept, spoken = one.clock, one.kept, one.spoken
    started = None if clock.started_at == UNSTARTED else clock.started_at
    pauses = _text(law.pauses_as_record(clock)) if clock.pauses else None
    ended = None if clock.end is None else clock.end.value
    measured = (clock.limit_days, clock.extended_days, started, pauses, clock.ended_at, ended)
    said = (spoken.due_at, spoken.light.value, spoken.told, spoken.generation, one.expires_at, one.reckoned)
    if isinstance(kept, StageClock):
        standing = _text(stage_clock.as_record(kept.open)) if kept.open else None
        return (ClockSubject.STAGE.value, 0, *measured, standing, False, None, None, 0, *said)
    waits = _text(reminders.as_record(kept.reminders)) if kept.reminders else None
    outcome = None if kept.outcome is None else kept.outcome.value
    return (kept.subject.value, kept.began, *measured, None, kept.held, waits, outcome, kept.seen, *said)


def _text(record: Any) -> str:
    return orjson.dumps(record).decode()


def _splits(text: str) -> list[Split]:
    return [Split(ItemCode(code), tuple(map(ItemCode, after)), *rest) for code, after, *rest in orjson.loads(text)]


@lru_cache(1024)
def _versions(text: str) -> Versions:
    return Versions.model_validate_json(text)


def _tracked(row: asyncpg.Record) -> Tracked:
    kept = _stage(row) if row["subject"] == "STAGE" else _attempt(row)
    spoken = Spoken(due_at=row["due_at"], light=Light(row["light"]), told=row["told"], generation=row["generation"])
    tracked = Tracked(_whose_of(row), kept, spoken, row["expires_at"], row["reckoned"])
    return tracked._replace(spoken=spoken._replace(state=tracked.state))


def _whose_of(row: asyncpg.Record) -> Whose:
    return Whose(
        application_id=row["application_id"],
        about=row["about"],
        partition=row["partition"],
        project_code=ProjectCode(row["project_code"]),
        stage=Stage(row["stage"]),
        jurisdiction=JurisdictionCode(row["jurisdiction"]),
        versions=_versions(row["versions"]),
        item_code=None if row["item_code"] is None else ItemCode(row["item_code"]),
        attempt=row["attempt"],
        department=None if row["department"] is None else DepartmentCode(row["department"]),
        on_expiry=None if row["on_expiry"] is None else OnExpiry(row["on_expiry"]),
    )


def _clock(row: asyncpg.Record) -> Clock:
    return Clock(
        limit_days=row["limit_days"],
        started_at=row["started_at"] or UNSTARTED,
        pauses=law.pauses_from_record(orjson.loads(row["pauses"])) if row["pauses"] else (),
        extended_days=row["extended_days"],
        ended_at=row["ended_at"],
        end=None if row["ended"] is None else ClockEnd(row["ended"]),
    )


def _stage(row: asyncpg.Record) -> StageClock:
    return StageClock(_clock(row), stage_clock.from_record(orjson.loads(row["open"])) if row["open"] else {})


def _attempt(row: asyncpg.Record) -> Attempt:
    return Attempt(
        subject=ClockSubject(row["subject"]),
        clock=_clock(row),
        began=row["began"],
        held=row["held"],
        reminders=reminders.from_record(orjson.loads(row["reminders"])) if row["reminders"] else (),
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        seen=row["seen"],
    )


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
    await work.execute(query, *_columns((tp.topic, tp.partition, offset) for tp, offset in offsets.items()))


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
