"""Signing's SQL of what may be sealed: the decisions and notices that are registered, the seals that were refused."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

import asyncpg

from chassis.database import Connection, Work
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, Sha256
from contracts.signing import SealRejected
from contracts.terms import DocumentKind, Outcome
from signing.domain.papers import Decision, Proof
from signing.store.columns import columns

_REGISTER = """
    INSERT INTO decisions (request_id, item_id, item_code, jurisdiction, department, outcome, certificate, decided_at,
                           special, notice, record, proof)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::timestamptz[], $9::bool[], $10::text[], $11::text[], $12::text[])
    ON CONFLICT (request_id) DO NOTHING
"""
_DECISIONS = "SELECT * FROM decisions WHERE request_id = ANY($1::uuid[])"
_SEALED = "SELECT signature, digest, signed_at FROM seals WHERE request_id = $1 AND algorithm LIKE 'cms/%'"
_REFUSE = """
    INSERT INTO refused_seals (request_id, item_id, code, refused_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) ON CONFLICT (request_id) DO NOTHING
"""


async def register(work: Work, decisions: Iterable[Decision]) -> None:
    """Keep decisions that wait for a seal."""
    await work.execute(_REGISTER, *columns(map(_row, decisions)))


async def decisions(work: Work, requests: Collection[UUID]) -> dict[object, Decision]:
    """Return the decision that each request is about, where it is registered."""
    return {row["request_id"]: _decision(row) for row in await work.fetch(_DECISIONS, list(requests))}


async def refuse(work: Work, refused: Collection[SealRejected]) -> None:
    """Keep that a seal was refused: the first answer is the answer."""
    if refused:
        rows = ((one.request_id, one.item_id, one.code, one.occurred_at) for one in refused)
        await work.execute(_REFUSE, *columns(rows))


def _row(d: Decision) -> tuple[Any, ...]:
    place = (d.jurisdiction, d.department, d.outcome and d.outcome.value)
    what = (d.special, d.notice and d.notice.value, d.record, d.proof.value)
    return (d.request_id, d.item_id, d.item_code, *place, d.certificate, d.decided_at, *what)


def _decision(row: asyncpg.Record) -> Decision:
    return Decision(
        request_id=row["request_id"],
        item_id=row["item_id"],
        item_code=None if row["item_code"] is None else ItemCode(row["item_code"]),
        jurisdiction=JurisdictionCode(row["jurisdiction"]),
        department=DepartmentCode(row["department"]),
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        certificate=row["certificate"],
        decided_at=row["decided_at"],
        special=row["special"],
        notice=None if row["notice"] is None else DocumentKind(row["notice"]),
        record=None if row["record"] is None else Sha256(row["record"]),
        proof=Proof(row["proof"]),
    )


async def sealed(connection: Connection, request_id: UUID) -> asyncpg.Record | None:
    """Return signature, digest and instant of a document's seal, or None."""
    return await connection.fetchrow(_SEALED, request_id)
