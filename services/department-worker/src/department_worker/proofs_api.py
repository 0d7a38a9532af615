"""What proves an act, for whoever has to see it: an item's sealed file, for the office that made it (Art. 16)."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from chassis.database import Connection, Database
from chassis.filing import FileLost, Filing
from chassis.identity import requires
from contracts.codes import Sha256
from contracts.terms import Role
from department_worker import paper_store, store
from procedure import authority
from procedure.authority import Caller, NotFound
from procedure.items import Item
from procedure.refusals import Refusal

Officer = Annotated[Caller, Depends(requires(Role.OFFICER))]
PDF: Final = "application/pdf"
FILE: Final[dict[str, Any]] = {PDF: {"schema": {"type": "string", "format": "binary"}}}


class NoSealedDocument(Refusal):
    """该事项没有已签章的电子文书"""

    article = "第十六条"
    status = 404


class SealedDocumentLost(Refusal):
    """文书 {sha256} 不在文书库中，请联系平台运维"""

    article = "第十六条"
    status = 404


def router(database: Database, filing: Filing | None) -> APIRouter:
    """Return the routes; without `filing` no document leaves the house."""
    routes = APIRouter()

    @routes.get(
        "/items/{item_id}/document",
        summary="本部门事项的电子签章文书",
        response_class=Response,
        responses={200: {"content": FILE, "description": "电子签章文件"}},
    )
    async def read_document(caller: Officer, item_id: UUID) -> Response:
        async with database.reading() as connection:
            item = await _item(connection, item_id)
            authority.own_item(caller, item.jurisdiction, item.department)
            sha256 = await paper_store.filed(connection, item_id)
        if filing is None or sha256 is None:
            raise NoSealedDocument
        content = await _filed(filing, sha256)
        named = {"Content-Disposition": f'inline; filename="{sha256[:16]}.pdf"', "ETag": f'"{sha256}"'}
        return Response(content, media_type=PDF, headers=named)

    return routes


async def _item(connection: Connection, item_id: UUID) -> Item:
    item = await store.find(connection, item_id)
    if item is None:
        raise NotFound
    return item


async def _filed(filing: Filing, sha256: Sha256) -> bytes:
    try:
        return await filing.read(sha256)
    except FileLost:
        raise SealedDocumentLost(sha256=sha256) from None
