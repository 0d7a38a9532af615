"""What every rehearsal of a death stands on: databases of its own, and the departments' seals in their tokens."""

import os
from pathlib import Path

import pytest

from chassis.catalogue import load
from local.authority import SEALS
from local.authority.seals import prepare_seals
from local.postgres import Postgres, create_databases
from local.processes import PROCESSES
from local.rehearsal import HOSTED
from local.suite import CATALOGUE, migrate


@pytest.fixture(scope="module")
def urls(request: pytest.FixtureRequest, postgres: Postgres) -> dict[str, str]:
    """The address of each process's database, migrated; the module's own."""
    module = request.module.__name__.rpartition(".")[2].replace("_", "-")
    names = {process.name: f"{module}-{process.name}" for process in PROCESSES}
    made = create_databases(postgres.admin_url, names.values(), "rehearsal")
    migrate([f"{process.package}={made[names[process.name]]}" for process in PROCESSES])
    return {name: made[database] for name, database in names.items()}


@pytest.fixture(scope="module")
def seals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the PINs of the departments' tokens are; this process sees the tokens."""
    made = prepare_seals(tmp_path_factory.mktemp("authority"), load(CATALOGUE), HOSTED)
    os.environ.update(made.environment(SEALS))
    return made.pins(SEALS)
