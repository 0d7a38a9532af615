"""What issuers say of a certificate right now: its responder is asked when it comes to the door (OCSP, Art. 20).

Only `revoked` changes anything, and then as if it stood on the issuer's list. A good answer, a wrong one and none at
all leave the list to decide; a list past its grace is a closed door, whatever a responder says.
"""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Final
from urllib.request import Request

import structlog

from chassis import asking
from evidence.certificates import Certificate, NotTrusted, Purpose
from evidence.revocation import LARGEST_ANSWER, Answer, parse_answer, question
from evidence.trust import Issuer, TrustList
from signing.revoked import RevokedList

PATIENCE_SECONDS: Final = 2.0
SILENT_SECONDS: Final = 30.0
"""How long a responder that did not answer is left alone, and a certificate about which nothing was believed."""
SIDE_BY_SIDE: Final = 4
NONCE_BYTES: Final = 16
HEADERS: Final = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}

log = structlog.get_logger()


class Responders:
    """Holds certificates to `trust`, to what is known to be `revoked`, and to their issuers' responders.

    An answer is kept until it ends, one line for each certificate that came: no more than the issuers issued.
    """

    def __init__(self, trust: TrustList, revoked: RevokedList) -> None:
        self.trust = trust
        self.revoked = revoked
        self._known_until: dict[tuple[bytes, str], datetime] = {}
        self._silent_until: dict[str, float] = {}
        self._threads = ThreadPoolExecutor(SIDE_BY_SIDE, "ocsp")

    async def hold(self, certificate: Certificate, purpose: Purpose) -> None:
        """Hold `certificate` to all that is known of it now; two seconds at most, and only when an answer is due.

        Raises NotTrusted as `TrustList.hold` does. Who is refused anyway is not asked about.
        """
        issuer = self.trust.hold(certificate, purpose, _now(), self.revoked.now)
        if await self._learns(certificate, issuer):
            self.trust.hold(certificate, purpose, _now(), self.revoked.now)

    async def _learns(self, certificate: Certificate, issuer: Issuer) -> bool:
        """Ask the responder unless its last answer still counts; whether the certificate was found revoked."""
        url, about = issuer.responder_of(certificate), (issuer.certificate.key_id, certificate.serial)
        if url is None or self._is_known(about) or time.monotonic() < self._silent_until.get(url, 0):
            return False
        try:
            answer = await self._asked(url, certificate, issuer)
        except NotTrusted as doubt:
            log.warning("responder.not_believed", url=url, certificate=certificate.serial, why=str(doubt)[:200])
            self._known_until[about] = _now() + timedelta(seconds=SILENT_SECONDS)
            return False
        except (OSError, HTTPException, ValueError) as trouble:
            log.warning("responder.silent", url=url, trouble=repr(trouble))
            self._silent_until[url] = time.monotonic() + SILENT_SECONDS
            return False
        self._known_until[about] = answer.next_update
        return answer.revoked is not None and self.revoked.learn(answer)

    def _is_known(self, about: tuple[bytes, str]) -> bool:
        until = self._known_until.get(about)
        return until is not None and _now() < until

    async def _asked(self, url: str, certificate: Certificate, issuer: Issuer) -> Answer:
        """Return what the responder says now. Raises NotTrusted, OSError, HTTPException or ValueError."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        asked = Request(url, question(certificate, issuer.certificate, nonce), HEADERS)
        told = await asking.answer(self._threads, asked, LARGEST_ANSWER, PATIENCE_SECONDS)
        answer = parse_answer(told, issuer.certificate, nonce)
        answer.check(certificate, _now())
        return answer


def _now() -> datetime:
    return datetime.now(UTC)
