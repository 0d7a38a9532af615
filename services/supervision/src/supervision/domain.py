"""What supervision alone decides: how events become the rows that leaders and supervisors look at."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from contracts.department_worker import CorrectionRequested, ItemReceived, ItemStepped
from contracts.dispatcher import StageAccepted, StageConcluded, StageDispatched
from contracts.envelope import Event
from contracts.parts import AboutStage, DispatchedItem
from contracts.terms import ClockSubject, ItemState, Stage, StageState
from procedure import clock
from procedure import history as histories
from procedure.calendar import Calendar
from procedure.explain import Explanation, explain, with_limit
from procedure.history import History
from procedure.policies import Policies

RUNNING_STATES: Final[Mapping[str, ItemState]] = {
    "ItemReceived": ItemState.RECEIVED,
    "ItemAccepted": ItemState.ACCEPTED,
    "ItemNotAccepted": ItemState.NOT_ACCEPTED,
    "CorrectionEnded": ItemState.ACCEPTED,
    "SpecialStarted": ItemState.SPECIAL,
    "SpecialEnded": ItemState.ACCEPTED,
    "ItemReviewed": ItemState.REVIEWING,
    "ItemApproved": ItemState.APPROVING,
    "ItemDecided": ItemState.SEALING,
    "SealFailed": ItemState.APPROVING,
    "ItemConcluded": ItemState.CONCLUDED,
    "ItemReturned": ItemState.RETURNED,
    "ItemRecalled": ItemState.AUTO_RECALLED,
    "ItemTakenBack": ItemState.WITHDRAWN,
}


class ItemRow(NamedTuple):
    """One attempt of one item, as supervision shows it."""

    item_id: UUID
    project_code: str
    application_id: UUID
    stage: int
    item_code: str
    attempt: int
    department: str
    jurisdiction: str
    state: str
    outcome: str | None
    version: int
    limit_days: int


@dataclass(frozen=True, slots=True)
class StageStep:
    """What an event of the dispatcher's changes of a stage; None changes nothing. `version` is the dispatcher's."""

    application_id: UUID
    project_code: str
    stage: int
    version: int
    jurisdiction: str | None
    state: str
    result: str | None = None


def stage_step(event: AboutStage) -> StageStep | None:
    """Return what an event changes of its stage's row."""
    about = (event.application_id, event.project_code, event.stage.value)
    match event:
        case StageDispatched():
            return StageStep(*about, event.version, event.jurisdiction, StageState.DISPATCHED.value)
        case StageAccepted():
            return StageStep(*about, event.version, event.jurisdiction, StageState.ACCEPTED.value)
        case StageConcluded():
            return StageStep(*about, event.version, None, StageState.CONCLUDED.value, event.result.value)
        case _:
            return None


def dispatched(event: StageDispatched, item: DispatchedItem) -> ItemRow:
    """Return the row of an item that a stage was split into."""
    return ItemRow(
        item.item_id,
        event.project_code,
        event.application_id,
        event.stage.value,
        item.item_code,
        item.attempt,
        item.department,
        item.jurisdiction,
        ItemState.DRAFT.value,
        None,
        0,
        item.limit_days,
    )


def opened(step: ItemStepped) -> ItemRow:
    """Return the row of an attempt that is met for the first time (declared again by item)."""
    return ItemRow(
        step.item_id,
        step.project_code,
        step.application_id,
        step.stage.value,
        step.item_code,
        step.attempt,
        step.department,
        step.jurisdiction,
        ItemState.DRAFT.value,
        None,
        0,
        step.limit_days if isinstance(step, ItemReceived) else 0,
    )


def stepped(row: ItemRow, step: ItemStepped) -> ItemRow:
    """Return the row after a step; a repeat changes nothing."""
    if step.version <= row.version:
        return row
    if isinstance(step, CorrectionRequested):
        state = ItemState.CORRECTION_PRE if step.before_acceptance else ItemState.CORRECTION
    else:
        state = RUNNING_STATES.get(type(step).__name__, ItemState(row.state))
    outcome, _ = step.told
    return row._replace(version=step.version, state=state.value, outcome=None if outcome is None else outcome.value)


# Clocks explained -----------------------------------------------------------------------------------------------


class Explained(NamedTuple):
    """One clock of a project, explained; a stage's also says its counted days under either reading of P1."""

    subject: ClockSubject
    about: UUID
    stage: Stage
    item_code: str
    attempt: int
    told: Explanation
    used_by_policy: Mapping[str, int]


def explained(
    events: Sequence[Event], at: datetime, calendar: Calendar, policies: Policies, limit_days: int | None = None
) -> list[Explained]:
    """Return every clock that had started at `at`, stages first, out of the project's events in topic order.

    `limit_days`, another calendar or other policies answer what would be. Raises YearNotCovered.
    """
    by_stage: defaultdict[UUID, list[AboutStage]] = defaultdict(list)
    for event in events:
        if isinstance(event, AboutStage):
            by_stage[event.application_id].append(event)
    found: list[Explained] = []
    for application_id, of_stage in by_stage.items():
        found += _stage_explained(application_id, of_stage, at, calendar, policies, limit_days)
        found += _items_explained(of_stage, at, calendar, policies, limit_days)
    return found


def _stage_explained(
    application_id: UUID,
    events: Sequence[AboutStage],
    at: datetime,
    calendar: Calendar,
    policies: Policies,
    limit_days: int | None,
) -> list[Explained]:
    history = _limited(histories.of_stage(events, at, policies), limit_days)
    if history is None or not history.started:
        return []
    used: dict[str, int] = {}
    for reading in ("ANY", "ALL_OPEN"):
        read = replace(policies, stage_pause_policy=reading)
        other = histories.of_stage(events, at, read)
        assert other is not None
        used[reading] = clock.used_days(other.clock, at, calendar, other.jurisdiction, read)
    told = explain(history, at, calendar, policies)
    return [Explained(ClockSubject.STAGE, application_id, events[0].stage, "", 1, told, used)]


def _items_explained(
    events: Sequence[AboutStage], at: datetime, calendar: Calendar, policies: Policies, limit_days: int | None
) -> list[Explained]:
    by_item: defaultdict[UUID, list[ItemStepped]] = defaultdict(list)
    for event in events:
        if isinstance(event, ItemStepped):
            by_item[event.item_id].append(event)
    found: list[Explained] = []
    for item_id, steps in by_item.items():
        history = _limited(histories.of_item(steps, at), limit_days)
        if history is not None:
            about = steps[0]
            told = explain(history, at, calendar, policies)
            found.append(Explained(ClockSubject.ITEM, item_id, about.stage, about.item_code, about.attempt, told, {}))
    return sorted(found, key=lambda one: (one.item_code, one.attempt))


def _limited(history: History | None, limit_days: int | None) -> History | None:
    return history if history is None or limit_days is None else with_limit(history, limit_days)
