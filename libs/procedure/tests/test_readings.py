"""Every ambiguity that the law here decides: the default reading and each alternative give their own, right answer.

Answers are counted by hand with the calendar of 2026; the scenario is S2–S5 (domain of the golden ones): S1-10 accepted
on 2 March, corrected on the 4th, supplemented on the 9th, returned on the 11th, declared again on the 16th, accepted on
the 17th, while S1-07 runs; the stage has twenty working days.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest

from chassis.catalogue import load
from contracts.envelope import derived_id
from contracts.parts import Actor
from contracts.parts import Policies as Versions
from contracts.terms import ItemState, ItemStep, OnExpiry, Outcome, Stage
from local.golden import at
from local.said import PLACE, ItemStory, StageStory
from local.suite import CATALOGUE
from procedure import acceptance, history, reminders, stage_clock, stages
from procedure import clock as law
from procedure.calendar import local_day
from procedure.clock import Clock
from procedure.items import Act, Item, advance, outcome_of_silence
from procedure.policies import DEFAULT, READINGS, Policies, policies_of
from procedure.refusals import Refusal
from procedure.stages import Declared, Standing

CALENDAR = load(CATALOGUE).calendar
S = ItemState
OFFICER, SECOND = Actor(holder="经办人", certificate="CA-1"), Actor(holder="负责人", certificate="CA-2")


@dataclass(frozen=True)
class Question:
    """A setting, how it is asked, and the right answer of each value that it may take."""

    number: str
    ask: Callable[[Policies], Any]
    answers: Mapping[Any, Any]


def stage_due_on(policies: Policies) -> date:
    """The due day of the stage of S2–S5."""
    story = StageStory(limit=20)
    first, again, other = story.item("S1-10"), story.item("S1-10", attempt=2), story.item("S1-07", limit=10)
    events = [
        story.dispatched(2026, 3, 1),
        story.accepted(2026, 3, 2, 9),
        *(other.received(2026, 3, 1), other.accepted(2026, 3, 2, 9)),
        *(first.received(2026, 3, 1), first.accepted(2026, 3, 2, 9), first.correction(2026, 3, 4, 10)),
        *(first.supplemented(2026, 3, 9, 15), first.returned(2026, 3, 11, 9)),
        *(again.received(2026, 3, 16, 9), again.accepted(2026, 3, 17, 9)),
    ]
    told = history.of_stage(events, policies=policies)
    assert told is not None
    due = stage_clock.due(told.clock, CALENDAR, PLACE, policies)
    assert due is not None
    return due.on


def stage_is_accepted(policies: Policies) -> tuple[bool, ...]:
    """Whether a stage of two items is accepted: with both received, with one accepted, with the other not accepted."""
    steps = ((S.RECEIVED, S.RECEIVED), (S.ACCEPTED, S.RECEIVED), (S.ACCEPTED, S.NOT_ACCEPTED))
    return tuple(stages.is_accepted([Standing("S1-01", a), Standing("S1-02", b)], policies) for a, b in steps)  # type: ignore[arg-type]


def stage_is_concluded(policies: Policies) -> tuple[bool, ...]:
    """Whether a stage of two milestones and one more item is concluded: with one milestone granted, with the other one
    refused, with everything granted or refused."""

    def standings(second: Outcome | None, other: Outcome | None) -> list[Standing]:
        return [_ended("S1-05", Outcome.GRANTED, True), _ended("S1-02", second, True), _ended("S1-09", other, False)]

    refused, granted = Outcome.REFUSED, Outcome.GRANTED
    steps = (standings(None, None), standings(refused, None), standings(refused, granted))
    return tuple(stages.is_concluded(one, policies) for one in steps)


def _ended(code: str, outcome: Outcome | None, milestone: bool) -> Standing:
    state = S.ACCEPTED if outcome is None else S.CONCLUDED
    return Standing(code, state, outcome, milestone=milestone)  # type: ignore[arg-type]


def next_stage_is_open(policies: Policies) -> tuple[bool, ...]:
    """Whether stage 2 may be declared: nothing before it, stage 1 under way, stage 1 not passed, stage 1 passed."""
    before = ([], *([Declared(Stage.LAND_USE, passed)] for passed in (None, False, True)))
    return tuple(_is_admitted(lambda one=one: stages.admit_stage(Stage.ENGINEERING, one, policies)) for one in before)


def _is_admitted(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except Refusal:
        return False
    return True


def item(policies: Policies, state: ItemState = S.ACCEPTED) -> Item:
    """An item of five working days, accepted on 2 March 2026, under `policies`."""
    told = ItemStory(StageStory(), "S1-10", 1, 5)
    settings = {name: getattr(policies, name) for name in READINGS if getattr(policies, name) != getattr(DEFAULT, name)}
    return Item(
        item_id=told.item_id,
        project_code=told.stage.code,
        application_id=told.stage.application_id,
        stage=told.stage.stage,
        item_code=told.code,
        attempt=1,
        department=told.department,
        jurisdiction=PLACE,
        kind=told.kind,
        limit_days=5,
        on_expiry=told.on_expiry,
        builder=told.received(2026, 3, 1).builder,
        versions=Versions(catalogue_version="2018.1", policy_version="试行", settings=settings),
        applied_at=at(2026, 3, 1),
        state=state,
        clock=None if state is S.RECEIVED else Clock(5, at(2026, 3, 2, 9)),
    )


def act(step: ItemStep, *when: int, actor: Actor = OFFICER) -> Act:
    return Act(step, actor, at(*when), derived_id(step, when), opinion="理由")


def corrections_told(policies: Policies) -> int:
    """How many corrections after acceptance the law lets an officer ask for, of three."""
    held, told = item(policies), 0
    for day in (3, 4, 5):
        try:
            held, _ = advance(held, act(ItemStep.START_CORRECTION, 2026, 3, day, 9), CALENDAR)
        except Refusal:
            return told
        held, _ = advance(held, act(ItemStep.SUPPLEMENT, 2026, 3, day, 15), CALENDAR)
        told += 1
    return told


def same_officer_may_approve(policies: Policies) -> tuple[bool, bool]:
    """Whether the officer who reviewed may approve, and whether another one may."""
    reviewed, _ = advance(item(policies), act(ItemStep.REVIEW, 2026, 3, 3, 9), CALENDAR)
    ways = (act(ItemStep.APPROVE, 2026, 3, 3, 10, actor=actor) for actor in (OFFICER, SECOND))
    return tuple(_is_admitted(lambda way=way: advance(reviewed, way, CALENDAR)) for way in ways)  # type: ignore[return-value]


def due_of(policies: Policies, *started: int, limit: int = 5) -> law.Due:
    found = law.due(Clock(limit, at(*started)), CALENDAR, PLACE, policies)
    assert found is not None
    return found


def evening_of_the_due_day(policies: Policies) -> tuple[date, bool]:
    """The due day of S1, and whether an act on its evening comes too late."""
    due = due_of(policies, 2026, 3, 2, 9)
    return due.on, law.is_late(at(2026, 3, 9, 18), due)


def waits_for_acceptance_until(policies: Policies) -> date:
    received = ItemStory(StageStory(acceptance_days=policies.acceptance_days), "S1-10", 1, 5).received(2026, 3, 2, 9)
    due = law.due(acceptance.begun(received), CALENDAR, PLACE, policies)
    assert due is not None
    return due.on


def provisional_binds(policies: Policies) -> tuple[bool, bool]:
    """Whether the provisional deadline of S10 makes an act in February late, and whether the timer acts on it."""
    due = due_of(policies, 2026, 12, 31, 9, limit=1)
    assert due.provisional
    return law.is_late(at(2027, 2, 1), due), due.expires_at is not None


QUESTIONS: dict[str, Question] = {
    "stage_pause_policy": Question("P1", stage_due_on, {"ANY": date(2026, 4, 10), "ALL_OPEN": date(2026, 4, 3)}),
    "stage_accepted_when": Question(
        "P2",
        stage_is_accepted,
        {
            "first_item": (False, True, True),
            "all_items": (False, False, True),
            "window_receipt": (False, False, False),
        },
    ),
    "stage_restart_on_return": Question("P3", stage_due_on, {False: date(2026, 4, 10), True: date(2026, 4, 14)}),
    "stage_resumes_at": Question(
        "P4", stage_due_on, {"resubmission": date(2026, 4, 10), "reacceptance": date(2026, 4, 13)}
    ),
    "acceptance_days": Question("P5", waits_for_acceptance_until, {5: date(2026, 3, 9), 3: date(2026, 3, 5)}),
    "count_start_day": Question(
        "P6", lambda policies: due_of(policies, 2026, 3, 2, 9).on, {False: date(2026, 3, 9), True: date(2026, 3, 6)}
    ),
    "due_day_ends": Question(
        "P7",
        evening_of_the_due_day,
        {"midnight": (date(2026, 3, 9), False), "office_close": (date(2026, 3, 9), True)},
    ),
    "four_eyes": Question("第十条", same_officer_may_approve, {False: (True, True), True: (False, True)}),
    "max_corrections": Question("P11", corrections_told, {1: 1, 2: 2, 0: 0}),
    "correction_days": Question(
        "P12",
        lambda policies: local_day(reminders.correction_unanswered(at(2026, 3, 2, 9), policies).due_at),
        {30: date(2026, 4, 2), 10: date(2026, 3, 13)},
    ),
    "redeclare_days": Question(
        "R8",
        lambda policies: local_day(reminders.not_declared_again(at(2026, 3, 2, 9), policies).due_at),
        {60: date(2026, 5, 2), 20: date(2026, 3, 23)},
    ),
    "stage_concludes_when": Question(
        "P18",
        stage_is_concluded,
        {
            "all_terminal": (False, False, True),
            "milestone_all": (False, True, True),
            "milestone_any": (True, True, True),
        },
    ),
    "next_stage_needs": Question(
        "P19",
        next_stage_is_open,
        {"passed": (False, False, False, True), "declared": (False, True, True, True)},
    ),
    "fire_on_provisional": Question("P24", provisional_binds, {False: (False, False), True: (True, True)}),
}
ELSEWHERE = {
    "acceptance_expiry": "timer says that it deems, department-worker takes the step (R21)",
    "withdrawal_needs_window": "intake decides (P21)",
}
"""Settings whose question a service decides; the step that follows is still the law's."""

CASES = [(name, value) for name, question in QUESTIONS.items() for value in question.answers]


@pytest.mark.parametrize(("name", "value"), CASES, ids=[f"{QUESTIONS[name].number}-{value}" for name, value in CASES])
def test_each_reading_gives_its_own_answer(name: str, value: Any) -> None:
    question = QUESTIONS[name]
    assert question.ask(replace(DEFAULT, **{name: value})) == question.answers[value]


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_default_and_its_alternatives_differ(name: str) -> None:
    question, allowed = QUESTIONS[name], READINGS[name].allowed
    assert next(iter(question.answers)) == getattr(DEFAULT, name)
    assert len(set(question.answers.values())) == len(question.answers) >= 2
    assert question.number == READINGS[name].number
    assert isinstance(allowed, range) or set(question.answers) == set((False, True) if allowed is None else allowed)


def test_no_setting_is_without_a_question() -> None:
    assert set(QUESTIONS) | set(ELSEWHERE) == set(READINGS)


@pytest.mark.parametrize(("name", "value"), CASES, ids=[f"{QUESTIONS[name].number}-{value}" for name, value in CASES])
def test_a_reading_travels_with_the_events_of_its_case(name: str, value: Any) -> None:
    settings = {} if value == getattr(DEFAULT, name) else {name: value}
    pinned = Versions(catalogue_version="2018.1", policy_version=DEFAULT.version, settings=settings)
    assert policies_of(Versions.model_validate_json(pinned.model_dump_json())) == replace(DEFAULT, **{name: value})


def test_p5_deemed_acceptance_starts_the_limit_at_the_instant_of_expiry_and_an_alarm_starts_nothing() -> None:
    """R21: received on 2 March; the five days end with the 9th; five more from the 10th on end with the 17th."""
    waiting = item(DEFAULT, S.RECEIVED)
    assert waiting.clock is None
    deemed, (said,) = advance(waiting, act(ItemStep.DEEM_ACCEPTED, 2026, 3, 10), CALENDAR)
    assert said.deemed and deemed.clock is not None  # type: ignore[union-attr]
    due = law.due(deemed.clock, CALENDAR, PLACE)
    assert due is not None and due.on == date(2026, 3, 17)


def test_p14_silence_is_no_objection_where_the_catalogue_says_so_and_goes_to_the_lead_elsewhere() -> None:
    assert outcome_of_silence(OnExpiry.DEEM_NO_OBJECTION) is Outcome.DEEMED_NO_OPINION
    assert outcome_of_silence(OnExpiry.ESCALATE) is Outcome.EXPIRED_NO_OPINION
