"""Two members of one group share partitions, come and go: each record once, in order per key, parked ones too."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from faststream import FastStream

from chassis import kafka as clients
from chassis.bus import Bus, Listen, hold_back
from chassis.database import Database, Work
from chassis.outbox import send_all
from chassis.settings import Settings
from chassis.tables import DDL
from chassis.wallclock import wallclock_from
from contracts.envelope import encode
from contracts.intake import ProjectRegistered
from contracts.topics import Topic
from local.kafka import Kafka, create_topics
from local.postgres import Postgres, create_databases
from local.samples import sample

KEYS = [f"2018-210281-47-03-{number:06d}" for number in range(24)]
APPLIED = "CREATE TABLE applied (id bigint GENERATED ALWAYS AS IDENTITY, key text, number int, member text)"


class Member:
    """One process's worth of a service: a bus, a subscriber, a handler that writes down what it applies."""

    def __init__(self, name: str, settings: Settings, topic: Topic) -> None:
        self.name = name
        self._database = Database(settings.database_url, settings.service_name)
        self._bus = Bus(self._database, wallclock_from(settings))
        self._bus.applies([Listen(topic, self._apply)])
        broker = clients.make_broker(settings)
        self._bus.of(clients.subscribe(broker, self._bus, [topic.name], settings, lambda: None))
        self._stream = FastStream(broker, logger=None)
        self._retrying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._database.open()
        await self._stream.start()
        self._retrying = asyncio.create_task(self._bus.keep_retrying())

    async def stop(self) -> None:
        assert self._retrying is not None
        await self._stream.stop()
        self._retrying.cancel()
        await self._database.close()

    async def _apply(self, events: Sequence[Any], work: Work) -> None:
        ready = hold_back(events, work, lambda one: int(one.event.name) % 19 == 3 and one.raw.attempts < 2)
        keys, numbers = [one.event.key for one in ready], [int(one.event.name) for one in ready]
        await work.execute(
            "INSERT INTO applied (key, number, member) SELECT k, n, $3 FROM unnest($1::text[], $2::int[]) AS a (k, n)",
            keys,
            numbers,
            self.name,
        )


@pytest.fixture
def topic(kafka: Kafka) -> Topic:
    made = Topic(f"test.{uuid4().hex}.v1", "test", (ProjectRegistered,))
    create_topics(kafka.bootstrap, [made])
    return made


@pytest.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    name = f"rebalance-{uuid4().hex[:8]}"
    url = (await asyncio.to_thread(create_databases, postgres.admin_url, [name], "test"))[name]
    opened = Database(url, "test")
    await opened.open()
    await opened.pool.execute(DDL)
    await opened.pool.execute(APPLIED)
    yield opened
    await opened.close()


async def test_members_come_and_go_and_each_record_is_applied_once_in_order(
    kafka: Kafka, topic: Topic, database: Database
) -> None:
    settings = Settings(
        service_name=f"test-{uuid4().hex[:8]}",
        kafka_bootstrap_servers=kafka.bootstrap,
        database_url=database._url,  # pyright: ignore[reportPrivateUsage]
    )
    first, second, third = (Member(name, settings, topic) for name in ("first", "second", "third"))
    enough = asyncio.Event()
    sending = asyncio.create_task(_send_until(enough, kafka, topic))
    await first.start()
    await _has_applied(database, "first")
    await second.start()
    await _has_applied(database, "second")
    await first.stop()
    await third.start()
    await _has_applied(database, "third")
    enough.set()
    count = await sending
    await _applied(database, count)
    await second.stop()
    await third.stop()
    rows = await database.pool.fetch("SELECT key, number FROM applied ORDER BY id")
    assert sorted(row["number"] for row in rows) == list(range(count))
    for key in KEYS:
        numbers = [row["number"] for row in rows if row["key"] == key]
        assert numbers == sorted(numbers)
    assert not await database.pool.fetchval("SELECT count(*) FROM parked")


async def _send_until(enough: asyncio.Event, kafka: Kafka, topic: Topic) -> int:
    """Send numbered records, thirty at a time, as long as it takes; returns how many."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    count = 0
    while not enough.is_set():
        await send_all(producer, [encode(_numbered(count + one), topic.name, "test") for one in range(30)])
        count += 30
        await asyncio.sleep(0.02)
    await producer.stop()
    return count


def _numbered(number: int) -> ProjectRegistered:
    changes = {"project_code": KEYS[number % len(KEYS)], "event_id": uuid4(), "name": str(number)}
    event = sample(ProjectRegistered).model_copy(update=changes)
    assert isinstance(event, ProjectRegistered)
    return event


async def _applied(database: Database, count: int) -> None:
    async with asyncio.timeout(60):
        while await database.pool.fetchval("SELECT count(*) FROM applied") < count:
            await asyncio.sleep(0.05)


async def _has_applied(database: Database, member: str) -> None:
    async with asyncio.timeout(30):
        while not await database.pool.fetchval("SELECT EXISTS (SELECT FROM applied WHERE member = $1)", member):
            await asyncio.sleep(0.05)
