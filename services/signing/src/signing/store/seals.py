"""Signing's SQL of the seals that were made: one per request, one per root of an audit chain."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from chassis.database import Work
from contracts.signing import AuditRootSealed, SealCompleted
from signing.store.columns import columns

_KNOWN = """
    SELECT request_id FROM seals WHERE request_id = ANY($1::uuid[])
    UNION ALL SELECT request_id FROM refused_seals WHERE request_id = ANY($1::uuid[])
"""
_ADD = """
    INSERT INTO seals (request_id, item_id, project_code, digest, algorithm, signature, certificate, signed_at, proof)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::timestamptz[], $9::text[])
"""


async def known(work: Work, requests: Collection[UUID]) -> set[UUID]:
    """Return those of `requests` that were answered already."""
    return {row["request_id"] for row in await work.fetch(_KNOWN, list(requests))}


async def add(work: Work, seals: Collection[SealCompleted]) -> None:
    """Keep new seals."""
    if seals:
        await work.execute(_ADD, *columns(_row(seal) for seal in seals))


async def known_roots(work: Work, roots: Collection[str]) -> set[str]:
    """Return those of the audit chains' `roots` that were sealed already."""
    rows = await work.fetch("SELECT root FROM audit_seals WHERE root = ANY($1::text[])", list(roots))
    return {row["root"] for row in rows}


async def add_roots(work: Work, seals: Collection[AuditRootSealed]) -> None:
    """Keep new seals over roots."""
    told = [(seal.root, seal.model_dump_json()) for seal in seals]
    await work.execute("INSERT INTO audit_seals SELECT * FROM unnest($1::text[], $2::text[])", *columns(told))


def _row(s: SealCompleted) -> tuple[Any, ...]:
    what = (s.request_id, s.item_id, s.project_code, s.digest)
    proof = None if s.proof is None else s.proof.model_dump_json()
    return (*what, s.algorithm, s.signature, s.certificate, s.signed_at, proof)
