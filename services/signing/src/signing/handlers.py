"""What signing does when seals are asked for: sign each registered digest once, inside the token, and say so."""

import asyncio
from collections.abc import Sequence

from chassis.bus import NotNow, Received
from chassis.database import Work
from chassis.wallclock import WallClock
from contracts import topics
from contracts.department_worker import SealRequested
from signing import domain, store
from signing.token import ALGORITHM, Signature, TokenDoor, TokenUnavailable


class Handlers:
    """Signing's handlers over one token."""

    def __init__(self, token: TokenDoor, wallclock: WallClock) -> None:
        self._token = token
        self._wallclock = wallclock

    async def on_seal_requests(self, events: Sequence[Received[SealRequested]], work: Work) -> None:
        """Seal what was not sealed yet; without the token everything waits and nothing is lost (Art. 10, 16)."""
        requests = {received.event.request_id: received for received in events}
        known = await store.known(work, requests)
        waiting = [received for request_id, received in requests.items() if request_id not in known]
        if not waiting:
            return
        signatures = await self._signed([bytes.fromhex(received.event.digest) for received in waiting])
        now = self._wallclock.now()
        seals = [
            domain.completed(received.event, ALGORITHM, signature.value, signature.serial, now)
            for received, signature in zip(waiting, signatures, strict=True)
        ]
        await store.add(work, seals)
        for received, seal in zip(waiting, seals, strict=True):
            work.say(topics.SEALS, seal, traceparent=received.traceparent)

    async def _signed(self, digests: Sequence[bytes]) -> list[Signature]:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._token.executor, self._token.sign, digests)
        except TokenUnavailable as trouble:
            raise NotNow(repr(trouble)) from trouble
