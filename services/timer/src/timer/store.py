"""The timer's SQL: clocks, and which of them have to be acted on next."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from chassis.database import Connection, Work
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.terms import ClockSubject, Light, OnExpiry, Stage
from procedure import clock as law
from procedure.clock import Clock
from timer.domain import Tracked

_COLUMNS = """clock_id, subject, project_code, application_id, stage, jurisdiction, clock, started, item_id, item_code,
    attempt, department, on_expiry, generation, held, fired, light, seen"""
_TYPES = """$1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::int[], $6::text[], $7::text[], $8::bool[], $9::uuid[],
    $10::text[], $11::int[], $12::text[], $13::text[], $14::int[], $15::bool[], $16::bool[], $17::text[], $18::int[]"""
_LOAD = f"SELECT {_COLUMNS} FROM clocks WHERE clock_id = ANY($1::uuid[]) ORDER BY clock_id FOR UPDATE"
_ADD = f"""
    INSERT INTO clocks ({_COLUMNS}, act_at) SELECT * FROM unnest({_TYPES}, $19::timestamptz[])
    ON CONFLICT (clock_id) DO NOTHING
"""
_KEEP = """
    UPDATE clocks c SET clock = u.c, started = u.s, generation = u.g, held = u.h, fired = u.f, light = u.l, seen = u.v,
                        act_at = u.a
    FROM unnest($1::uuid[], $2::text[], $3::bool[], $4::int[], $5::bool[], $6::bool[], $7::text[], $8::int[],
                $9::timestamptz[]) AS u (id, c, s, g, h, f, l, v, a)
    WHERE c.clock_id = u.id
"""
_TAKE_DUE = f"""
    SELECT {_COLUMNS} FROM clocks WHERE act_at <= $1 ORDER BY act_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""

Kept = tuple[Tracked, datetime | None]
"""A clock with the instant at which the timer has to act on it next."""


async def load(work: Work, clock_ids: Collection[UUID]) -> dict[UUID, Tracked]:
    """Return the clocks that exist among `clock_ids`, locked for this unit of work."""
    return {row["clock_id"]: _tracked(row) for row in await work.fetch(_LOAD, list(clock_ids))} if clock_ids else {}


async def add(work: Work, clocks: Collection[Kept]) -> None:
    """Keep new clocks."""
    if clocks:
        await work.execute(_ADD, *_columns((*_whole(tracked), act_at) for tracked, act_at in clocks))


async def keep(work: Work, clocks: Collection[Kept]) -> None:
    """Keep what changed of known clocks."""
    if clocks:
        await work.execute(_KEEP, *_columns((*_changing(tracked), act_at) for tracked, act_at in clocks))


async def take_due(work: Work, now: datetime, most: int) -> list[Tracked]:
    """Return clocks that have to be acted on at `now`, the oldest first, locked; another timer's are passed over."""
    return [_tracked(row) for row in await work.fetch(_TAKE_DUE, now, most)]


async def next_act(connection: Connection) -> datetime | None:
    """Return the earliest instant at which a clock has to be acted on."""
    return await connection.fetchval("SELECT min(act_at) FROM clocks")


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _whole(t: Tracked) -> tuple[Any, ...]:
    place = (t.clock_id, t.subject.value, t.project_code, t.application_id, t.stage.value, t.jurisdiction)
    item = (t.item_id, t.item_code, t.attempt, t.department, None if t.on_expiry is None else t.on_expiry.value)
    return (*place, _text(t.clock), t.started, *item, t.generation, t.held, t.fired, t.light.value, t.seen)


def _changing(t: Tracked) -> tuple[Any, ...]:
    return t.clock_id, _text(t.clock), t.started, t.generation, t.held, t.fired, t.light.value, t.seen


def _text(clock: Clock) -> str:
    return orjson.dumps(law.as_record(clock)).decode()


def _tracked(row: asyncpg.Record) -> Tracked:
    clock = law.from_record(orjson.loads(row["clock"]))
    assert clock is not None
    return Tracked(
        clock_id=row["clock_id"],
        subject=ClockSubject(row["subject"]),
        project_code=ProjectCode(row["project_code"]),
        application_id=row["application_id"],
        stage=Stage(row["stage"]),
        jurisdiction=JurisdictionCode(row["jurisdiction"]),
        clock=clock,
        started=row["started"],
        item_id=row["item_id"],
        item_code=None if row["item_code"] is None else ItemCode(row["item_code"]),
        attempt=row["attempt"],
        department=None if row["department"] is None else DepartmentCode(row["department"]),
        on_expiry=None if row["on_expiry"] is None else OnExpiry(row["on_expiry"]),
        generation=row["generation"],
        held=row["held"],
        fired=row["fired"],
        light=Light(row["light"]),
        seen=row["seen"],
    )
