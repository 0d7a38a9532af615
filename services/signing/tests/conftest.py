"""What tests of signing's rooms stand on, where they bring nothing of their own."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from chassis import migrate
from chassis.database import Database
from local.desk import Net
from local.postgres import Postgres, create_databases


@pytest.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    """A database of the test's own, migrated, with a relay that sends nothing."""
    name = f"signing-{uuid4().hex[:8]}"
    url = (await asyncio.to_thread(create_databases, postgres.admin_url, [name], "test"))[name]
    await asyncio.to_thread(migrate.upgrade, "signing", url)
    database = Database(url, "signing")
    database.outbox = Net()
    await database.open()
    yield database
    await database.close()
