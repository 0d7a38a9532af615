"""Signing's SQL for losses: the certificates that are suspended now, and every request to lift a suspension."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.database import Connection, Work
from contracts.parts import Actor
from contracts.signing import SuspendedSpan
from procedure.roster import Suspended
from signing.domain.losses import Reinstatement, Suspension
from signing.domain.roster import Stand

_ADD = """
    INSERT INTO suspensions (serial, holder, reason, invalid_since, suspended_at, reporter, reporter_certificate)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (serial) DO NOTHING
"""
_OF = "SELECT * FROM suspensions WHERE serial = $1"
_ALL = "SELECT * FROM suspensions ORDER BY suspended_at, serial"
_UNSUSPENDED = """
    SELECT serial, holder FROM roster_holders AS h WHERE serial = ANY($1::text[])
    AND NOT EXISTS (SELECT FROM suspensions AS s WHERE s.serial = h.serial) ORDER BY serial
"""
_LIFT = """
    WITH lifted AS (DELETE FROM suspensions WHERE serial = $1 RETURNING serial, suspended_at)
    INSERT INTO past_suspensions (serial, since, until) SELECT serial, suspended_at, $2 FROM lifted
"""
_EARLIER = "SELECT serial, since, until FROM past_suspensions WHERE serial = ANY($1::text[]) ORDER BY serial, since"
_SPANS = """
    SELECT serial, suspended_at, NULL AS until FROM suspensions WHERE serial = ANY($1::text[])
    UNION ALL SELECT serial, since, until FROM past_suspensions WHERE serial = ANY($1::text[])
"""
_ADD_REQUEST = """
    INSERT INTO reinstatements (request_id, serial, reason, asker, asker_certificate, requested_at, stand)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_REQUEST = "SELECT * FROM reinstatements WHERE request_id = $1 AND serial = $2 FOR UPDATE"
_DECIDE = """
    UPDATE reinstatements SET stand = $2, decider = $3, decider_certificate = $4, decided_at = $5 WHERE request_id = $1
"""


async def add(work: Work, s: Suspension) -> bool:
    """Keep a suspension; False when the certificate is suspended already."""
    by = (s.reported_by.holder, s.reported_by.certificate)
    done = await work.execute(_ADD, s.serial, s.holder, s.reason, s.invalid_since, s.suspended_at, *by)
    return done == "INSERT 0 1"


async def suspension(connection: Connection | Work, serial: str) -> Suspension | None:
    """Return the suspension of a certificate, or None."""
    row = await connection.fetchrow(_OF, serial)
    return None if row is None else _suspension(row)


async def suspensions(connection: Connection) -> Sequence[Suspension]:
    """Return every suspension there is, the oldest first."""
    return [_suspension(row) for row in await connection.fetch(_ALL)]


async def unsuspended(work: Work, serials: Collection[str]) -> dict[str, str]:
    """Return those of `serials` that stand on the roster and are not suspended, with their holders."""
    return {row["serial"]: row["holder"] for row in await work.fetch(_UNSUSPENDED, list(serials))}


async def lift(work: Work, serial: str, at: datetime) -> None:
    """End a suspension; it stands among the earlier ones from then on."""
    await work.execute(_LIFT, serial, at)


async def earlier(work: Work, serials: Collection[str]) -> defaultdict[str, list[SuspendedSpan]]:
    """Return the suspensions of certificates that were lifted, the oldest first."""
    found: defaultdict[str, list[SuspendedSpan]] = defaultdict(list)
    for serial, since, until in await work.fetch(_EARLIER, list(serials)):
        found[serial].append(SuspendedSpan(since=since, until=until))
    return found


async def spans(work: Work, serials: Collection[str]) -> defaultdict[str, list[Suspended]]:
    """Return from when to when certificates did not count, in no order."""
    found: defaultdict[str, list[Suspended]] = defaultdict(list)
    for serial, since, until in await work.fetch(_SPANS, list(serials)):
        found[serial].append(Suspended(since, until))
    return found


async def ask(work: Work, r: Reinstatement) -> None:
    """Keep a request to lift a suspension."""
    by = (r.requested_by.holder, r.requested_by.certificate)
    await work.execute(_ADD_REQUEST, r.request_id, r.serial, r.reason, *by, r.requested_at, r.stand.value)


async def request(work: Work, request_id: UUID, serial: str) -> Reinstatement | None:
    """Return a request to lift the suspension of `serial`, locked for this unit of work, or None."""
    row = await work.fetchrow(_REQUEST, request_id, serial)
    return None if row is None else _request(row)


async def decide(work: Work, r: Reinstatement) -> None:
    """Keep what became of a request."""
    assert r.decided_by is not None
    by = (r.decided_by.holder, r.decided_by.certificate)
    await work.execute(_DECIDE, r.request_id, r.stand.value, *by, r.decided_at)


def _suspension(row: asyncpg.Record) -> Suspension:
    by = Actor(holder=row["reporter"], certificate=row["reporter_certificate"])
    what = (row["serial"], row["holder"], row["reason"])
    return Suspension(*what, row["invalid_since"], row["suspended_at"], by)


def _request(row: Any) -> Reinstatement:
    by = Actor(holder=row["asker"], certificate=row["asker_certificate"])
    decider = None
    if row["decider"] is not None:
        decider = Actor(holder=row["decider"], certificate=row["decider_certificate"])
    what = (row["request_id"], row["serial"], row["reason"], by, row["requested_at"])
    return Reinstatement(*what, Stand(row["stand"]), decider, row["decided_at"])
