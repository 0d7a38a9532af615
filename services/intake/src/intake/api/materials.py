"""Materials: uploaded by builders (Art. 8), opened by the officers who handle them (Art. 12, 21)."""

from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from chassis.database import Work
from chassis.http import streamed, traceparent_of
from chassis.identity import requires
from contracts import topics
from contracts.codes import ItemCode, MaterialCode
from contracts.envelope import derived_id
from contracts.intake import MaterialViewed
from contracts.parts import MaterialRef
from contracts.terms import Role
from intake import domain, store
from intake.api.office import ITEM, Office, OnlyBuilder
from intake.domain.given import Declaration
from intake.domain.progress import Progress
from intake.materials import MAGIC
from intake.store.applications import Application
from procedure import authority
from procedure.authority import Caller

Officer = Annotated[Caller, Depends(requires(Role.OFFICER))]
MaterialInPath = Annotated[MaterialCode, Path()]
SCANS: Final[dict[str, Any]] = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in sorted(MAGIC)}


class UploadView(BaseModel):
    sha256: str
    size: int
    media_type: str


def router(office: Office) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    uploaded: dict[str, Any] = {"requestBody": {"required": True, "content": SCANS}}

    @routes.post("/materials", summary="上传材料（原件扫描）", status_code=201, openapi_extra=uploaded)
    async def upload_material(request: Request, caller: OnlyBuilder) -> UploadView:
        return await _upload(office, request, caller)

    @routes.get(
        f"{ITEM}/materials/{{material}}",
        summary="承办人员查看事项材料",
        response_class=StreamingResponse,
        responses={200: {"content": SCANS, "description": "原件扫描"}},
    )
    async def open_material(
        request: Request, caller: Officer, application_id: UUID, item_code: ItemCode, material: MaterialInPath
    ) -> StreamingResponse:
        async with office.database.work(traceparent_of(request)) as work:
            found, kind = await _opened(work, office, caller, application_id, item_code, material)
            parts = await office.materials.open(found.sha256)
        named = {"Content-Disposition": f"inline; filename*=UTF-8''{quote(found.name)}", "ETag": f'"{found.sha256}"'}
        return StreamingResponse(parts, media_type=kind, headers={**named, "Content-Length": str(found.size)})

    return routes


async def _upload(office: Office, request: Request, caller: Caller) -> UploadView:
    """Store a scan of an original, streamed, by its SHA-256 (Art. 8)."""
    kind = unquote(request.headers.get("content-type", "")).split(";")[0].strip().lower()
    stored = await office.materials.keep(streamed(request), kind)
    async with office.database.work() as work:
        await store.given.keep_upload(work, caller.uscc or "", stored)
    return UploadView(sha256=stored.sha256, size=stored.size, media_type=stored.media_type)


async def _opened(
    work: Work, office: Office, caller: Caller, application_id: UUID, item_code: ItemCode, material: MaterialCode
) -> tuple[MaterialRef, str]:
    """Return what an officer opens of an item of its own department, with its media type; who looked is said once."""
    application, row = await office.item(work, caller, application_id, item_code, lock=False)
    authority.own_item(caller, row.jurisdiction, row.department)
    handed_in = await store.given.handed_in(work.connection, application.project_code)
    found = domain.given.opened(material, row, _declaration(office, application), handed_in)
    event = _viewed(application, row, found, caller, office.now())
    if await store.given.view(work, event):
        work.say(topics.APPLICATIONS, event)
    uploads = await store.given.uploads(work.connection, application.builder, [found.sha256])
    return found, uploads[found.sha256].media_type


def _declaration(office: Office, application: Application) -> Declaration:
    return Declaration(application.applied_at, office.under(application))


def _viewed(
    application: Application, row: Progress, material: MaterialRef, caller: Caller, at: datetime
) -> MaterialViewed:
    return MaterialViewed(
        event_id=derived_id("viewed", row.item_id, material.code, material.sha256, caller.certificate),
        causation_id=row.item_id,
        occurred_at=at,
        project_code=application.project_code,
        application_id=application.application_id,
        stage=application.stage,
        item_id=row.item_id,
        item_code=row.item_code,
        material=material.code,
        sha256=material.sha256,
        at=at,
        actor=caller.actor,
    )
