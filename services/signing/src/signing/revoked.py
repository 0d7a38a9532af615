"""What the listed issuers say is revoked, kept fresh beside the service: fetched where they publish it (Art. 20).

A list that cannot be fetched grows old; past its issuer's grace nobody logs in.
"""

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Final

import structlog

from chassis import asking
from evidence.certificates import NotTrusted
from evidence.revocation import LARGEST_LIST, Answer, Revocations, Revoked, parse_list
from evidence.trust import BadTrustList, Issuer, TrustList

PATIENCE_SECONDS: Final = 10.0
SIDE_BY_SIDE: Final = 4
RETRY_SECONDS: Final = 1.0

log = structlog.get_logger()


class RevokedList:
    """The newest list of each issuer; `now` is all that is known, `lists` those lists as they were fetched (DER)."""

    def __init__(self, trust: TrustList, every_seconds: float) -> None:
        self._trust = trust
        self._every_seconds = every_seconds
        self.now = Revocations()
        self.lists: dict[bytes, bytes] = {}
        self._threads = ThreadPoolExecutor(SIDE_BY_SIDE, "crl")
        self.is_new = asyncio.Event()
        """Set when a list came; whoever acts on it clears it."""

    async def is_known(self) -> bool:
        """Whether every issuer has told something; asked by readiness."""
        return all(issuer in self.now.lists for issuer in self._trust.issuers)

    def of_issuers(self) -> Iterator[tuple[Issuer, Mapping[str, Revoked]]]:
        """Each issuer, and what it revoked, by serial: on its list, or in its responder's answers before that."""
        for key, issuer in self._trust.issuers.items():
            answered = {one.serial: one.revoked for one in self.now.answers.values() if one.issuer_key_id == key}
            listed = self.now.lists[key].revoked if key in self.now.lists else {}
            yield issuer, {serial: one for serial, one in answered.items() if one} | dict(listed)

    def learn(self, answer: Answer) -> bool:
        """Take in what a responder said of one certificate; whether that is news."""
        newest = self.now.with_answer(answer)
        if newest is self.now:
            return False
        self.now = newest
        self.is_new.set()
        return True

    async def keep_fresh(self) -> None:
        """Fetch for as long as the service lives, sooner while something is missing."""
        while True:
            await self.fetch()
            known = await self.is_known()
            await asyncio.sleep(self._every_seconds if known else min(RETRY_SECONDS, self._every_seconds))

    async def fetch(self) -> None:
        """Ask every issuer once; what does not answer, or does not verify, is said and changes nothing."""
        for key, issuer in self._trust.issuers.items():
            try:
                der = await asking.published(issuer, self._threads, LARGEST_LIST, PATIENCE_SECONDS)
                listed = await asyncio.to_thread(parse_list, der, issuer.certificate)  # a second for 16 MB
                newest = self.now.with_list(listed)
                if newest is not self.now:
                    self.now, self.lists[key] = newest, der
                    self.is_new.set()
            except (OSError, HTTPException, ValueError, NotTrusted, BadTrustList) as trouble:
                log.warning("revoked.waits", issuer=issuer.certificate.holder, trouble=repr(trouble))
