"""The golden scenarios S1–S10 on the running suite, in compressed time: every date as counted by hand (Art. 13).

Business time only moves forward: an epoch a season, between two of them the six services are started anew with a later
clock, so each deadline also outlives its timer. Officers and the builder act over HTTP at the scripted instants; a day
on which somebody acts takes longer than one on which nobody does. What happened is judged from the events alone.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import pytest

from chassis.wallclock import WallClock, parsed
from contracts.terms import ItemStep, SpecialKind
from local.builder import FORM, People, eventually
from local.golden import (
    EXPIRIES,
    REAPPLY,
    S2_DUE_ON,
    S5_STAGE,
    S9B_STAGE,
    S10_DUE_ON,
    SCENARIOS,
    STAGE,
    TYPE,
    Act,
    Expiry,
    at,
)
from local.suite import Suite
from procedure.calendar import local_day, start_of_day

DAY: Final = timedelta(days=1)
QUIET_DAY_SECONDS: Final = 0.2
BUSY_DAY_SECONDS: Final = 2.0
"""Real seconds of a day on which nobody acts, and of one on which somebody does or an epoch opens."""
SLOWER: Final = (1.0, 3.0)
"""Where an act misses its day because the machine is too slow, everything is played once more, that much slower."""
TOKEN_SECONDS: Final = 10.0
"""So long before an act its token is taken; it lasts a minute."""
CALM_START_SECONDS: Final = 4.0
"""Six services are ready within it on a calm machine; on a busier one business time runs slower from the start."""
PATIENCE_SECONDS: Final = 30.0
S5_ASKED: Final = "2026-04-01T09:00:00Z"
DEPARTMENTS: Final = {"S1-03": "FGW", "S1-07": "HBJ", "S1-10": "WWJ"}
CODES: Final = {scenario: f"2018-210281-47-03-{number:06d}" for number, scenario in enumerate(SCENARIOS, 910)}
ASKED: Final = {ItemStep.SUPPLEMENT: "supplements", REAPPLY: "reapplications"}
"""What the builder asks intake for; everything else is a step of an officer."""


class Epoch(NamedTuple):
    """A stretch of business time: its scenarios, and when their silence has had its consequence."""

    opens: datetime
    scenarios: tuple[str, ...]
    closes: datetime

    @property
    def acts(self) -> list[tuple[str, Act]]:
        acts = [(scenario, act) for scenario in self.scenarios for act in SCENARIOS[scenario]]
        return sorted(acts, key=lambda one: one[1].at)

    def wallclock(self, real: datetime, pace: float) -> str:
        """Return the clock that opens the epoch at the instant `real`, its busy days slow and the others quick."""
        busy = {local_day(self.opens), *(local_day(act.at) for _, act in self.acts)}
        quiet = {day + DAY for day in busy} - busy
        slow, quick = (86400 / (pace * seconds) for seconds in (BUSY_DAY_SECONDS, QUIET_DAY_SECONDS))
        turns = [(start_of_day(day), slow if day in busy else quick) for day in sorted(busy | quiet)]
        later = "".join(f";{at.isoformat()},{factor}" for at, factor in turns if at > self.opens)
        return f"affine:{real.isoformat()},{self.opens.isoformat()},{slow}{later}"


EPOCHS: Final = (
    Epoch(at(2018, 12, 27), ("S9a",), at(2019, 1, 8, 1)),
    Epoch(at(2019, 1, 31), ("S9c",), at(2019, 2, 21, 1)),
    Epoch(at(2019, 4, 25), ("S9b",), at(2019, 5, 7, 1)),
    Epoch(at(2026, 2, 11), ("S6", "S1", "S2-S5"), at(2026, 4, 11, 1)),
    Epoch(at(2026, 9, 17), ("S8", "S7"), at(2026, 10, 14, 1)),
    Epoch(at(2026, 12, 30), ("S10",), at(2027, 1, 6)),
)


class Said(NamedTuple):
    """One event of a project's story."""

    kind: str
    event: dict[str, Any]

    def instant(self, name: str) -> datetime:
        return datetime.fromisoformat(self.event[name])


Asked = tuple[str, Callable[[], dict[str, str]], dict[str, Any]]
"""Where something is asked for, by whom (its token lasts a minute, and its day may be later), and what."""


class Slipped(Exception):
    """An act reached the platform on another day than scripted: this machine is too slow for the pace."""


class Players:
    """Plays the epochs on a suite; `pace` stretches every day."""

    def __init__(self, suite: Suite, pace: float) -> None:
        self.suite = suite
        self.people = People(suite)
        self._pace = pace
        self._clock: WallClock = parsed("")
        self._applications: dict[str, str] = {}

    def play(self, epoch: Epoch) -> None:
        self._open(epoch)
        for scenario in epoch.scenarios:
            self._declare(scenario)
        for scenario, act in epoch.acts:
            self._do(scenario, act)
        self._wait_until(epoch.closes)
        for expiry in EXPIRIES:
            if expiry.scenario in epoch.scenarios:
                self._settle(expiry)

    def _wait_until(self, at: datetime, before: float = 0.0) -> None:
        """Sleep until the business instant `at`, or until so many real seconds before it."""
        time.sleep(max(self._clock.seconds_until(at) - before, 0))

    def _open(self, epoch: Epoch) -> None:
        """Start the services under a clock that opens the epoch when they will be ready."""
        lead = self.suite.seconds.get("services", 5.0) * 1.4 + 1.2
        wallclock = epoch.wallclock(datetime.now(UTC) + timedelta(seconds=lead), self._pace)
        self._clock = parsed(wallclock)
        self.suite.restart_services({"WALLCLOCK": wallclock})

    def _declare(self, scenario: str) -> None:
        people, code = self.people, CODES[scenario]
        people.push(code, TYPE).raise_for_status()
        answer = people.declare(code, STAGE, people.materials(TYPE, STAGE))
        answer.raise_for_status()
        self._applications[scenario] = answer.json()["application_id"]

    def _do(self, scenario: str, act: Act) -> None:
        url, who, body = self._asked(scenario, act) if act.what in ASKED else self._taken(scenario, act)
        self._wait_until(act.at, TOKEN_SECONDS)
        headers = who()
        self._wait_until(act.at)
        answer = self.people.http.post(url, json=body, headers=headers)
        if local_day(self._clock.now()) != local_day(act.at):
            raise Slipped(f"{scenario} {act} came at {self._clock.now():%Y-%m-%d %H:%M}Z")
        answer.raise_for_status()

    def _taken(self, scenario: str, act: Act) -> Asked:
        """A step of an officer; one that accepts waits until the item stands on the desk."""
        wanted = "RECEIVED" if act.what is ItemStep.ACCEPT else ""
        item = eventually(
            lambda: self._item(scenario, act.item), lambda item: wanted in item.get("state", "-"), PATIENCE_SECONDS
        )
        who = partial(self.people.header, "officer", jurisdiction="210281", department=DEPARTMENTS[act.item])
        body: dict[str, Any] = {"step": act.what, "opinion": "文物勘探范围图不全"}
        if act.what is ItemStep.START_SPECIAL:
            body["special"] = {"kind": SpecialKind.EXPERT_REVIEW.value, "reason": "组织文物勘探专家评审"}
        return f"{self.suite.url('department-worker')}/items/{item['item_id']}/steps", who, body

    def _asked(self, scenario: str, act: Act) -> Asked:
        """What the builder hands in: a supplement, or the item once more."""
        path = f"applications/{self._applications[scenario]}/items/{act.item}/{ASKED[act.what]}"
        supplement = {"materials": [], "explanation": "已补充文物勘探范围图"}
        body = {"form": FORM, "truthful": True} if act.what == REAPPLY else supplement
        return f"{self.suite.url('intake')}/{path}", self.people.builder, body

    def _item(self, scenario: str, code: str) -> dict[str, Any]:
        told = self.people.progress(self._applications[scenario])
        return next((one for one in told.get("items", []) if one["item_code"] == code), {})

    def story(self, scenario: str) -> list[Said]:
        told = self.people.supervise(f"/projects/{CODES[scenario]}/timeline")
        return [Said(one["type"], one["event"]) for one in told]

    def _settle(self, expiry: Expiry) -> None:
        """Wait until silence has had its consequence; no later epoch begins before."""
        eventually(
            lambda: of_item(self.story(expiry.scenario), "ItemRecalled", expiry.item, expiry.attempt),
            lambda recalled: len(recalled) > 0,
            PATIENCE_SECONDS,
        )


@pytest.fixture(scope="module")
def players(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Players]:
    """Everything has been played; a suite of their own stays up to be asked."""
    for number, slower in enumerate(SLOWER):
        folder = tmp_path_factory.mktemp(f"golden-{number}")
        for path in (folder, *folder.parents[:3]):
            if path.stat().st_uid == os.getuid():
                path.chmod(path.stat().st_mode | 0o011)
        with Suite(folder) as suite:
            playing = Players(suite, slower * max(1.0, suite.seconds["services"] / CALM_START_SECONDS))
            try:
                for epoch in EPOCHS:
                    playing.play(epoch)
            except Slipped as slipped:
                print(f"slower by {slower}: {slipped}")
                continue
            yield playing
            return
    pytest.fail("this machine kept none of the paces")


@pytest.fixture(scope="module")
def stories(players: Players) -> dict[str, list[Said]]:
    return {scenario: players.story(scenario) for scenario in CODES}


def of_item(story: Iterable[Said], kind: str, item: str, attempt: int = 1) -> list[Said]:
    """The events of a kind about one attempt of an item, by the id that its acceptance has."""
    said = list(story)
    ids = {
        one.event["item_id"]
        for one in said
        if one.kind == "ItemAccepted" and (one.event["item_code"], one.event["attempt"]) == (item, attempt)
    }
    return [one for one in said if one.kind == kind and one.event.get("item_id") in ids]


def of_stage(story: Iterable[Said], kind: str) -> list[Said]:
    return [one for one in story if one.kind == kind and one.event.get("subject") == "STAGE"]


def the_only(said: list[Said]) -> Said:
    assert len(said) == 1, said
    return said[0]


def name_of(expiry: Expiry) -> str:
    return f"{expiry.scenario} {expiry.item}"


@pytest.mark.parametrize("expiry", EXPIRIES, ids=name_of)
def test_the_due_day_is_told_at_acceptance(stories: dict[str, list[Said]], expiry: Expiry) -> None:
    """S1, S4, S6, S7, S8, S9: over Spring Festival, National Day, make-up days."""
    started = the_only(of_item(stories[expiry.scenario], "ClockStarted", expiry.item, expiry.attempt))
    due_on = expiry.first_due_on
    told = (started.event["due_on"], started.instant("due_at"), started.event["provisional"])
    assert told == (due_on.isoformat(), start_of_day(due_on + DAY), False)


@pytest.mark.parametrize("expiry", EXPIRIES, ids=name_of)
def test_silence_expires_once_at_the_midnight_after_the_due_day_and_never_before(
    stories: dict[str, list[Said]], expiry: Expiry
) -> None:
    due_at, story = start_of_day(expiry.due_on + DAY), stories[expiry.scenario]
    for kind in ("ItemOverdue", "ItemAutoRecall", "ItemRecalled"):
        assert the_only(of_item(story, kind, expiry.item, expiry.attempt)).instant("due_at") == due_at
    assert the_only(of_item(story, "ItemOverdue", expiry.item, expiry.attempt)).instant("detected_at") >= due_at
    assert the_only(of_item(story, "ItemRecalled", expiry.item, expiry.attempt)).instant("at") >= due_at


def test_s2_a_correction_pauses_with_one_day_used_and_moves_the_due_day(stories: dict[str, list[Said]]) -> None:
    paused = the_only(of_item(stories["S2-S5"], "ClockPaused", "S1-10"))
    assert (paused.event["used_days"], paused.event["reason"]) == (1, "CORRECTION")
    resumed = the_only(of_item(stories["S2-S5"], "ClockResumed", "S1-10"))
    assert (resumed.event["used_days"], resumed.event["due_on"]) == (1, S2_DUE_ON.isoformat())


def test_s3_a_return_ends_the_attempt_for_good_and_pauses_the_stage(stories: dict[str, list[Said]]) -> None:
    stopped = the_only(of_item(stories["S2-S5"], "ClockStopped", "S1-10"))
    assert (stopped.event["used_days"], stopped.event["end"]) == (2, "RETURNED")
    for kind in ("ItemOverdue", "ItemAutoRecall", "ItemRecalled"):
        assert of_item(stories["S2-S5"], kind, "S1-10") == []
    reasons = [(one.event["reason"], one.event["used_days"]) for one in of_stage(stories["S2-S5"], "ClockPaused")]
    assert reasons == [("CORRECTION", 1), ("RETURNED", 2)]


def test_s4_the_next_attempt_has_the_full_limit(stories: dict[str, list[Said]]) -> None:
    started = the_only(of_item(stories["S2-S5"], "ClockStarted", "S1-10", 2))
    assert (started.event["limit_days"], started.event["due_on"]) == (5, "2026-03-24")


def test_s5_the_stage_resumes_with_the_resubmission_and_goes_overdue_once(stories: dict[str, list[Said]]) -> None:
    story = stories["S2-S5"]
    assert the_only(of_stage(story, "ClockStarted")).event["due_on"] == S5_STAGE["original"].isoformat()
    resumed = of_stage(story, "ClockResumed")
    assert [(one.event["used_days"], one.event["due_on"]) for one in resumed][-1] == (2, S5_STAGE["ANY"].isoformat())
    assert local_day(resumed[-1].instant("at")) == date(2026, 3, 16)
    overdue = the_only([one for one in story if one.kind == "StageOverdue"])
    assert overdue.instant("due_at") == start_of_day(S5_STAGE["ANY"] + DAY) <= overdue.instant("detected_at")


def test_s5_while_another_item_ran_all_open_stops_the_stage_for_the_return_alone(players: Players) -> None:
    """The other reading of P1, asked of the running suite: S1-07 ran through the correction."""
    dues: dict[str, str] = {}
    for policy in ("ANY", "ALL_OPEN"):
        clocks = players.people.supervise(
            f"/projects/{CODES['S2-S5']}/clocks?stage_pause_policy={policy}&at={S5_ASKED}"
        )
        dues[policy] = next(one["due"] for one in clocks if one["subject"] == "STAGE")
    assert dues == {policy: f"{S5_STAGE[policy]} 24:00" for policy in ("ANY", "ALL_OPEN")}


def test_s8_a_special_procedure_pauses_after_the_make_up_sunday_counted(stories: dict[str, list[Said]]) -> None:
    paused = the_only(of_item(stories["S8"], "ClockPaused", "S1-10"))
    assert (paused.event["used_days"], paused.event["reason"]) == (3, "SPECIAL")
    resumed = the_only(of_item(stories["S8"], "ClockResumed", "S1-10"))
    assert (resumed.event["used_days"], resumed.event["due_on"]) == (3, "2026-10-12")


def test_s10_a_provisional_deadline_is_told_and_nothing_expires_on_it(stories: dict[str, list[Said]]) -> None:
    started = the_only(of_item(stories["S10"], "ClockStarted", "S1-03"))
    assert (started.event["due_on"], started.event["provisional"]) == (S10_DUE_ON.isoformat(), True)
    assert {one.kind for one in stories["S10"]}.isdisjoint({"ItemOverdue", "ItemAutoRecall", "ItemRecalled"})


def test_a_deadline_that_passed_while_no_timer_ran_is_told_once_with_its_true_instant(
    stories: dict[str, list[Said]],
) -> None:
    """P17: the stage of S9b, 20 working days from 2019-04-26, ran out between two epochs."""
    overdue = the_only([one for one in stories["S9b"] if one.kind == "StageOverdue"])
    assert overdue.instant("due_at") == start_of_day(S9B_STAGE + DAY)
    assert overdue.instant("detected_at") > at(2026, 1, 1)
