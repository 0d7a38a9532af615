"""The audit chains of a project or a ledger as a file that is judged without this platform (`./run audit verify`)."""

import base64
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response

from chassis.database import Connection
from contracts.codes import CITY, ProjectCode
from contracts.terms import Ledger
from evidence import bundle
from procedure import authority
from procedure.authority import Caller, NotFound, NotYourJurisdiction
from procedure.refusals import Refusal
from supervision import auditing
from supervision.api.desk import Auditor, Desk, Supervisor
from supervision.store import audit, rows
from supervision.store import story as chapters
from supervision.store.audit import Newest
from supervision.story import records

MEDIA: Final = "application/jsonl"
A_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {MEDIA: {}}, "description": "自成一体的审计文件，可离线核验"}
}
OF_ALL_PLACES: Final = {Ledger.IDENTITY}
"""Ledgers in which every place's own entries stand: they are the city's to read, the others anybody's who audits."""


class NotSealedYet(Refusal):
    """有关记录尚未封存盖章，请稍后再导出"""

    article = "第二十二条"
    status = 409


def router(desk: Desk) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/audit/projects/{code}", summary="导出一个项目的审计链", response_class=Response, responses=A_FILE)
    async def export_project(caller: Supervisor, code: Annotated[ProjectCode, Path()]) -> Response:
        async with desk.database.reading() as connection:
            await _own(connection, caller, code)
            return await _exported(connection, code)

    @routes.get(
        "/audit/ledgers/{ledger}",
        summary="导出一个台账的审计链：责任人与证书、工作日历、政策口径",
        response_class=Response,
        responses=A_FILE,
    )
    async def export_ledger(caller: Auditor, ledger: Annotated[Ledger, Path()]) -> Response:
        if ledger in OF_ALL_PLACES and caller.jurisdiction != CITY:
            raise NotYourJurisdiction
        async with desk.database.reading() as connection:
            return await _exported(connection, ledger.value)

    return routes


async def _exported(connection: Connection, owner: str) -> Response:
    """Return an owner's chains as a file. Raises NotSealedYet."""
    newest = await audit.newest(connection, owner)
    told = await chapters.of_project(connection, owner)
    if newest is None:
        raise NotSealedYet
    named = {"Content-Disposition": f'attachment; filename="audit-{owner}.jsonl"'}
    return Response(_file(owner, told, newest), media_type=MEDIA, headers=named)


async def _own(connection: Connection, caller: Caller, code: ProjectCode) -> None:
    """Hold a supervisor to its territory. Raises NotFound, NotYourJurisdiction."""
    project = await rows.project(connection, code)
    if project is None and not await chapters.of_project(connection, code):
        raise NotFound
    authority.own_territory(caller, CITY if project is None else project["jurisdiction"])


def _file(owner: str, told: list[str], newest: Newest) -> bytes:
    held = auditing.covered(records(told), newest.closed.owners[newest.place])
    seal = newest.sealed
    signature, der = base64.b64decode(seal.signature), base64.b64decode(seal.certificate_der or "")
    named = (seal.algorithm, seal.certificate)
    return bundle.written(owner, held, auditing.sealed(newest.closed, newest.place, named, signature, der))
