"""The department worker's SQL for signatures: nonces that wait for their answer, and every signature that was given."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from chassis.database import Connection, Work
from department_worker.signed import Nonce, Signed

MOST_NONCES: Final = 20_000

_GIVE = """
    WITH gone AS (DELETE FROM step_nonces WHERE expires_at <= $6::timestamptz - interval '1 hour')
    INSERT INTO step_nonces (nonce, certificate, session, item_id, expires_at)
    SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM step_nonces) < $7
"""
_TAKE = "DELETE FROM step_nonces WHERE nonce = $1 RETURNING nonce, certificate, session, item_id, expires_at"
_KEEP = """
    INSERT INTO step_signatures (digest, item_id, serial, text, algorithm, certificate, signature, signed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_OF_ITEM = """
    SELECT digest, item_id, serial, text, algorithm, certificate, signature, signed_at FROM step_signatures
    WHERE item_id = $1 ORDER BY signed_at, digest
"""


async def give(work: Work, n: Nonce, at: datetime) -> bool:
    """Keep a nonce; False when too many wait. One that has ended is kept for an hour, to say so."""
    what = (n.nonce, n.certificate, n.session, n.item_id, n.expires_at)
    return await work.execute(_GIVE, *what, at, MOST_NONCES) == "INSERT 0 1"


async def take(work: Work, nonce: str) -> Nonce | None:
    """Remove and return a nonce; None when there is none. It is gone for good when the unit of work commits."""
    row = await work.fetchrow(_TAKE, nonce)
    return None if row is None else Nonce(**dict(row))


async def keep(work: Work, s: Signed) -> None:
    """Keep a signature with the act that it is for, in the same unit of work."""
    proof = (s.text, s.algorithm, s.certificate, s.signature)
    await work.execute(_KEEP, s.digest, s.item_id, s.serial, *proof, s.signed_at)


async def of_item(connection: Connection, item_id: UUID) -> Sequence[Signed]:
    """Return every signature that was given for an item, the oldest first."""
    return [Signed(**dict(row)) for row in await connection.fetch(_OF_ITEM, item_id)]
