"""Results as files: whoever declared reads and prints the sealed documents itself, as often as it wants (Art. 10, 15).

Each print is the file that was sealed, byte for byte, and each is logged.
"""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel

from chassis.database import Work
from chassis.filing import FileLost
from chassis.http import traceparent_of
from contracts import topics
from contracts.codes import ItemCode, Sha256
from contracts.envelope import derived_id
from contracts.intake import ResultPrinted
from contracts.terms import DocumentKind, Outcome, Stage
from intake import store
from intake.api.office import CodeInPath, Office, Reader
from intake.store.results import Result
from procedure.authority import Caller, NotFound
from procedure.refusals import Refusal

PDF: Final = "application/pdf"
FileInPath = Annotated[Sha256, Path()]
FILE: Final[dict[str, Any]] = {PDF: {"schema": {"type": "string", "format": "binary"}}}


class ResultFileLost(Refusal):
    """结果文书 {sha256} 不在文书库中，请联系平台运维"""

    article = "第十六条"
    status = 404


class ResultView(BaseModel):
    """One result, or a notice of a step on the way to it (不予受理、补正告知), which has no outcome.

    `document` is its file's SHA-256, empty where no document leaves the house (an opinion).
    """

    item_id: UUID
    item_code: ItemCode
    name: str
    stage: Stage
    outcome: Outcome | None
    notice: DocumentKind | None
    concluded_at: datetime
    document: Sha256 | None
    prints: int


def router(office: Office) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/projects/{code}/results", summary="审批结果文书")
    async def read_results(caller: Reader, code: CodeInPath) -> list[ResultView]:
        async with office.database.reading() as connection:
            await office.project(connection, code, caller)
            found = await store.results.of_project(connection, code)
        return [await _view(office, result, prints) for result, prints in found]

    @routes.get(
        "/projects/{code}/results/{sha256}",
        summary="自行打印审批结果文书",
        response_class=Response,
        responses={200: {"content": FILE, "description": "电子签章文件"}},
    )
    async def print_result(request: Request, caller: Reader, code: CodeInPath, sha256: FileInPath) -> Response:
        async with office.database.work(traceparent_of(request)) as work:
            content = await _printed(work, office, caller, code, sha256)
        named = {"Content-Disposition": f'inline; filename="{sha256[:16]}.pdf"', "ETag": f'"{sha256}"'}
        return Response(content, media_type=PDF, headers=named)

    return routes


async def _view(office: Office, result: Result, prints: int) -> ResultView:
    is_filed = await office.filing.has(result.document)
    return ResultView(
        item_id=result.item_id,
        item_code=result.item_code,
        name=office.city.catalogue.items[result.item_code].name,
        stage=result.stage,
        outcome=result.outcome,
        notice=result.notice,
        concluded_at=result.issued_at,
        document=result.document if is_filed else None,
        prints=prints,
    )


async def _printed(work: Work, office: Office, caller: Caller, code: str, sha256: Sha256) -> bytes:
    """Return the file, once it is logged and said who printed it. Raises NotFound or ResultFileLost."""
    await office.project(work.connection, code, caller)
    result = await store.results.find(work.connection, code, sha256)
    if result is None:
        raise NotFound
    content, at = await filed(office, sha256), office.now()
    number = await store.results.print_out(work, result, caller.actor, at)
    work.say(topics.APPLICATIONS, _said(result, number, caller, at))
    return content


async def filed(office: Office, sha256: Sha256) -> bytes:
    """Return a sealed file. Raises ResultFileLost."""
    try:
        return await office.filing.read(sha256)
    except FileLost:
        raise ResultFileLost(sha256=sha256) from None


def _said(result: Result, number: int, caller: Caller, at: datetime) -> ResultPrinted:
    return ResultPrinted(
        event_id=derived_id("printed", result.item_id, number),
        causation_id=result.item_id,
        occurred_at=at,
        project_code=result.project_code,
        application_id=result.application_id,
        stage=result.stage,
        item_id=result.item_id,
        item_code=result.item_code,
        document=result.document,
        at=at,
        actor=caller.actor,
    )
