"""Intake's SQL of the window's documents: asked for, sealed, printed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from chassis.database import Work
from contracts.codes import Sha256
from contracts.department_worker import WindowDocumentIssued
from contracts.intake import WindowDocumentRequested
from contracts.parts import Actor
from contracts.terms import DocumentKind
from intake.domain.documents import Document
from intake.store.columns import columns

_ASK: Final = """
    INSERT INTO window_documents (request_id, application_id, kind, asked_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (request_id) DO NOTHING RETURNING request_id
"""
_ISSUE: Final = """
    UPDATE window_documents d SET document = u.document, issued_at = u.issued_at
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS u (request_id, document, issued_at)
    WHERE d.request_id = u.request_id AND d.document IS NULL
"""
_FIND: Final = "SELECT request_id, kind, document FROM window_documents WHERE request_id = $1"
_PRINT: Final = """
    INSERT INTO window_prints (request_id, holder, certificate, printed_at) VALUES ($1, $2, $3, $4) RETURNING number
"""


async def ask(work: Work, asked: WindowDocumentRequested) -> bool:
    """Keep that a document was asked for; False when it was before."""
    about = (asked.request_id, asked.application_id, asked.kind.value, asked.at)
    return await work.fetchval(_ASK, *about) is not None


async def issue(work: Work, issued: Sequence[WindowDocumentIssued]) -> None:
    """Keep which file each document is; a repeat changes nothing."""
    if issued:
        await work.execute(_ISSUE, *columns((one.request_id, one.document, one.at) for one in issued))


async def find(work: Work, request_id: UUID) -> Document | None:
    """Return a document that was asked for, or None."""
    row = await work.fetchrow(_FIND, request_id)
    if row is None:
        return None
    file = None if row["document"] is None else Sha256(row["document"])
    return Document(row["request_id"], DocumentKind(row["kind"]), file)


async def print_out(work: Work, request_id: UUID, actor: Actor, at: datetime) -> int:
    """Log a print and return its number."""
    return await work.fetchval(_PRINT, request_id, actor.holder, actor.certificate, at)
