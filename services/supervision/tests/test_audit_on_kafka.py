"""A read model built anew from a real broker goes on with its audit chains; records deleted there are found missing."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from unittest.mock import patch
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from chassis import metrics
from chassis.database import Database
from contracts import topics
from contracts.codes import ProjectCode
from contracts.envelope import encode
from contracts.intake import NoticeSent, ProjectRegistered
from contracts.supervision import AuditedProject, AuditRootClosed
from local.kafka import Kafka, create_topics
from local.postgres import Postgres, create_databases
from local.samples import sample
from local.suite import CATALOGUE, migrate
from supervision.app import create
from supervision.settings import Settings

CODE: Final = ProjectCode("2018-210281-47-03-000987")
SECONDS: Final = 60


class Broker:
    """What is said of the project, and what is deleted of it."""

    def __init__(self, producer: Any, admin: AIOKafkaAdminClient) -> None:
        self._producer = producer
        self._admin = admin

    async def notify(self) -> Any:
        """Say one more notice; returns where it stands."""
        notice = sample(NoticeSent).model_copy(update={"project_code": CODE, "event_id": uuid4()})
        return await self._say(topics.NOTICES.name, notice)

    async def register(self) -> None:
        await self._say(topics.PROJECTS.name, sample(ProjectRegistered).model_copy(update={"project_code": CODE}))

    async def _say(self, topic: str, event: Any) -> Any:
        said = encode(event, topic, "intake")
        return await self._producer.send_and_wait(
            topic, said.value.encode(), key=said.key.encode(), headers=said.headers
        )

    async def delete(self, record: Any) -> None:
        """Delete a record, and what stands before it, as retention does."""
        tp = TopicPartition(record.topic, record.partition)
        await self._admin.delete_records({tp: RecordsToDelete(record.offset + 1)})


@pytest.fixture
async def broker(kafka: Kafka) -> AsyncGenerator[Broker, None]:
    await asyncio.to_thread(create_topics, kafka.bootstrap, topics.TOPICS)
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    await admin.start()
    yield Broker(producer, admin)
    await admin.close()
    await producer.stop()


Life = Callable[[], Any]


@pytest.fixture
def life(kafka: Kafka, postgres: Postgres) -> Life:
    """Begins supervision over the real topics, with a database that knows nothing."""

    @asynccontextmanager
    async def begun() -> AsyncGenerator[Database, None]:
        name = f"supervision-{uuid4().hex[:8]}"
        url = (await asyncio.to_thread(create_databases, postgres.admin_url, [name], "test"))[name]
        await asyncio.to_thread(migrate, [f"supervision={url}"])
        settings = Settings(
            service_name="supervision",
            kafka_bootstrap_servers=kafka.bootstrap,
            database_url=url,
            catalogue_path=CATALOGUE,
            audit_close_seconds=0.2,
        )
        with patch("chassis.service.logging.configure"):
            service = create(settings)
        app = service.http()
        async with app.router.lifespan_context(app):
            yield service.database

    return begun


async def closed(database: Database) -> dict[str, int]:
    """How many entries of each of the project's chains the newest root that came back from its topic closed."""
    count = "SELECT sum(next_offset) FROM positions WHERE topic = $1"
    read = await database.pool.fetchval(count, topics.AUDIT_ROOTS.name)
    roots = await database.pool.fetch("SELECT event FROM audit_roots ORDER BY number")
    told = [AuditRootClosed.model_validate_json(row["event"]) for row in roots] if read == len(roots) else []
    leaves: list[AuditedProject] = [one for root in told for one in root.projects if one.project_code == CODE]
    return {chain.topic: chain.entries for leaf in leaves[-1:] for chain in leaf.chains}


async def until(answer: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    async with asyncio.timeout(SECONDS):
        while await answer() != wanted:
            await asyncio.sleep(0.05)


async def test_a_rebuild_continues_its_chains_and_finds_what_was_deleted(broker: Broker, life: Life) -> None:
    async def gaps() -> Any:
        return metrics.held("lianshen_audit_gaps")

    await broker.register()
    first, *_ = [await broker.notify() for _ in range(2)]
    async with life() as database:
        await until(lambda: closed(database), {topics.NOTICES.name: 2, topics.PROJECTS.name: 1})
    await broker.notify()
    async with life() as database:
        await until(lambda: closed(database), {topics.NOTICES.name: 3, topics.PROJECTS.name: 1})
        await until(gaps, {"": 0})
    await broker.delete(first)
    async with life() as database:
        await until(gaps, {"": 1})
        for _ in range(2):
            await broker.notify()
        await until(lambda: database.pool.fetchval("SELECT project_code FROM audit_gaps"), CODE)
        assert await closed(database) == {topics.NOTICES.name: 3, topics.PROJECTS.name: 1}
