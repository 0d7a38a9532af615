"""Whoever knocks is asked about at its issuer's responder, the development authority's own, over HTTP (Art. 20)."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from evidence import testing_sm2, trust
from evidence.certificates import Certificate, NotTrusted, Purpose, Reason, parse_pem
from evidence.revocation import LARGEST_ANSWER
from evidence.testing import HOUR, Authority, ocsp_response, revoked, trust_folder
from local.authority.book import Book, Entry
from local.authority.ocsp import Responder
from signing import responders
from signing.responders import Responders
from signing.revoked import RevokedList

ISSUER = Authority("签发机构", Authority())
STRANGER = Authority("签发机构", Authority())
HOLDER, OTHER = ISSUER.issue(), ISSUER.issue()
LOCAL: Final = "127.0.0.1"
NO_HTTP: Final = b"220 "


class Served(ThreadingHTTPServer):
    """The authority's responder and its book; `answers` may be exchanged for something worse."""

    def __init__(self, folder: Path) -> None:
        super().__init__((LOCAL, 0), Asked)
        self.folder = folder
        key = ec.generate_private_key(ec.SECP256R1())
        more = [(x509.OCSPNoCheck(), False)]
        own = ISSUER.issue("应答者", Purpose.OCSP, key=key.public_key(), more=more)
        self.book = Book(issued={one.serial: Entry("", "") for one in (HOLDER, OTHER)})
        self.book.write(folder)
        self.answers: Callable[[bytes], bytes] = Responder(folder, own.read, ISSUER.certificate.read, key).answer
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://{LOCAL}:{self.server_address[1]}/ocsp"

    def handle_error(self, *_: Any) -> None:
        """Somebody went away before the answer: that is what is tested."""

    def revoke(self, one: Certificate) -> None:
        entry = self.book.issued[one.serial]
        entry.revoked_at, entry.reason = _now().replace(microsecond=0).isoformat(), "keyCompromise"
        self.book.write(self.folder)


class Asked(BaseHTTPRequestHandler):
    """Hands out what the responder answers."""

    server: Served

    def do_POST(self) -> None:
        question = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(f"{ocsp.load_der_ocsp_request(question).serial_number:X}")
        answer = self.server.answers(question)
        if answer.startswith(NO_HTTP):
            self.wfile.write(answer)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing of this is worth a line."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class Doors:
    """Signing's doors, with a list of now that revokes nobody."""

    def __init__(self, folder: Path, *entries: Any, at: datetime | None = None, **changes: Any) -> None:
        trust_folder(folder, ISSUER, **changes)
        (folder / "issuing.crl").write_bytes(ISSUER.revocations(entries, at=at or _now() - HOUR))
        trusted = trust.load(folder)
        self.revoked = RevokedList(trusted, 60)
        self.revoked.now = trusted.revocations()
        self.responders = Responders(trusted, self.revoked)

    async def refuse(self, one: Certificate) -> Reason | None:
        try:
            await self.responders.hold(one, Purpose.LOGIN)
        except NotTrusted as refused:
            return refused.reason
        return None


@pytest.fixture
def doors(served: Served, tmp_path: Path) -> Doors:
    return Doors(tmp_path, ocsp_url=f'"{served.url}"')


def _now() -> datetime:
    return datetime.now(UTC)


async def test_who_was_revoked_since_the_last_list_is_refused(served: Served, doors: Doors) -> None:
    served.revoke(HOLDER)
    assert await doors.refuse(HOLDER) is Reason.REVOKED
    assert await doors.refuse(OTHER) is None
    [(_, known)] = doors.revoked.of_issuers()
    assert list(known) == [HOLDER.serial] and doors.revoked.is_new.is_set()


async def test_an_answer_counts_until_it_ends_and_is_asked_for_once(served: Served, doors: Doors) -> None:
    assert [await doors.refuse(one) for one in (HOLDER, OTHER, HOLDER)] == [None] * 3
    assert served.asked == [HOLDER.serial, OTHER.serial]


async def test_an_answer_that_has_ended_is_asked_for_again(
    served: Served, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await doors.refuse(HOLDER) is None
    served.revoke(HOLDER)
    assert await doors.refuse(HOLDER) is None
    monkeypatch.setattr(responders, "_now", lambda: _now() + 2 * HOUR)
    served.answers = lambda _: ocsp_response(ISSUER, HOLDER, at=_now() + 2 * HOUR, revoked_at=_now())
    assert await doors.refuse(HOLDER) is Reason.REVOKED


async def test_without_an_address_in_the_trust_list_the_certificate_names_it(served: Served, tmp_path: Path) -> None:
    doors = Doors(tmp_path)
    there = x509.AccessDescription(x509.AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(served.url))
    named = ISSUER.issue(more=[(x509.AuthorityInformationAccess([there]), False)])
    served.book.issued[named.serial] = Entry("", "")
    served.revoke(named)
    assert await doors.refuse(named) is Reason.REVOKED
    assert await doors.refuse(HOLDER) is None
    assert served.asked == [named.serial]


async def test_while_the_responder_is_away_the_list_decides(tmp_path: Path) -> None:
    with Served(tmp_path) as gone:
        url = gone.url
    doors = Doors(tmp_path, revoked(OTHER, _now() - HOUR), ocsp_url=f'"{url}"')
    assert await doors.refuse(HOLDER) is None
    assert await doors.refuse(OTHER) is Reason.REVOKED


async def test_a_responder_that_did_not_answer_is_left_alone_for_a_while(served: Served, doors: Doors) -> None:
    served.answers = lambda _: NO_HTTP + b"somebody else's port\r\n"
    assert [await doors.refuse(one) for one in (HOLDER, OTHER)] == [None, None]
    assert served.asked == [HOLDER.serial]


async def test_a_slow_responder_is_waited_for_no_longer_than_the_bound(
    served: Served, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(responders, "PATIENCE_SECONDS", 0.2)
    served.answers = lambda _: NO_HTTP * over.wait(30)
    begun = time.monotonic()
    assert [await doors.refuse(one) for one in (HOLDER, OTHER)] == [None, None]
    assert time.monotonic() - begun < 2
    assert served.asked == [HOLDER.serial]
    over.set()


async def test_a_stale_list_stays_a_closed_door_whatever_the_responder_says(served: Served, tmp_path: Path) -> None:
    doors = Doors(tmp_path, at=_now() - timedelta(days=3), ocsp_url=f'"{served.url}"')
    assert await doors.refuse(HOLDER) is Reason.REVOCATION_STALE
    assert served.asked == []


async def test_an_sm2_issuers_responder_is_asked_like_any_other(served: Served, tmp_path: Path) -> None:
    """Both made by the openssl tool; the seal is on no list."""
    folder = testing_sm2.make(tmp_path / "sm2")
    seal = parse_pem((folder / "seal.pem").read_bytes())
    testing_sm2.enter(folder, seal.serial)
    (folder / "authority.crl").write_bytes(testing_sm2.revocations(folder))
    (folder / "trust.toml").write_text(SM2.format(url=served.url))
    trusted = trust.load(folder)
    revoked = RevokedList(trusted, 60)
    revoked.now = trusted.revocations()
    testing_sm2.enter(folder, seal.serial, _now() - HOUR)
    served.answers = partial(testing_sm2.answer, folder)
    with pytest.raises(NotTrusted, match="REVOKED"):
        await Responders(trusted, revoked).hold(seal, Purpose.SEAL)
    assert served.asked == [seal.serial]


SM2: Final = """
[[issuer]]
certificate = "authority.pem"
root = "authority.pem"
purposes = ["seal"]
algorithms = ["sm2-sm3"]
crl = "authority.crl"
ocsp_url = "{url}"
grace_hours = 24
"""
WRONG: dict[str, Callable[[], bytes]] = {
    "signed by somebody else": lambda: ocsp_response(STRANGER, HOLDER, about=ISSUER, at=_now(), revoked_at=_now()),
    "about another certificate": lambda: ocsp_response(ISSUER, OTHER, at=_now(), revoked_at=_now()),
    "to another question": lambda: ocsp_response(ISSUER, HOLDER, at=_now(), revoked_at=_now(), nonce=b"n" * 16),
    "of yesterday": lambda: ocsp_response(ISSUER, HOLDER, at=_now() - 24 * HOUR, revoked_at=_now() - 25 * HOUR),
    "of tomorrow": lambda: ocsp_response(ISSUER, HOLDER, at=_now() + 24 * HOUR, revoked_at=_now()),
    "that is none": lambda: b"\x30\x80",
    "without an end": lambda: bytes(LARGEST_ANSWER * 4),
}


@pytest.mark.parametrize("case", WRONG)
async def test_an_answer_is_not_believed(served: Served, doors: Doors, case: str) -> None:
    """Nor does it make anybody ask again at once; whoever else comes is asked about as before."""
    right, served.answers = served.answers, lambda _: WRONG[case]()
    assert await doors.refuse(HOLDER) is None
    served.answers = right
    served.revoke(HOLDER)
    served.revoke(OTHER)
    assert await doors.refuse(HOLDER) is None
    assert await doors.refuse(OTHER) is Reason.REVOKED
