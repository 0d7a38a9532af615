"""The calendar was amended: every clock that is not stopped is counted anew, each real change said as such (R14, R15).

Batch by batch, each in one unit of work. A row names the calendar that it was counted by, so a crash in the middle
loses nothing: what still names another one is counted when the timer lives again.
"""

import asyncio
import contextlib
from datetime import datetime
from typing import Final

import structlog

from chassis.database import TRANSIENT, Database
from chassis.wallclock import WallClock
from contracts import topics
from procedure.calendar import YearNotCovered
from timer import domain, store
from timer.firing import Firing
from timer.reckoning import Reckonings
from timer.speech import Said
from timer.store import FIRST_PLACE, Place
from timer.tracked import Cause, Reckoning, Tracked

PASSES: Final = (0.0, 1.0, 5.0, 30.0)
"""Seconds between the passes: a unit of work that began before an amendment may keep a row after the first one."""

log = structlog.get_logger()


class Recounting:
    """Counts rows anew when the calendar is another one."""

    def __init__(
        self, database: Database, wallclock: WallClock, reckonings: Reckonings, firing: Firing, batch: int
    ) -> None:
        self._database = database
        self._wallclock = wallclock
        self._reckonings = reckonings
        self._firing = firing
        self._most = batch
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Tell that the calendar was amended."""
        self._woken.set()

    async def run(self) -> None:
        """Count what an earlier life left, then whatever an amendment touches, for as long as the service lives."""
        while True:
            self._woken.clear()
            for seconds in PASSES:
                await self._woken_or_after(seconds)
                await self._all_of_it()
            await self._woken.wait()

    async def _woken_or_after(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _all_of_it(self) -> None:
        pause = 0.05
        while True:
            try:
                return await self.recount()
            except TRANSIENT as trouble:
                log.warning("timer.recount_waits", trouble=repr(trouble), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)

    async def recount(self) -> None:
        """Count every row anew that names another calendar."""
        place: Place | None = FIRST_PLACE
        while place is not None:
            place = await self.batch(place)

    async def batch(self, after: Place) -> Place | None:
        """Count the next rows after `after`; returns the last one's place, None when there are no more."""
        now = self._wallclock.now()
        async with self._database.work() as work:
            reckoning = await self._reckonings.current(work.connection)
            rows = await store.stale(work, reckoning.name, after, self._most)
            counted = [_counted(one, now, reckoning) for one in rows]
            work.say(topics.CLOCKS, *(event for _, said in counted for event in said))
            armed = [(row, self._acts_at(row, now, reckoning)) for row, _ in counted]
            await store.keep(work, armed)
        earliest = min((at for _, at in armed if at is not None), default=None)
        if earliest is not None:
            self._firing.wake(earliest)
        return (rows[-1].whose.application_id, rows[-1].whose.about) if rows else None

    def _acts_at(self, row: Tracked, now: datetime, reckoning: Reckoning) -> datetime | None:
        """Not before now: what was received until the calendar was amended has to be read first (R5)."""
        at = domain.acts_at(row, now, reckoning, self._firing.patience)
        return None if at is None else max(at, now)


def _counted(row: Tracked, now: datetime, reckoning: Reckoning) -> tuple[Tracked, Said]:
    """Count one row; a calendar that does not reach its due day leaves it as it was, and the operator is told."""
    try:
        return domain.turned(row, row.kept, Cause(reckoning.event_id, now, now), reckoning)
    except YearNotCovered as trouble:
        log.error("timer.calendar_does_not_reach", about=str(row.whose.about), year=trouble.year)
        return row._replace(reckoned=reckoning.name), ()
