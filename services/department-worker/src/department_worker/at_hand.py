"""The revocation lists that documents carry under their seals (PAdES B-LT, Art. 16), kept fresh beside the press.

Nothing waits for them: where one of those that it takes is not at hand, documents are printed without (B-T).
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Final

import structlog

from chassis import asking
from evidence.certificates import NotTrusted, Purpose
from evidence.long_term import LARGEST, NONE_AT_HAND, Evidence
from evidence.revocation import Revocations, parse_list
from evidence.trust import Issuer, TrustList

PATIENCE_SECONDS: Final = 10.0
SIDE_BY_SIDE: Final = 4
RETRY_SECONDS: Final = 30.0
STILL: Final = timedelta(minutes=10)
"""So long at least a list has to count: a document waits for its seal."""
NEEDED: Final = frozenset({Purpose.SEAL, Purpose.TIMESTAMP})

log = structlog.get_logger()


class AtHand:
    """The newest list of each issuer of seals and of timestamps; all of them, or nothing is at hand."""

    def __init__(self, trust: TrustList, every_seconds: float) -> None:
        self._issuers = [one for one in trust.issuers.values() if one.purposes & NEEDED]
        self._every_seconds = every_seconds
        self._known = Revocations()
        self._lists: dict[bytes, bytes] = {}
        self._threads = ThreadPoolExecutor(SIDE_BY_SIDE, "crl")

    def evidence(self) -> Evidence:
        """Return what a document that is printed now carries."""
        until = datetime.now(UTC) + STILL
        current = [self._lists[key] for key, listed in self._known.lists.items() if listed.next_update > until]
        if len(current) < len(self._issuers):
            return NONE_AT_HAND
        return Evidence(tuple(dict.fromkeys(self._chains())), tuple(current))

    def _chains(self) -> Iterator[bytes]:
        for issuer in self._issuers:
            yield issuer.certificate.der
            yield issuer.root.der

    async def keep_fresh(self) -> None:
        """Fetch for as long as the service lives, sooner while nothing is at hand."""
        while True:
            await self.fetch()
            waits = RETRY_SECONDS if self.evidence() == NONE_AT_HAND else self._every_seconds
            await asyncio.sleep(min(waits, self._every_seconds))

    async def fetch(self) -> None:
        """Ask every issuer once; what does not answer, is too long, or does not verify, is said and changes nothing."""
        await asyncio.gather(*map(self._fetch, self._issuers))

    async def _fetch(self, issuer: Issuer) -> None:
        try:
            der = await asking.published(issuer, self._threads, LARGEST, PATIENCE_SECONDS)
            if len(der) > LARGEST:
                raise ValueError(f"more than the {LARGEST} bytes that a document carries")
            newest = self._known.with_list(parse_list(der, issuer.certificate))
        except (OSError, HTTPException, ValueError, NotTrusted) as trouble:
            log.warning("evidence.not_at_hand", issuer=issuer.certificate.holder, trouble=repr(trouble))
        else:
            if newest is not self._known:
                self._known, self._lists[issuer.certificate.key_id] = newest, der
