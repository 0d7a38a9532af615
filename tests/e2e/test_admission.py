"""Admission through six services: scope, pinned policies, special handling, materials, withdrawals, progress.

What other services say in their own time is said here by the test, on their topics.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from contracts import topics
from contracts.codes import ItemCode, JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.department_worker import MaterialsRecorded
from contracts.envelope import Event, derived_id, encode
from contracts.parts import Actor, MaterialRef
from contracts.supervision import SpecialHandlingGranted
from contracts.terms import ItemStep, Outcome, ProcessType, SpecialEffect, Stage
from contracts.topics import Topic
from local import judge
from local.builder import People, eventually, scan
from local.samples import sample
from local.suite import Suite
from procedure.special_handling import FACTS

TYPE: Final = ProcessType.SOCIAL_SMALL
LEAD: Final = Actor(holder="牵头部门", certificate="CA-LEAD")
ROUTINE: Final = (ItemStep.ACCEPT, ItemStep.REVIEW, ItemStep.APPROVE, ItemStep.CONCLUDE)


@pytest.fixture(scope="module")
def people(suite: Suite) -> People:
    return People(suite)


@pytest.fixture(scope="module")
def materials(people: People) -> list[dict[str, str]]:
    return people.materials(TYPE, Stage.LAND_USE)


def code_of(answer: httpx.Response) -> tuple[int, str, str | None]:
    problem = answer.json()
    return answer.status_code, problem["code"], problem["article"]


def said(suite: Suite, kind: str, code: str) -> list[dict[str, Any]]:
    """What was said of a kind about a project, on whichever topic."""
    read = judge.read_topics(suite)
    return [one["event"] for one in read if one["type"] == kind and one["event"].get("project_code") == code]


def say(suite: Suite, topic: Topic, *events: Event) -> None:
    """Say what a service of the suite would say."""

    async def all_at_once() -> None:
        producer: Any = AIOKafkaProducer(bootstrap_servers=suite.bootstrap, acks="all")
        await producer.start()
        try:
            for message in (encode(event, topic.name, topic.speaker) for event in events):
                headers = message.headers
                await producer.send_and_wait(
                    message.topic, message.value.encode(), key=message.key.encode(), headers=headers
                )
        finally:
            await producer.stop()

    asyncio.run(all_at_once())


def granted(code: str, effect: SpecialEffect, stage: Stage, **facts: Any) -> SpecialHandlingGranted:
    made: Any = sample(SpecialHandlingGranted)
    handling_id = derived_id("handling", code, effect.value, stage.value)
    about = {"project_code": ProjectCode(code), "application_id": derived_id("application", code, stage.value)}
    none = dict.fromkeys(("item_code", "item_id", *FACTS))
    told = {"event_id": handling_id, "handling_id": handling_id, "effect": effect, "stage": stage, "actor": LEAD}
    return made.model_copy(update={**about, **none, **told, **facts})


def declared(people: People, code: str, materials: Sequence[dict[str, str]]) -> str:
    people.push(code, TYPE).raise_for_status()
    answer = people.declare(code, Stage.LAND_USE, list(materials))
    answer.raise_for_status()
    return answer.json()["application_id"]


def item(people: People, application_id: str, item_code: str, state: str) -> dict[str, Any]:
    """The item once it stands in `state`."""

    def found() -> dict[str, Any]:
        told = people.progress(application_id).get("items", [])
        return next((one for one in told if one["item_code"] == item_code), {})

    return eventually(found, lambda one: one.get("state") == state)


def officer_of(people: People, one: dict[str, Any]) -> dict[str, str]:
    return people.header("officer", jurisdiction=one["jurisdiction"], department=one["department"])


def take(people: People, one: dict[str, Any], *steps: ItemStep, outcome: Outcome = Outcome.GRANTED) -> None:
    """An officer takes steps with an item."""
    for step in steps:
        decision = {"outcome": outcome.value, "opinion": "依据如下"} if step is ItemStep.CONCLUDE else {}
        answer = people.step(one["item_id"], {"step": step.value, **decision}, officer_of(people, one))
        assert answer.status_code == 200, answer.text


# Art. 2 and 4 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("process_type", [ProcessType.TRANSPORT, ProcessType.WATER, ProcessType.ENERGY])
def test_major_works_are_out_of_scope_and_nothing_is_said_of_them(
    suite: Suite, people: People, process_type: ProcessType
) -> None:
    code = f"2018-210281-48-01-00900{process_type.value}"
    assert code_of(people.push(code, process_type)) == (422, "OUT_OF_SCOPE", "第二条")
    assert said(suite, "ProjectRegistered", code) == []
    assert people.declare(code, Stage.LAND_USE, []).status_code == 404


def test_another_citys_project_is_out_of_scope(suite: Suite, people: People) -> None:
    code = "2018-310101-47-03-009010"
    assert code_of(people.push(code, TYPE)) == (422, "OUT_OF_SCOPE", "第二条")
    assert said(suite, "ProjectRegistered", code) == []


def test_only_what_was_pushed_can_be_declared_and_the_same_push_twice_is_one_project(
    suite: Suite, people: People, materials: list[dict[str, str]]
) -> None:
    code = "2018-210281-47-03-009020"
    unknown = people.declare(code, Stage.LAND_USE, materials)
    assert code_of(unknown) == (404, "NOT_FOUND", None)
    assert [people.push(code, TYPE).status_code for _ in range(2)] == [201, 200]
    assert people.declare(code, Stage.LAND_USE, materials).status_code == 202
    eventually(lambda: said(suite, "StageApplied", code), lambda found: len(found) == 1)
    assert len(said(suite, "ProjectRegistered", code)) == 1 and said(suite, "ProjectAmended", code) == []


# Policies -------------------------------------------------------------------------------------------------------


def test_a_published_policy_travels_with_every_case_admitted_after_it(
    suite: Suite, people: People, materials: list[dict[str, str]]
) -> None:
    before = declared(people, "2018-210281-47-03-009030", materials)
    admin = people.header("admin", jurisdiction="210200")
    body = {
        "version": "178/2018-试行一",
        "catalogue_version": "2018.1",
        "settings": {"redeclare_days": 61},
        "document": "大工改办〔2026〕1号",
        "reason": "试行期间延长提醒",
    }
    url = f"{suite.url('intake')}/policies"
    assert people.http.post(url, json=body, headers=admin).status_code == 201
    try:
        code = "2018-210281-47-03-009031"
        after = declared(people, code, materials)
        told = [people.progress(one) for one in (before, after)]
        assert [one["settings"].get("redeclare_days") for one in told] == [None, 61]
        assert told[1]["policy_version"] == "178/2018-试行一"
        (dispatched,) = eventually(lambda: said(suite, "StageDispatched", code), lambda found: len(found) == 1)
        assert dispatched["policies"]["settings"] == {"redeclare_days": 61}
        received = eventually(lambda: said(suite, "ItemReceived", code), lambda found: len(found) >= 3)
        assert {one["policies"]["policy_version"] for one in received} == {"178/2018-试行一"}
        read = people.http.get(f"{url}/178/2018-试行一", headers=people.builder()).json()
        assert (read["published_by"], read["reason"], read["in_force"]) == ("admin", "试行期间延长提醒", True)
    finally:
        back = {**body, "version": "178/2018-恢复", "settings": {}, "reason": "试行结束"}
        again = people.header("admin", jurisdiction="210200")
        assert people.http.post(url, json=back, headers=again).status_code == 201


# Special handling and materials ---------------------------------------------------------------------------------


def test_a_material_of_one_stage_serves_the_next_which_special_handling_opened_early(
    suite: Suite, people: People
) -> None:
    code = "2018-210281-47-03-009040"
    people.push(code, TYPE).raise_for_status()
    skips = [granted(code, SpecialEffect.SKIP_STAGE_ORDER, stage) for stage in (Stage.ENGINEERING, Stage.CONSTRUCTION)]
    say(suite, topics.SUPERVISION, *skips)
    second = people.materials(TYPE, Stage.ENGINEERING)
    eventually(lambda: people.declare(code, Stage.ENGINEERING, second).status_code, lambda status: status == 202)
    hows = {one["code"]: one["how"] for need in people.inquiry(code)["stages"][2]["items"] for one in need["materials"]}
    assert hows["M25"] == "已有，无需重复提交" and "提交" in hows.values()
    third = [one for one in people.materials(TYPE, Stage.CONSTRUCTION) if one["code"] != "M25"]
    eventually(lambda: people.declare(code, Stage.CONSTRUCTION, third).status_code, lambda status: status == 202)
    applied = eventually(lambda: said(suite, "StageApplied", code), lambda found: len(found) == 2)
    shared = [next(one for one in event["materials"] if one["code"] == "M25")["sha256"] for event in applied]
    assert shared[0] == shared[1]
    assert [event["special_handling"] for event in applied] == [str(one.handling_id) for one in skips]


def test_a_deferred_material_is_promised_in_the_declaration_and_comes_later(
    suite: Suite, people: People, materials: list[dict[str, str]]
) -> None:
    code = "2018-210281-47-03-009050"
    people.push(code, TYPE).raise_for_status()
    others = [one for one in materials if one["code"] != "M07"]
    assert code_of(people.declare(code, Stage.LAND_USE, others))[:2] == (422, "MATERIAL_MISSING")
    promised_on = (datetime.now(UTC) + timedelta(days=30)).date()
    facts = {"material": MaterialCode("M07"), "promised_on": promised_on}
    say(suite, topics.SUPERVISION, granted(code, SpecialEffect.DEFER_MATERIAL, Stage.LAND_USE, **facts))
    answer = eventually(lambda: people.declare(code, Stage.LAND_USE, others), lambda one: one.status_code == 202)
    application_id = answer.json()["application_id"]
    (applied,) = eventually(lambda: said(suite, "StageApplied", code), lambda found: len(found) == 1)
    assert applied["deferred"] == [{"code": "M07", "promised_on": promised_on.isoformat()}]
    late = {"materials": [one for one in materials if one["code"] == "M07"]}
    url = f"{suite.url('intake')}/applications/{application_id}/materials"
    assert people.http.post(url, json=late, headers=people.builder()).status_code == 202
    told = people.progress(application_id)["deferred"]
    assert [(one["code"], one["broken"], one["given_at"] is None) for one in told] == [("M07", False, False)]
    eventually(lambda: said(suite, "DeferredMaterialsSubmitted", code), lambda found: len(found) == 1)
    one = item(people, application_id, "S1-09", "RECEIVED")
    url = f"{suite.url('department-worker')}/items/{one['item_id']}"
    shown = eventually(
        lambda: people.http.get(url, headers=officer_of(people, one)).json(), lambda told: told["deferred"] == []
    )
    assert "M07" in {material["code"] for material in shown["materials"]}


def test_an_officer_opens_the_very_bytes_and_that_is_said_once(
    suite: Suite, people: People, materials: list[dict[str, str]]
) -> None:
    code = "2018-210281-47-03-009060"
    application_id = declared(people, code, materials)
    one = item(people, application_id, "S1-09", "RECEIVED")
    given = next(material for material in materials if material["code"] == "M07")
    url = f"{suite.url('intake')}/applications/{application_id}/items/S1-09/materials/M07"
    for _ in range(2):
        answer = people.http.get(url, headers=officer_of(people, one))
        assert answer.status_code == 200 and answer.headers["content-type"] == "application/pdf"
        assert hashlib.sha256(answer.content).hexdigest() == given["sha256"]
    (viewed,) = eventually(lambda: said(suite, "MaterialViewed", code), lambda found: len(found) >= 1)
    assert (viewed["item_id"], viewed["material"], viewed["sha256"]) == (one["item_id"], "M07", given["sha256"])
    other = people.header("officer", jurisdiction=one["jurisdiction"], department="WWJ")
    assert code_of(people.http.get(url, headers=other)) == (403, "NOT_YOUR_JURISDICTION", "第十八条")
    assert people.http.get(url, headers=people.builder()).status_code == 403


def test_every_material_shows_its_first_recorder_and_who_uses_it(suite: Suite, people: People) -> None:
    code = "2018-210281-47-03-009070"
    own = [
        {**one, "sha256": people.upload(scan(f"{code}{one['code']}"))["sha256"]}
        for one in people.materials(TYPE, Stage.LAND_USE)
    ]
    application_id = declared(people, code, own)
    one = item(people, application_id, "S1-09", "RECEIVED")
    given = next(material for material in own if material["code"] == "M08")
    checked = MaterialRef(code=MaterialCode("M08"), sha256=Sha256(given["sha256"]), name=given["name"], size=10)
    about: dict[str, Any] = {
        "event_id": derived_id("recorded", code),
        "project_code": ProjectCode(code),
        "application_id": derived_id("application", code, 1),
        "item_id": derived_id("item", application_id, "S1-09", 1),
        "item_code": ItemCode("S1-09"),
        "department": one["department"],
        "jurisdiction": JurisdictionCode(one["jurisdiction"]),
        "materials": (checked,),
        "actor": Actor(holder="首录人", certificate="CA-FIRST"),
    }
    say(suite, topics.ITEMS, sample(MaterialsRecorded).model_copy(update=about))
    url = f"{suite.url('intake')}/projects/{code}/materials"

    def recorded() -> dict[str, Any]:
        listed = people.http.get(url, headers=people.header("supervisor", jurisdiction="210281")).json()
        return next(one for one in listed if one["code"] == "M08")["versions"][0]

    version = eventually(recorded, lambda one: one["first_recorder"] is not None)
    assert (version["first_recorder"]["holder"], version["sha256"]) == ("首录人", given["sha256"])
    assert {used["item_code"] for used in version["used_by"]} == {"S1-05", "S1-09", "S1-10"}
    report = people.http.get(
        f"{suite.url('intake')}/reports/first-recorders?most=1000",
        headers=people.header("supervisor", jurisdiction="210281"),
    ).json()
    assert any(one["project_code"] == code and one["material"] == "M08" for one in report)


# Withdrawal, progress, notices ----------------------------------------------------------------------------------


def test_a_withdrawal_reaches_the_department_only_with_the_windows_word(
    suite: Suite, people: People, materials: list[dict[str, str]]
) -> None:
    code = "2018-210281-47-03-009080"
    application_id = declared(people, code, materials)
    one = item(people, application_id, "S1-10", "RECEIVED")
    take(people, one, ItemStep.ACCEPT)
    item(people, application_id, "S1-10", "ACCEPTED")
    url = f"{suite.url('intake')}/applications/{application_id}/items/S1-10/withdrawals"
    assert people.http.post(url, json={"reason": "项目调整"}, headers=people.builder()).status_code == 202
    window = people.header("window", jurisdiction="210281")
    waiting = people.http.get(f"{suite.url('intake')}/window/withdrawals?most=500", headers=window).json()
    assert [row["item_code"] for row in waiting if row["application_id"] == application_id] == ["S1-10"]
    (asked,) = eventually(lambda: said(suite, "WithdrawalRequested", code), lambda found: len(found) == 1)
    assert not asked["confirmed"] and said(suite, "ItemWithdrawn", code) == []
    window = people.header("window", jurisdiction="210281")
    assert people.http.post(f"{url}/answer", json={"confirmed": True}, headers=window).status_code == 202
    item(people, application_id, "S1-10", "WITHDRAWN")
    assert len(said(suite, "ItemWithdrawn", code)) == 1


def test_progress_tells_the_days_used_and_left_of_item_and_stage(
    suite: Suite, people: People, materials: list[dict[str, str]]
) -> None:
    code = "2018-210281-47-03-009090"
    application_id = declared(people, code, materials)
    take(people, item(people, application_id, "S1-09", "RECEIVED"), ItemStep.ACCEPT)
    told = eventually(
        lambda: people.progress(application_id),
        lambda one: one["clock"] == "RUNNING" and any(row["clock"] == "RUNNING" for row in one["items"]),
    )
    row = next(one for one in told["items"] if one["item_code"] == "S1-09")
    assert (row["used_days"], row["remaining_days"], row["limit_days"]) == (0, 3, 3)
    assert (told["used_days"], told["remaining_days"], told["limit_days"]) == (0, 15, 15)
    assert row["due_at"] is not None and row["light"] in ("GREEN", "YELLOW") and told["calendar_version"]
    assert row["department_name"] != row["department"] and told["catalogue_version"] == "2018.1"


def test_a_refusal_comes_in_one_bundle_with_its_reason_and_the_remedies_and_keeps_the_next_stage_shut(
    suite: Suite, people: People, materials: list[dict[str, str]]
) -> None:
    code = "2018-210281-47-03-009100"
    application_id = declared(people, code, materials)
    for item_code in ("S1-03", "S1-09", "S1-10"):
        take(people, item(people, application_id, item_code, "RECEIVED"), *ROUTINE)
    take(people, item(people, application_id, "S1-05", "RECEIVED"), *ROUTINE, outcome=Outcome.REFUSED)
    told = eventually(lambda: people.progress(application_id), lambda one: one["state"] == "CONCLUDED")
    assert told["result"] == "PARTLY_REFUSED"
    notices = [one for one in people.notices() if one["project_code"] == code and one["kind"] == "STAGE_RESULT"]
    assert len(notices) == 1 and notices[0]["article"] == "第十五条"
    assert all(text in notices[0]["body"] for text in ("理由：依据如下", "行政复议", "行政诉讼"))
    next_stage = people.declare(code, Stage.ENGINEERING, people.materials(TYPE, Stage.ENGINEERING))
    assert code_of(next_stage) == (409, "STAGE_NOT_YET_OPEN", "第七条")
