"""Time passes: lights turn and deadlines expire, each exactly once, never early, oldest first.

A fire is an update of a locked row together with what it says, in one transaction, so two timers cannot both fire it.
Before anything expires, the items topic is read to its end: a decision that reached the platform in time is never
overtaken by the clock (P16).
"""

import asyncio
import contextlib
from datetime import datetime

import structlog

from chassis import metrics
from chassis.bus import Bus, NotNow
from chassis.database import TRANSIENT, Database, Work
from chassis.wallclock import WallClock
from contracts import topics
from contracts.envelope import derived_id
from procedure.calendar import Calendar
from timer import domain, store
from timer.domain import Said, Tracked
from timer.handlers import act_at
from timer.settings import Settings

LONGEST_PAUSE_SECONDS = 5.0

log = structlog.get_logger()


class Firing:
    """Acts on clocks when their time has come."""

    def __init__(
        self, database: Database, bus: Bus, wallclock: WallClock, calendar: Calendar, settings: Settings
    ) -> None:
        self._database = database
        self._bus = bus
        self._wallclock = wallclock
        self._calendar = calendar
        self._most = settings.fire_batch
        self._look = settings.look_ms / 1000
        self._next: datetime | None = None
        self._woken = asyncio.Event()

    def wake(self, at: datetime) -> None:
        """Tell that something has to be acted on at `at`, perhaps earlier than what is waited for."""
        if self._next is None or at < self._next:
            self._next = at
            self._woken.set()

    async def run(self) -> None:
        """Act for as long as the service lives; trouble with database or broker passes, deadlines do not get lost."""
        pause = 0.05
        while True:
            try:
                await self._until_next()
                while await self.fire() >= self._most:
                    pass
                pause = 0.05
            except (*TRANSIENT, NotNow) as trouble:
                log.warning("timer.waits", trouble=repr(trouble), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _until_next(self) -> None:
        """Sleep until the earliest instant, a wake-up, or the longest sleep."""
        self._woken.clear()
        async with self._database.reading() as connection:
            self._next = await store.next_act(connection)
        seconds = self._look if self._next is None else self._wallclock.seconds_until(self._next)
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, self._look)):
                    await self._woken.wait()

    async def fire(self) -> int:
        """Act on one batch of clocks whose time has come; returns how many."""
        now = self._wallclock.now()
        if self._next is None or self._next > now:
            return 0
        async with self._database.work() as work:
            due = await store.take_due(work, now, self._most)
            expiring = [tracked for tracked in due if self._expires(tracked, now)]
            if expiring and topics.ITEMS.name not in await self._bus.has_read_to_end([topics.ITEMS.name], work):
                raise NotNow("the items topic is not yet read to its end")
            turned = [self._act(tracked, now, work) for tracked in due]
            await store.keep(work, [(tracked, act_at(tracked, now, self._calendar)) for tracked in turned])
        metrics.add("lianshen_clocks_fired_total", len(expiring))
        return len(due)

    def _expires(self, tracked: Tracked, now: datetime) -> bool:
        at = domain.fires_at(tracked, self._calendar)
        return at is not None and at <= now

    def _act(self, tracked: Tracked, now: datetime, work: Work) -> Tracked:
        after, said = self._expired(tracked, now) if self._expires(tracked, now) else self._turned(tracked, now)
        work.say(topics.CLOCKS, *said)
        return after

    def _expired(self, tracked: Tracked, now: datetime) -> tuple[Tracked, Said]:
        due = domain.due_of(tracked, self._calendar)
        assert due is not None
        return domain.expired(tracked, due, now, self._calendar)

    def _turned(self, tracked: Tracked, now: datetime) -> tuple[Tracked, Said]:
        cause = derived_id(tracked.clock_id, tracked.generation, "turned")
        return domain.relit(tracked, cause, now, self._calendar)
