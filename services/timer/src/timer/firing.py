"""Time passes: lights turn, deadlines expire, somebody is reminded; each exactly once, never early, oldest first.

A fire is an update of a locked row together with what it says, in one transaction, so two timers cannot both fire it.
Before anything of a partition is acted on, its topics are read past the due instant: a decision that reached the
platform in time is never overtaken by the clock (P16).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from chassis import metrics
from chassis.bus import Bus, NotNow
from chassis.database import TRANSIENT, Database, Work
from chassis.wallclock import WallClock
from contracts import topics
from contracts.envelope import derived_id
from contracts.terms import ClockSubject, ReminderKind
from timer import domain, one_instant, store
from timer.reckoning import Reckonings
from timer.settings import Settings
from timer.store import Due, Family, Kept
from timer.tracked import Cause, Reckoning, Tracked

LONGEST_PAUSE_SECONDS: Final = 5.0
PATIENCE_MS: Final = 60_000
"""How long a proposed recall may stay unanswered before it is proposed again."""
ANSWER_MS: Final = 3_600_000
"""How long a stage's overdue waits for its items' answers at the same instant (R19)."""
LOOK_AGAIN_MS: Final = 1_000
LISTENED: Final = (topics.STAGES.name, topics.ITEMS.name)

log = structlog.get_logger()


def in_business(wallclock: WallClock, milliseconds: int) -> timedelta:
    """Return how much business time passes in so many real milliseconds."""
    return wallclock.business(milliseconds) - wallclock.business(0)


class Firing:
    """Acts on rows when their time has come."""

    def __init__(
        self, database: Database, bus: Bus, wallclock: WallClock, reckonings: Reckonings, settings: Settings
    ) -> None:
        self.patience = in_business(wallclock, PATIENCE_MS)
        self._database = database
        self._bus = bus
        self._wallclock = wallclock
        self._reckonings = reckonings
        self._most = settings.fire_batch
        self._look = settings.look_ms / 1000
        self._began_ms = wallclock.epoch_ms(wallclock.now())
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
                while await self.fire():
                    pause = 0.05
            except (*TRANSIENT, NotNow) as trouble:
                log.warning("timer.waits", trouble=repr(trouble), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _until_next(self) -> None:
        """Sleep until the earliest instant, a wake-up, or the longest sleep; a moment at least when what is due has to
        wait (its project's records are parked, another timer has it)."""
        former = self._next
        self._woken.clear()
        async with self._database.reading() as connection:
            self._next = await store.next_act(connection, self._partitions())
        seconds = self._look if self._next is None else self._wallclock.seconds_until(self._next)
        metrics.put("lianshen_oldest_unfired_deadline_seconds", max(-seconds, 0.0) if self._next else 0.0)
        if seconds <= 0 and self._next == former:
            seconds = 0.05
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, self._look)):
                    await self._woken.wait()

    def _partitions(self) -> list[int]:
        """The projects whose steps this process reads; it acts on no others."""
        return sorted(self._bus.partitions_of(topics.ITEMS.name))

    async def fire(self) -> int:
        """Act on one batch of rows whose time has come; returns how many."""
        now = self._wallclock.now()
        if self._next is None or self._next > now:
            return 0
        async with self._database.work() as work:
            taken = await store.take_due(work, self._partitions(), now, self._most, LISTENED)
            if not taken:
                return 0
            ready = await self._read_past(taken, now, work)
            families = await store.families(work, _asked_for(ready, now))
            batch = _Batch(now, await self._reckonings.current(work.connection), families)
            await store.keep(work, [self._act(tracked, at, batch, work) for tracked, at in ready])
        _count(batch.late)
        return len(ready)

    async def _read_past(self, taken: Sequence[Due], now: datetime, work: Work) -> list[Due]:
        """Return what may be acted on: of partitions whose topics are applied past the instant, and past the start of
        this process, before which others may have spoken while no timer listened. Raises NotNow when there is none."""
        latest = max(at for _, at in taken)
        past = max(self._wallclock.epoch_ms(min(latest, now)), self._began_ms)
        read = await self._bus.have_read_past(LISTENED, past, {one.whose.partition for one, _ in taken}, work)
        ready = [due for due in taken if due[0].whose.partition in read]
        if not ready:
            raise NotNow("the topics are not yet read past the instant")
        return ready

    def _act(self, tracked: Tracked, at: datetime, batch: "_Batch", work: Work) -> Kept:
        family = batch.families.get(tracked.whose.application_id)
        tracked, said = domain.reminded(tracked, batch.now, declared_again=_is_declared_again(tracked, family))
        if domain.is_expiring(tracked, batch.now):
            if self._waits(tracked, family, batch):
                return tracked, batch.now + in_business(self._wallclock, LOOK_AGAIN_MS)
            batch.late.append(-self._wallclock.seconds_until(at))
            tracked, more = domain.expired(tracked, batch.now, batch.reckoning)
        elif domain.is_unanswered(tracked):
            more = domain.proposed_again(tracked, batch.now)
        else:
            cause = Cause(derived_id(tracked.clock_id, at, "turned"), at, batch.now)
            tracked, more = domain.relit(tracked, at, cause, batch.reckoning)
        batch.acted[tracked.whose.about] = tracked
        work.say(topics.CLOCKS, *said, *more)
        return tracked, domain.acts_at(tracked, batch.now, batch.reckoning, self.patience)

    def _waits(self, tracked: Tracked, family: Family | None, batch: "_Batch") -> bool:
        """Whether a stage has to wait for what its items answer at the same instant (R19), for an hour at most."""
        expires = tracked.expires_at
        if family is None or expires is None or -self._wallclock.seconds_until(expires) * 1000 > ANSWER_MS:
            return False
        items = [batch.acted.get(one.whose.about, one) for one in family.items]
        return one_instant.waits_for_items(tracked, items, family.splits)


@dataclass(slots=True)
class _Batch:
    """The rows that are acted on together: what is known of their families, how those acted on stand since, and by how
    many seconds each deadline was late."""

    now: datetime
    reckoning: Reckoning
    families: dict[UUID, Family]
    acted: dict[UUID, Tracked] = field(default_factory=dict[UUID, Tracked])
    late: list[float] = field(default_factory=list[float])


def _count(late: Sequence[float]) -> None:
    metrics.add("lianshen_clocks_fired_total", len(late))
    metrics.add("lianshen_fired_late_seconds_total", sum(late))
    if late:
        metrics.put("lianshen_fired_latest_seconds", max(late))


def _asked_for(taken: Sequence[Due], now: datetime) -> set[UUID]:
    """The stage applications whose items decide what becomes of a row: an overdue stage (R19), a reminder of a return
    that may have been answered by the next attempt."""
    return {one.whose.application_id for one, _ in taken if _asks(one, now)}


def _asks(tracked: Tracked, now: datetime) -> bool:
    if tracked.subject is ClockSubject.STAGE:
        return domain.is_expiring(tracked, now)
    return any(one.kind is ReminderKind.NOT_DECLARED_AGAIN for one in tracked.reminders)


def _is_declared_again(tracked: Tracked, family: Family | None) -> bool:
    mine = tracked.whose
    items = () if family is None else family.items
    return any(one.whose.item_code == mine.item_code and one.whose.attempt > mine.attempt for one in items)
