"""What every service owes its operators: documents, health with three meanings, a clean stop, its own database."""

import asyncio
import signal

import asyncpg
import pytest

from contracts import topics
from local.builder import eventually
from local.processes import PROCESSES
from local.suite import Suite

NAMES = [process.name for process in PROCESSES]


@pytest.mark.parametrize("name", NAMES)
def test_asyncapi_tells_what_a_service_reads_and_says(suite: Suite, name: str) -> None:
    document = suite.http.get(f"{suite.url(name)}/asyncapi.json").json()
    assert document["asyncapi"].startswith("3.")
    operations = {(one["action"], one["channel"]["$ref"].split("/")[-1]) for one in document["operations"].values()}
    spoken = {topic.name for topic in topics.TOPICS if topic.speaker == name}
    said = {document["channels"][channel]["address"] for action, channel in operations if action == "send"}
    assert said and spoken <= said


@pytest.mark.parametrize("name", NAMES)
def test_health_has_three_meanings(suite: Suite, name: str) -> None:
    for meaning in ("live", "ready", "started"):
        assert suite.http.get(f"{suite.url(name)}/health/{meaning}").status_code == 200


def test_no_service_can_enter_anothers_database(suite: Suite) -> None:
    async def enter(url: str) -> None:
        await asyncpg.connect(url, timeout=5)

    own, others = suite.databases["timer"], suite.databases["intake"].rsplit("/", 1)[1]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asyncio.run(enter(own.rsplit("/", 1)[0] + "/" + others))


@pytest.mark.parametrize("name", NAMES)
def test_a_stop_is_clean_and_a_start_goes_on(suite: Suite, name: str) -> None:
    child = suite.process(name)
    before = child.log.read_text().count("service.stopped")
    child.signal(signal.SIGTERM)
    eventually(lambda: child.alive, lambda alive: not alive)
    assert child.process is not None and child.process.returncode == 0
    assert child.log.read_text().count("service.stopped") == before + 1
    child.start()
    child.wait_ready()
