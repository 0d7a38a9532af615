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
from procedure.history import History
from procedure.policies import DEFAULT, Policies, policies_of

InForce = Callable[[datetime], Calendar]
"""The calendar in force at an instant: a clock that ended is not counted by what was ordered later (R2, R15)."""
Supposed = Callable[[Policies], Policies]
"""What a question supposes on top of the policies that a case was admitted under."""
OfItem = Callable[[Sequence[ItemStepped], datetime, Policies], History | None]


class Explained(NamedTuple):
    """One clock of a project, explained; a stage's also says its counted days under either reading of P1."""

    subject: ClockSubject
    about: UUID
    stage: Stage
    item_code: str
    attempt: int
    told: Explanation
    used_by_policy: Mapping[str, int]


def _item(steps: Sequence[ItemStepped], at: datetime, policies: Policies) -> History | None:
    return histories.of_item(steps, at)


CLOCKS_OF_AN_ITEM: Final[Mapping[ClockSubject, OfItem]] = {ClockSubject.ITEM: _item}
"""Every clock that an item's own steps tell of."""


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
    history = _limited(histories.of_stage(events, question.at, policies), question)
    if history is None or not history.started:
        return []
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
    by_item: defaultdict[UUID, list[ItemStepped]] = defaultdict(list)
    for event in events:
        if isinstance(event, ItemStepped):
            by_item[event.item_id].append(event)
    found: list[Explained] = []
    for item_id, steps in by_item.items():
        for subject, history_of in CLOCKS_OF_AN_ITEM.items():
            history = _limited(history_of(steps, question.at, policies), question)
            if history is not None:
                about = steps[0]
                told = explain(history, question.at, _calendar(history, question), policies)
                found.append(Explained(subject, item_id, about.stage, about.item_code, about.attempt, told, {}))
    return sorted(found, key=lambda one: (one.item_code, one.attempt, one.told.started_at))


def _calendar(history: History, question: Question) -> Calendar:
    ended = history.clock.ended_at
    return question.in_force(question.at if ended is None else min(question.at, ended))


def _limited(history: History | None, question: Question) -> History | None:
    return history if history is None or question.limit_days is None else with_limit(history, question.limit_days)
