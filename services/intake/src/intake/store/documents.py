"""Intake's SQL of the window's documents: asked for, sealed or refused, printed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from chassis.database import Work
from contracts.codes import Sha256
from contracts.department_worker import WindowDocumentIssued
from contracts.intake import WindowDocumentRequested
from contracts.parts import Actor
from contracts.signing import SealRejected
from contracts.terms import DocumentKind
from intake.domain.documents import Document
from intake.store.columns import columns

_ASK: Final = """
    INSERT INTO window_documents (request_id, application_id, kind, asked_at, attempt) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (request_id) DO NOTHING RETURNING request_id
"""
_ISSUE: Final = """
    UPDATE window_documents d SET document = u.document, issued_at = u.issued_at
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS u (request_id, document, issued_at)
    WHERE d.request_id = u.request_id AND d.document IS NULL
"""
_REFUSE: Final = """
    UPDATE window_documents d SET refused_at = u.refused_at, refusal = u.refusal
    FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS u (request_id, refused_at, refusal)
    WHERE d.request_id = u.request_id AND d.document IS NULL AND d.refused_at IS NULL
"""
_LAST: Final = """
    SELECT request_id, kind, attempt, document, refusal FROM window_documents WHERE application_id = $1 AND kind = $2
    ORDER BY attempt DESC LIMIT 1
"""
_PRINT: Final = """
    INSERT INTO window_prints (request_id, holder, certificate, printed_at) VALUES ($1, $2, $3, $4) RETURNING number
"""


async def ask(work: Work, asked: WindowDocumentRequested, attempt: int) -> bool:
    """Keep that a document was asked for; False when it was before."""
    about = (asked.request_id, asked.application_id, asked.kind.value, asked.at, attempt)
    return await work.fetchval(_ASK, *about) is not None


async def issue(work: Work, issued: Sequence[WindowDocumentIssued]) -> None:
    """Keep which file each document is; a repeat changes nothing."""
    if issued:
        await work.execute(_ISSUE, *columns((one.request_id, one.document, one.at) for one in issued))


async def refuse(work: Work, refused: Sequence[SealRejected]) -> None:
    """Keep why a seal was refused, where it was one of these documents'; a repeat changes nothing."""
    if refused:
        await work.execute(_REFUSE, *columns((one.request_id, one.occurred_at, one.message) for one in refused))


async def last(work: Work, application_id: UUID, kind: DocumentKind) -> Document | None:
    """Return the last attempt at a stage application's document, or None when nobody has asked for it."""
    row = await work.fetchrow(_LAST, application_id, kind.value)
    if row is None:
        return None
    file = None if row["document"] is None else Sha256(row["document"])
    return Document(row["request_id"], DocumentKind(row["kind"]), row["attempt"], file, row["refusal"])


async def print_out(work: Work, request_id: UUID, actor: Actor, at: datetime) -> int:
    """Log a print and return its number."""
    return await work.fetchval(_PRINT, request_id, actor.holder, actor.certificate, at)
