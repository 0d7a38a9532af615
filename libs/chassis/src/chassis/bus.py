"""The batch consumer: each effect once, order per key, nothing lost when a process dies anywhere.

FastStream carries subscription and lifecycle. Here a batch of records becomes one transaction: positions, effects and
outbox together. A record that cannot be understood becomes a dead letter and never costs its neighbours; a record whose
time has not come, or that breaks its handler, is parked with the later ones of its lane (one topic, one key), while
every other lane goes on. Trouble with the database pauses the partitions and loses nothing.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeVar

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from chassis import deadletter, metrics, parking, positions
from chassis.database import TRANSIENT, Database, Work
from chassis.parking import Held, Lane, Raw, Why
from chassis.positions import Span
from chassis.telemetry import batch_span
from chassis.wallclock import WallClock
from contracts.envelope import Event, Unreadable, decode, header
from contracts.topics import Topic

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    Consumer = AIOKafkaConsumer
    Record = ConsumerRecord[bytes | None, bytes | None] | Raw

TRIES_IN_PLACE: Final = 3
OFFSET_COMMIT_SECONDS: Final = 2.0
PARKED_TURN_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 5.0
LONGEST_STRETCH: Final = 5

E_co = TypeVar("E_co", bound=Event, covariant=True)
AnyHandler = Callable[[Sequence[Any], Work], Awaitable[None]]

log = structlog.get_logger()


class Received(NamedTuple, Generic[E_co]):
    """One event as it came: what it says, the record it stood in, and the business instant the broker appended it."""

    event: E_co
    raw: Raw
    appended_at: datetime

    @property
    def traceparent(self) -> str:
        """The W3C trace context it travelled with, or ''."""
        return header(self.raw.headers, "traceparent") or ""


AnyReceived = Received[Event]


@dataclass(frozen=True, slots=True)
class Listen:
    """One row of a service's handler table: the topic, who applies a batch of its events in one unit of work, and which
    of its types (all of them when `only` is empty); the others are passed over unread."""

    topic: Topic
    handler: AnyHandler
    only: Collection[type[Event]] = ()

    @property
    def known(self) -> dict[str, type[Event] | None]:
        """The topic's types by name, None for those that are passed over."""
        return {
            name: model if not self.only or model in self.only else None for name, model in self.topic.known.items()
        }


def hold_back(events: Sequence[Any], work: Work, early: Callable[[Any], bool]) -> list[Any]:
    """Return the events that may be applied now; park each one that is `early` and the later ones of its lane."""
    waiting: set[Lane] = set()
    ready: list[Any] = []
    for received in events:
        lane = received.raw.lane
        if lane in waiting or early(received):
            waiting.add(lane)
            work.held.append(Held(received.raw, Why.EARLY))
        else:
            ready.append(received)
    return ready


class NotNow(Exception):
    """A handler cannot go on for a reason that passes by itself (a token pulled out): wait, lose nothing, try again."""


class AlreadyRead(Exception):
    """Another process, or an earlier life of this one, has applied records of this batch."""


class HasConsumer(Protocol):
    """What the bus needs of a FastStream subscriber."""

    consumer: "Consumer | None"


class KnowsEnds(Protocol):
    """Who can tell where partitions end now, and where what was appended after an instant begins."""

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]: ...

    async def offsets_for_times(self, timestamps: dict[TopicPartition, int]) -> Mapping[TopicPartition, Any]: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an early record may wait (seconds), and how many dead letters a minute are believed."""

    park_seconds: float = 600.0
    dead_letters_per_minute: int = 1000


ORDINARY: Final = Limits()


class Bus:
    """Applies what a service listens to."""

    def __init__(self, database: Database, wallclock: WallClock, limits: Limits = ORDINARY) -> None:
        self._database = database
        self._handlers: dict[str, AnyHandler] = {}
        self._order: dict[AnyHandler, int] = {}
        self._known: dict[str, Mapping[str, type[Event] | None]] = {}
        self._wallclock = wallclock
        self._limits = limits
        self._believed = deadletter.Believed(limits.dead_letters_per_minute)
        self._lanes: dict[Lane, TopicPartition] = {}
        self._some_wait = asyncio.Event()
        self._taking_over = False
        self._turn = asyncio.Lock()
        self._committed_at = 0.0
        self._turned_at = self._took = 0.0
        self._subscriber: HasConsumer | None = None
        self._ends: KnowsEnds | None = None
        self.assigned = False
        self.fatal = ""

    def applies(self, listens: Sequence[Listen]) -> None:
        """Set the handler table."""
        self._handlers = {listen.topic.name: listen.handler for listen in listens}
        self._order = {listen.handler: place for place, listen in reversed(list(enumerate(listens)))}
        self._known = {listen.topic.name: listen.known for listen in listens}

    def of(self, subscriber: "HasConsumer", ends: KnowsEnds | None = None) -> None:
        """Say whose consumer this bus steers, and whom to ask where topics end, if not it."""
        self._subscriber = subscriber
        self._ends = ends

    @property
    def consumer(self) -> "Consumer | None":
        """The consumer, once the subscriber has started."""
        return None if self._subscriber is None else self._subscriber.consumer

    async def is_assigned(self) -> bool:
        """Whether this process reads its partitions (or is a spare member that has none)."""
        return self.assigned and not self.fatal

    # Reading ----------------------------------------------------------------------------------------------------

    async def consume(self, records: Sequence["Record"]) -> None:
        """Apply one batch; returns only when it stands in the database, or when others have applied it."""
        self._turned_at = time.monotonic()
        tries = 0
        pause = 0.05
        while records:
            try:
                async with self._turn:
                    await self._one_transaction(records, isolate=tries >= TRIES_IN_PLACE)
                break
            except AlreadyRead:
                records = await self._unread(records)
            except (*TRANSIENT, NotNow, deadletter.TooMany) as trouble:
                log.warning("bus.waits", trouble=repr(trouble), records=len(records), seconds=pause)
                await self._pause_and_poll(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            except Exception as trouble:
                tries += 1
                log.error("bus.failed", trouble=repr(trouble), records=len(records), tries=tries, exc_info=trouble)
                await self._pause_and_poll(min(0.02 * 2**tries, LONGEST_PAUSE_SECONDS))
        self._took = time.monotonic() - self._turned_at
        await self._commit_offsets(records)

    async def _one_transaction(self, records: Sequence["Record"], *, isolate: bool) -> None:
        began = time.perf_counter()
        with batch_span("process", records):
            async with self._database.work() as work:
                if not await positions.advance(work.connection, spans_of(records)):
                    raise AlreadyRead
                lanes = await self._apply(records, work, isolate=isolate)
        self._now_wait(lanes)
        metrics.batch_applied(len(records), time.perf_counter() - began)

    async def _apply(self, records: Sequence["Record"], work: Work, *, isolate: bool) -> dict[Lane, TopicPartition]:
        """Apply what may be applied now; return the lanes that wait afterwards."""
        direct, diverted = self._divided(records)
        events = self._understood(direct, work)
        stirred = self._stirred(events)
        taken = await parking.take(work.connection, stirred)
        broken = {raw.lane for raw in taken if raw.broke}
        again = [*taken, *(raw for raw in diverted if raw.lane in stirred)]
        events += self._understood((raw for raw in again if raw.lane not in broken), work)
        await self._handle(events, work, isolate=isolate)
        await self._handle(self._understood((raw for raw in again if raw.lane in broken), work), work, isolate=True)
        work.held.extend(Held(raw, Why.EARLY, "behind") for raw in diverted if raw.lane not in stirred)
        return await self._park(work, {lane: tp for lane, tp in self._lanes.items() if lane not in stirred})

    def _divided(self, records: Sequence["Record"]) -> tuple[list[Raw], list[Raw]]:
        """Tell the records that may go on from those whose lane waits."""
        raws = [raw_of(record) for record in records]
        if not self._lanes:
            return raws, []
        waiting = [raw for raw in raws if raw.lane in self._lanes]
        return [raw for raw in raws if raw.lane not in self._lanes], waiting

    def _understood(self, raws: Iterable[Raw], work: Work) -> list[AnyReceived]:
        events: list[AnyReceived] = []
        for raw in raws:
            try:
                event = decode(raw.value, raw.headers, raw.key, self._known[raw.topic])
            except Unreadable as trouble:
                self._believed.one_more()
                deadletter.say(work, raw, trouble.reason, trouble.detail)
                continue
            if event is not None:
                events.append(Received(event, raw, self._wallclock.business(raw.timestamp)))
        return events

    async def _handle(self, events: Sequence[AnyReceived], work: Work, *, isolate: bool) -> None:
        if not isolate:
            await self._hand_over(events, work)
            return
        by_key: defaultdict[str, list[AnyReceived]] = defaultdict(list)
        for received in events:
            by_key[received.event.key].append(received)
        for of_one_key in by_key.values():
            await self._hand_over_alone(of_one_key, work)

    async def _hand_over(self, events: Sequence[AnyReceived], work: Work) -> None:
        """Give each handler the events of all its topics at once, in the order of the handler table."""
        by_handler: defaultdict[AnyHandler, list[AnyReceived]] = defaultdict(list)
        for received in events:
            by_handler[self._handlers[received.raw.topic]].append(received)
        for handler in sorted(by_handler, key=self._order.__getitem__):
            await handler(by_handler[handler], work)

    async def _hand_over_alone(self, events: Sequence[AnyReceived], work: Work) -> None:
        """Apply events of one key under a savepoint; what fails is parked and nothing of it stands."""
        said, held = len(work.said()), len(work.held)
        try:
            async with work.connection.transaction():
                await self._hand_over(events, work)
        except (*TRANSIENT, NotNow):
            raise
        except Exception as trouble:
            log.error("bus.parked", key=events[0].event.key, events=len(events), trouble=repr(trouble))
            work.unsay(said)
            del work.held[held:]
            work.held.extend(Held(received.raw, Why.FAILED, repr(trouble)) for received in events)

    async def pace(self, seconds: float) -> None:
        """Wait until the next batch may begin, by the pace that is set and by how long the last one took."""
        left = self._turned_at + paced(seconds, self._took) - time.monotonic()
        if left > 0:
            await asyncio.sleep(left)

    # Waiting lanes ----------------------------------------------------------------------------------------------

    def _stirred(self, events: Iterable[AnyReceived]) -> set[Lane]:
        """The waiting lanes whose key something else has just arrived for."""
        if not self._lanes:
            return set()
        keys = {received.event.key for received in events}
        return {lane for lane in self._lanes if lane[1] in keys}

    async def _park(self, work: Work, lanes: dict[Lane, TopicPartition]) -> dict[Lane, TopicPartition]:
        """Write down what has to wait; what came too early and waited too long becomes a dead letter."""
        waiting = [held for held in work.held if not self._given_up(held, work)]
        await parking.put(work.connection, waiting)
        metrics.parked(len(waiting))
        return lanes | {held.raw.lane: TopicPartition(held.raw.topic, held.raw.partition) for held in waiting}

    def _given_up(self, held: Held, work: Work) -> bool:
        first = held.raw.first_at
        if held.why is not Why.EARLY or held.detail or first is None:
            return False
        if (datetime.now(first.tzinfo) - first).total_seconds() < self._limits.park_seconds:
            return False
        deadletter.say(work, held.raw, "never-came", "what this record builds on did not come in time")
        return True

    def _now_wait(self, lanes: dict[Lane, TopicPartition]) -> None:
        self._lanes = lanes
        if lanes:
            self._some_wait.set()
        else:
            self._some_wait.clear()

    async def retry_parked(self) -> int:
        """Try the waiting lanes whose time has come; returns how many were tried."""
        if not self._lanes:
            return 0
        async with self._turn, self._database.work() as work:
            due = await parking.due(work.connection, self._lanes)
            if not due:
                return 0
            lanes = {lane: tp for lane, tp in self._lanes.items() if lane not in due}
            taken = await parking.take(work.connection, due)
            await self._handle(self._understood(taken, work), work, isolate=True)
            lanes = await self._park(work, lanes)
        self._now_wait(lanes)
        return len(due)

    async def keep_retrying(self) -> None:
        """Try parked lanes for as long as the service lives."""
        while True:
            await self._some_wait.wait()
            await asyncio.sleep(PARKED_TURN_SECONDS)
            with contextlib.suppress(*TRANSIENT, NotNow, deadletter.TooMany):
                await self.retry_parked()

    # Watermarks -------------------------------------------------------------------------------------------------

    async def has_read_to_end(self, topics: Iterable[str], work: Work) -> set[str]:
        """Return those of `topics` of which this unit of work stands at the end as it is now.

        Whatever the broker appended before this call is then applied, whichever member of the group applied it: the
        positions of all of them stand in the one database. Raises NotNow when Kafka does not answer.
        """
        consumer = self.consumer
        if consumer is None:
            return set(topics)
        numbers = {topic: consumer.partitions_for_topic(topic) or () for topic in topics}
        partitions = [TopicPartition(topic, number) for topic, found in numbers.items() for number in found]
        try:
            ends = await (self._ends or consumer).end_offsets(partitions)
        except KafkaError as trouble:
            raise NotNow(repr(trouble)) from trouble
        stand = await positions.read(work.connection, partitions)
        behind = {tp.topic for tp in partitions if stand[tp] < ends[tp]}
        return {tp.topic for tp in partitions} - behind

    async def waiting(self, lanes: Collection[Lane], work: Work) -> set[Lane]:
        """Return those of `lanes` in which a record waits because it came early; read to its end is not yet applied."""
        held = {one.raw.lane for one in work.held if one.why is Why.EARLY}
        return held.intersection(lanes) | await parking.early(work.connection, lanes)

    def partitions_of(self, topic: str) -> set[int]:
        """Return the partitions of `topic` that this process reads."""
        consumer = self.consumer
        return set() if consumer is None else {tp.partition for tp in consumer.assignment() if tp.topic == topic}

    async def have_read_past(
        self, topics: Collection[str], epoch_ms: int, partitions: Collection[int], work: Work
    ) -> set[int]:
        """Return those of `partitions` in which every record of `topics` that the broker appended up to `epoch_ms` is
        applied, whichever process of this service did it. Raises NotNow when Kafka does not answer.

        Unlike the end, which moves on while others speak, a past instant is reached for good.
        """
        ends = self._ends or self.consumer
        if ends is None:
            return set(partitions)
        wanted = [TopicPartition(topic, number) for topic in topics for number in sorted(partitions)]
        try:
            later = await ends.offsets_for_times(dict.fromkeys(wanted, epoch_ms + 1))
            until = await ends.end_offsets([tp for tp in wanted if later.get(tp) is None])
        except KafkaError as trouble:
            raise NotNow(repr(trouble)) from trouble
        until |= {tp: found.offset for tp, found in later.items() if found is not None}
        stand = await positions.read(work.connection, wanted)
        return set(partitions) - {tp.partition for tp in wanted if stand[tp] < until[tp]}

    # Positions --------------------------------------------------------------------------------------------------

    async def take_over(self, assigned: Sequence[TopicPartition]) -> None:
        """Begin to read `assigned` where this service's own database stands.

        The fetcher does not wait for this callback: the partitions are paused before the first await, or records from
        the wrong offset would be delivered meanwhile.
        """
        consumer = self.consumer
        assert consumer is not None
        self._taking_over = True
        consumer.pause(*assigned)
        pause = 0.05
        while not self.fatal:
            try:
                await self._seek(consumer, assigned)
                break
            except (*TRANSIENT, KafkaError) as trouble:
                log.warning("bus.positions_wait", trouble=repr(trouble), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        if not self.fatal:
            self._taking_over = False
            self.read_on(consumer)
            self.assigned = True

    def read_on(self, consumer: "Consumer") -> None:
        """Let records be fetched, unless the positions to read from are still being looked up."""
        if not self._taking_over:
            consumer.resume(*consumer.assignment())

    async def _seek(self, consumer: "Consumer", assigned: Sequence[TopicPartition]) -> None:
        beginning = await consumer.beginning_offsets(assigned)
        end = await consumer.end_offsets(assigned)
        async with self._database.pool.acquire() as connection:
            stand: dict[TopicPartition, int] = await positions.read(connection, assigned)  # pyright: ignore[reportArgumentType]
            lanes = await parking.lanes_of(connection, assigned)  # pyright: ignore[reportArgumentType]
        self.fatal = positions.stale(stand, beginning, end)
        if self.fatal:
            log.critical("bus.stopped", reason=self.fatal)
            return
        for tp, position in stand.items():
            consumer.seek(tp, max(position, beginning[tp]))
        async with self._turn:
            self._now_wait(lanes)

    async def give_up(self) -> None:
        """Partitions are being taken away: end the unit of work under way, and wait for no lane of theirs."""
        self.assigned = False
        async with self._turn:
            self._now_wait({})

    async def _unread(self, records: Sequence["Record"]) -> list["Record"]:
        """Return the records that nobody has applied yet, and learn which lanes whoever applied the others parked."""
        partitions = {TopicPartition(record.topic, record.partition) for record in records}
        try:
            async with self._turn, self._database.pool.acquire() as connection:
                stand = await positions.read(connection, partitions)  # pyright: ignore[reportArgumentType]
                lanes = await parking.lanes_of(connection, partitions)  # pyright: ignore[reportArgumentType]
                self._now_wait(self._lanes | lanes)
        except TRANSIENT:
            await self._pause_and_poll(0.1)
            return list(records)
        unread = [r for r in records if r.offset >= stand[TopicPartition(r.topic, r.partition)]]
        log.info("bus.already_read", records=len(records) - len(unread))
        return unread

    async def _pause_and_poll(self, seconds: float) -> None:
        """Wait with the partitions paused, polling on, so that the group does not believe this member dead."""
        consumer = self.consumer
        if consumer is None:
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(KafkaError):
            consumer.pause(*consumer.assignment())
            await consumer.getmany(timeout_ms=int(seconds * 1000))

    async def _commit_offsets(self, records: Sequence["Record"]) -> None:
        """Tell Kafka now and then how far this service is: for lag tools only, so its failure costs nothing."""
        now = time.monotonic()
        if self.consumer is None or not records or now - self._committed_at < OFFSET_COMMIT_SECONDS:
            return
        self._committed_at = now
        with contextlib.suppress(KafkaError):
            await self.consumer.commit({span.partition: span.next for span in spans_of(records)})


def paced(seconds: float, took: float) -> float:
    """Return how many seconds lie between the beginnings of two batches: who can wait reads fewer, fuller ones.

    Under load, when a batch took long, it is twice that time, five times the pace at most: whatever is told of one
    project in a batch costs one change of its rows.
    """
    return max(seconds, min(2 * took, LONGEST_STRETCH * seconds))


class TakesOver(ConsumerRebalanceListener):
    """Tells the bus when partitions come and go (aiokafka awaits what its own annotations call synchronous)."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def on_partitions_revoked(self, revoked: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        await self._bus.give_up()

    async def on_partitions_assigned(self, assigned: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        await self._bus.take_over(sorted(assigned))


def raw_of(record: "Record") -> Raw:
    """Return a record as plain data that can be parked, buried and replayed."""
    if isinstance(record, Raw):
        return record
    return Raw(
        record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, record.headers
    )


def spans_of(records: Iterable["Record"]) -> list[Span]:
    """Return what each partition of a batch covers."""
    first: dict[tuple[str, int], int] = {}
    last: dict[tuple[str, int], int] = {}
    for record in records:
        place = (record.topic, record.partition)
        if place not in first:
            first[place] = record.offset
        last[place] = record.offset
    return [Span(TopicPartition(*place), first[place], last[place] + 1) for place in sorted(first)]
