"""What the authority says over HTTP: `/issuing.crl`, `/ocsp`, `/tsa`; `/health/ready` when it can.

It opens the two tokens that it signs with, and no other; the issuing key works in processes that end (`work`).
"""

import base64
import binascii
from pathlib import Path
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


def serve(folder: Path, url: str) -> int:
    """Serve the authority of `folder` on the port of `url` until told to stop."""
    uvicorn.run(application(folder), host="127.0.0.1", port=urlsplit(url).port or 80, access_log=False, workers=1)
    return 0


def application(folder: Path) -> FastAPI:
    """Return the application. Signing takes a fraction of a millisecond, so it happens where it is asked for."""
    keys = Store(folder / CA).keys(certificates.FUNCTION)
    own = {label: _certificate(folder / "certificates" / f"{label}.pem") for label in certificates.FUNCTION}
    responder = Responder(folder, own["ocsp"], _certificate(folder / "trust" / "issuing.pem"), keys["ocsp"])
    stamps = TimestampAuthority(own["tsa"].public_bytes(Encoding.DER), keys["tsa"])
    app = FastAPI(title="Lianshen development authority", docs_url=None, redoc_url=None)

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
