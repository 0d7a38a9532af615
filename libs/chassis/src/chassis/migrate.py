"""Brings a service's database to its newest schema: `python -m chassis.migrate PACKAGE[=URL] …`, or at start-up.

Every service keeps numbered alembic revisions in `<package>/migrations/versions`; this is their one environment.
An advisory lock lets several processes of a service start at once. `--check` changes nothing and tells where a database
differs from what `<package>/migrations/tables.py` describes.
"""

import asyncio
import os
import sys
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

LOCK: Final = 0x0178_2018


def upgrade(package: str, url: str) -> None:
    """Run what is missing of `package`'s migrations on the database at `url` (postgresql://…). Blocking."""
    from alembic import command

    command.upgrade(_configuration(package, url), "head")


def differences(package: str, url: str) -> list[Any]:
    """Return where the database at `url` differs from what `package` describes, in alembic's words. Blocking."""
    return asyncio.run(_differences(package, url))


async def _differences(package: str, url: str) -> list[Any]:
    described = import_module(f"{package}.migrations.tables").Base.metadata
    engine = _engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(_compared, described)
    await engine.dispose()
    return found


def _compared(connection: Any, described: Any) -> list[Any]:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": _differ}), described)


def _differ(context: Any, inspected: Any, described: Any, type_held: Any, type_described: Any) -> bool | None:
    """To PostgreSQL text and varchar without a length are one type; alembic judges the others (None)."""
    return False if {str(type_held), str(type_described)} <= {"TEXT", "VARCHAR"} else None


def _configuration(package: str, url: str) -> Any:
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).with_name("alembic")))
    configuration.set_main_option("path_separator", "newline")
    configuration.set_main_option("version_locations", str(files(package) / "migrations" / "versions"))
    configuration.attributes["url"] = url
    return configuration


async def run_migrations(url: str, context: Any) -> None:
    """Run alembic's `context` over one asyncpg connection, alone in this database."""
    from sqlalchemy import text

    engine = _engine(url)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        await connection.commit()
        await connection.run_sync(_migrate, context)
        await connection.commit()
    await engine.dispose()


def _engine(url: str) -> Any:
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    return create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)


def _migrate(connection: Any, context: Any) -> None:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


async def upgrade_in_child(package: str, url: str) -> None:
    """Run the migrations in a process of their own, so that the service does not carry alembic in its memory.

    Raises RuntimeError with alembic's words when they fail.
    """
    environment = {**os.environ, "DATABASE_URL": url}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "chassis.migrate",
        package,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"migrations of {package} failed: {output.decode()[-2000:]}")


def main(arguments: list[str]) -> int:
    """Upgrade, or `--check`, every `PACKAGE=URL` named; a bare PACKAGE takes DATABASE_URL."""
    checking = "--check" in arguments
    found: list[Any] = []
    for argument in (one for one in arguments if one != "--check"):
        package, _, url = argument.partition("=")
        url = url or os.environ["DATABASE_URL"]
        if checking:
            found += [(package, one) for one in differences(package, url)]
        else:
            upgrade(package, url)
    for one in found:
        print(*one)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
