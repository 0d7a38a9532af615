"""Judges concluded items and steps out of office hours for signs of handling off the platform (Art. 21).

It judges once everything that could speak for an item has been read: a look at its materials that was said before the
decision, and the signs that were raised before (a read model built anew raises none of them again).
"""

import asyncio
import time
from typing import Final

import structlog

from chassis.bus import Bus, NotNow
from chassis.catalogue import City
from chassis.database import TRANSIENT, Database, Work
from contracts import topics
from contracts.supervision import SignalRaised
from supervision import signals, story
from supervision.signals import Judge, Thresholds
from supervision.store import signals as kept
from supervision.store import story as chapters
from supervision.store.signals import Waiting

PATIENCE_SECONDS: Final = 2.0
"""How long an item waits at least, so that what was said about it elsewhere can be on its topic."""
LOOK_SECONDS: Final = 0.5
MOST: Final = 500
SPEAKS_FOR: Final = (topics.APPLICATIONS, topics.ITEMS, topics.SUPERVISION)

log = structlog.get_logger()


class Watch:
    """Raises signs, each once."""

    def __init__(self, database: Database, bus: Bus, city: City, thresholds: Thresholds) -> None:
        self._database = database
        self._bus = bus
        self._judge = Judge(thresholds, city.under)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Tell that something waits to be judged."""
        self._woken.set()

    async def run(self) -> None:
        """Judge for as long as the service lives; whoever waits is found again after a restart."""
        self._woken.set()
        while True:
            await self._woken.wait()
            self._woken.clear()
            await asyncio.sleep(PATIENCE_SECONDS + LOOK_SECONDS)
            try:
                await self._judge_all()
            except (*TRANSIENT, NotNow) as trouble:
                log.info("watch.waits", trouble=repr(trouble))
                self._woken.set()

    async def _judge_all(self) -> None:
        """Judge what has waited long enough; look again later for what has not, or could not be judged yet."""
        while await self.judge():
            pass
        async with self._database.reading() as connection:
            if await kept.are_waiting(connection, self._own()):
                self._woken.set()

    def _own(self) -> set[int]:
        """The partitions that this process reads: all that is said of a project stands in one of each topic."""
        return self._bus.partitions_of(topics.ITEMS.name)

    async def judge(self, patience: float = PATIENCE_SECONDS) -> int:
        """Judge one batch, of the partitions in which all that had been appended when its items began to wait is
        applied; returns how many items. Raises NotNow when Kafka does not answer."""
        own, names = self._own(), [topic.name for topic in SPEAKS_FOR]
        async with self._database.work() as work:
            until = int((time.time() - patience) * 1000)
            read = await self._bus.have_read_past(names, until, own, work)
            waiting = await kept.take(work, patience, read, MOST)
            nights = await kept.take_nights(work) if read == own else {}
            raised = await self._of_conclusions(waiting, work)
            for of_a_day in nights.values():
                sign = signals.burst(of_a_day, self._judge.thresholds.burst_steps)
                raised.extend(() if sign is None else (sign,))
            new = await kept.keep(work, raised)
            work.say(topics.SUPERVISION, *(sign for sign in raised if sign.event_id in new))
        return sum(map(len, waiting.values()))

    async def _of_conclusions(self, waiting: Waiting, work: Work) -> list[SignalRaised]:
        told = await chapters.of_projects(work.connection, waiting)
        raised: list[SignalRaised] = []
        for code, item_ids in waiting.items():
            lines = story.lines(told.get(code, ()))
            events = story.events(lines, (topics.APPLICATIONS, topics.ITEMS), only=signals.EVIDENCE)
            raised += signals.judged(events, set(item_ids), self._judge)
        return raised
