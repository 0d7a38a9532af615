"""Closes the audit chains that moved, now and then, and asks for the platform's seal by saying so."""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from chassis import metrics
from chassis.bus import Bus, NotNow
from chassis.database import TRANSIENT, Database, Work
from chassis.wallclock import WallClock
from contracts import topics
from supervision import auditing
from supervision.auditing import Chains
from supervision.store import audit
from supervision.store import story as chapters
from supervision.story import records

MOST: Final = 400
"""Projects and ledgers under one root: as many as its event has room for."""
RETRY_SECONDS: Final = 0.5
_CHAINED: Final = {topic.name for topic in auditing.CHAINED}

log = structlog.get_logger()


class Closer:
    """Closes what moved, at most every so many seconds."""

    def __init__(self, database: Database, bus: Bus, wallclock: WallClock, seconds: float) -> None:
        self._database = database
        self._bus = bus
        self._wallclock = wallclock
        self._seconds = seconds
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Tell that a chain moved."""
        self._woken.set()

    async def run(self) -> None:
        """Close for as long as the service lives; what moved before is found after a restart."""
        self._woken.set()
        while True:
            await self._woken.wait()
            await asyncio.sleep(self._seconds)
            self._woken.clear()
            await self.close_all()

    async def close_all(self) -> None:
        """Close root after root until nothing is left that moved; what cannot be closed yet is tried again."""
        while not await self._is_done():
            await asyncio.sleep(RETRY_SECONDS)

    async def _is_done(self) -> bool:
        try:
            done = await self.close() < MOST
            if done:
                await self.tell_gaps()
            return done
        except (*TRANSIENT, NotNow) as trouble:
            log.info("audit.waits", trouble=repr(trouble))
            return False

    async def close(self) -> int:
        """Close one root over what moved; returns over how many projects and ledgers. Raises NotNow while an earlier
        root has not come back from its topic: a read model that is built anew has to know all of them first."""
        async with self._database.work() as work:
            moved = await audit.moved(work, MOST)
            if not moved:
                return 0
            if not await self._bus.has_read_to_end([topics.AUDIT_ROOTS.name], work):
                raise NotNow("roots that were closed before are still to be read")
            gaps = [owner for owner in await audit.unheld(work, moved) if not await _continues(work, owner)]
            whole = {owner: chains for owner, chains in moved.items() if owner not in gaps}
            if whole:
                await self._close(work, whole)
        return len(moved)

    async def _close(self, work: Work, whole: Mapping[str, Chains]) -> None:
        root = auditing.closed(await audit.last(work), whole, self._wallclock.now())
        await audit.close(work, root)
        work.say(topics.AUDIT_ROOTS, root)
        log.info("audit.closed", number=root.number, owners=len(whole))

    async def tell_gaps(self) -> None:
        """Tell whose chains lack what a root closed, once everything that could be in them is read. Raises NotNow."""
        async with self._database.work() as work:
            if await self._bus.has_read_to_end(_CHAINED, work) == _CHAINED:
                gaps = await audit.gaps(work)
                metrics.put("lianshen_audit_gaps", len(gaps))
                if gaps:
                    log.error("audit.gaps", owners=len(gaps), first=gaps[:5])


async def _continues(work: Work, owner: str) -> bool:
    """Whether an owner's chains contain what the newest root over them closed; a gap is noted where they do not."""
    root, place = await audit.last_over(work, owner)
    told = await chapters.of_project(work.connection, owner)
    if auditing.continues(records(told), root.owners[place]):
        return True
    log.error("audit.gap", owner=owner, number=root.number)
    await audit.add_gap(work, owner, root.root)
    return False
