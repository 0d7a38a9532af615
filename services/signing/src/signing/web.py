"""Where anybody verifies a document, by the code on it or by the file itself; nobody has to log in for that (Art. 16).

A file from anywhere is judged in a process of its own, within bounds (`evidence.confined`), a few at a time.
"""

import asyncio
import base64
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from chassis.database import Database
from contracts.codes import Sha256
from evidence import confined, signatures
from evidence.documents import LARGEST, Finding, Verdict
from procedure.refusals import Refusal
from signing import store
from signing.revoked import RevokedList

PAGE: Final = Template((Path(__file__).parent / "templates" / "verify.html").read_text("utf-8"))
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
SIDE_BY_SIDE: Final = 2
MOST_WAITING: Final = 20
SECURITY: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class DocumentUnknown(Refusal):
    """没有登记过这个编号的文书"""

    article = "第十六条"
    status = 404


class DocumentTooLarge(Refusal):
    """文书文件超过 32 MB"""

    article = "第十六条"
    status = 413


class VerifierBusy(Refusal):
    """正在核验的人较多，请稍后再试"""

    article = None
    status = 429


class VerdictView(BaseModel):
    """What was found of a file; only of a VALID one may the rest be believed."""

    finding: Finding
    sentence: str
    digest: Sha256
    organisation: str | None
    certificate: str | None
    signed_at: datetime | None
    outside: str


class RegisteredView(BaseModel):
    """What is registered under the code on a document: whose seal it bears, and when it was sealed."""

    document: UUID
    organisation: str | None
    certificate: str
    signed_at: datetime


@dataclass(slots=True)
class Verifier:
    """Judges by the trust list of `folder` and the revocation lists that signing fetched, a few files at a time."""

    database: Database
    folder: Path
    revoked: RevokedList
    waiting: int = 0
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SIDE_BY_SIDE))

    async def judge(self, pdf: bytes) -> Verdict:
        """Return what is found of a file. Raises VerifierBusy."""
        if self.waiting >= MOST_WAITING:
            raise VerifierBusy
        self.waiting += 1
        try:
            async with self.room:
                return await asyncio.to_thread(confined.judge, pdf, self.folder, fetched=dict(self.revoked.lists))
        finally:
            self.waiting -= 1

    async def registered(self, document: UUID) -> RegisteredView | None:
        """Return what is registered under a document's code, or None."""
        async with self.database.reading() as connection:
            row = await store.papers.sealed(connection, document)
        if row is None:
            return None
        signed = signatures.read(base64.b64decode(row["signature"]), bytes.fromhex(row["digest"]))
        return RegisteredView(
            document=document,
            organisation=signed.certificate.organisation,
            certificate=signed.certificate.serial,
            signed_at=row["signed_at"],
        )


def router(verifier: Verifier) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    uploaded: dict[str, Any] = {
        "requestBody": {
            "required": True,
            "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
        }
    }

    @routes.get("/verify", summary="文书核验页面", response_class=HTMLResponse)
    async def show_page(document: Annotated[UUID | None, Query()] = None) -> HTMLResponse:
        found = None if document is None else await verifier.registered(document)
        return HTMLResponse(PAGE.substitute(registered=_told(document, found)), headers=SECURITY)

    @routes.post("/verify", summary="核验文书文件", openapi_extra=uploaded)
    async def verify_file(request: Request) -> VerdictView:
        return _view(await verifier.judge(await _received(request)))

    @routes.get("/verify/{document}", summary="按编号查询文书")
    async def read_registered(document: UUID) -> RegisteredView:
        found = await verifier.registered(document)
        if found is None:
            raise DocumentUnknown
        return found

    return routes


async def _received(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST:
            raise DocumentTooLarge
        parts.append(part)
    return b"".join(parts)


def _view(verdict: Verdict) -> VerdictView:
    return VerdictView(
        finding=verdict.finding,
        sentence=verdict.sentence,
        digest=Sha256(verdict.digest),
        organisation=verdict.organisation,
        certificate=verdict.certificate,
        signed_at=verdict.signed_at,
        outside=verdict.outside,
    )


def _told(document: UUID | None, found: RegisteredView | None) -> str:
    if document is None:
        return ""
    if found is None:
        said = f"没有登记过编号为 {document} 的文书。"
    else:
        at = f"{found.signed_at.astimezone(SHANGHAI):%Y年%m月%d日 %H:%M}"
        said = (
            f"编号 {document} 的文书由“{escape(found.organisation or '')}”于 {at} 签章。请上传文件，核验内容是否一致。"
        )
    return f'<div id="registered" role="status"><p>{said}</p></div>'
