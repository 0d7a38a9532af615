"""The golden scenarios S1–S10 on the running suite, in compressed time: every date as counted by hand (Art. 13).

Business time only moves forward: an epoch a season, between two of them the six services are started anew with a later
clock, so each deadline also outlives its timer. Officers and the builder act over HTTP at the scripted instants; what
happened is judged from the events alone.
"""

import os
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final, NamedTuple

import pytest

from chassis.wallclock import WallClock, parsed
from contracts.terms import ItemStep, ProcessType, SpecialKind, Stage
from local.builder import FORM, People, eventually
from local.suite import Suite
from procedure.calendar import local_day, start_of_day

BEIJING: Final = timezone(timedelta(hours=8))
DAY: Final = timedelta(days=1)
SLOWER: Final = (1.0, 2.0)
"""Where an act misses its day because the machine is too slow, everything is played once more, half as fast."""
CALM_START_SECONDS: Final = 4.0
"""Six services are ready within it on a calm machine; on a busier one business time runs slower from the start."""
PATIENCE_SECONDS: Final = 30.0
S5_ASKED: Final = "2026-04-01T09:00:00Z"
STEP: Final = ItemStep


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BEIJING)  # type: ignore[arg-type]


class Act(NamedTuple):
    """Somebody does something about an item of a scenario's project at a business instant."""

    at: datetime
    scenario: str
    item: str
    what: ItemStep | str


class Epoch(NamedTuple):
    """A stretch of business time, `day_seconds` real seconds a day; the `acts` in it, and when all has expired."""

    opens: datetime
    day_seconds: float
    acts: tuple[Act, ...]
    closes: datetime

    @property
    def scenarios(self) -> list[str]:
        return list(dict.fromkeys(act.scenario for act in self.acts))

    @property
    def silent(self) -> set[tuple[str, str]]:
        """The items whose department never decides; a provisional deadline (S10) has no consequence (P24)."""
        return {(act.scenario, act.item) for act in self.acts if act.scenario != "S10"}


def accepted(scenario: str, item: str, *when: int) -> Act:
    return Act(at(*when), scenario, item, STEP.ACCEPT)


EPOCHS: Final = (
    Epoch(at(2018, 12, 27), 0.3, (accepted("S9a", "S1-10", 2018, 12, 28, 9),), at(2019, 1, 8, 1)),
    Epoch(at(2019, 1, 31), 0.3, (accepted("S9c", "S1-07", 2019, 2, 1, 9),), at(2019, 2, 21, 1)),
    Epoch(at(2019, 4, 25), 0.3, (accepted("S9b", "S1-10", 2019, 4, 26, 9),), at(2019, 5, 7, 1)),
    Epoch(
        at(2026, 2, 11),
        0.5,
        (
            accepted("S6", "S1-10", 2026, 2, 12, 9),
            accepted("S1", "S1-10", 2026, 3, 2, 9),
            accepted("S5", "S1-10", 2026, 3, 2, 9),
            accepted("S5", "S1-07", 2026, 3, 2, 9),
            Act(at(2026, 3, 4, 10), "S5", "S1-10", STEP.START_CORRECTION),
            Act(at(2026, 3, 9, 15), "S5", "S1-10", "supplements"),
            Act(at(2026, 3, 11, 9), "S5", "S1-10", STEP.RETURN),
            Act(at(2026, 3, 16, 9), "S5", "S1-10", "reapplications"),
            accepted("S5", "S1-10", 2026, 3, 17, 9),
        ),
        at(2026, 4, 11, 1),
    ),
    Epoch(
        at(2026, 9, 17),
        0.5,
        (
            accepted("S8", "S1-10", 2026, 9, 18, 9),
            Act(at(2026, 9, 23, 9), "S8", "S1-10", STEP.START_SPECIAL),
            accepted("S7", "S1-10", 2026, 9, 30, 9),
            Act(at(2026, 10, 9, 9), "S8", "S1-10", STEP.END_SPECIAL),
        ),
        at(2026, 10, 14, 1),
    ),
    Epoch(at(2026, 12, 30), 0.5, (accepted("S10", "S1-03", 2026, 12, 31, 9),), at(2027, 1, 6)),
)
DEPARTMENTS: Final = {"S1-03": "FGW", "S1-07": "HBJ", "S1-10": "WWJ"}
CODES: Final = {
    scenario: f"2018-210281-47-03-{number:06d}"
    for number, scenario in enumerate((name for epoch in EPOCHS for name in epoch.scenarios), 910)
}


class Said(NamedTuple):
    """One event of a project's story."""

    kind: str
    event: dict[str, Any]

    def instant(self, name: str) -> datetime:
        return datetime.fromisoformat(self.event[name])


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
        for act in epoch.acts:
            self._do(act)
        time.sleep(max(self._clock.seconds_until(epoch.closes), 0))
        for scenario, item in epoch.silent:
            self._settle(scenario, item)

    def _open(self, epoch: Epoch) -> None:
        """Start the services under a clock that opens the epoch when they will be ready."""
        lead = self.suite.seconds.get("services", 5.0) * 1.4 + 1.2
        real, factor = datetime.now(UTC) + timedelta(seconds=lead), 86400 / (epoch.day_seconds * self._pace)
        wallclock = f"affine:{real.isoformat()},{epoch.opens.isoformat()},{factor}"
        self._clock = parsed(wallclock)
        self.suite.restart_services({"WALLCLOCK": wallclock})

    def _declare(self, scenario: str) -> None:
        people, code = self.people, CODES[scenario]
        people.push(code, ProcessType.SOCIAL_GENERAL).raise_for_status()
        materials = people.materials(ProcessType.SOCIAL_GENERAL, Stage.LAND_USE)
        answer = people.declare(code, Stage.LAND_USE, materials)
        answer.raise_for_status()
        self._applications[scenario] = answer.json()["application_id"]

    def _do(self, act: Act) -> None:
        url, who, body = self._taken(act) if isinstance(act.what, ItemStep) else self._asked(act)
        time.sleep(max(self._clock.seconds_until(act.at), 0))
        answer = self.people.http.post(url, json=body, headers=who)
        if local_day(self._clock.now()) != local_day(act.at):
            raise Slipped(f"{act} came at {self._clock.now():%Y-%m-%d %H:%M}Z")
        answer.raise_for_status()

    def _taken(self, act: Act) -> tuple[str, dict[str, str], dict[str, Any]]:
        """A step of an officer; one that accepts waits until the item stands on the desk."""
        wanted = "RECEIVED" if act.what is STEP.ACCEPT else ""
        item = eventually(lambda: self._item(act), lambda item: wanted in item.get("state", "-"), PATIENCE_SECONDS)
        who = self.people.header("officer", jurisdiction="210281", department=DEPARTMENTS[act.item])
        body: dict[str, Any] = {"step": act.what, "opinion": "文物勘探范围图不全"}
        if act.what is STEP.START_SPECIAL:
            body["special"] = {"kind": SpecialKind.EXPERT_REVIEW.value, "reason": "组织文物勘探专家评审"}
        return f"{self.suite.url('department-worker')}/items/{item['item_id']}/steps", who, body

    def _asked(self, act: Act) -> tuple[str, dict[str, str], dict[str, Any]]:
        """What the builder hands in: a supplement, or the item once more."""
        path = f"applications/{self._applications[act.scenario]}/items/{act.item}/{act.what}"
        supplement = {"materials": [], "explanation": "已补充文物勘探范围图"}
        body = supplement if act.what == "supplements" else {"form": FORM, "truthful": True}
        return f"{self.suite.url('intake')}/{path}", self.people.builder(), body

    def _item(self, act: Act) -> dict[str, Any]:
        told = self.people.progress(self._applications[act.scenario])
        return next((one for one in told.get("items", []) if one["item_code"] == act.item), {})

    def story(self, scenario: str) -> list[Said]:
        told = self.people.supervise(f"/projects/{CODES[scenario]}/timeline")
        return [Said(one["type"], one["event"]) for one in told]

    def _settle(self, scenario: str, item: str) -> None:
        """Wait until silence has had its consequence; no later epoch begins before."""
        eventually(
            lambda: [one.event["item_code"] for one in self.story(scenario) if one.kind == "ItemRecalled"],
            lambda recalled: item in recalled,
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


EXPIRIES: Final = (
    ("S1", "S1-10", 1, date(2026, 3, 9)),
    ("S5", "S1-10", 2, date(2026, 3, 24)),
    ("S5", "S1-07", 1, date(2026, 3, 16)),
    ("S6", "S1-10", 1, date(2026, 2, 26)),
    ("S7", "S1-10", 1, date(2026, 10, 13)),
    ("S8", "S1-10", 1, date(2026, 10, 12)),
    ("S9a", "S1-10", 1, date(2019, 1, 7)),
    ("S9b", "S1-10", 1, date(2019, 5, 6)),
    ("S9c", "S1-07", 1, date(2019, 2, 20)),
)
"""Scenario, item, attempt, and the due day counted by hand."""


@pytest.mark.parametrize(("scenario", "item", "attempt", "due_on"), EXPIRIES)
def test_silence_expires_once_at_the_midnight_after_the_due_day_and_never_before(
    stories: dict[str, list[Said]], scenario: str, item: str, attempt: int, due_on: date
) -> None:
    due_at, story = start_of_day(due_on + DAY), stories[scenario]
    for kind in ("ItemOverdue", "ItemAutoRecall", "ItemRecalled"):
        assert the_only(of_item(story, kind, item, attempt)).instant("due_at") == due_at
    assert the_only(of_item(story, "ItemOverdue", item, attempt)).instant("detected_at") >= due_at
    assert the_only(of_item(story, "ItemRecalled", item, attempt)).instant("at") >= due_at


UNBROKEN: Final = [one for one in EXPIRIES if one[0] != "S8"]


@pytest.mark.parametrize(("scenario", "item", "attempt", "due_on"), UNBROKEN)
def test_the_due_day_is_told_at_acceptance(
    stories: dict[str, list[Said]], scenario: str, item: str, attempt: int, due_on: date
) -> None:
    """S1, S4, S6, S7, S9: Spring Festival, National Day, make-up days."""
    started = the_only(of_item(stories[scenario], "ClockStarted", item, attempt))
    told = (started.event["due_on"], started.instant("due_at"), started.event["provisional"])
    assert told == (due_on.isoformat(), start_of_day(due_on + DAY), False)


def test_s2_a_correction_pauses_with_one_day_used_and_moves_the_due_day(stories: dict[str, list[Said]]) -> None:
    paused = the_only(of_item(stories["S5"], "ClockPaused", "S1-10"))
    assert (paused.event["used_days"], paused.event["reason"]) == (1, "CORRECTION")
    resumed = the_only(of_item(stories["S5"], "ClockResumed", "S1-10"))
    assert (resumed.event["used_days"], resumed.event["due_on"]) == (1, "2026-03-13")


def test_s3_a_return_ends_the_attempt_for_good_and_pauses_the_stage(stories: dict[str, list[Said]]) -> None:
    stopped = the_only(of_item(stories["S5"], "ClockStopped", "S1-10"))
    assert (stopped.event["used_days"], stopped.event["end"]) == (2, "RETURNED")
    for kind in ("ItemOverdue", "ItemAutoRecall", "ItemRecalled"):
        assert of_item(stories["S5"], kind, "S1-10") == []
    reasons = [(one.event["reason"], one.event["used_days"]) for one in of_stage(stories["S5"], "ClockPaused")]
    assert reasons == [("CORRECTION", 1), ("RETURNED", 2)]


def test_s4_the_next_attempt_has_the_full_limit(stories: dict[str, list[Said]]) -> None:
    started = the_only(of_item(stories["S5"], "ClockStarted", "S1-10", 2))
    assert (started.event["limit_days"], started.event["due_on"]) == (5, "2026-03-24")


def test_s5_the_stage_resumes_with_the_resubmission_and_goes_overdue_once(stories: dict[str, list[Said]]) -> None:
    story = stories["S5"]
    assert the_only(of_stage(story, "ClockStarted")).event["due_on"] == "2026-03-30"
    resumed = of_stage(story, "ClockResumed")
    assert [(one.event["used_days"], one.event["due_on"]) for one in resumed][-1] == (2, "2026-04-10")
    assert local_day(resumed[-1].instant("at")) == date(2026, 3, 16)
    overdue = the_only([one for one in story if one.kind == "StageOverdue"])
    assert overdue.instant("due_at") == start_of_day(date(2026, 4, 11)) <= overdue.instant("detected_at")


def test_s5_while_another_item_ran_all_open_stops_the_stage_for_the_return_alone(players: Players) -> None:
    """The other reading of P1, asked of the running suite: S1-07 ran through the correction."""
    dues: dict[str, str] = {}
    for policy in ("ANY", "ALL_OPEN"):
        clocks = players.people.supervise(f"/projects/{CODES['S5']}/clocks?stage_pause_policy={policy}&at={S5_ASKED}")
        dues[policy] = next(one["due"] for one in clocks if one["subject"] == "STAGE")
    assert dues == {"ANY": "2026-04-10 24:00", "ALL_OPEN": "2026-04-03 24:00"}


def test_s8_a_special_procedure_pauses_after_the_make_up_sunday_counted(stories: dict[str, list[Said]]) -> None:
    paused = the_only(of_item(stories["S8"], "ClockPaused", "S1-10"))
    assert (paused.event["used_days"], paused.event["reason"]) == (3, "SPECIAL")
    resumed = the_only(of_item(stories["S8"], "ClockResumed", "S1-10"))
    assert (resumed.event["used_days"], resumed.event["due_on"]) == (3, "2026-10-12")


def test_s10_a_provisional_deadline_is_told_and_nothing_expires_on_it(stories: dict[str, list[Said]]) -> None:
    started = the_only(of_item(stories["S10"], "ClockStarted", "S1-03"))
    assert (started.event["due_on"], started.event["provisional"]) == ("2027-01-04", True)
    assert {one.kind for one in stories["S10"]}.isdisjoint({"ItemOverdue", "ItemAutoRecall", "ItemRecalled"})


def test_a_deadline_that_passed_while_no_timer_ran_is_told_once_with_its_true_instant(
    stories: dict[str, list[Said]],
) -> None:
    """P17: the stage of S9b, 20 working days from 2019-04-26, ran out between two epochs."""
    overdue = the_only([one for one in stories["S9b"] if one.kind == "StageOverdue"])
    assert overdue.instant("due_at") == start_of_day(date(2019, 5, 28))
    assert overdue.instant("detected_at") > at(2026, 1, 1)
