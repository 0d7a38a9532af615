"""The page that judges documents knows what signing fetched of revocations, whatever its trust folder has (Art. 20)."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI

from chassis.database import Database
from chassis.http import create_app
from chassis.identity import Door
from chassis.standing import Standing
from chassis.wallclock import RealClock
from contracts.parts import Actor
from evidence import trust
from evidence.documents import LARGEST, Finding
from evidence.testing import HOUR, NOW, Authority, revoked, trust_folder
from evidence.testing_documents import office, prepared
from local.rehearsal import HandClock
from signing import store, web
from signing.domain.losses import Suspension
from signing.revoked import RevokedList
from signing.web import NoFile, Verifier, router, uploaded_file

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


CLOCK: Any = HandClock(NOW)


async def test_a_seal_that_was_reported_as_lost_is_found_before_any_list_tells_of_it(
    database: Database, tmp_path: Path
) -> None:
    folder, lost = trust_folder(tmp_path, ISSUER), OFFICE.seal.certificate
    verifier = Verifier(database, CLOCK, folder, RevokedList(trust.load(folder), 60))
    by = Actor(holder="管理员", certificate="A-1")
    for since, finding in ((NOW + HOUR, Finding.VALID), (NOW - HOUR, Finding.REVOKED_BEFORE_SIGNING)):
        async with database.work() as work:
            assert await store.losses.add(work, Suspension(lost.serial, lost.holder, "遗失", since, since, by))
        verdict = await verifier.judge(SEALED)
        assert verdict.finding is finding and verdict.certificate == lost.serial
        async with database.work() as work:
            await store.losses.lift(work, lost.serial, NOW + 2 * HOUR)
    assert "挂失" in verdict.sentence


async def test_the_page_judges_by_the_lists_that_signing_fetches(
    database: Database, published: Published, tmp_path: Path
) -> None:
    folder = trust_folder(tmp_path, ISSUER, crl=None, crl_url=f'"{published.url}"')
    lists = RevokedList(trust.load(folder), 60)
    verifier = Verifier(database, CLOCK, folder, lists)

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


@pytest.fixture
async def page(database: Database, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    folder = trust_folder(tmp_path, ISSUER)
    app = create_app("signing", lifespan=nothing, wallclock=RealClock(), door=Door(None, Standing(10)))
    app.include_router(router(Verifier(database, CLOCK, folder, RevokedList(trust.load(folder), 60))))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://signing") as client:
        yield client


@asynccontextmanager
async def nothing(app: FastAPI) -> AsyncGenerator[None, None]:
    yield


async def test_a_browser_without_scripts_is_answered_with_a_page(page: httpx.AsyncClient) -> None:
    form = (await page.get("/verify")).text
    assert "<script" not in form and 'enctype="multipart/form-data"' in form and 'id="result"' not in form
    told = await page.post("/verify", files={"file": ("决定书.pdf", SEALED, "application/pdf")})
    assert (told.status_code, told.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert 'id="result" class="VALID"' in told.text and OFFICE.seal.certificate.serial in told.text
    altered = await page.post("/verify", files={"file": ("a.pdf", SEALED.replace(b"%PDF", b"%PDE"), "application/pdf")})
    assert 'class="other"' in altered.text and "被改动" in altered.text
    assert "form-action 'self'" in altered.headers["content-security-policy"]


async def test_what_is_no_file_or_too_large_is_answered_with_a_page_as_well(page: httpx.AsyncClient) -> None:
    none = await page.post("/verify", files={"file": ("", b"", "application/octet-stream")})
    assert none.status_code == 400 and "请选择" in none.text
    for size in (LARGEST + 1, LARGEST + 10_000):
        large = await page.post("/verify", files={"file": ("a.pdf", bytes(size), "application/pdf")})
        assert large.status_code == 413 and "32 MB" in large.text


async def endless() -> AsyncIterator[bytes]:
    """A file of 1 MB that does not end."""
    yield bytes(1024 * 1024)
    await asyncio.Event().wait()


PDF: Final = {"Content-Type": "application/pdf"}


async def test_all_files_together_are_bounded_and_room_comes_back(
    page: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "MOST_HELD", 2 * 1024 * 1024)
    sending = [asyncio.create_task(page.post("/verify", content=endless(), headers=PDF)) for _ in range(3)]
    done, waiting = await asyncio.wait(sending, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    assert [one.result().status_code for one in done] == [429] and len(waiting) == 2
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await page.post("/verify", content=SEALED, headers=PDF)).json()["finding"] == "VALID"


async def test_a_file_that_does_not_come_is_not_waited_for(
    page: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "SECONDS_TO_SEND", 0.01)
    async with asyncio.timeout(5):
        told = await page.post("/verify", content=endless(), headers=PDF)
    assert (told.status_code, told.json()["code"]) == (408, "TOO_SLOW")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--\r\n\r\nx\r\n--"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\nname: x\r\n\r\nfile without an end"),
        ("multipart/form-data; boundary=b", b"--b\r\nno head\r\n--b--"),
        ("multipart/form-data; boundary=c", b"--b\r\nname: x\r\n\r\nfile\r\n--b--"),
    ],
)
def test_what_is_no_form_holds_no_file(kind: str, body: bytes) -> None:
    with pytest.raises(NoFile):
        uploaded_file(kind, body)


def test_a_file_is_taken_out_of_its_form_byte_by_byte() -> None:
    body = b"--b\r\nname: x\r\n\r\n\r\n%PDF\r\n--a\r\n\r\n\x00\r\n\r\n--b--\r\n"
    assert uploaded_file('multipart/form-data; boundary="b"', body) == b"\r\n%PDF\r\n--a\r\n\r\n\x00\r\n"
