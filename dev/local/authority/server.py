"""What the authority says over HTTP: `/issuing.crl`, `/ocsp`, `/tsa`; `/health/ready` when it can.

It opens the two tokens that it signs with, and no other; the issuing key works in processes that end (`work`).
"""

import asyncio
import base64
import binascii
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI, Request, Response

from local.authority import certificates
from local.authority.ocsp import Responder
from local.authority.stores import Store
from local.authority.timestamps import TimestampAuthority
from local.authority.work import CA

RENEW_SECONDS: Final = 12 * 3600


def serve(folder: Path, url: str) -> int:
    """Serve the authority of `folder` on the port of `url` until told to stop."""
    uvicorn.run(application(folder, url), host="127.0.0.1", port=urlsplit(url).port or 80, access_log=False, workers=1)
    return 0


async def _keep_fresh(folder: Path, url: str) -> None:
    """Let the list be signed anew long before it ends, for as long as this process lives."""
    command = (sys.executable, "-m", "local.authority", "renew", str(folder), url)
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        renewing = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
        await renewing.communicate(b'{"next_update": null}')


def application(folder: Path, url: str) -> FastAPI:
    """Return the application. Signing takes a fraction of a millisecond, so it happens where it is asked for."""
    keys = Store(folder / CA).keys(certificates.FUNCTION)
    own = {label: _certificate(folder / "certificates" / f"{label}.pem") for label in certificates.FUNCTION}
    responder = Responder(folder, own["ocsp"], _certificate(folder / "trust" / "issuing.pem"), keys["ocsp"])
    stamps = TimestampAuthority(own["tsa"].public_bytes(Encoding.DER), keys["tsa"])

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        renewing = asyncio.create_task(_keep_fresh(folder, url))
        yield
        renewing.cancel()

    app = FastAPI(title="Lianshen development authority", docs_url=None, redoc_url=None, lifespan=living)

    @app.get("/health/ready")
    async def health() -> dict[str, str]:
        return {"status": "ready"}

    @app.get("/issuing.crl")
    async def revocation_list() -> Response:
        return Response((folder / "trust" / "issuing.crl").read_bytes(), media_type="application/pkix-crl")

    @app.post("/ocsp")
    async def standing(request: Request) -> Response:
        return Response(responder.answer(await request.body()), media_type="application/ocsp-response")

    @app.get("/ocsp/{asked:path}")
    async def standing_by_address(asked: str) -> Response:
        return Response(responder.answer(_unpacked(asked)), media_type="application/ocsp-response")

    @app.post("/tsa")
    async def timestamp(request: Request) -> Response:
        return Response(stamps.answer(await request.body()), media_type="application/timestamp-reply")

    return app


def _certificate(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def _unpacked(asked: str) -> bytes:
    try:
        return base64.b64decode(unquote(asked), validate=True)
    except binascii.Error:
        return b""
