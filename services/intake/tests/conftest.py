"""A city with two catalogue versions side by side, and intake alone over real tables."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.catalogue import City, load
from local.intake_alone import House, alone, two_versions
from local.postgres import Postgres, create_databases
from local.suite import migrate


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_versions(tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="session")
def city(folder: Path) -> City:
    return load(folder)


@pytest.fixture(scope="session")
def url(postgres: Postgres) -> str:
    made = create_databases(postgres.admin_url, ["intake-alone"], "test")["intake-alone"]
    migrate([f"intake={made}"])
    return made


@pytest.fixture
async def house(url: str, folder: Path, tmp_path: Path) -> AsyncIterator[House]:
    async with alone(url, folder, tmp_path) as made:
        yield made
