"""Signing's SQL of the roster, and of every change that was asked of it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.database import Connection, Work
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode
from contracts.parts import Actor
from contracts.terms import Role
from signing.domain.roster import Attempt, Change, Entry, Request, Responsibility, Stand
from signing.store.columns import columns

_ADD_REQUEST = """
    INSERT INTO roster_requests (request_id, change, serial, holder, role, jurisdiction, department, items,
                                 effective_at, document, asker, asker_certificate, requested_at, stand, reason)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '')
"""
_REQUEST = "SELECT * FROM roster_requests WHERE request_id = $1 FOR UPDATE"
_DECIDE = """
    UPDATE roster_requests SET stand = $2, decider = $3, decider_certificate = $4, decided_at = $5, reason = $6
    WHERE request_id = $1
"""
_REQUESTS = "SELECT * FROM roster_requests WHERE jurisdiction = ANY($1::text[]) ORDER BY requested_at, request_id"
_ADD_ATTEMPT = """
    INSERT INTO roster_attempts (attempt_id, request_id, holder, certificate, attempted, attempted_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING NOT EXISTS (SELECT FROM roster_attempts WHERE request_id = $2 AND certificate = $4)
"""
_ATTEMPTS = "SELECT * FROM roster_attempts WHERE request_id = ANY($1::uuid[]) ORDER BY attempted_at, attempt_id"
_HOLD = """
    INSERT INTO roster_holders (serial, holder) SELECT * FROM unnest($1::text[], $2::text[]) ORDER BY 1
    ON CONFLICT (serial) DO UPDATE SET serial = excluded.serial RETURNING serial, holder
"""
_HOLDER = "SELECT holder FROM roster_holders WHERE serial = $1"
_LINES = "SELECT e.*, h.holder FROM roster_entries e JOIN roster_holders h USING (serial)"
_OF = f"{_LINES} WHERE serial = ANY($1::text[]) ORDER BY effective_at, entry_id"
_AS_OF = f"""
    {_LINES} WHERE effective_at <= $1 AND (until IS NULL OR $1 < until) AND jurisdiction = ANY($2::text[])
        AND ($3::text IS NULL OR department = $3)
    ORDER BY jurisdiction, department, serial, effective_at, entry_id
"""
_ENTER = """
    INSERT INTO roster_entries (entry_id, serial, role, jurisdiction, department, items, effective_at, until,
                                requested_by, approved_by, document)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                         $8::timestamptz[], $9::text[], $10::text[], $11::text[])
"""
_KEEP = f"{_ENTER} ON CONFLICT (entry_id) DO UPDATE SET until = excluded.until"
_ENTER_NEW = f"{_ENTER} ON CONFLICT (entry_id) DO NOTHING RETURNING serial, entry_id"


async def add_request(work: Work, r: Request) -> None:
    """Keep a new request."""
    asked = (r.effective_at, r.document, r.requested_by.holder, r.requested_by.certificate, r.requested_at)
    await work.execute(_ADD_REQUEST, r.request_id, r.change.value, *_what(r.what), *asked, r.stand.value)


async def request(work: Work, request_id: UUID) -> Request | None:
    """Return a request, locked for this unit of work, or None."""
    row = await work.fetchrow(_REQUEST, request_id)
    return None if row is None else _request(row)


async def decide(work: Work, r: Request) -> None:
    """Keep what became of a request."""
    assert r.decided_by is not None
    by = (r.decided_by.holder, r.decided_by.certificate)
    await work.execute(_DECIDE, r.request_id, r.stand.value, *by, r.decided_at, r.reason)


async def add_attempt(work: Work, a: Attempt) -> bool:
    """Keep an attempt to decide one's own request; whether it is the first on it by this person."""
    by = (a.by.holder, a.by.certificate)
    return bool(await work.fetchval(_ADD_ATTEMPT, a.attempt_id, a.request_id, *by, a.attempted.value, a.at))


async def requests(connection: Connection, places: Sequence[str]) -> list[tuple[Request, list[Attempt]]]:
    """Return every request that concerns `places`, the oldest first, with what was attempted on it."""
    asked = [_request(row) for row in await connection.fetch(_REQUESTS, list(places))]
    rows = await connection.fetch(_ATTEMPTS, [one.request_id for one in asked])
    tried = [_attempt(row) for row in rows]
    return [(one, [attempt for attempt in tried if attempt.request_id == one.request_id]) for one in asked]


async def hold(work: Work, holders: Mapping[str, str]) -> dict[str, str]:
    """Return who holds each serial, locked for this unit of work; a serial not yet known is kept with its holder."""
    rows = await work.fetch(_HOLD, list(holders), list(holders.values()))
    return {row["serial"]: row["holder"] for row in rows}


async def holder(work: Work, serial: str) -> str | None:
    """Return in whose name a certificate stands on the roster, or None."""
    return await work.fetchval(_HOLDER, serial)


async def entries(work: Work, serials: Collection[str]) -> dict[str, list[Entry]]:
    """Return all entries, past, present and to come, of each of `serials`."""
    found: dict[str, list[Entry]] = {serial: [] for serial in serials}
    for row in await work.fetch(_OF, list(serials)):
        found[row["serial"]].append(_entry(row))
    return found


async def as_of(
    connection: Connection, at: datetime, places: Sequence[str], department: DepartmentCode | None
) -> list[Entry]:
    """Return the entries in force at `at` in `places`, of one department or of all."""
    return [_entry(row) for row in await connection.fetch(_AS_OF, at, list(places), department)]


async def keep(work: Work, changed: Collection[Entry]) -> None:
    """Keep new entries, and until when known ones hold."""
    await work.execute(_KEEP, *columns(map(_line, changed)))


async def enter_new(work: Work, given: Collection[Entry]) -> list[tuple[str, UUID]]:
    """Keep those of `given` that are not yet there; return their serials and ids."""
    rows = await work.fetch(_ENTER_NEW, *columns(map(_line, given)))
    return [(row["serial"], row["entry_id"]) for row in rows]


async def has_said_all(connection: Connection) -> bool:
    """Whether everything that was said so far stands on the bus."""
    return bool(await connection.fetchval("SELECT NOT EXISTS (SELECT FROM outbox)"))


def _what(w: Responsibility) -> tuple[Any, ...]:
    return (w.serial, w.holder, w.role.value, w.jurisdiction, w.department, " ".join(w.items))


def _line(e: Entry) -> tuple[Any, ...]:
    w = e.what
    what = (w.serial, w.role.value, w.jurisdiction, w.department, " ".join(w.items))
    return (e.entry_id, *what, e.effective_at, e.until, e.requested_by, e.approved_by, e.document)


def _responsibility(row: asyncpg.Record) -> Responsibility:
    return Responsibility(
        serial=row["serial"],
        holder=row["holder"],
        role=Role(row["role"]),
        jurisdiction=JurisdictionCode(row["jurisdiction"]),
        department=None if row["department"] is None else DepartmentCode(row["department"]),
        items=tuple(map(ItemCode, row["items"].split())),
    )


def _entry(row: asyncpg.Record) -> Entry:
    confirmed = (row["requested_by"], row["approved_by"], row["document"])
    return Entry(row["entry_id"], _responsibility(row), row["effective_at"], row["until"], *confirmed)


def _request(row: asyncpg.Record) -> Request:
    return Request(
        request_id=row["request_id"],
        change=Change(row["change"]),
        what=_responsibility(row),
        effective_at=row["effective_at"],
        document=row["document"],
        requested_by=_actor(row["asker"], row["asker_certificate"]),
        requested_at=row["requested_at"],
        stand=Stand(row["stand"]),
        decided_by=None if row["decider"] is None else _actor(row["decider"], row["decider_certificate"]),
        decided_at=row["decided_at"],
        reason=row["reason"],
    )


def _attempt(row: asyncpg.Record) -> Attempt:
    by = _actor(row["holder"], row["certificate"])
    return Attempt(row["attempt_id"], row["request_id"], by, Stand(row["attempted"]), row["attempted_at"])


def _actor(holder: str, certificate: str) -> Actor:
    return Actor(holder=holder, certificate=certificate)
