"""Documents of the window (Art. 9, 10): 窗口报件通知书 and 收件回执, made when the builder or the window first asks for
one, the same file ever after. Nothing is made of a stage for which nobody asks."""

from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from chassis import idempotency
from chassis.database import Work
from chassis.http import traceparent_of
from chassis.idempotency import Answer, Key
from chassis.identity import requires
from contracts import topics
from contracts.envelope import derived_id
from contracts.terms import DocumentKind, Role
from intake import domain, store
from intake.api.office import IdempotencyKey, Office
from intake.api.results import FILE, PDF, filed
from intake.domain.documents import Told
from intake.store.applications import Application
from procedure.authority import Caller
from procedure.notices import window_request_id

BuilderOrWindow = Annotated[Caller, Depends(requires(Role.BUILDER, Role.WINDOW))]
Kind = Literal[DocumentKind.WINDOW_NOTICE, DocumentKind.RECEIPT]
PATH: Final = "/applications/{application_id}/documents/{kind}"


class Asked(BaseModel):
    """The document will be sealed; once it is, its file is at `location`."""

    application_id: UUID
    kind: DocumentKind
    location: str


def router(office: Office) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.post(PATH, summary="申请出具窗口报件通知书、收件回执", status_code=202, response_model=Asked)
    async def ask_for_document(
        request: Request, caller: BuilderOrWindow, application_id: UUID, kind: Kind, key: IdempotencyKey
    ) -> Response:
        return await office.once(request, caller, key, "", _ask, office, caller, application_id, kind)

    @routes.get(
        PATH,
        summary="自行打印窗口报件通知书、收件回执",
        response_class=Response,
        responses={200: {"content": FILE, "description": "电子签章文件"}},
    )
    async def print_document(request: Request, caller: BuilderOrWindow, application_id: UUID, kind: Kind) -> Response:
        async with office.database.work(traceparent_of(request)) as work:
            sha256, content = await _printed(work, office, caller, application_id, kind)
        named = {"Content-Disposition": f'inline; filename="{sha256[:16]}.pdf"', "ETag": f'"{sha256}"'}
        return Response(content, media_type=PDF, headers=named)

    return routes


async def _ask(
    work: Work, key: Key, office: Office, caller: Caller, application_id: UUID, kind: DocumentKind
) -> Answer:
    """Have a document made, once: who asks again is told the same, and it is made anew only if its seal was refused.
    Raises NotReceivedYet or NotDispatchedYet."""
    application = await office.application(work.connection, caller, application_id, lock=False)
    project = await office.project(work.connection, application.project_code, caller)
    told = await _told(work, office, application, kind)
    cause = derived_id("window-document", key.caller, key.key)
    attempt = domain.documents.attempt_after(await store.documents.last(work, application_id, kind))
    about = (window_request_id(application_id, kind, attempt), kind, told, application, project)
    asked = domain.documents.requested(*about, caller.actor, cause, office.now())
    if await store.documents.ask(work, asked, attempt):
        work.say(topics.APPLICATIONS, asked)
    view = Asked(
        application_id=application_id, kind=kind, location=PATH.format(application_id=application_id, kind=kind)
    )
    return await idempotency.remember(work, key, 202, view.model_dump(mode="json"))


async def _told(work: Work, office: Office, application: Application, kind: DocumentKind) -> Told:
    if kind is DocumentKind.WINDOW_NOTICE:
        items = await store.progress.load(work.connection, [application.application_id])
        return domain.documents.window_notice(application.announced, {code for _, code in items})
    place = office.under(application).places[application.jurisdiction]
    handed_in = await store.given.handed_in(work.connection, application.project_code)
    about = (application.received_at, application.application_id, handed_in, place.window)
    return domain.documents.receipt(*about)


async def _printed(
    work: Work, office: Office, caller: Caller, application_id: UUID, kind: DocumentKind
) -> tuple[str, bytes]:
    """Return the file, once it is logged and said who printed it. Raises DocumentNotIssued, DocumentRefused or
    ResultFileLost."""
    application = await office.application(work.connection, caller, application_id, lock=False)
    document, file = domain.documents.issued(await store.documents.last(work, application_id, kind))
    content, at = await filed(office, file), office.now()
    number = await store.documents.print_out(work, document.request_id, caller.actor, at)
    work.say(topics.APPLICATIONS, domain.documents.printed(document, number, application, caller.actor, at))
    return file, content
