"""The rows held against the topics: none missing, none extra, none wrong; and made anew where they are (bus.md).

A check holds nobody up. It looks at the rows and at how far they were read in one snapshot, then reads the topics that
far. A repair looks again at what differed with the partition held still: the position of a partition is locked, so that
nobody applies a step of its projects meanwhile.
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from pydantic import BaseModel

from chassis import calendars, metrics, parking
from chassis.bus import Bus, NotNow
from chassis.database import TRANSIENT, Database, Work
from chassis.parking import Held, Raw, Why
from chassis.wallclock import WallClock
from contracts import topics
from contracts.envelope import Event, Unreadable, decode, derived_id
from contracts.timer import CalendarAmended
from contracts.topics import Topic
from procedure.stage_clock import StageClock
from timer import domain, handlers, store
from timer.deriving import Derived
from timer.firing import Firing
from timer.reading import Reader, reading
from timer.reckoning import Reckonings
from timer.restoring import Memory
from timer.settings import Settings
from timer.store import FIRST_PLACE, Kept, Place
from timer.tracked import Cause, Reckoning, Tracked

Kind = Literal["missing", "extra", "wrong"]
KINDS: Final[tuple[Kind, ...]] = ("missing", "extra", "wrong")
FELT: Final[Mapping[Topic, Collection[type[Event]]]] = {
    topics.STAGES: handlers.STAGE_EVENTS,
    topics.ITEMS: handlers.STEPS,
    topics.CLOCKS: topics.CLOCKS.says,
}
ROWS_AT_A_TIME: Final = 2_000
DRAIN_SECONDS: Final = 20.0
SHOWN: Final = 200
FIRST_LOOK_SECONDS: Final = 2.0

log = structlog.get_logger()


class Difference(BaseModel):
    """One row that is not as the topics have it; `what` names the columns that differ."""

    kind: Kind
    application_id: UUID
    about: UUID
    project_code: str
    item_code: str | None
    what: list[str]


class Report(BaseModel):
    """What a reconciliation found: how many rows it compared, how many wait behind parked records, what differs (the
    first two hundred are shown), and how many of those were repaired."""

    at: datetime | None = None
    partitions: list[int] = []
    clocks: int = 0
    waiting: int = 0
    missing: int = 0
    extra: int = 0
    wrong: int = 0
    repaired: int = 0
    seconds: float = 0.0
    differences: list[Difference] = []

    @property
    def differing(self) -> int:
        return self.missing + self.extra + self.wrong


@dataclass(slots=True)
class _Snapshot:
    """The rows of one partition as they stood at one moment, how far its topics were applied then, which of its
    projects wait, and by what it counts."""

    positions: dict[TopicPartition, int]
    waiting: set[str]
    reckoning: Reckoning
    outbox: int
    rows: dict[Place, Kept] = field(default_factory=dict[Place, Kept])


class Reconciler:
    """Compares, repairs, restores."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        wallclock: WallClock,
        reckonings: Reckonings,
        memory: Memory,
        firing: Firing,
        settings: Settings,
    ) -> None:
        self._database = database
        self._bus = bus
        self._wallclock = wallclock
        self._reckonings = reckonings
        self._memory = memory
        self._firing = firing
        self._settings = settings
        self._alone = asyncio.Lock()
        self._report = Report()

    async def last(self) -> Report:
        """Return what the last reconciliation found; an empty report before the first."""
        return self._report

    # By itself --------------------------------------------------------------------------------------------------

    async def keep_reconciling(self) -> None:
        """Compare once the partitions are assigned, then as often as the settings say."""
        every = self._settings.reconcile_minutes * 60
        while every:
            seconds = every if await self._looked() else FIRST_LOOK_SECONDS
            await asyncio.sleep(seconds)

    async def _looked(self) -> bool:
        if not self._bus.assigned or self._memory.lost:
            return False
        try:
            await self.reconcile(repair=False)
        except (*TRANSIENT, KafkaError, NotNow) as trouble:
            log.warning("timer.reconciliation_waits", trouble=repr(trouble))
            return False
        return True

    async def keep_restoring(self) -> None:
        """Make the rows of lost partitions anew, as soon as somebody asks for them."""
        while True:
            await self._memory.asked.wait()
            self._memory.asked.clear()
            pause = 0.1
            while self._memory.lost:
                try:
                    await self._restore(min(self._memory.lost))
                except (*TRANSIENT, KafkaError, NotNow) as trouble:
                    log.warning("timer.restoring_waits", trouble=repr(trouble), seconds=pause)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 5.0)

    # Comparing --------------------------------------------------------------------------------------------------

    async def reconcile(self, *, repair: bool) -> Report:
        """Compare every row of this process's partitions with the topics; with `repair` rewrite what differs.

        Raises KafkaError or trouble with the database.
        """
        async with self._alone:
            began = time.monotonic()
            partitions = sorted(self._bus.partitions_of(topics.ITEMS.name))
            report = Report(at=self._wallclock.now(), partitions=partitions)
            async with reading(self._settings) as reader:
                for partition in partitions:
                    await self._one(partition, reader, report, repair=repair)
            report.seconds = round(time.monotonic() - began, 3)
            self._tell(report)
            self._report = report
        return report

    async def _one(self, partition: int, reader: Reader, report: Report, *, repair: bool) -> None:
        derived = Derived(partition)
        upto = await reader.ends([_at(topics.CLOCKS, partition)])
        await _hear(derived, reader, topics.CLOCKS, 0, upto[_at(topics.CLOCKS, partition)])
        heard = derived.heard()
        snapshot = await self._snapshot(partition)
        await self._drained(snapshot.outbox)
        for topic in (topics.STAGES, topics.ITEMS):
            await _hear(derived, reader, topic, 0, snapshot.positions[_at(topic, partition)])
        await self._hear_words(derived, reader, upto)
        compared = {place: kept for place, kept in snapshot.rows.items() if _project(kept) not in snapshot.waiting}
        rows = {place: row for place, row in derived.rows().items() if row.whose.project_code not in snapshot.waiting}
        found = list(_differences(rows, compared, derived, heard, snapshot.reckoning, self._now_and_patience()))
        report.clocks += len(compared)
        report.waiting += len(snapshot.rows) - len(compared)
        report.differences = [*report.differences, *found][:SHOWN]
        for one in found:
            setattr(report, one.kind, getattr(report, one.kind) + 1)
        if repair and found:
            report.repaired += await self._repair(derived, reader, snapshot, upto, found)

    def _now_and_patience(self) -> tuple[datetime, Any]:
        return self._wallclock.now(), self._firing.patience

    async def _snapshot(self, partition: int) -> _Snapshot:
        wanted = [_at(topic, partition) for topic in (topics.STAGES, topics.ITEMS)]
        async with (
            self._database.reading() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            snapshot = _Snapshot(
                positions=await store.positions_of(connection, wanted),
                waiting=await store.waiting_projects(connection, [tp.topic for tp in wanted]),
                reckoning=await self._reckonings.current(connection),
                outbox=await store.newest_outbox_row(connection),
            )
            place = FIRST_PLACE
            while page := await store.of_partition(connection, partition, place, ROWS_AT_A_TIME):
                snapshot.rows |= {_place(row): (row, act_at) for row, act_at in page}
                place = _place(page[-1][0])
        return snapshot

    async def _drained(self, outbox: int) -> None:
        """Wait until everything said up to an outbox row stands on its topic. Raises NotNow when it does not."""
        until = time.monotonic() + DRAIN_SECONDS
        async with self._database.reading() as connection:
            while await store.is_in_outbox(connection, outbox):
                if time.monotonic() > until:
                    raise NotNow("what was said is not yet on its topic")
                await asyncio.sleep(0.05)

    async def _hear_words(self, derived: Derived, reader: Reader, upto: dict[TopicPartition, int]) -> None:
        """Read on what the timer said, from where it was read to."""
        own = _at(topics.CLOCKS, derived.partition)
        end = (await reader.ends([own]))[own]
        await _hear(derived, reader, topics.CLOCKS, upto[own], end)
        upto[own] = end

    def _tell(self, report: Report) -> None:
        metrics.put("lianshen_reconciled_clocks", report.clocks)
        for kind in KINDS:
            metrics.put("lianshen_reconciliation_differences", getattr(report, kind), kind)
        tell = log.error if report.differing > report.repaired else log.info
        tell("timer.reconciled", **report.model_dump(exclude={"differences", "at"}))

    # Repairing --------------------------------------------------------------------------------------------------

    async def _repair(
        self,
        derived: Derived,
        reader: Reader,
        snapshot: _Snapshot,
        upto: dict[TopicPartition, int],
        found: Sequence[Difference],
    ) -> int:
        """Rewrite what differs, arm it, and say what was never said of it; returns how many rows."""
        places = {(one.application_id, one.about) for one in found}
        async with self._database.work() as work:
            positions = await store.hold_positions(work, list(snapshot.positions))
            for topic in (topics.STAGES, topics.ITEMS):
                one = _at(topic, derived.partition)
                await _hear(derived, reader, topic, snapshot.positions[one], positions[one])
            await store.load(work, places)
            await self._drained(await store.newest_outbox_row(work.connection))
            await self._hear_words(derived, reader, upto)
            rows = {place: row for place, row in derived.rows().items() if place in places}
            await store.remove(work, places)
            await self._make(work, rows.values(), derived)
        return len(places)

    async def _make(self, work: Work, rows: Iterable[Tracked], derived: Derived) -> None:
        """Keep rows as the facts have them, and say in what they differ from what was last said."""
        now, reckoning = self._wallclock.now(), await self._reckonings.current(work.connection)
        splits = derived.splits()
        made: list[Kept] = []
        for row in rows:
            row = row._replace(spoken=derived.spoken(row.clock_id))
            cause = Cause(derived_id("restored", row.clock_id, row.spoken.generation), now, now)
            after, said = domain.turned(row, row.kept, cause, reckoning)
            work.say(topics.CLOCKS, *said)
            made.append((after, domain.acts_at(after, now, reckoning, self._firing.patience)))
        for first in range(0, len(made), ROWS_AT_A_TIME):
            await store.add(work, made[first : first + ROWS_AT_A_TIME], splits)
        earliest = min((at for _, at in made if at is not None), default=None)
        if earliest is not None:
            self._firing.wake(earliest)

    # Restoring --------------------------------------------------------------------------------------------------

    async def _restore(self, partition: int) -> None:
        """Make the rows of a lost partition from the topics as they stand, and read on from there."""
        async with self._alone, reading(self._settings) as reader:
            wanted = [_at(topic, partition) for topic in (topics.STAGES, topics.ITEMS)]
            async with self._database.work() as work:
                await store.hold_positions(work, wanted)
                if not await store.knows(work, partition):
                    await self._restored(partition, wanted, reader, work)
        self._memory.is_there(partition)

    async def _restored(self, partition: int, wanted: list[TopicPartition], reader: Reader, work: Work) -> None:
        derived, own = Derived(partition), _at(topics.CLOCKS, partition)
        await calendars.keep(work, await _amendments(reader))
        ends = await reader.ends([*wanted, own])
        early: list[Raw] = []
        for topic in (topics.STAGES, topics.ITEMS):
            early += await _hear(derived, reader, topic, 0, ends[_at(topic, partition)])
        await _hear(derived, reader, topics.CLOCKS, 0, ends[own])
        rows = derived.rows()
        await self._make(work, rows.values(), derived)
        await parking.put(work.connection, [Held(raw, Why.EARLY) for raw in early])
        await store.read_until(work, {tp: ends[tp] for tp in wanted})
        log.warning("timer.restored", partition=partition, clocks=len(rows), early=len(early))


def _at(topic: Topic, partition: int) -> TopicPartition:
    return TopicPartition(topic.name, partition)


def _place(row: Tracked) -> Place:
    return row.whose.application_id, row.whose.about


def _project(kept: Kept) -> str:
    return kept[0].whose.project_code


async def _hear(derived: Derived, reader: Reader, topic: Topic, first: int, until: int) -> list[Raw]:
    """Take a stretch of a topic in; returns the records that build on a stage that is not known, and the later ones of
    their projects. What nobody can understand is a dead letter already."""
    known = {name: model if model in FELT[topic] else None for name, model in topic.known.items()}
    early: list[Raw] = []
    lanes: set[Any] = set()
    async for records in reader.read(_at(topic, derived.partition), first, until):
        for raw in records:
            try:
                event = decode(raw.value, raw.headers, raw.key, known)
            except Unreadable:
                continue
            if event is not None and (raw.lane in lanes or not derived.hear(event)):
                lanes.add(raw.lane)
                early.append(raw)
    return early


async def _amendments(reader: Reader) -> list[CalendarAmended]:
    """Return every amendment of the calendar that was said."""
    own = _at(topics.CALENDAR, 0)
    end = (await reader.ends([own]))[own]
    found: dict[int, CalendarAmended] = {}
    async for records in reader.read(own, 0, end):
        for raw in records:
            try:
                event = decode(raw.value, raw.headers, raw.key, topics.CALENDAR.known)
            except Unreadable:
                continue
            if isinstance(event, CalendarAmended):
                found.setdefault(event.sequence, event)
    return [found[sequence] for sequence in sorted(found)]


def _differences(
    rows: Mapping[Place, Tracked],
    kept: Mapping[Place, Kept],
    derived: Derived,
    heard: Mapping[UUID, int],
    reckoning: Reckoning,
    when: tuple[datetime, Any],
) -> Iterable[Difference]:
    """Return what differs between the rows that must be there and those that are."""
    for place in sorted({*rows, *kept}):
        should, held = rows.get(place), kept.get(place)
        if held is None and should is not None:
            yield _difference("missing", should, [])
        elif should is None and held is not None:
            yield _difference("extra", held[0], [])
        elif should is not None and held is not None:
            what = _wrong(should, held, derived, heard.get(should.clock_id, 0), reckoning, when)
            if what:
                yield _difference("wrong", should, what)


def _difference(kind: Kind, row: Tracked, what: list[str]) -> Difference:
    whose = row.whose
    return Difference(
        kind=kind,
        application_id=whose.application_id,
        about=whose.about,
        project_code=whose.project_code,
        item_code=whose.item_code,
        what=what,
    )


def _wrong(
    should: Tracked, held: Kept, derived: Derived, heard: int, reckoning: Reckoning, when: tuple[datetime, Any]
) -> list[str]:
    """Return which parts of a row are not as the topics have them."""
    row, act_at = held
    now, patience = when
    spoken = derived.spoken(should.clock_id, row.spoken.generation)
    compared: dict[str, tuple[Any, Any]] = {
        "whose": (row.whose, should.whose),
        "facts": (_facts(row, now), _facts(should, now)),
        "light": (row.spoken.light, spoken.light),
        "told": (row.spoken.told, spoken.told),
        "generation": (row.spoken.generation, max(spoken.generation, heard)),
    }
    if row.reckoned == reckoning.name:
        due = domain.due_of(should, reckoning)
        compared["due"] = (row.spoken.due_at, None if due is None else due.at)
        compared["expires"] = (row.expires_at, None if due is None else due.expires_at)
    wrong = [name for name, (is_so, should_be) in compared.items() if is_so != should_be]
    if not wrong and not _is_armed(row, act_at, domain.acts_at(row, now, reckoning, patience), now):
        wrong.append("armed")
    return wrong


def _facts(row: Tracked, now: datetime) -> tuple[Any, ...]:
    """What of a row follows from the topics alone; whether a reminder of the past was told is no fact of that kind."""
    kept = row.kept
    if isinstance(kept, StageClock):
        return kept.clock, dict(kept.open)
    waiting = tuple((one.kind, one.since, one.due_at, one.told and one.due_at > now) for one in kept.reminders)
    return kept._replace(reminders=()), waiting


def _is_armed(row: Tracked, act_at: datetime | None, should: datetime | None, now: datetime) -> bool:
    """Whether a row will be acted on when it has to be; what is past may look again a little later."""
    if act_at is None or should is None:
        return act_at is should
    return act_at == should if should > now and not domain.is_unanswered(row) else True
