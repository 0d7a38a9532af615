"""What proves an act, for whoever has to see it: an item's sealed file, for the office that made it (Art. 16), and the
signatures of officers over what bound the office, for who supervises (Art. 20, 21)."""

import base64
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from chassis.database import Connection, Database
from chassis.filing import FileLost, Filing
from chassis.identity import requires
from contracts.codes import Sha256
from contracts.terms import Role
from department_worker import paper_store, signatures, store
from department_worker.signed import Signed
from procedure import authority
from procedure.authority import Caller, NotFound
from procedure.items import Item
from procedure.refusals import Refusal

Officer = Annotated[Caller, Depends(requires(Role.OFFICER))]
Supervisor = Annotated[Caller, Depends(requires(Role.SUPERVISOR))]
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


class SignatureView(BaseModel):
    """A signature as it was judged: the text that the officer was shown and signed, and what proves it without the
    platform (`evidence.step_up.prove`). `digest` is what the act's event names; certificate (DER) and signature are
    Base64."""

    digest: Sha256
    text: str
    algorithm: str
    serial: str
    certificate: str
    signature: str
    signed_at: datetime

    @classmethod
    def of(cls, s: Signed) -> "SignatureView":
        certificate, signature = (base64.b64encode(one).decode() for one in (s.certificate, s.signature))
        return cls(
            digest=s.digest,
            text=s.text,
            algorithm=s.algorithm,
            serial=s.serial,
            certificate=certificate,
            signature=signature,
            signed_at=s.signed_at,
        )


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

    @routes.get("/items/{item_id}/signatures", summary="一个事项批准、办结时的本人签名")
    async def read_signatures(caller: Supervisor, item_id: UUID) -> list[SignatureView]:
        async with database.reading() as connection:
            item = await _item(connection, item_id)
            authority.own_territory(caller, item.jurisdiction)
            return [SignatureView.of(one) for one in await signatures.of_item(connection, item_id)]

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
