"""Leads and supervisors over the real wire: press, inspect, settle, decide; signs and the national exchange follow; a
read model built anew from the topics is the same, byte for byte."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from contracts.envelope import derived_id
from contracts.terms import ItemStep, ProcessType, Stage
from local import judge
from local.builder import People, eventually
from local.processes import PROCESSES
from local.suite import Child, Suite

CODE = "2018-210281-47-03-000940"
APPLICATION = str(derived_id("application", CODE, 1))
ITEM, DEPARTMENT = "S1-09", "RFB"
LEAD = {"jurisdiction": "210281", "department": "GHJ"}
OFFICER = {"jurisdiction": "210281", "department": DEPARTMENT}
LATER = "2199-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def people(suite: Suite) -> People:
    return People(suite)


@pytest.fixture(scope="module")
def items(suite: Suite, people: People) -> dict[str, dict[str, Any]]:
    """The items of a declaration, all received, as supervision shows them."""
    people.push(CODE, ProcessType.SOCIAL_SMALL).raise_for_status()
    materials = people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)
    people.declare(CODE, Stage.LAND_USE, materials).raise_for_status()
    return eventually(lambda: on_board(people), lambda found: {ITEM, "S1-10"} <= set(found))


def on_board(people: People) -> dict[str, dict[str, Any]]:
    """The items of the project on the lead's board that were received."""
    board = ask(people, "GET", "/stages/1/board?most=1000", "lead", **LEAD).json()
    items = [item for row in board["departments"] for item in row["items"]]
    return {item["item_code"]: item for item in items if item["project_code"] == CODE and item["state"] == "RECEIVED"}


def ask(
    people: People, method: str, path: str, role: str, body: Any = None, key: str | None = None, **claims: str
) -> httpx.Response:
    url = f"{people.suite.url('supervision')}{path}"
    return people.http.request(method, url, json=body, headers=people.header(role, key, **claims))


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def told(people: People, kind: str) -> list[dict[str, Any]]:
    """The events of one type in the project's story."""
    return [one["event"] for one in people.supervise(f"/projects/{CODE}/timeline") if one["type"] == kind]


def test_an_urge_is_delivered_received_and_answered_in_this_order(
    people: People, items: dict[str, dict[str, Any]]
) -> None:
    path = f"/items/{items[ITEM]['item_id']}/urges"
    body = {"level": "h", "message": "时限将至，请抓紧"}
    foreign = ask(people, "POST", path, "lead", body, jurisdiction="210281", department="JW")
    assert refused(foreign) == (403, "NOT_YOUR_STAGE")
    urged = ask(people, "POST", path, "lead", body, key="urge-of-the-lead", **LEAD)
    again = ask(people, "POST", path, "lead", body, key="urge-of-the-lead", **LEAD)
    assert (urged.status_code, again.json()) == (202, urged.json())
    urge = f"/urges/{urged.json()['urge_id']}"
    early = ask(people, "POST", f"{urge}/answer", "officer", {"text": "今日办结"}, **OFFICER)
    assert refused(early) == (409, "URGE_NOT_RECEIVED_YET")
    stranger = ask(people, "POST", f"{urge}/receipt", "officer", jurisdiction="210281", department="WWJ")
    assert stranger.status_code == 403
    assert ask(people, "POST", f"{urge}/receipt", "officer", **OFFICER).status_code == 202
    assert refused(ask(people, "POST", f"{urge}/receipt", "officer", **OFFICER)) == (409, "URGE_ALREADY_RECEIVED")
    assert ask(people, "POST", f"{urge}/answer", "officer", {"text": "今日办结"}, **OFFICER).status_code == 202
    own = ask(people, "GET", "/urges", "officer", **OFFICER).json()
    case = next(one for one in own if one["case_id"] == urged.json()["urge_id"])
    assert case["state"] == "ANSWERED" and case["age_hours"] >= 0
    assert [act["what"] for act in case["acts"]] == ["Urged", "UrgeReceived", "UrgeAnswered"]
    for kind in ("Urged", "UrgeReceived", "UrgeAnswered"):
        assert len(eventually(lambda kind=kind: told(people, kind), lambda found: len(found) > 0)) == 1, kind


def test_an_inspection_goes_from_open_to_closed_with_its_deadline(
    people: People, items: dict[str, dict[str, Any]]
) -> None:
    path, body = f"/items/{items[ITEM]['item_id']}/inspections", {"finding": "久拖不办", "rectify_by": LATER}
    past = ask(people, "POST", path, "lead", {**body, "rectify_by": "2020-01-01T00:00:00Z"}, **LEAD)
    assert refused(past) == (422, "DEADLINE_IN_THE_PAST")
    opened = ask(people, "POST", path, "supervisor", body, jurisdiction="210281")
    inspection = f"/inspections/{opened.json()['inspection_id']}"
    closing = ask(people, "POST", f"{inspection}/closure", "lead", {"text": "到位"}, **LEAD)
    assert refused(closing) == (409, "NOT_RECTIFIED_YET")
    assert refused(ask(people, "POST", f"{inspection}/rectification", "officer", {"text": " "}, **OFFICER)) == (
        422,
        "WORDS_MISSING",
    )
    for act, role, claims in (("rectification", "officer", OFFICER), ("closure", "lead", LEAD)):
        assert ask(people, "POST", f"{inspection}/{act}", role, {"text": "已整改"}, **claims).status_code == 202
    listed = ask(people, "GET", "/inspections?state=CLOSED", "lead", **LEAD).json()
    case = next(one for one in listed if one["case_id"] == opened.json()["inspection_id"])
    assert (case["due_at"][:4], case["overdue"], len(case["acts"])) == ("2199", False, 3)


def test_a_coordination_request_is_the_leads_task_until_it_is_resolved(
    people: People, items: dict[str, dict[str, Any]]
) -> None:
    path = f"/applications/{APPLICATION}/coordination-requests"
    stranger = ask(people, "POST", path, "officer", {"matter": "会商"}, jurisdiction="210281", department="DAG")
    assert refused(stranger) == (403, "NOT_YOUR_JURISDICTION")
    asked = ask(people, "POST", path, "officer", {"matter": "与文物部门意见不一", "item_code": ITEM}, **OFFICER)
    request_id = asked.json()["request_id"]

    def waiting() -> list[str]:
        tasks = ask(people, "GET", "/stages/1/tasks", "lead", **LEAD).json()
        return [case["case_id"] for case in tasks["coordination_requests"]]

    assert request_id in waiting()
    request = f"/coordination-requests/{request_id}"
    early = ask(people, "POST", f"{request}/resolution", "lead", {"text": "会商一致"}, **LEAD)
    assert refused(early) == (409, "NOT_ASSIGNED_YET")
    assigned = {"assigned_to": "李处长", "resolve_by": LATER}
    assert ask(people, "POST", f"{request}/assignment", "lead", assigned, **LEAD).status_code == 202
    assert ask(people, "POST", f"{request}/resolution", "lead", {"text": "会商一致"}, **LEAD).status_code == 202
    assert request_id not in waiting()


def test_a_special_handling_is_said_with_its_evidence_and_stands_in_the_one_list(
    people: People, items: dict[str, dict[str, Any]]
) -> None:
    path = f"/projects/{CODE}/special-handlings"
    body = {"effect": "SKIP_STAGE_ORDER", "stage": 2, "reason": "应急工程", "evidence": "9f" * 32}
    bare = ask(people, "POST", path, "lead", body, **LEAD)
    assert (*refused(bare), bare.json()["article"]) == (400, "REASON_MISSING", "第十七条")
    filed = ask(people, "POST", path, "lead", {**body, "evidence_name": "会议纪要.pdf"}, **LEAD)
    assert filed.status_code == 202, filed.text
    (event,) = eventually(lambda: told(people, "SpecialHandlingGranted"), lambda found: len(found) > 0)
    assert event["handling_id"] == filed.json()["handling_id"]
    assert event["application_id"] == str(derived_id("application", CODE, 2))
    assert (event["department"], event["jurisdiction"]) == (LEAD["department"], LEAD["jurisdiction"])
    listed = people.supervise("/special-handlings", "210281")
    mine = next(one for one in listed if one["handling_id"] == event["handling_id"])
    assert (mine["came"], mine["evidence_name"], mine["holder"]) == ("FILED", "会议纪要.pdf", "GHJ牵头人")


@pytest.fixture(scope="module")
def concluded(suite: Suite, people: People, items: dict[str, dict[str, Any]]) -> str:
    """An officer takes an item from acceptance to its sealed decision in seconds, looking at nothing."""
    item_id = items["S1-10"]["item_id"]
    for step in (ItemStep.ACCEPT, ItemStep.REVIEW, ItemStep.APPROVE, ItemStep.CONCLUDE):
        body = {
            "step": step.value,
            **({"outcome": "GRANTED", "opinion": "无意见"} if step is ItemStep.CONCLUDE else {}),
        }
        headers = people.header("officer", jurisdiction="210281", department="WWJ")
        people.step(item_id, body, headers).raise_for_status()
    eventually(lambda: told(people, "ItemConcluded"), lambda found: len(found) == 1)
    return item_id


def test_signs_of_handling_off_the_platform_are_raised_once_with_their_evidence(people: People, concluded: str) -> None:
    def raised() -> dict[str, dict[str, Any]]:
        return {one["signal"]: one for one in people.supervise("/signals", "210281") if one["item_id"] == concluded}

    signs = eventually(raised, lambda found: {"CONCLUDED_IN_MINUTES", "MATERIAL_NOT_VIEWED"} <= set(found))
    accepted, conclusion = told(people, "ItemAccepted"), told(people, "ItemConcluded")
    assert signs["CONCLUDED_IN_MINUTES"]["evidence"] == [accepted[0]["event_id"], conclusion[0]["event_id"]]
    said = eventually(lambda: told(people, "SignalRaised"), lambda found: len(found) >= 2)
    assert len({one["event_id"] for one in said}) == len(said)


def exchanged(people: People, url: str) -> list[dict[str, Any]]:
    """Everything that goes upwards, page by page."""
    rows: list[dict[str, Any]] = []
    after = 0
    headers = people.header("supervisor", jurisdiction="210200")
    while True:
        page = people.http.get(f"{url}/exchange/rows?after={after}&most=50", headers=headers).json()
        if page["next"] == after:
            return rows
        rows += page["rows"]
        after = page["next"]


def test_every_act_goes_upwards_in_the_standards_words_and_order(people: People, concluded: str) -> None:
    def of_item() -> list[dict[str, Any]]:
        rows = exchanged(people, people.suite.url("supervision"))
        own = concluded.replace("-", "")
        return [row for row in rows if row["row"].get("SPSXSLBM") == own]

    rows = eventually(of_item, lambda found: any(row["row"].get("BLZT") == 11 for row in found))
    assert rows[0]["table"] == "SPGL_XMSPSXBLXXB" and rows[0]["row"]["XZQHDM"] == "210281"
    assert [row["row"]["BLZT"] for row in rows if row["table"] == "SPGL_XMSPSXBLXXXXB"] == [1, 3, 8, 11]
    assert rows[-1]["table"] == "SPGL_XMSPSXZQYJXXB" and rows[-1]["row"]["FKYJ"] == "无意见"


@pytest.fixture
def rebuilt(suite: Suite, concluded: str) -> Iterator[Child]:
    """A second supervision beside the live one, built from the topics alone."""
    process = next(one for one in PROCESSES if one.name == "supervision")
    child = suite.beside(replace(process, name="supervision-rebuilt"))
    child.wait_ready()
    yield child
    child.stop()
    del suite.children["supervision-rebuilt"], suite.ports["supervision-rebuilt"]


def test_a_read_model_built_anew_is_the_same_and_sends_the_same_bytes_up(people: People, rebuilt: Child) -> None:
    headers = people.header("supervisor", jurisdiction="210200")

    def fingerprints() -> list[Any]:
        urls = (people.suite.url("supervision"), rebuilt.url)
        return [people.http.get(f"{url}/read-model/fingerprint", headers=headers).json() for url in urls]

    live, anew = eventually(fingerprints, lambda found: found[0] == found[1], 60)
    assert live == anew and live["exchanged"] > 200
    ours, theirs = (exchanged(people, url) for url in (people.suite.url("supervision"), rebuilt.url))
    in_turn = [sorted(rows, key=lambda row: (row["table"], row["row"]["LSH"])) for rows in (ours, theirs)]
    assert in_turn[0] == in_turn[1]


def test_the_rules_are_listed_for_supervision(people: People, items: dict[str, dict[str, Any]]) -> None:
    assert ask(people, "GET", "/rules", "supervisor", jurisdiction="210200").status_code == 200
    assert refused(ask(people, "GET", "/rules", "lead", **LEAD)) == (403, "NOT_YOUR_ROLE")


COUNTED = {"ItemAccepted": "accepted", "ItemConcluded": "concluded", "ItemRecalled": "recalled"}


def test_indicators_equal_a_recount_from_the_raw_topics(suite: Suite, people: People, concluded: str) -> None:
    def recounted() -> dict[str, Counter[str]]:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for one in judge.first_of_each(judge.read_topics(suite)):
            if one["type"] in COUNTED:
                counts[one["event"]["department"]][COUNTED[one["type"]]] += 1
            if one["type"] == "CorrectionRequested" and not one["event"]["before_acceptance"]:
                counts[one["event"]["department"]]["corrections"] += 1
        return {code: counts[code] for code in counts if counts[code]["accepted"]}

    def shown() -> dict[str, Counter[str]]:
        names = (*COUNTED.values(), "corrections")
        rows = people.supervise("/indicators")
        return {row["department"]: Counter({name: row[name] for name in names if row[name]}) for row in rows}

    found, raw = eventually(lambda: (shown(), recounted()), lambda both: both[0] == both[1])
    assert found == raw and sum(one["concluded"] for one in raw.values()) >= 1
