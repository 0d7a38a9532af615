"""The page that judges documents knows what signing fetched of revocations, whatever its trust folder has (Art. 20)."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from evidence import trust
from evidence.documents import Finding
from evidence.testing import HOUR, NOW, Authority, revoked, trust_folder
from evidence.testing_documents import office, prepared
from signing.revoked import RevokedList
from signing.web import Verifier

ISSUER = Authority("签发机构", Authority())
OFFICE = office(ISSUER)
SEALED = OFFICE.seals(prepared())


class Published(ThreadingHTTPServer):
    """Where an authority publishes its list; none yet."""

    der: bytes | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/issuing.crl"


class Answers(BaseHTTPRequestHandler):
    """Hands out the list that is published."""

    server: Published

    def do_GET(self) -> None:
        der = self.server.der
        self.send_response(404 if der is None else 200)
        self.end_headers()
        self.wfile.write(der or b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing of this is worth a line."""


@pytest.fixture
def published() -> Iterator[Published]:
    server = Published(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


async def test_the_page_judges_by_the_lists_that_signing_fetches(published: Published, tmp_path: Path) -> None:
    folder = trust_folder(tmp_path, ISSUER, crl=None, crl_url=f'"{published.url}"')
    lists = RevokedList(trust.load(folder), 60)
    verifier = Verifier(None, folder, lists)  # pyright: ignore[reportArgumentType]

    async def found(der: bytes | None) -> Finding:
        published.der = der
        await lists.fetch()
        return (await verifier.judge(SEALED)).finding

    fresh = ISSUER.revocations(number=2)
    revokes = ISSUER.revocations([revoked(OFFICE.seal.certificate, NOW - HOUR)], number=3)
    assert await found(None) is Finding.REVOCATION_UNKNOWN
    assert await found(fresh) is Finding.VALID
    assert await found(revokes) is Finding.REVOKED_BEFORE_SIGNING
    assert await found(fresh) is Finding.REVOKED_BEFORE_SIGNING, "a list never goes back"
    assert await asyncio.gather(found(None), found(None)) == [Finding.REVOKED_BEFORE_SIGNING] * 2
