"""Time passes: lights turn, deadlines expire, somebody is reminded; each exactly once, never early, oldest first.

A fire is an update of a locked row together with what it says, in one transaction, so two timers cannot both fire it.
Before anything of a partition is acted on, its topics are read past the due instant: a decision that reached the
platform in time is never overtaken by the clock (P16).
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import structlog

from chassis import metrics
from chassis.bus import Bus, NotNow
from chassis.database import TRANSIENT, Database, Work
from chassis.wallclock import WallClock
from contracts import topics
from contracts.envelope import derived_id
from contracts.terms import ClockSubject, ReminderKind
from timer import columns, domain, herd, one_instant, store
from timer.reckoning import Reckonings
from timer.settings import Settings
from timer.store import Family
from timer.tracked import Cause, Kept, Reckoning, Tracked

LONGEST_PAUSE_SECONDS: Final = 5.0
PATIENCE_MS: Final = 60_000
"""How long a proposed recall may stay unanswered before it is proposed again."""
ANSWER_MS: Final = 3_600_000
"""How long a stage's overdue waits for its items' answers at the same instant (R19)."""
SIDE_BY_SIDE: Final = 2
LOOK_AGAIN_MS: Final = 1_000
LISTENED: Final = (topics.STAGES.name, topics.ITEMS.name)

log = structlog.get_logger()


class Due(NamedTuple):
    """A row with the instant at which it had to be acted on."""

    row: Tracked
    at: datetime


def in_business(wallclock: WallClock, milliseconds: int) -> timedelta:
    """Return how much business time passes in so many real milliseconds."""
    began = wallclock.epoch_ms(wallclock.now())
    return wallclock.business(began + milliseconds) - wallclock.business(began)


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
        self._in_vain: datetime | None = None
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
                if await self.fire():
                    pause = 0.05
            except (*TRANSIENT, NotNow) as trouble:
                log.warning("timer.waits", trouble=repr(trouble), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _until_next(self) -> None:
        """Sleep until the earliest instant, a wake-up, or the longest sleep; a moment at least when what is due has to
        wait (its project's records are parked, another timer has it)."""
        self._woken.clear()
        async with self._database.reading() as connection:
            self._next = await store.next_act(connection, self._partitions())
        seconds = self._look if self._next is None else self._wallclock.seconds_until(self._next)
        metrics.put("lianshen_oldest_unfired_deadline_seconds", max(-seconds, 0.0) if self._next else 0.0)
        if seconds <= 0 and self._next == self._in_vain:
            seconds = 0.05
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, self._look)):
                    await self._woken.wait()

    def _partitions(self) -> list[int]:
        """The projects whose steps this process reads; it acts on no others."""
        return sorted(self._bus.partitions_of(topics.ITEMS.name))

    async def fire(self) -> int:
        """Act on every row whose time has come; returns how many times. A herd is acted on in shares side by side:
        while one waits for the database, another goes on."""
        if self._next is None or self._next > self._wallclock.now():
            return 0
        mine, acted = self._partitions(), 0
        while more := await self._batch(mine):
            acted += more + (await self._in_shares(mine) if more == self._most else 0)
        self._in_vain = None if acted else self._next
        return acted

    async def _in_shares(self, partitions: Sequence[int]) -> int:
        shares = [share for number in range(SIDE_BY_SIDE) if (share := partitions[number::SIDE_BY_SIDE])]
        done = await asyncio.gather(*map(self._share, shares), return_exceptions=True)
        for one in done:
            if isinstance(one, BaseException):
                raise one
        return sum(one for one in done if isinstance(one, int))

    async def _share(self, partitions: Sequence[int]) -> int:
        """Act on the rows of `partitions`, batch by batch."""
        acted = 0
        while more := await self._batch(partitions):
            acted += more
        return acted

    async def _batch(self, partitions: Sequence[int]) -> int:
        now = self._wallclock.now()
        async with self._database.work() as work:
            taken = await store.take_due(work, partitions, now, self._most, LISTENED)
            if not taken:
                return 0
            ready = await self._read_past(taken, now, work)
            alone, others, asked = _divided(ready)
            late = await self._expire(alone, now, work)
            families = await store.families(work, asked)
            batch = _Batch(now, await self._reckonings.current(work.connection), families, late=late)
            await store.keep(work, [self._act(tracked, at, batch, work) for tracked, at in others])
        _count(batch.late)
        return len(ready)

    async def _read_past(self, taken: Sequence[asyncpg.Record], now: datetime, work: Work) -> list[asyncpg.Record]:
        """Return what may be acted on: of partitions whose topics are applied past the instant, and past the start of
        this process, before which others may have spoken while no timer listened. Raises NotNow when there is none."""
        latest = max(row["act_at"] for row in taken)
        past = max(self._wallclock.epoch_ms(min(latest, now)), self._began_ms)
        read = await self._bus.have_read_past(LISTENED, past, {row["partition"] for row in taken}, work)
        ready = [row for row in taken if row["partition"] in read]
        if not ready:
            raise NotNow("the topics are not yet read past the instant")
        return ready

    async def _expire(self, rows: Sequence[asyncpg.Record], now: datetime, work: Work) -> list[float]:
        """Expire rows of which nothing else has to be thought of; returns by how many seconds each was late."""
        if not rows:
            return []
        late, again = {}, {}
        for due_at in {row["due_at"] for row in rows}:
            late[due_at] = -self._wallclock.seconds_until(due_at)
            again[due_at] = domain.proposed_at(due_at, now, self.patience)
        for row in rows:
            work.say_encoded(herd.said(row, now, work.service))
        await store.expire(work, rows, [again[row["due_at"]] for row in rows])
        return [late[row["due_at"]] for row in rows]

    def _act(self, tracked: Tracked, at: datetime, batch: "_Batch", work: Work) -> Kept:
        """Do what `at` asks for, and nothing of later: after an outage too one instant follows the other, a row that
        turned yellow and expired meanwhile among all those that did."""
        family = batch.families.get(tracked.whose.application_id)
        again = _is_declared_again(tracked, family)
        tracked, said = domain.reminded(tracked, at, batch.now, declared_again=again)
        if domain.is_expiring(tracked, at):
            if self._waits(tracked, family, batch):
                return tracked, batch.now + in_business(self._wallclock, LOOK_AGAIN_MS)
            batch.late.append(-self._wallclock.seconds_until(tracked.due_at))
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
        """Whether a stage has to wait for what its items answer at the same instant (R19), for an hour at most since
        they could be asked."""
        if family is None or tracked.subject is not ClockSubject.STAGE:
            return False
        asked = max(self._wallclock.epoch_ms(tracked.due_at), self._began_ms)
        if self._wallclock.epoch_ms(batch.now) - asked > ANSWER_MS:
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


def _divided(rows: Sequence[asyncpg.Record]) -> tuple[list[asyncpg.Record], list[Due], set[UUID]]:
    """Tell the rows that expire and nothing else from those that are thought of one by one, with the stage applications
    that these ask for: their items are thought of too."""
    plain = {row["about"] for row in rows if herd.is_plain(row)}
    thought = {row["about"]: Due(columns.tracked(row), row["act_at"]) for row in rows if row["about"] not in plain}
    asked = _asked_for(thought.values())
    alone = [row for row in rows if row["about"] in plain and row["application_id"] not in asked]
    joined = {row["about"]: row for row in rows if row["about"] in plain and row["application_id"] in asked}
    if joined:
        thought |= {about: Due(columns.tracked(row), row["act_at"]) for about, row in joined.items()}
    return alone, [thought[row["about"]] for row in rows if row["about"] in thought], asked


def _asked_for(taken: Iterable[Due]) -> set[UUID]:
    """The stage applications whose items decide what becomes of a row: an overdue stage (R19), a reminder of a return
    that may have been answered by the next attempt."""
    return {one.whose.application_id for one, at in taken if _asks(one, at)}


def _asks(tracked: Tracked, at: datetime) -> bool:
    if tracked.subject is ClockSubject.STAGE:
        return domain.is_expiring(tracked, at)
    return any(one.kind is ReminderKind.NOT_DECLARED_AGAIN for one in tracked.reminders)


def _is_declared_again(tracked: Tracked, family: Family | None) -> bool:
    mine = tracked.whose
    items = () if family is None else family.items
    return any(one.whose.item_code == mine.item_code and one.whose.attempt > mine.attempt for one in items)
