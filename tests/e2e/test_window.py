"""The window and the officers' desks, over HTTP alone: 收件 — 受理 — 审核 — 批准 — 办结 — 发件 (Art. 10)."""

from typing import Any, Final

import httpx
import pytest

from contracts.envelope import derived_id
from contracts.terms import ItemStep, Outcome, ProcessType, Stage, Submission
from local.builder import People, eventually
from local.suite import Suite

CODE: Final = "2018-210281-47-03-000410"
APPLICATION: Final = str(derived_id("application", CODE, 1))
ITEM: Final = "S1-09"
BESIDE: Final = ("ItemActRefused", "MaterialsRecorded")
"""What is said of an item beside its steps."""
BY_HAND: Final = (ItemStep.ACCEPT, ItemStep.REVIEW, ItemStep.APPROVE)


@pytest.fixture(scope="module")
def people(suite: Suite) -> People:
    people = People(suite)
    people.push(CODE, ProcessType.SOCIAL_SMALL).raise_for_status()
    materials = people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)
    people.declare(CODE, Stage.LAND_USE, materials, submission=Submission.WINDOW.value).raise_for_status()
    eventually(lambda: people.progress(APPLICATION), lambda told: bool(told["items"]))
    return people


def item(people: People) -> dict[str, Any]:
    return next(one for one in people.progress(APPLICATION)["items"] if one["item_code"] == ITEM)


def act(people: People, step: ItemStep, **more: Any) -> httpx.Response:
    held = item(people)
    officer = people.header("officer", jurisdiction=held["jurisdiction"], department=held["department"])
    return people.step(held["item_id"], {"step": step.value, **more}, officer)


def at_window(people: People, path: str, body: dict[str, str] | None = None) -> httpx.Response:
    headers = people.header("window", jurisdiction="210281")
    return people.http.post(
        f"{people.suite.url('intake')}/applications/{APPLICATION}{path}", json=body, headers=headers
    )


def test_the_originals_go_from_the_window_over_the_desk_back_to_the_window(people: People) -> None:
    too_early = eventually(lambda: act(people, ItemStep.ACCEPT), lambda answer: answer.status_code != 404)
    assert (too_early.status_code, too_early.json()["code"]) == (409, "ITEM_NOT_RECEIVED_YET")
    assert too_early.json()["article"] == "第十条"
    at_window(people, "/receipt").raise_for_status()
    eventually(lambda: item(people), lambda held: held["state"] == "RECEIVED")

    nothing = at_window(people, f"/items/{ITEM}/issues", {"recipient": "王工"})
    assert (nothing.status_code, nothing.json()["code"]) == (409, "ITEM_NOT_GRANTED")
    for step in BY_HAND:
        act(people, step).raise_for_status()
    skipped = act(people, ItemStep.ACCEPT)
    assert (skipped.status_code, skipped.json()["code"]) == (409, "STEP_OUT_OF_ORDER")
    act(people, ItemStep.CONCLUDE, outcome=Outcome.GRANTED.value, opinion="无意见").raise_for_status()
    eventually(lambda: item(people), lambda held: held["state"] == "CONCLUDED")
    at_window(people, f"/items/{ITEM}/issues", {"recipient": "王工"}).raise_for_status()

    story = eventually(
        lambda: people.supervise(f"/projects/{CODE}/timeline"),
        lambda told: any(one["type"] == "ResultIssued" for one in told),
    )
    steps = [one for one in story if one["event"].get("item_code") == ITEM and one["topic"].endswith("items.v1")]
    kinds = [one["type"] for one in steps if one["type"] not in BESIDE]
    assert kinds == ["ItemReceived", "ItemAccepted", "ItemReviewed", "ItemApproved", "ItemDecided", "ItemConcluded"]
    issued = next(one["event"] for one in story if one["type"] == "ResultIssued")
    assert (issued["recipient"], issued["item_code"]) == ("王工", ITEM)


def test_an_item_that_is_withdrawn_before_it_is_handled_needs_no_window(people: People) -> None:
    url = f"{people.suite.url('intake')}/applications/{APPLICATION}/items/S1-10/withdrawals"
    people.http.post(url, json={"reason": "暂不办理"}, headers=people.builder()).raise_for_status()

    def state() -> str:
        return next(one["state"] for one in people.progress(APPLICATION)["items"] if one["item_code"] == "S1-10")

    eventually(state, lambda held: held == "WITHDRAWN")
    again = people.http.post(url, json={"reason": "暂不办理"}, headers=people.builder())
    assert again.status_code == 409
