"""Every deadline of a project can be asked for, day by day, now and as of then, as it is and as it would be."""

import csv
import io
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.terms import ItemStep, ProcessType, Stage
from local.builder import People, eventually
from local.suite import ROOT, Suite

CODE = "2018-210281-47-03-000888"
Clocks = list[dict[str, Any]]


@pytest.fixture(scope="module")
def clocks(suite: Suite) -> Clocks:
    """One item of a declaration is accepted by its officer; its clock and the stage's run."""
    people = People(suite)
    people.push(CODE, ProcessType.SOCIAL_SMALL).raise_for_status()
    declared = people.declare(CODE, Stage.LAND_USE, people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE))
    item = eventually(
        lambda: [
            one for one in people.progress(declared.json()["application_id"])["items"] if one["state"] == "RECEIVED"
        ],
        lambda items: len(items) > 0,
    )[0]
    officer = people.header("officer", jurisdiction=item["jurisdiction"], department=item["department"])
    url = f"{suite.url('department-worker')}/items/{item['item_id']}/steps"
    suite.http.post(url, json={"step": ItemStep.ACCEPT.value}, headers=officer).raise_for_status()
    return eventually(lambda: running(people), lambda found: len(found) == 2)


def running(people: People) -> Clocks:
    """The clocks of the stage and of its accepted item; none while supervision has not heard of the project yet."""
    told = people.supervise(f"/projects/{CODE}/clocks")
    return [one for one in told if one["subject"] != "ACCEPTANCE"] if isinstance(told, list) else []


def ask(suite: Suite, query: str, jurisdiction: str = "210200") -> Any:
    people = People(suite)
    headers = people.header("supervisor", jurisdiction=jurisdiction)
    return suite.http.get(f"{suite.url('supervision')}/projects/{CODE}/clocks?{query}", headers=headers)


def test_the_ledger_of_stage_and_item_adds_up_to_their_limits(clocks: Clocks) -> None:
    assert {clock["subject"] for clock in clocks} == {"STAGE", "ITEM"}
    for clock in clocks:
        assert clock["days"][-1]["used"] == clock["limit_days"]
        assert clock["days"][0]["why"].startswith("起算日不计") or not clock["days"][0]["counted"]
        assert clock["due"].startswith(clock["days"][-1]["date"])
        assert any(event["type"] in ("ItemAccepted", "StageAccepted") for event in clock["events"])


def test_the_dates_are_those_that_the_timer_said(suite: Suite, clocks: Clocks) -> None:
    people = People(suite)
    said = eventually(lambda: _started(people), lambda dues: len(dues) == len(clocks))
    assert said == {clock["subject"]: clock["due_at"] for clock in clocks}


def _started(people: People) -> dict[str, str]:
    timeline = people.supervise(f"/projects/{CODE}/timeline")
    started = [one["event"] for one in timeline if one["type"] == "ClockStarted"]
    return {event["subject"]: event["due_at"] for event in started if event["subject"] != "ACCEPTANCE"}


def test_before_its_start_there_was_no_clock(suite: Suite, clocks: Clocks) -> None:
    assert ask(suite, "at=2020-01-01T00:00:00Z").json() == []
    started = min(datetime.fromisoformat(clock["started_at"]) for clock in clocks)
    assert started > datetime(2020, 1, 1, tzinfo=UTC)


def test_what_if_moves_the_answer_and_nothing_else(suite: Suite, clocks: Clocks) -> None:
    item = next(clock for clock in clocks if clock["subject"] == "ITEM")
    of_item = f"subject=ITEM&about={item['about']}"
    longer = ask(suite, f"{of_item}&limit_days={item['limit_days'] + 3}").json()
    assert [one["about"] for one in longer] == [item["about"]]
    assert longer[0]["due_at"] > item["due_at"]
    due_day = item["days"][-1]["date"]
    shut = ask(suite, f"{of_item}&day_off={due_day}").json()[0]
    assert shut["due_at"] > item["due_at"] and shut["calendar_version"] != item["calendar_version"]
    assert ask(suite, f"{of_item}&due_day_ends=office_close").json()[0]["due"] == f"{due_day} 17:00"
    again = ask(suite, of_item).json()[0]
    assert again["due_at"] == item["due_at"]


def test_the_time_for_acceptance_has_a_clock_of_its_own(suite: Suite, clocks: Clocks) -> None:
    """行政许可法第三十二条: it runs where an item waits, and ended where one was accepted."""
    waiting = ask(suite, "subject=ACCEPTANCE").json()
    assert {clock["limit_days"] for clock in waiting} == {5}
    accepted = next(clock["about"] for clock in clocks if clock["subject"] == "ITEM")
    assert {clock["about"] for clock in waiting if clock["state"] != "RUNNING"} == {accepted}


def test_the_ledger_comes_as_csv_and_as_text_too(suite: Suite, clocks: Clocks) -> None:
    told = csv.DictReader(io.StringIO(ask(suite, "form=csv").text))
    rows = [row for row in told if row["subject"] != "ACCEPTANCE"]
    assert len(rows) == sum(len(clock["days"]) for clock in clocks)
    text = ask(suite, "form=text").text
    assert "到期" in text and "依据" in text and all(day["why"] in text for clock in clocks for day in clock["days"])


def test_questions_that_cannot_be_answered_are_refused_in_chinese(suite: Suite, clocks: Clocks) -> None:
    too_far = ask(suite, "limit_days=366")
    assert (too_far.status_code, too_far.json()["code"]) == (422, "CALENDAR_DOES_NOT_REACH")
    assert "第十三条" in too_far.json()["detail"]
    for query in ("limit_days=0", "at=0001-01-01T00:00:00%2B14:00", "form=xml", "guess=1"):
        assert ask(suite, query).status_code == 422, query
    assert ask(suite, "", jurisdiction="210283").status_code == 403


def test_the_command_prints_what_the_service_answers(suite: Suite, clocks: Clocks) -> None:
    token = suite.log_in("supervisor", jurisdiction="210200").token
    environment = {"PATH": "/usr/bin:/bin", "SUPERVISION_URL": suite.url("supervision"), "SUPERVISION_TOKEN": token}

    def explain(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local", "explain", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    told = explain(CODE)
    assert told.returncode == 0 and all(day["why"] in told.stdout for clock in clocks for day in clock["days"])
    item = next(clock for clock in clocks if clock["subject"] == "ITEM")
    due_day = item["days"][-1]["date"]
    supposed = explain(
        CODE, "--about", item["about"], "--subject", "ITEM", "--due-day-ends", "office_close", "--day-off", "2026-01-01"
    )
    assert f"{due_day} 17:00" in supposed.stdout
    unknown = explain("2018-210281-47-03-000889")
    assert (unknown.returncode, unknown.stdout) == (1, "") and "没有找到" in unknown.stderr
