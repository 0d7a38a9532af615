"""One declaration through six services, on real Kafka, PostgreSQL and a PKCS#11 token, judged from outside."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.terms import ProcessType, Stage
from local.builder import People, eventually
from local.suite import Suite

CODE = "2018-210281-47-03-000123"


@pytest.fixture(scope="module")
def departments(suite: Suite) -> Iterator[None]:
    """Every department's own system, as a process that speaks nothing but Kafka."""
    children = [
        suite.add_process(
            f"departments-{place}", [sys.executable, "-m", "local.department", suite.bootstrap, place, *codes], {}
        )
        for place, codes in suite.departments().items()
    ]
    yield
    for child in children:
        child.stop()


@pytest.fixture(scope="module")
def concluded(suite: Suite, departments: None) -> dict[str, Any]:
    people = People(suite)
    assert people.push(CODE, ProcessType.GOV_BUILDING).status_code == 201
    materials = people.materials(ProcessType.GOV_BUILDING, Stage.LAND_USE)
    answer = people.declare(CODE, Stage.LAND_USE, materials)
    assert answer.status_code == 202, answer.text
    application_id = answer.json()["application_id"]
    return eventually(lambda: people.progress(application_id), lambda told: told["state"] == "CONCLUDED")


def test_a_stage_declared_once_concludes_in_every_department(concluded: dict[str, Any]) -> None:
    assert concluded["result"] == "ALL_GRANTED"
    assert [item["outcome"] for item in concluded["items"]] == ["GRANTED"] * 10


def test_each_item_steps_through_its_versions_exactly_once(suite: Suite, concluded: dict[str, Any]) -> None:
    people = People(suite)
    told = eventually(
        lambda: people.supervise(f"/projects/{CODE}/timeline"),
        lambda events: sum(event["type"] == "ItemConcluded" for event in events) == 10,
    )
    versions: dict[str, list[int]] = {}
    for event in told:
        if event["topic"] == "approval.items.v1" and "version" in event["event"]:
            versions.setdefault(event["event"]["item_code"], []).append(event["event"]["version"])
    assert {code: sorted(found) for code, found in versions.items()} == {code: [1, 2, 3, 4, 5, 6] for code in versions}
    assert len(versions) == 10


def test_the_builder_is_told(suite: Suite, concluded: dict[str, Any]) -> None:
    people = People(suite)
    kinds = {notice["kind"] for notice in people.notices()}
    assert {"WINDOW_NOTICE", "ACCEPTED", "STAGE_RESULT"} <= kinds


def test_the_next_stage_opens_and_asks_only_for_what_is_not_held(suite: Suite, concluded: dict[str, Any]) -> None:
    people = People(suite)
    needed = people.inquiry(CODE)["stages"][1]
    hows = {material["code"]: material["how"] for item in needed["items"] for material in item["materials"]}
    assert hows["S1-05"] == "部门流转"
    materials = people.materials(ProcessType.GOV_BUILDING, Stage.ENGINEERING)
    assert people.declare(CODE, Stage.ENGINEERING, materials).status_code == 202


def test_supervisions_rows_follow_from_the_topics_alone(suite: Suite, concluded: dict[str, Any]) -> None:
    people = People(suite)
    eventually(lambda: people.supervise("/lights"), lambda lit: lit == [])
    overview = people.supervise("/overview")
    assert sum(row["items"] for row in overview if row["stage"] == 1) >= 10


def test_what_was_answered_is_read_at_once(suite: Suite) -> None:
    """202 means durable and readable: no waiting stands between the answer and the question."""
    people = People(suite)
    materials = people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)
    for number in range(700, 710):
        code = f"2018-210281-47-03-{number:06d}"
        people.push(code, ProcessType.SOCIAL_SMALL).raise_for_status()
        assert [stage["stage"] for stage in people.inquiry(code)["stages"]]
        answer = people.declare(code, Stage.LAND_USE, materials)
        told = people.progress(answer.json()["application_id"])
        assert (told["project_code"], told["stage"]) == (code, Stage.LAND_USE.value)
