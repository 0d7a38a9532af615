"""What issuers and timestamp authorities answer over HTTP, within bounds of length and time: an answer that
comes drop by drop would keep whoever waits for it for days."""

import asyncio
import time
import urllib.request
from concurrent.futures import Executor

from evidence.trust import Issuer


async def published(issuer: Issuer, threads: Executor, most: int, seconds: float) -> bytes:
    """Return an issuer's revocation list (DER), cut off behind `most` bytes: as it publishes it, else as it stands in
    the trust folder. Raises OSError, HTTPException or ValueError."""
    if issuer.crl_url is None:
        assert issuer.crl is not None
        return (await asyncio.to_thread(issuer.crl.read_bytes))[: most + 1]
    return await answer(threads, urllib.request.Request(issuer.crl_url), most, seconds)


async def answer(threads: Executor, request: urllib.request.Request, most: int, seconds: float) -> bytes:
    """Return what is answered, cut off behind `most` bytes. Raises OSError, HTTPException or ValueError.

    It takes `seconds` at most (TimeoutError). `threads` are for this alone: one that hears a head without an end is
    lost for as long as that goes on.
    """
    async with asyncio.timeout(seconds):
        return await asyncio.get_running_loop().run_in_executor(threads, _read, request, most, seconds)


def _read(request: urllib.request.Request, most: int, seconds: float) -> bytes:
    told, ends = bytearray(), time.monotonic() + seconds
    with urllib.request.urlopen(request, timeout=seconds) as answered:
        while len(told) <= most and time.monotonic() < ends and (part := answered.read1(most + 1 - len(told))):
            told += part
    return bytes(told)
