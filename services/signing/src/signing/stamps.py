"""The timestamp authority as signing asks it (RFC 3161): without it nothing is sealed, and nothing is lost."""

import asyncio
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Final
from urllib.request import Request

import structlog

from chassis import asking
from evidence import timestamps
from evidence.timestamps import LARGEST, NotGranted

PATIENCE_SECONDS: Final = 5.0
SIDE_BY_SIDE: Final = 4
HEADERS: Final = {"Content-Type": "application/timestamp-query"}

log = structlog.get_logger()


class NoTimestamp(Exception):
    """The timestamp authority does not answer, or not as it should; requests wait."""


class Stamps:
    """Asks the authority at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._answered = False
        self._side_by_side = asyncio.Semaphore(SIDE_BY_SIDE)
        self._threads = ThreadPoolExecutor(SIDE_BY_SIDE, "tsa")

    async def over(self, messages: Sequence[bytes]) -> list[bytes]:
        """Return a token (DER) over each of `messages`; who signed them is not judged here. Raises NoTimestamp."""
        return await asyncio.gather(*map(self._over, messages))

    async def answers(self) -> bool:
        """Whether the authority answered last; asked by readiness, which asks it again when it did not."""
        if not self._answered:
            try:
                await self._over(b"ready?")
            except NoTimestamp:
                return False
        return True

    async def _over(self, message: bytes) -> bytes:
        nonce = secrets.randbits(63)
        try:
            async with self._side_by_side:
                asked = Request(self._url, timestamps.request(message, nonce), HEADERS)
                response = await asking.answer(self._threads, asked, LARGEST, PATIENCE_SECONDS)
            token = timestamps.answered(response, message, nonce)
        except (OSError, HTTPException, ValueError, NotGranted) as trouble:
            self._answered = False
            log.warning("timestamp.waits", trouble=repr(trouble))
            raise NoTimestamp(repr(trouble)) from trouble
        self._answered = True
        return token
