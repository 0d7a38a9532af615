"""Every deadline of a project explained under what its case was admitted under, now and as of then (Art. 13, 23)."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from contracts.department_worker import ItemStepped
from contracts.dispatcher import StageDispatched
from contracts.envelope import Event
from contracts.parts import AboutStage
from contracts.terms import ClockSubject, Stage
from procedure import clock
from procedure import history as histories
from procedure.calendar import Calendar
from procedure.explain import Explanation, explain, with_limit
from procedure.history import History, ItemEvent
from procedure.policies import DEFAULT, Policies, policies_of

InForce = Callable[[datetime], Calendar]
"""The calendar in force at an instant: a clock that ended is not counted by what was ordered later (R2, R15)."""
Supposed = Callable[[Policies], Policies]
"""What a question supposes on top of the policies that a case was admitted under."""


class Explained(NamedTuple):
    """One clock of a project, explained; a stage's also says its counted days under either reading of P1."""

    subject: ClockSubject
    about: UUID
    stage: Stage
    item_code: str
    attempt: int
    told: Explanation
    used_by_policy: Mapping[str, int]


CLOCKS_OF_AN_ITEM: Final = {ClockSubject.ACCEPTANCE: histories.of_acceptance, ClockSubject.ITEM: histories.of_item}
"""Every clock that an item's own events tell of: the time for acceptance (行政许可法 Art. 32), and its limit."""


class Question(NamedTuple):
    """As of when, by which calendar, under which supposed policies and limit (working days)."""

    at: datetime
    in_force: InForce
    supposed: Supposed = lambda policies: policies
    limit_days: int | None = None


def explained(events: Sequence[Event], question: Question) -> list[Explained]:
    """Return every clock that had started at the instant asked for, stages first, out of the project's events in topic
    order. Raises YearNotCovered."""
    by_stage: defaultdict[UUID, list[AboutStage]] = defaultdict(list)
    for event in events:
        if isinstance(event, AboutStage):
            by_stage[event.application_id].append(event)
    found: list[Explained] = []
    for application_id, of_stage in by_stage.items():
        policies = question.supposed(pinned(of_stage))
        found += _stage_explained(application_id, of_stage, question, policies)
        found += _items_explained(of_stage, question, policies)
    return found


def pinned(events: Sequence[AboutStage]) -> Policies:
    """Return the policies that a stage application was admitted under, as its own events carry them (R2)."""
    carried = (one.policies for one in events if isinstance(one, StageDispatched | ItemStepped))
    versions = next(carried, None)
    return DEFAULT if versions is None else policies_of(versions)


def _stage_explained(
    application_id: UUID, events: Sequence[AboutStage], question: Question, policies: Policies
) -> list[Explained]:
    history = histories.of_stage(events, question.at, policies)
    if history is None or not history.started:
        return []
    history = _limited(history, question)
    calendar = _calendar(history, question)
    used: dict[str, int] = {}
    for reading in ("ANY", "ALL_OPEN"):
        read = replace(policies, stage_pause_policy=reading)
        other = histories.of_stage(events, question.at, read)
        assert other is not None
        used[reading] = clock.used_days(other.clock, question.at, calendar, other.jurisdiction, read)
    told = explain(history, question.at, calendar, policies)
    return [Explained(ClockSubject.STAGE, application_id, events[0].stage, "", 1, told, used)]


def _items_explained(events: Sequence[AboutStage], question: Question, policies: Policies) -> list[Explained]:
    by_item: defaultdict[UUID, list[ItemEvent]] = defaultdict(list)
    for event in events:
        if isinstance(event, ItemEvent):
            by_item[event.item_id].append(event)
    found: list[Explained] = []
    for item_id, of_item in by_item.items():
        for subject, history_of in CLOCKS_OF_AN_ITEM.items():
            history = history_of(of_item, question.at)
            if history is not None:
                history = _limited(history, question) if subject is ClockSubject.ITEM else history
                about = of_item[0]
                told = explain(history, question.at, _calendar(history, question), policies)
                found.append(Explained(subject, item_id, about.stage, about.item_code, about.attempt, told, {}))
    return sorted(found, key=lambda one: (one.item_code, one.attempt, one.told.started_at))


def _calendar(history: History, question: Question) -> Calendar:
    ended = history.clock.ended_at
    return question.in_force(question.at if ended is None else min(question.at, ended))


def _limited(history: History, question: Question) -> History:
    return history if question.limit_days is None else with_limit(history, question.limit_days)
