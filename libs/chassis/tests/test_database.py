"""A unit of work wakes nobody before it has committed: who looks sooner finds nothing and sleeps on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from chassis.database import Database
from local.postgres import Postgres, create_databases


@pytest.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    name = f"work-{uuid4().hex[:8]}"
    url = (await asyncio.to_thread(create_databases, postgres.admin_url, [name], "test"))[name]
    database = Database(url, name)
    await database.open()
    await database.pool.execute("CREATE TABLE rows (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
    yield database
    await database.close()


async def rows(database: Database) -> int:
    async with database.reading() as connection:
        return await connection.fetchval("SELECT count(*) FROM rows")


async def test_who_is_woken_sees_what_was_done(database: Database) -> None:
    looks: list[asyncio.Task[int]] = []
    async with database.work() as work:
        await work.execute("INSERT INTO rows VALUES (1)")
        work.wake(lambda: looks.append(asyncio.create_task(rows(database))))
        work.wake(lambda: looks.append(asyncio.create_task(rows(database))))
        assert await rows(database) == 0 and looks == []
    assert [await look for look in looks] == [1, 1]


@pytest.mark.parametrize("ends", ["it raises", "its commit fails"])
async def test_nobody_is_woken_by_what_came_to_nothing(database: Database, ends: str) -> None:
    woken: list[Any] = []
    with pytest.raises(Exception, match=r"^duplicate key|^enough$"):
        async with database.work() as work:
            work.wake(lambda: woken.append(1))
            await work.execute("INSERT INTO rows VALUES (1)")
            if ends == "it raises":
                raise ValueError("enough")
            await work.execute("INSERT INTO rows VALUES (1)")
    assert woken == [] and await rows(database) == 0
