"""Desks for the tests of the department worker (see `local.desk`)."""

from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest

from chassis import migrate
from chassis.database import Database
from local.desk import Net, Room
from local.postgres import Postgres, create_databases


@pytest.fixture(scope="session")
def worker_url(postgres: Postgres) -> str:
    name = f"department-worker-{uuid4().hex[:8]}"
    url = create_databases(postgres.admin_url, [name], "test")[name]
    migrate.upgrade("department_worker", url)
    return url


@pytest.fixture
async def room(worker_url: str) -> AsyncGenerator[Room, None]:
    """A desk without seals: a decision concludes at once."""
    async for made in _room(worker_url, sealed=False):
        yield made


@pytest.fixture
async def sealing_room(worker_url: str) -> AsyncGenerator[Room, None]:
    """A desk whose decisions wait for their seals."""
    async for made in _room(worker_url, sealed=True):
        yield made


async def _room(url: str, *, sealed: bool) -> AsyncGenerator[Room, None]:
    database = Database(url, "department-worker", 3)
    database.outbox = Net()
    await database.open()
    names = await database.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    tables = ", ".join(row["tablename"] for row in names if row["tablename"] != "alembic_version")
    await database.pool.execute(f"TRUNCATE {tables}")
    made = Room(database, sealed=sealed)
    await made.list_officers("WWJ", "RFB", "GHJ", "HBJ", "FGW")
    yield made
    await database.close()
