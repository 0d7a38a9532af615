"""Fixtures with real parts: one suite, one broker and one database server per worker, started when first asked for."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from local import ports
from local.kafka import Kafka
from local.postgres import Postgres
from local.suite import Suite
from local.trouble import Trouble


def _missing(part: str, trouble: Trouble) -> None:
    if part in os.environ.get("LIANSHEN_REQUIRE", "").split(","):
        pytest.fail(f"{part} is required and missing: {trouble}")
    pytest.skip(f"{part} is missing on this machine: {trouble}")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A real broker."""
    numbers = ports.free()
    broker = Kafka(_shared(tmp_path_factory) / "kafka", numbers["kafka"], numbers["kafka-controller"])
    try:
        broker.start()
        broker.wait_ready()
    except Trouble as trouble:
        _missing("kafka", trouble)
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A real database server."""
    server = Postgres(_shared(tmp_path_factory) / "postgres", ports.free()["postgres"])
    try:
        server.start()
        server.wait_ready()
    except Trouble as trouble:
        _missing("postgres", trouble)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """The whole suite, without any department's own system."""
    whole = Suite(_shared(tmp_path_factory))
    try:
        whole.start()
    except Trouble as trouble:
        whole.stop()
        _missing("pkcs11" if "softhsm" in str(trouble).lower() else "kafka", trouble)
    yield whole
    whole.stop()


CHROMIUM = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Root has no sandbox, containers have little shared memory, and the browser has nothing to say to its maker."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser, for modules without a test that is a coroutine: its driver keeps the thread's event loop."""
    path = shutil.which("chromium")
    if path is None:
        _missing("browser", Trouble("apt-get install chromium"))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=CHROMIUM)
        yield browser
        browser.close()


def _shared(factory: pytest.TempPathFactory) -> Path:
    """A folder that PostgreSQL's unprivileged user may enter."""
    folder = factory.mktemp("parts")
    for path in (folder, *folder.parents[:3]):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o011)
    return folder
