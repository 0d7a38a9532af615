"""The relay: what a committed unit of work said goes to Kafka, in order per key, at least once.

After the commit the messages are still at hand and are sent from memory; the outbox row is the net for a crash. What
stands in the table and is not ours goes before what comes from memory. One process relays a shard at a time (advisory
lock); rows are deleted in batches after Kafka has acknowledged them. A lost delete only repeats events with the same
ids, so deletes do not wait for the disk.
"""

import asyncio
import contextlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeVar
from uuid import uuid4

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from chassis import metrics
from chassis.database import TRANSIENT, Connection, Database, unpacked
from contracts.envelope import Encoded

Producer = AIOKafkaProducer

T = TypeVar("T")

LOCK_CLASS: Final = 0x0178
"""First half of the advisory lock; the second is the shard."""
SWEEP_SECONDS: Final = 2.0
DELETE_SECONDS: Final = 0.1
ROUND_MESSAGES: Final = 2000
SILENCE_SECONDS: Final = 5.0

_LEFT_IN_TABLE = """
    SELECT id, messages, extract(epoch FROM clock_timestamp() - said_at) AS age
    FROM outbox WHERE shard = $1 AND NOT id = ANY($2::bigint[]) ORDER BY id LIMIT 500
"""

log = structlog.get_logger()


@lru_cache(maxsize=65536)
def _hashed(key: str) -> int:
    return murmur2(key.encode()) & 0x7FFFFFFF


async def send_all(producer: Producer, messages: Sequence[Encoded]) -> None:
    """Send `messages`, each to the partition of its key (Kafka's murmur2), in order, and wait until all stand.

    Raises KafkaError when one of them was not acknowledged.
    """
    lanes: defaultdict[tuple[str, int], list[Encoded]] = defaultdict(list)
    counts = {topic: await _partitions(producer, topic) for topic in {m.topic for m in messages}}
    for message in messages:
        lanes[message.topic, _hashed(message.key) % counts[message.topic]].append(message)
    await _all_or_first_trouble(_send_lane(producer, *place, lane) for place, lane in lanes.items())


async def _all_or_first_trouble(sending: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all; when one fails, the others are given up and its trouble is raised.

    A TaskGroup leaves its task with a cancellation to its name when one fails, and in the first releases of Python 3.11
    (Debian 12 has one) the next `asyncio.timeout` of that task then cancels it instead of timing out.
    """
    tasks = [asyncio.ensure_future(one) for one in sending]
    if not tasks:
        return
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _partitions(producer: Producer, topic: str) -> int:
    return len(await producer.partitions_for(topic))


async def _send_lane(producer: Producer, topic: str, partition: int, lane: Sequence[Encoded]) -> None:
    batch = producer.create_batch()
    waiting: list[asyncio.Future[Any]] = []
    for message in lane:
        if not _appended(batch, message):
            waiting.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            if not _appended(batch, message):
                raise MessageTooLarge(topic, len(message.value))
    waiting.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*waiting)


def _appended(batch: Any, message: Encoded) -> bool:
    key, value = message.key.encode(), message.value.encode()
    added = batch.append(timestamp=None, key=key, value=value, headers=message.headers)
    return added is not None


class MessageTooLarge(ValueError):
    """A message that no batch can hold: a defect of the speaker, never of the reader."""

    def __init__(self, topic: str, size: int) -> None:
        super().__init__(f"a message of {size} bytes for {topic} exceeds the largest batch")


@dataclass(slots=True)
class _Row:
    shard: int
    messages: Sequence[Encoded]
    ready: bool = False


@dataclass(slots=True)
class _Shard:
    """The memory of one shard: rows of this process by id, reserved before their commit, sent in order of id."""

    number: int
    rows: dict[int, _Row] = field(default_factory=dict[int, _Row])
    sent: list[int] = field(default_factory=list[int])
    sweep: bool = True
    held: Connection | None = None
    producer: Producer | None = None


class Relay:
    """Sends what the units of work of `database` said; `owner` tells this process's rows from another's.

    `make_producer` returns a producer not yet started; one is made anew after every trouble, since a producer that lost
    an acknowledgement may refuse to go on.
    """

    def __init__(self, database: Database, make_producer: Callable[[], Producer], shards: int = 1) -> None:
        self.shards = shards
        self.owner = uuid4().hex
        self._database = database
        self._make_producer = make_producer
        self._shards = [_Shard(number) for number in range(shards)]
        self._shard_of_row: dict[int, _Shard] = {}
        self._woken = [asyncio.Event() for _ in range(shards)]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        database.outbox = self

    def reserve(self, row: int, shard: int, messages: Sequence[Encoded], *, foreign: bool) -> None:
        """Keep a place for a row whose transaction is about to commit; nothing of a later row overtakes it."""
        place = self._shards[shard]
        place.rows[row] = _Row(shard, messages)
        place.sweep = place.sweep or foreign
        self._shard_of_row[row] = place

    def release(self, row: int) -> None:
        """The row's transaction committed: its messages may go."""
        place = self._shard_of_row[row]
        place.rows[row].ready = True
        self._woken[place.number].set()

    def discard(self, row: int) -> None:
        """The row's transaction did not commit, or nobody knows: only the table can tell, and the sweep reads it."""
        place = self._shard_of_row.pop(row)
        del place.rows[row]
        place.sweep = True
        self._woken[place.number].set()

    @property
    def waiting(self) -> int:
        """How many rows of this process are not yet acknowledged by Kafka."""
        return sum(len(place.rows) for place in self._shards)

    async def start(self) -> None:
        """Begin to relay every shard."""
        self._tasks = [asyncio.create_task(self._run(place), name=f"relay-{place.number}") for place in self._shards]

    async def stop(self, seconds: float = 10.0) -> None:
        """Send and delete what is left, for at most `seconds`; the table keeps the rest."""
        self._stopping = True
        for woken in self._woken:
            woken.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, place: _Shard) -> None:
        delay = 0.05
        while True:
            try:
                await self._hold(place)
                if await self._relay_until_stopped(place):
                    return
                delay = 0.05
            except Exception as trouble:
                log.warning("relay.waits", shard=place.number, trouble=repr(trouble), seconds=delay)
                place.sweep = True
                await self._let_go(place)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)

    async def _hold(self, place: _Shard) -> None:
        """Wait until this process is the one that relays the shard."""
        if place.held is not None:
            return
        connection = await self._database.connect()
        try:
            await connection.execute("SET synchronous_commit = off")
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCK_CLASS, place.number):
                self._forget(place)
                if self._stopping:
                    break
                await asyncio.sleep(0.2)
        except BaseException:
            await connection.close(timeout=1)
            raise
        place.held = connection
        place.producer = self._make_producer()
        await place.producer.start()
        place.sweep = True

    def _forget(self, place: _Shard) -> None:
        """Another process relays this shard and finds our rows in the table: memory need not keep them.

        What comes after a row still open stays with it, else the table's later rows would overtake memory's earlier.
        """
        for number, _ in itertools.takewhile(lambda kept: kept[1].ready, sorted(place.rows.items())):
            del place.rows[number]
            self._shard_of_row.pop(number, None)

    async def _let_go(self, place: _Shard) -> None:
        held, place.held = place.held, None
        producer, place.producer = place.producer, None
        if held is not None:
            with contextlib.suppress(*TRANSIENT):
                await held.close(timeout=1)
        if producer is not None:
            await _silenced(producer)

    async def _relay_until_stopped(self, place: _Shard) -> bool:
        """Relay until told to stop and nothing is left; returns True then. Raises what interrupts it."""
        clock = asyncio.get_running_loop().time
        swept_at = deleted_at = clock()
        woken = self._woken[place.number]
        while True:
            woken.clear()
            if place.sweep or clock() - swept_at >= SWEEP_SECONDS:
                await self._sweep(place)
                swept_at = clock()
            sent = await self._send_ready(place)
            if place.sent and (clock() - deleted_at >= DELETE_SECONDS or self._stopping):
                await self._delete(place)
                deleted_at = clock()
            if self._stopping and not place.rows and not place.sent:
                await self._let_go(place)
                return True
            if not sent and not woken.is_set():
                pause = DELETE_SECONDS if place.sent or self._stopping else SWEEP_SECONDS
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await woken.wait()

    async def _send_ready(self, place: _Shard) -> bool:
        """Send the ready rows up to the first one whose transaction is still open."""
        rows: list[int] = []
        messages: list[Encoded] = []
        for number in sorted(place.rows):
            row = place.rows[number]
            if not row.ready or len(messages) >= ROUND_MESSAGES:
                break
            rows.append(number)
            messages.extend(row.messages)
        if not rows:
            return False
        await send_all(_of(place.producer), messages)
        metrics.relay_sent(len(messages))
        self._done(place, rows)
        return True

    def _done(self, place: _Shard, rows: Sequence[int]) -> None:
        for number in rows:
            place.rows.pop(number, None)
            self._shard_of_row.pop(number, None)
        place.sent.extend(rows)

    async def _sweep(self, place: _Shard) -> None:
        """Send what stands in the table and is neither in memory nor sent already, before anything from memory."""
        place.sweep = False
        await self._delete(place)
        while left := await self._left_in_table(place):
            await send_all(_of(place.producer), [message for row in left for message in unpacked(row["messages"])])
            self._done(place, [row["id"] for row in left])
            await self._delete(place)

    async def _left_in_table(self, place: _Shard) -> Sequence[Any]:
        found = await _of(place.held).fetch(_LEFT_IN_TABLE, place.number, list(place.rows))
        left = [row for row in found if row["id"] not in place.rows]  # some committed while the query was under way
        metrics.outbox_age(float(left[0]["age"]) if left else 0.0)
        return left

    async def _delete(self, place: _Shard) -> None:
        if place.sent:
            await _of(place.held).execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", place.sent)
            place.sent = []


async def _silenced(producer: Producer) -> None:
    """End a producer without sending what it still holds: its successor sends all of it again, in order, and what came
    late from the predecessor would break that order."""
    sender = producer._sender.sender_task  # pyright: ignore[reportPrivateUsage]
    producer._closed = True  # pyright: ignore[reportPrivateUsage]
    if sender is not None:
        sender.cancel()
        await asyncio.wait([sender], timeout=SILENCE_SECONDS)  # what is on its way may still be answered
    await producer.client.close()


def _of(opened: T | None) -> T:
    if opened is None:
        raise RuntimeError("the shard is not held")
    return opened
