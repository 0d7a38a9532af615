"""The relay on real Kafka and PostgreSQL: in order per key, at least once, whoever dies in between."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from chassis.database import Database
from chassis.outbox import Relay
from chassis.tables import DDL
from contracts.intake import ProjectRegistered
from contracts.topics import Topic
from local.kafka import Kafka, create_topics
from local.postgres import Postgres, create_databases
from local.samples import sample

KEYS = [f"2018-210281-47-03-{number:06d}" for number in range(8)]


@pytest.fixture
def topic(kafka: Kafka) -> Topic:
    made = Topic(f"test.{uuid4().hex}.v1", "test", (ProjectRegistered,))
    create_topics(kafka.bootstrap, [made])
    return made


@pytest.fixture
async def database(postgres: Postgres) -> AsyncIterator[Callable[[], Database]]:
    """Opens databases over one fresh set of tables."""
    name = f"relay-{uuid4().hex[:8]}"
    url = (await asyncio.to_thread(create_databases, postgres.admin_url, [name], "test"))[name]
    opened: list[Database] = []

    def open_one() -> Database:
        opened.append(Database(url, "test"))
        return opened[-1]

    first = open_one()
    await first.open()
    await first.pool.execute(DDL)
    yield open_one
    for one in opened:
        await one.close()


def said(number: int) -> ProjectRegistered:
    event = sample(ProjectRegistered)
    assert isinstance(event, ProjectRegistered)
    changes = {"project_code": KEYS[number % len(KEYS)], "event_id": uuid4(), "name": str(number)}
    return event.model_copy(update=changes)


async def say(database: Database, topic: Topic, numbers: range) -> None:
    async with database.work() as work:
        work.say(topic, *(said(number) for number in numbers))


def producer(kafka: Kafka, made: type[AIOKafkaProducer] = AIOKafkaProducer) -> Any:
    return made(bootstrap_servers=kafka.bootstrap, acks="all", enable_idempotence=True)


async def read(kafka: Kafka, topic: Topic, enough: Callable[[list[int]], bool]) -> dict[str, list[int]]:
    """Return the numbers read until `enough`, by key, repeats left out."""
    consumer: Any = AIOKafkaConsumer(topic.name, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: dict[str, list[int]] = {}
    try:
        async with asyncio.timeout(30):
            while not enough([number for numbers in found.values() for number in numbers]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        lane = found.setdefault(record.key.decode(), [])
                        number = int(json.loads(record.value)["name"])
                        if number not in lane:
                            lane.append(number)
        return found
    finally:
        await consumer.stop()


def in_order(found: dict[str, list[int]], count: int) -> None:
    assert sorted(number for numbers in found.values() for number in numbers) == list(range(count))
    for numbers in found.values():
        assert numbers == sorted(numbers)


async def rows(database: Database) -> int:
    return await database.pool.fetchval("SELECT count(*) FROM outbox")


async def empty(database: Database) -> None:
    async with asyncio.timeout(20):
        while await rows(database):
            await asyncio.sleep(0.05)


async def test_what_was_said_is_sent_once_in_order_and_its_rows_are_gone(
    kafka: Kafka, topic: Topic, database: Callable[[], Database]
) -> None:
    one = database()
    await one.open()
    relay = Relay(one, lambda: producer(kafka))
    await relay.start()
    for start in range(0, 400, 20):
        await say(one, topic, range(start, start + 20))
    in_order(await read(kafka, topic, lambda numbers: len(numbers) == 400), 400)
    await empty(one)
    await relay.stop()
    assert relay.waiting == 0


async def test_what_a_dead_process_left_goes_before_what_its_successor_says(
    kafka: Kafka, topic: Topic, database: Callable[[], Database]
) -> None:
    dead, alive = database(), database()
    await dead.open()
    await alive.open()
    Relay(dead, lambda: producer(kafka))
    await say(dead, topic, range(100))
    relay = Relay(alive, lambda: producer(kafka))
    await say(alive, topic, range(100, 200))
    await relay.start()
    await say(alive, topic, range(200, 300))
    in_order(await read(kafka, topic, lambda numbers: len(numbers) == 300), 300)
    await empty(alive)
    await relay.stop()


class Flaky(AIOKafkaProducer):
    """A producer that takes a batch, sends it or not, and says it failed, now and then."""

    moods: list[str]

    async def send_batch(self, *given: Any, **named: Any) -> Any:
        mood = self.moods.pop(0) if self.moods else "well"
        if mood == "refuses":
            raise KafkaError("refused before it was sent")
        sent = await super().send_batch(*given, **named)
        if mood == "forgets":
            await sent
            raise KafkaError("sent, and the answer was lost")
        return sent


@pytest.mark.parametrize("mood", ["refuses", "forgets"])
async def test_trouble_in_the_middle_loses_nothing_and_keeps_the_order(
    kafka: Kafka, topic: Topic, database: Callable[[], Database], mood: str
) -> None:
    one = database()
    await one.open()
    moods = ["well", mood, "well", "well", "well", mood]

    def flaky() -> Any:
        made = producer(kafka, Flaky)
        made.moods = moods
        return made

    relay = Relay(one, flaky)
    await relay.start()
    for start in range(0, 200, 10):
        await say(one, topic, range(start, start + 10))
    in_order(await read(kafka, topic, lambda numbers: len(numbers) == 200), 200)
    await empty(one)
    await relay.stop()
    assert moods == []


async def test_a_second_process_relays_only_when_the_first_is_gone(
    kafka: Kafka, topic: Topic, database: Callable[[], Database]
) -> None:
    first, second = database(), database()
    await first.open()
    await second.open()
    leading, waiting = Relay(first, lambda: producer(kafka)), Relay(second, lambda: producer(kafka))
    await leading.start()
    await say(first, topic, range(50))
    await read(kafka, topic, lambda numbers: len(numbers) == 50)
    await waiting.start()
    await say(second, topic, range(50, 100))
    in_order(await read(kafka, topic, lambda numbers: len(numbers) == 100), 100)
    await leading.stop()
    await say(second, topic, range(100, 150))
    in_order(await read(kafka, topic, lambda numbers: len(numbers) == 150), 150)
    await empty(second)
    await waiting.stop()


async def test_what_was_rolled_back_was_never_said(
    kafka: Kafka, topic: Topic, database: Callable[[], Database]
) -> None:
    one = database()
    await one.open()
    relay = Relay(one, lambda: producer(kafka))
    await relay.start()
    with pytest.raises(ZeroDivisionError):
        async with one.work() as work:
            work.say(topic, said(900))
            raise ZeroDivisionError
    await say(one, topic, range(10))
    in_order(await read(kafka, topic, lambda numbers: len(numbers) >= 10), 10)
    await relay.stop()
