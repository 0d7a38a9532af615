"""Every service's migrations lead to exactly the tables that it describes."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from chassis import migrate
from local.postgres import Postgres, create_databases
from local.processes import PROCESSES

PACKAGES = [process.name.replace("-", "_") for process in PROCESSES]


@pytest.mark.parametrize("package", PACKAGES)
def test_migrations_lead_to_the_described_tables(postgres: Postgres, package: str) -> None:
    name = f"{package.replace('_', '-')}-{uuid4().hex[:8]}"
    url = create_databases(postgres.admin_url, [name], "test")[name]
    migrate.upgrade(package, url)
    assert migrate.differences(package, url) == []
    asyncio.run(_spoil(url))
    found = repr(migrate.differences(package, url))
    assert "surprise" in found and "moved_at" in found and "next_offset" in found


async def _spoil(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE surprise (id int); ALTER TABLE positions DROP COLUMN moved_at")
    await connection.execute("ALTER TABLE positions ALTER COLUMN next_offset TYPE int")
    await connection.close()
