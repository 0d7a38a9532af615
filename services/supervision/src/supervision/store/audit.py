"""The heads of the audit chains, the roots that closed them, and the seals over the roots.

A chain's records are the story's chapters themselves, raw; here stands only how far each chain is. The column
`project_code` names the chain's owner: a project, or the ledger of what belongs to none.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import asyncpg

from chassis.database import Connection, Work
from contracts.signing import AuditRootSealed
from contracts.supervision import AuditRootClosed
from evidence import audit
from evidence.audit import Head, Place, Record
from supervision.store import columns

_ALONE: Final = 0x0A0D_1701
_HEADS = """
    SELECT h.project_code, h.topic, h.partition, h.entries, h.last
    FROM unnest($1::text[], $2::text[], $3::int[]) AS chain (p, t, n)
    JOIN audit_heads h ON h.project_code = p AND h.topic = t AND h.partition = n AND h.entries > 0
"""
_KEEP = """
    INSERT INTO audit_heads (project_code, topic, partition, entries, last, closed)
    SELECT *, 0 FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bytea[])
    ON CONFLICT (project_code, topic, partition) DO UPDATE SET entries = excluded.entries, last = excluded.last
"""
MOVED: Final = """
    SELECT project_code, topic, partition, entries, last FROM audit_heads WHERE project_code = ANY (ARRAY(
        SELECT project_code FROM audit_heads WHERE is_open GROUP BY project_code
        HAVING bool_and(entries > closed) AND project_code NOT IN (SELECT project_code FROM audit_gaps) LIMIT $1))
"""
_CLOSE = """
    INSERT INTO audit_heads (project_code, topic, partition, entries, last, closed, held)
    SELECT p, t, n, 0, '', c, c * $5::bool::int
    FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) AS chain (p, t, n, c)
    ORDER BY p, t, n
    ON CONFLICT (project_code, topic, partition) DO UPDATE SET closed = excluded.closed, held = excluded.held
    WHERE audit_heads.closed < excluded.closed OR audit_heads.held < excluded.held
"""
_UNHELD = "SELECT DISTINCT project_code FROM audit_heads WHERE project_code = ANY($1::text[]) AND closed > held"
_LAST_OVER = """
    SELECT l.place, r.event FROM audit_leaves l JOIN audit_roots r USING (root)
    WHERE l.project_code = $1 ORDER BY r.number DESC, root LIMIT 1
"""
_ADD_GAP = "INSERT INTO audit_gaps (project_code, root) VALUES ($1, $2)"
_GAPS = """
    SELECT project_code FROM audit_gaps UNION
    SELECT project_code FROM audit_heads WHERE is_open AND entries < closed ORDER BY project_code
"""
_ADD_ROOT = "INSERT INTO audit_roots (root, number, event) VALUES ($1, $2, $3) ON CONFLICT (root) DO NOTHING"
_ADD_LEAVES = """
    INSERT INTO audit_leaves (project_code, root, place) SELECT p, $2, i - 1
    FROM unnest($1::text[]) WITH ORDINALITY AS leaf (p, i) ON CONFLICT (project_code, root) DO NOTHING
"""
_ADD_SEAL = "INSERT INTO audit_seals (root, event) VALUES ($1, $2) ON CONFLICT (root) DO NOTHING"
_NEWEST = """
    SELECT l.place, r.event AS closed, s.event AS sealed
    FROM audit_leaves l JOIN audit_roots r USING (root) JOIN audit_seals s USING (root)
    WHERE l.project_code = $1 ORDER BY r.number DESC, root LIMIT 1
"""


class Newest(NamedTuple):
    """The newest sealed root over an owner's chains, and the owner's place in it."""

    place: int
    closed: AuditRootClosed
    sealed: AuditRootSealed


async def follow(work: Work, records: Mapping[str, Sequence[Record]]) -> None:
    """Make each record of a batch an entry of its owner's chain."""
    if not records:
        return
    places = {(owner, *record.place) for owner, told in records.items() for record in told}
    heads = _by_owner(await work.fetch(_HEADS, *columns(sorted(places))))
    moved = [
        (owner, *place, *head)
        for owner, told in records.items()
        for place, head in audit.extended(owner, heads[owner], told).items()
    ]
    await work.execute(_KEEP, *columns(sorted(moved)))


def _by_owner(rows: Collection[asyncpg.Record]) -> defaultdict[str, dict[Place, Head]]:
    heads: defaultdict[str, dict[Place, Head]] = defaultdict(dict)
    for owner, topic, partition, entries, last in rows:
        heads[owner][Place(topic, partition)] = Head(entries, last)
    return heads


# Roots ----------------------------------------------------------------------------------------------------------


async def moved(work: Work, most: int) -> dict[str, dict[Place, Head]]:
    """Return the chains of at most `most` owners that moved since they were closed; one process closes at a time."""
    await work.execute("SELECT pg_advisory_xact_lock($1)", _ALONE)
    return _by_owner(await work.fetch(MOVED, most))


async def last(work: Work) -> AuditRootClosed | None:
    """Return the newest root, or None."""
    event = await work.fetchval("SELECT event FROM audit_roots ORDER BY number DESC LIMIT 1")
    return None if event is None else AuditRootClosed.model_validate_json(event, extra="ignore")


async def take(work: Work, events: Sequence[AuditRootClosed | AuditRootSealed]) -> None:
    """Take in roots and seals, when they are said and when they come back from their topics; repeats change nothing."""
    for event in events:
        if isinstance(event, AuditRootClosed):
            await _take_root(work, event, held=False)
        else:
            await work.execute(_ADD_SEAL, event.root, event.model_dump_json())


async def close(work: Work, root: AuditRootClosed) -> None:
    """Take in a root that is made of these very chains."""
    await _take_root(work, root, held=True)


async def _take_root(work: Work, event: AuditRootClosed, *, held: bool) -> None:
    chains = [(one.owner, chain.topic, chain.partition, chain.entries) for one in event.owners for chain in one.chains]
    await work.execute(_ADD_ROOT, event.root, event.number, event.model_dump_json())
    await work.execute(_ADD_LEAVES, [one.owner for one in event.owners], event.root)
    await work.execute(_CLOSE, *columns(chains), held)


async def unheld(work: Work, owners: Collection[str]) -> list[str]:
    """Return those of `owners` whose chains were closed, and are yet to be held against the root that did."""
    return [row["project_code"] for row in await work.fetch(_UNHELD, list(owners))]


async def last_over(work: Work, owner: str) -> tuple[AuditRootClosed, int]:
    """Return the newest root over an owner's chains, and the owner's place in it."""
    [row] = await work.fetch(_LAST_OVER, owner)
    return AuditRootClosed.model_validate_json(row["event"], extra="ignore"), row["place"]


async def add_gap(work: Work, owner: str, root: str) -> None:
    """Note that an owner's chains are not those that a root closed: none closes them again."""
    await work.execute(_ADD_GAP, owner, root)


async def gaps(work: Work) -> list[str]:
    """Return the owners whose chains are not those that a root closed, or shorter; some may still be being read."""
    return [row["project_code"] for row in await work.fetch(_GAPS)]


async def newest(connection: Connection, owner: str) -> Newest | None:
    """Return the newest sealed root over an owner's chains, or None when there is none yet."""
    row = await connection.fetchrow(_NEWEST, owner)
    if row is None:
        return None
    closed = AuditRootClosed.model_validate_json(row["closed"], extra="ignore")
    return Newest(row["place"], closed, AuditRootSealed.model_validate_json(row["sealed"], extra="ignore"))


async def heads(connection: Connection) -> list[asyncpg.Record]:
    """Return how far every chain is, for comparing two of them."""
    told = "SELECT project_code, topic, partition, entries, last, closed FROM audit_heads"
    return await connection.fetch(f"{told} ORDER BY project_code, topic, partition")
