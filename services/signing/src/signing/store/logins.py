"""Signing's SQL for logins: nonces that are given once, sessions by the hash of their secret, refused attempts.

Instants here are real time, whatever business time is.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

import asyncpg

from chassis.database import Connection, Work
from contracts.codes import CreditCode, DepartmentCode, JurisdictionCode
from contracts.envelope import derived_id
from contracts.terms import Role
from evidence.certificates import parse
from signing.domain import sessions
from signing.domain.sessions import Post, RefusedLogin, Session

MOST_NONCES: Final = 20_000
"""Challenges that may wait for an answer at once, from everybody together."""

_ADD_NONCE = """
    WITH gone AS (DELETE FROM login_nonces WHERE expires_at <= $3)
    INSERT INTO login_nonces (browser, nonce, expires_at)
    SELECT $1, $2, $4 WHERE (SELECT count(*) FROM login_nonces WHERE expires_at > $3) < $5
"""
_TAKE_NONCE = "DELETE FROM login_nonces WHERE browser = $1 RETURNING nonce, expires_at"
_ADD = """
    INSERT INTO login_sessions (secret, session_id, serial, certificate, role, jurisdiction, department, uscc,
                                begun_at, ends_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_PURGE = "DELETE FROM login_sessions WHERE ends_at <= $1"
_SESSION = "SELECT * FROM login_sessions WHERE secret = $1 AND ends_at > $2"
_END = "DELETE FROM login_sessions WHERE secret = $1"
_END_ALL = "DELETE FROM login_sessions WHERE serial = $1"
_ADD_ATTEMPT = """
    WITH gone AS (DELETE FROM login_attempts WHERE at < $2::timestamptz - interval '180 days')
    INSERT INTO login_attempts AS known (attempt_id, at, serial, code, address, times, told)
    VALUES ($1, $2, $3, $4, $5, 1, false)
    ON CONFLICT (attempt_id) DO UPDATE SET at = excluded.at, times = known.times + 1
"""
_TELL = "UPDATE login_attempts SET told = true WHERE NOT told AND at < $1 RETURNING at, serial, code, address, times"
_ATTEMPTS = """
    SELECT at, serial, code, address, times FROM login_attempts AS a WHERE at < $2 AND (
        $1::text IS NULL OR EXISTS (SELECT FROM roster_entries AS e WHERE e.serial = a.serial AND e.jurisdiction = $1)
    ) ORDER BY at DESC, attempt_id LIMIT $3
"""


def hashed(secret: str) -> bytes:
    """Return what is kept of a secret."""
    return sha256(secret.encode()).digest()


async def add_nonce(work: Work, browser: str, nonce: str, at: datetime, expires_at: datetime) -> bool:
    """Keep the nonce that `browser` is to answer; False when too many wait already."""
    done = await work.execute(_ADD_NONCE, hashed(browser), nonce, at, expires_at, MOST_NONCES)
    return done == "INSERT 0 1"


async def take_nonce(work: Work, browser: str, at: datetime) -> str | None:
    """Remove and return the nonce of `browser`; None when there is none, or none that still counts."""
    row = await work.fetchrow(_TAKE_NONCE, hashed(browser))
    return None if row is None or row["expires_at"] <= at else row["nonce"]


async def add(work: Work, secret: str, s: Session) -> None:
    """Keep a session by the hash of its secret, and forget those that have ended."""
    post = s.post
    where = (post.role.value, post.jurisdiction, post.department, post.uscc)
    certificate = (s.certificate.serial, s.certificate.der)
    await work.execute(_PURGE, s.begun_at)
    await work.execute(_ADD, hashed(secret), s.session_id, *certificate, *where, s.begun_at, s.ends_at)


async def session(connection: Connection, secret: str, at: datetime) -> Session | None:
    """Return the session of `secret` that lasts at `at`, or None."""
    row = await connection.fetchrow(_SESSION, hashed(secret), at)
    return None if row is None else _session(row)


async def end(work: Work, secret: str) -> None:
    """End a session."""
    await work.execute(_END, hashed(secret))


async def end_all(work: Work, serial: str) -> None:
    """End every session of a certificate."""
    await work.execute(_END_ALL, serial)


async def add_attempt(work: Work, refused: RefusedLogin) -> None:
    """Keep a login that was refused; those of the same ten minutes that are alike are one line."""
    what = (refused.serial, refused.code, refused.address)
    alike = derived_id("login-refused", sessions.spell_of(refused.at), *map(str, what))
    await work.execute(_ADD_ATTEMPT, alike, refused.at, *what)


async def tell(work: Work, before: datetime) -> Sequence[RefusedLogin]:
    """Return the refused logins from before an instant that were not told yet; they are from now on."""
    return [RefusedLogin(**dict(row)) for row in await work.fetch(_TELL, before)]


async def attempts(connection: Connection, place: str | None, before: datetime, most: int) -> Sequence[RefusedLogin]:
    """Return logins that were refused before an instant, the newest first: of who is on the list of `place`, or all."""
    return [RefusedLogin(**dict(row)) for row in await connection.fetch(_ATTEMPTS, place, before, most)]


def _session(row: asyncpg.Record) -> Session:
    post = Post(
        Role(row["role"]),
        None if row["jurisdiction"] is None else JurisdictionCode(row["jurisdiction"]),
        None if row["department"] is None else DepartmentCode(row["department"]),
        None if row["uscc"] is None else CreditCode(row["uscc"]),
    )
    return Session(row["session_id"], parse(row["certificate"]), post, row["begun_at"], row["ends_at"])
