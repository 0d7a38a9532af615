"""Bad input on the topics: a dead letter or a recorded refusal each, their neighbours in the same batch unharmed."""

import asyncio
import base64
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from contracts import topics
from contracts.codes import DepartmentCode, JurisdictionCode
from contracts.dead_letters import DeadLetter
from contracts.dispatcher import ItemDispatched
from contracts.envelope import Encoded, derived_id, encode
from contracts.terms import ItemStep, Outcome, ProcessType, Stage
from local import dead_letters, judge
from local.builder import People, eventually
from local.department import report, routine
from local.suite import ROOT, Suite

CODE = "2018-210281-47-03-000666"
Wire = tuple[str, bytes | None, bytes | None, list[tuple[str, bytes]]]


@pytest.fixture(scope="module")
def people(suite: Suite) -> People:
    return People(suite)


@pytest.fixture(scope="module")
def dispatched(suite: Suite, people: People) -> dict[str, ItemDispatched]:
    """The items of one declaration, as their departments were given them; nobody has answered yet."""
    people.push(CODE, ProcessType.SOCIAL_SMALL).raise_for_status()
    materials = people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)
    people.declare(CODE, Stage.LAND_USE, materials).raise_for_status()
    return eventually(lambda: _given(suite), lambda items: {"S1-03", "S1-09", "S1-10"} <= set(items))


def _given(suite: Suite) -> dict[str, ItemDispatched]:
    read = judge.read_topics(suite)
    events = [one["event"] for one in read if one["type"] == "ItemDispatched" and one["event"]["project_code"] == CODE]
    return {event["item_code"]: ItemDispatched.model_validate_json(_json(event), extra="ignore") for event in events}


def _json(event: dict[str, Any]) -> bytes:
    import orjson

    return orjson.dumps(event)


def wire(message: Encoded) -> Wire:
    headers = message.headers
    return message.topic, message.key.encode(), message.value.encode(), headers


def send(suite: Suite, messages: Sequence[Wire]) -> None:
    async def all_at_once() -> None:
        producer: Any = AIOKafkaProducer(bootstrap_servers=suite.bootstrap, acks="all", linger_ms=20)
        await producer.start()
        try:
            sent = [await producer.send(topic, value, key=key, headers=kept) for topic, key, value, kept in messages]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    asyncio.run(all_at_once())


def letters_about(suite: Suite, topic: str) -> list[DeadLetter]:
    return [one for one in asyncio.run(dead_letters.read(suite.bootstrap)) if one.topic == topic]


def spoiled(good: Encoded) -> dict[str, Wire]:
    """Every way in which a record can be beyond understanding, by the reason that its dead letter must give."""
    topic, key, value, headers = wire(good)
    assert key is not None and value is not None
    named = dict(headers)

    def with_headers(**changed: bytes | None) -> list[tuple[str, bytes]]:
        kept = {**named, **changed}
        return [(name, held) for name, held in kept.items() if held is not None]

    return {
        "missing-header": (topic, key, value, with_headers(ce_type=None)),
        "unknown-type": (topic, key, value, with_headers(ce_type=b"ItemBlessed")),
        "no-value": (topic, key, None, headers),
        "oversized": (topic, key, value[:-1] + b'," ":"' + b"x" * 600_000 + b'"}', headers),
        "wrong-schema": (topic, key, value.replace(b'"step"', b'"stop"'), headers),
        "wrong-key": (topic, b"2018-210281-47-03-000001", value, headers),
        "wrong-id": (topic, key, value, with_headers(ce_id=b"00000000-0000-0000-0000-000000000000")),
    }


def test_poison_becomes_dead_letters_and_its_neighbours_go_on(
    suite: Suite, people: People, dispatched: dict[str, ItemDispatched]
) -> None:
    item = dispatched["S1-09"]
    topic = topics.department_reports(item.jurisdiction, item.department).name
    good = [wire(encode(one, topic, "department")) for one in routine(item)]
    bad = spoiled(encode(report(item, ItemStep.REVIEW, repeat=9), topic, "department"))
    not_json: Wire = (topic, item.project_code.encode(), b"\xff not json", good[0][3])
    mixed = [good[0], *bad.values(), good[1], not_json, *good[2:]]
    send(suite, mixed)
    letters = eventually(lambda: letters_about(suite, topic), lambda found: len(found) >= len(bad) + 1)
    reasons = sorted(letter.reason for letter in letters)
    assert reasons == sorted([*bad, "wrong-schema"])
    assert {letter.service for letter in letters} == {"department-worker"}
    eventually(lambda: state_of(people, "S1-09"), lambda state: state == "CONCLUDED")


def state_of(people: People, code: str) -> str:
    application_id = str(derived_id("application", CODE, 1))
    items = people.progress(application_id)["items"]
    return next(one["state"] for one in items if one["item_code"] == code)


def refusals(suite: Suite) -> set[tuple[str, str]]:
    read = judge.read_topics(suite)
    return {
        (one["event"]["item_code"], one["event"]["code"])
        for one in read
        if one["type"] == "ItemActRefused" and one["event"]["project_code"] == CODE
    }


def test_a_report_of_another_department_and_one_for_a_finished_item_are_recorded_refusals(
    suite: Suite, people: People, dispatched: dict[str, ItemDispatched]
) -> None:
    theirs, done = dispatched["S1-10"], dispatched["S1-09"]
    eventually(lambda: state_of(people, "S1-09"), lambda state: state == "CONCLUDED")
    foreign = topics.department_reports(JurisdictionCode("210281"), DepartmentCode(dispatched["S1-03"].department)).name
    own = topics.department_reports(done.jurisdiction, done.department).name
    late = report(done, ItemStep.CONCLUDE, outcome=Outcome.REFUSED, opinion="改主意了", repeat=5)
    stolen = report(theirs, ItemStep.ACCEPT, repeat=5).model_copy(update={"department": dispatched["S1-03"].department})
    send(suite, [wire(encode(stolen, foreign, "department")), wire(encode(late, own, "department"))])
    found = eventually(lambda: refusals(suite), lambda found: {code for code, _ in found} >= {"S1-10", "S1-09"})
    assert ("S1-10", "NOT_THIS_DEPARTMENTS_ITEM") in found
    assert state_of(people, "S1-10") == "RECEIVED"
    assert state_of(people, "S1-09") == "CONCLUDED"


def test_a_report_that_comes_before_its_item_waits_for_it(suite: Suite, people: People) -> None:
    """The item's id follows from the declaration, so a report can be made, and sent, before the item exists."""
    code = "2018-210281-47-03-000667"
    people.push(code, ProcessType.SOCIAL_SMALL).raise_for_status()
    application_id = derived_id("application", code, 1)
    template = next(iter(_given(suite).values()))
    early = template.model_copy(update={"project_code": code})
    item = early.model_copy(update={"item_id": _item_id(suite, application_id, template.item_code)})
    topic = topics.department_reports(item.jurisdiction, item.department).name
    send(suite, [wire(encode(report(item, ItemStep.ACCEPT), topic, "department"))])
    listed = eventually(lambda: command(suite, "list").stdout, lambda told: code in told)
    assert "1 keys wait" in listed and "department-worker" in listed and "early" in listed
    materials = people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)
    people.declare(code, Stage.LAND_USE, materials).raise_for_status()

    def state() -> str | None:
        told = people.progress(str(application_id))["items"]
        return next((one["state"] for one in told if one["item_code"] == template.item_code), None)

    eventually(state, lambda now: now == "ACCEPTED")


def _item_id(suite: Suite, application_id: Any, item_code: str) -> Any:
    from dispatcher.domain import item_id_of

    return item_id_of(application_id, item_code, 1)  # pyright: ignore[reportArgumentType]


def command(suite: Suite, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", "dead-letters", *arguments],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "KAFKA_BOOTSTRAP_SERVERS": suite.bootstrap,
            "DATABASE_URL_ADMIN": suite.admin_url,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_dead_letters_are_listed_shown_and_replayed(
    suite: Suite, people: People, dispatched: dict[str, ItemDispatched]
) -> None:
    item = dispatched["S1-10"]
    topic = topics.department_reports(item.jurisdiction, item.department).name
    good = encode(report(item, ItemStep.ACCEPT), topic, "department")
    _, key, value, headers = wire(good)
    send(suite, [(topic, key, value, [pair for pair in headers if pair[0] != "ce_id"])])
    letter = eventually(
        lambda: [one for one in letters_about(suite, topic) if one.reason == "wrong-id"], lambda found: len(found) == 1
    )[0]
    assert base64.b64decode(letter.value or "") == value
    listed = command(suite, "list", "--topic", topic)
    assert listed.returncode == 0 and str(letter.event_id) in listed.stdout
    shown = command(suite, "show", str(letter.event_id))
    assert item.project_code in shown.stdout
    assert command(suite, "show", "no-such-id").returncode == 1
    replayed = command(suite, "replay", str(letter.event_id), "--yes")
    assert "replayed 1" in replayed.stdout, replayed.stderr
    again = eventually(lambda: letters_about(suite, topic), lambda found: len(found) == 2)
    assert {one.offset for one in again} == {letter.offset, letter.offset + 1}
