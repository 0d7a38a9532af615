"""The audit chains of a project as a file that is judged without this platform (`./run audit verify`)."""

import base64
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from chassis.database import Connection
from contracts.codes import CITY, ProjectCode
from evidence import bundle
from procedure import authority
from procedure.authority import Caller, NotFound
from procedure.refusals import Refusal
from supervision import auditing
from supervision.api.desk import Desk, Supervisor
from supervision.store import audit, rows
from supervision.store import story as chapters
from supervision.store.audit import Newest
from supervision.story import records

MEDIA: Final = "application/jsonl"


class NotSealedYet(Refusal):
    """该项目的记录尚未封存盖章，请稍后再导出"""

    article = "第二十二条"
    status = 409


def router(desk: Desk) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get(
        "/audit/projects/{code}",
        summary="导出一个项目的审计链",
        response_class=Response,
        responses={200: {"content": {MEDIA: {}}, "description": "自成一体的审计文件，可离线核验"}},
    )
    async def export(caller: Supervisor, code: Annotated[ProjectCode, Path()]) -> Response:
        async with desk.database.reading() as connection:
            await _own(connection, caller, code)
            newest = await audit.newest(connection, code)
            told = await chapters.of_project(connection, code)
        if newest is None:
            raise NotSealedYet
        named = {"Content-Disposition": f'attachment; filename="audit-{code}.jsonl"'}
        return Response(_file(code, told, newest), media_type=MEDIA, headers=named)

    return routes


async def _own(connection: Connection, caller: Caller, code: ProjectCode) -> None:
    """Hold a supervisor to its territory. Raises NotFound, NotYourJurisdiction."""
    project = await rows.project(connection, code)
    if project is None and not await chapters.of_project(connection, code):
        raise NotFound
    authority.own_territory(caller, CITY if project is None else project["jurisdiction"])


def _file(code: str, told: list[str], newest: Newest) -> bytes:
    held = auditing.covered(records(told), newest.closed.projects[newest.place])
    seal = newest.sealed
    signature, der = base64.b64decode(seal.signature), base64.b64decode(seal.certificate_der or "")
    named = (seal.algorithm, seal.certificate)
    return bundle.written(code, held, auditing.sealed(newest.closed, newest.place, named, signature, der))
