"""Where a topic ends is told at once, also while the reader itself waits for records."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from faststream import FastStream

from chassis import kafka as clients
from chassis.bus import Bus, Listen
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

POLL_SECONDS = clients.POLL_MS / 1000


async def _nothing(events: Sequence[Any], work: Work) -> None:
    """What is applied does not matter here."""


@pytest.fixture
def topic(kafka: Kafka) -> Topic:
    made = Topic(f"test.{uuid4().hex}.v1", "test", (ProjectRegistered,))
    create_topics(kafka.bootstrap, [made])
    return made


@pytest.fixture
async def reading(kafka: Kafka, postgres: Postgres, topic: Topic) -> AsyncIterator[tuple[Bus, Database]]:
    """A bus that reads the topic."""
    name = f"watermarks-{uuid4().hex[:8]}"
    url = (await asyncio.to_thread(create_databases, postgres.admin_url, [name], "test"))[name]
    settings = Settings(service_name=name, kafka_bootstrap_servers=kafka.bootstrap, database_url=url)
    database = Database(url, name)
    await database.open()
    await database.pool.execute(DDL)
    bus = Bus(database, wallclock_from(settings))
    bus.applies([Listen(topic, _nothing)])
    broker, ends = clients.make_broker(settings), clients.Ends(settings)
    bus.of(clients.subscribe(broker, bus, [topic.name], settings, lambda: None), ends)
    stream = FastStream(broker, logger=None)
    await stream.start()
    async with asyncio.timeout(30):
        while not bus.assigned:
            await asyncio.sleep(0.05)
    yield bus, database
    await stream.stop()
    await ends.stop()
    await database.close()


async def test_the_end_is_told_at_once_while_the_reader_waits(
    kafka: Kafka, topic: Topic, reading: tuple[Bus, Database]
) -> None:
    bus, database = reading
    await _send(kafka, topic)
    async with asyncio.timeout(30):
        while not await _is_read(bus, database, topic):
            await asyncio.sleep(0.05)
    began = time.monotonic()
    assert [await _is_read(bus, database, topic) for _ in range(5)] == [True] * 5
    assert time.monotonic() - began < POLL_SECONDS / 2


async def _send(kafka: Kafka, topic: Topic) -> None:
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    await send_all(producer, [encode(sample(ProjectRegistered), topic.name, "test")])
    await producer.stop()


async def _is_read(bus: Bus, database: Database, topic: Topic) -> bool:
    async with database.work() as work:
        return await bus.has_read_to_end([topic.name], work) == {topic.name}
