"""Where anybody verifies a document, by the code on it or by the file itself; nobody has to log in for that (Art. 16).

The page is a plain form and needs no script; a program sends the file as it is and is answered with JSON. A file from
anywhere is judged in a process of its own, within bounds (`evidence.confined`), a few at a time.
"""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.message import Message
from html import escape
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from chassis.database import Database
from chassis.http import streamed
from chassis.wallclock import WallClock
from contracts.codes import Sha256
from evidence import confined, signatures
from evidence.documents import LARGEST, Finding, Verdict
from procedure.refusals import Refusal
from signing import pages, store
from signing.domain.papers import is_within
from signing.revoked import RevokedList

PAGE: Final = pages.page("verify")
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
FORM: Final = "multipart/form-data"
HEAD_ENDS: Final = b"\r\n\r\n"
AROUND: Final = 4096
"""Bytes of a form that are not its file."""
FACTS: Final = {
    "organisation": "签章机关",
    "signed_at": "签章时间",
    "certificate": "证书序列号",
    "outside": "签章之外",
    "digest": "文件摘要（SHA-256）",
}
"""What is shown of a file, and how it is called."""
SIDE_BY_SIDE: Final = 2
MOST_WAITING: Final = 20
MOST_HELD: Final = 128 * 1024 * 1024
"""Bytes of files that are held for all who verify together."""
SECONDS_TO_SEND: Final = 60.0
SECURITY: Final = pages.security(form_action="'self'")


class DocumentUnknown(Refusal):
    """没有登记过这个编号的文书"""

    article = "第十六条"
    status = 404


class DocumentTooLarge(Refusal):
    """文书文件超过 32 MB"""

    article = "第十六条"
    status = 413


class NoFile(Refusal):
    """请选择要核验的文书文件"""

    article = "第十六条"
    status = 400


class TooSlow(Refusal):
    """文件上传时间过长，请稍后再试"""

    article = None
    status = 408


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
    """Judges by the trust list of `folder`, the revocation lists that signing fetched, and the losses that were
    reported here before any list tells of them; a few files at a time."""

    database: Database
    wallclock: WallClock
    folder: Path
    revoked: RevokedList
    waiting: int = 0
    held: int = 0
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SIDE_BY_SIDE))

    @asynccontextmanager
    async def received(self, request: Request, most: int) -> AsyncGenerator[bytes, None]:
        """Hold a request's body, at most `most` bytes of it, until it is judged. Raises DocumentTooLarge, TooSlow, or
        VerifierBusy while all bodies together are more than there is room for."""
        body = bytearray()  # a list of its parts would hold forty bytes for each that came alone
        try:
            await self._receive(request, body, most)
            yield bytes(body)
        finally:
            self.held -= len(body)

    async def _receive(self, request: Request, body: bytearray, most: int) -> None:
        try:
            async with asyncio.timeout(SECONDS_TO_SEND):
                async for part in streamed(request):
                    body += part
                    self.held += len(part)
                    if len(body) > most:
                        raise DocumentTooLarge
                    if self.held > MOST_HELD:
                        raise VerifierBusy
        except TimeoutError:
            raise TooSlow from None

    async def judge(self, pdf: bytes) -> Verdict:
        """Return what is found of a file. Raises VerifierBusy."""
        if self.waiting >= MOST_WAITING:
            raise VerifierBusy
        self.waiting += 1
        try:
            async with self.room:
                lists = dict(self.revoked.lists)
                return await self._with_losses(await asyncio.to_thread(confined.judge, pdf, self.folder, fetched=lists))
        finally:
            self.waiting -= 1

    async def _with_losses(self, verdict: Verdict) -> Verdict:
        """A valid document is none if its seal had been reported as lost when it was sealed (Art. 20)."""
        if verdict.finding is not Finding.VALID or verdict.certificate is None or verdict.signed_at is None:
            return verdict
        async with self.database.reading() as connection:
            spans = await store.losses.spans(connection, [verdict.certificate])
        at = self.wallclock.business(int(verdict.signed_at.timestamp() * 1000))
        if not is_within(at, spans[verdict.certificate]):
            return verdict
        return replace(verdict, finding=Finding.REVOKED_BEFORE_SIGNING, detail="the loss of its key was reported here")

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
    page = {"content": {"text/html": {"schema": {"type": "string"}}}}
    uploaded: dict[str, Any] = {
        "responses": {"200": page, "default": page},
        "requestBody": {
            "required": True,
            "content": {
                "application/pdf": {"schema": {"type": "string", "format": "binary"}},
                FORM: {"schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}},
            },
        },
    }

    async def shown(document: UUID | None, result: str = "", status: int = 200) -> HTMLResponse:
        found = None if document is None else await verifier.registered(document)
        page = PAGE.substitute(registered=_told(document, found), result=result)
        return HTMLResponse(page, status, SECURITY)

    async def judged(request: Request, document: UUID | None) -> HTMLResponse:
        try:
            async with verifier.received(request, LARGEST + AROUND) as body:
                verdict = await verifier.judge(uploaded_file(request.headers["content-type"], body))
            return await shown(document, _result(_view(verdict)))
        except Refusal as refusal:
            return await shown(document, _box("other", refusal.message), refusal.status)

    @routes.get("/verify", summary="文书核验页面", response_class=HTMLResponse)
    async def show_page(document: Annotated[UUID | None, Query()] = None) -> HTMLResponse:
        return await shown(document)

    @routes.post("/verify", summary="核验文书文件", openapi_extra=uploaded, response_model=VerdictView)
    async def verify_file(request: Request, document: Annotated[UUID | None, Query()] = None) -> Any:
        if request.headers.get("content-type", "").lower().startswith(FORM):
            return await judged(request, document)
        async with verifier.received(request, LARGEST) as body:
            return _view(await verifier.judge(body))

    @routes.get("/verify/{document}", summary="按编号查询文书")
    async def read_registered(document: UUID) -> RegisteredView:
        found = await verifier.registered(document)
        if found is None:
            raise DocumentUnknown
        return found

    return routes


def uploaded_file(content_type: str, body: bytes) -> bytes:
    """Return the file in a form of one field (RFC 7578). Raises NoFile, DocumentTooLarge."""
    header = Message()
    header["content-type"] = content_type
    boundary = str(header.get_boundary(""))
    edge = b"--" + boundary.encode()
    begin = body.find(HEAD_ENDS) + len(HEAD_ENDS)
    end = body.find(b"\r\n" + edge, begin)
    if not boundary or not body.startswith(edge + b"\r\n") or begin < len(HEAD_ENDS) or end <= begin:
        raise NoFile
    if end - begin > LARGEST:
        raise DocumentTooLarge
    return body[begin:end]


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
        by, at = escape(found.organisation or ""), _in_words(found.signed_at)
        said = f"编号 {document} 的文书由“{by}”于 {at} 签章。请上传文件，核验内容是否一致。"
    return f'<div id="registered" role="status"><p>{said}</p></div>'


def _result(view: VerdictView) -> str:
    told = {name: getattr(view, name) for name in FACTS}
    facts = {FACTS[name]: _in_words(one) if isinstance(one, datetime) else one for name, one in told.items() if one}
    listed = "".join(f"<dt>{label}</dt><dd>{escape(one)}</dd>" for label, one in facts.items())
    return _box("VALID" if view.finding is Finding.VALID else "other", view.sentence, f"<dl>{listed}</dl>")


def _box(kind: str, sentence: str, more: str = "") -> str:
    said = f"<p><strong>{escape(sentence)}</strong></p>"
    return f'<div id="result" class="{kind}" role="status">{said}{more}</div>'


def _in_words(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y年%m月%d日 %H:%M}"
