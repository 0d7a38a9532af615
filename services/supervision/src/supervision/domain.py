"""What supervision alone decides: how events become the rows that leaders and supervisors look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from contracts.department_worker import CorrectionRequested, ItemReceived, ItemStepped
from contracts.dispatcher import StageAccepted, StageConcluded, StageDispatched
from contracts.parts import AboutStage, DispatchedItem
from contracts.terms import ItemState, StageState

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
        state = RUNNING_STATES[type(step).__name__]
    outcome, _ = step.told
    return row._replace(version=step.version, state=state.value, outcome=None if outcome is None else outcome.value)
