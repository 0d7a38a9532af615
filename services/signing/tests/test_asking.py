"""An authority that answers drop by drop, over HTTP: nobody waits for it longer than he is patient."""

import asyncio
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from evidence import trust
from evidence.testing import Authority, trust_folder
from signing import revoked, stamps
from signing.revoked import RevokedList
from signing.stamps import NoTimestamp, Stamps

ISSUER: Final = Authority("签发机构", Authority())
HEAD: Final = b"HTTP/1.1 200 OK\r\n"


class Dripping(ThreadingHTTPServer):
    """Sends `first`, then a byte every now and then, until it is over."""

    first = HEAD + b"\r\n"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Drops)
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, *_: Any) -> None:
        """Somebody went away: that is what is tested."""


class Drops(BaseHTTPRequestHandler):
    server: Dripping

    def do_GET(self) -> None:
        self.wfile.write(self.server.first)
        while not self.server.over.wait(0.01):
            self.wfile.write(b"x")

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing of this is worth a line."""


@pytest.fixture(params=["body", "head"])
def dripping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dripping]:
    for one in (stamps, revoked):
        monkeypatch.setattr(one, "PATIENCE_SECONDS", 0.2)
    with Dripping() as server:
        server.first = HEAD + (b"\r\n" if request.param == "body" else b"X-Never: ")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


async def test_a_timestamp_that_comes_drop_by_drop_is_none(dripping: Dripping) -> None:
    begun = time.monotonic()
    async with asyncio.timeout(5):
        with pytest.raises(NoTimestamp):
            await Stamps(dripping.url).over([b"a"] * 8)
    assert time.monotonic() - begun < 2


async def test_a_list_that_comes_drop_by_drop_holds_up_no_other(dripping: Dripping, tmp_path: Path) -> None:
    lists = RevokedList(trust.load(trust_folder(tmp_path, ISSUER, crl=None, crl_url=f'"{dripping.url}"')), 60)
    async with asyncio.timeout(5):
        await lists.fetch()
    assert not await lists.is_known()


async def test_a_long_list_is_read_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of 16 MB takes seconds; a loss that is reported meanwhile has two in all."""
    read_in: list[threading.Thread] = []
    parse = revoked.parse_list

    def parsed(*given: Any) -> Any:
        read_in.append(threading.current_thread())
        return parse(*given)

    monkeypatch.setattr(revoked, "parse_list", parsed)
    lists = RevokedList(trust.load(trust_folder(tmp_path, ISSUER)), 60)
    await lists.fetch()
    assert await lists.is_known() and threading.main_thread() not in read_in
