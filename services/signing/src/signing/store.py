"""Signing's SQL: the seals that were made, one per request."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from chassis.database import Work
from contracts.signing import SealCompleted

_KNOWN = "SELECT request_id FROM seals WHERE request_id = ANY($1::uuid[])"
_ADD = """
    INSERT INTO seals (request_id, item_id, project_code, digest, algorithm, signature, certificate, signed_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::timestamptz[])
"""


async def known(work: Work, requests: Collection[UUID]) -> set[UUID]:
    """Return those of `requests` that were answered already."""
    return {row["request_id"] for row in await work.fetch(_KNOWN, list(requests))}


async def add(work: Work, seals: Collection[SealCompleted]) -> None:
    """Keep new seals."""
    if seals:
        await work.execute(_ADD, *_columns(_row(seal) for seal in seals))


def _row(s: SealCompleted) -> tuple[Any, ...]:
    what = (s.request_id, s.item_id, s.project_code, s.digest)
    return (*what, s.algorithm, s.signature, s.certificate, s.signed_at)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
