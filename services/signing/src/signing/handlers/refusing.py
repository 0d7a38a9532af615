"""Who was refused at the door is told on the bus, a few lines for all that happened in ten minutes (Art. 19).

So it stands in an audit chain, and nobody who asks to be refused decides how long that grows.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog

from chassis.database import TRANSIENT, Database
from chassis.wallclock import WallClock
from contracts import topics
from signing import store
from signing.domain import sessions

EVERY_SECONDS: Final = 60.0

log = structlog.get_logger()


class Refusing:
    """Tells of refused logins when their ten minutes are over."""

    def __init__(self, database: Database, wallclock: WallClock) -> None:
        self._database = database
        self._wallclock = wallclock

    async def follow(self) -> None:
        """Tell for as long as the service lives; the database may come and go."""
        while True:
            try:
                await self.tell(datetime.now(UTC))
            except TRANSIENT as trouble:
                log.warning("refusing.waits", trouble=repr(trouble))
            await asyncio.sleep(EVERY_SECONDS)

    async def tell(self, now: datetime) -> None:
        """Tell what was refused in the ten-minute spells that are over at `now` (real time), each once."""
        async with self._database.work() as work:
            refused = await store.logins.tell(work, sessions.spell_of(now))
            if refused:
                work.say(topics.IDENTITY, sessions.told(refused, self._wallclock.now()))
