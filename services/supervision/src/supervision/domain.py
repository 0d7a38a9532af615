"""What supervision alone decides: how events become the rows that leads and supervisors look at."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from contracts import department_worker as items
from contracts.codes import CITY, PILOT_ZONES
from contracts.department_worker import ItemStepped
from contracts.dispatcher import StageAccepted, StageConcluded, StageDispatched, StageResultAmended
from contracts.envelope import derived_id
from contracts.intake import StageApplied
from contracts.parts import AboutItem, AboutStage, DispatchedItem
from contracts.terms import ItemState, Outcome, Stage, StageState
from contracts.timer import AcceptanceOverdue, ReminderDue
from procedure.authority import Caller
from procedure.catalogue import Catalogue

S = ItemState

AFTER: Final[Mapping[type[ItemStepped], ItemState]] = {
    items.ItemReceived: S.RECEIVED,
    items.ItemAccepted: S.ACCEPTED,
    items.ItemNotAccepted: S.NOT_ACCEPTED,
    items.ItemReviewed: S.REVIEWING,
    items.ItemApproved: S.APPROVING,
    items.ItemConcluded: S.CONCLUDED,
    items.ItemReturned: S.RETURNED,
    items.ItemRecalled: S.AUTO_RECALLED,
    items.ItemTakenBack: S.WITHDRAWN,
    items.ItemRevoked: S.REVOKED,
}
"""Where a step leaves its item. When a pause ends or a seal fails it is back where it was (R7); a longer or another
limit leaves it where it is."""
OPEN: Final = (
    S.DRAFT,
    S.RECEIVED,
    S.CORRECTION_PRE,
    S.ACCEPTED,
    S.REVIEWING,
    S.APPROVING,
    S.CORRECTION,
    S.SPECIAL,
    S.SEALING,
)
"""The states in which a department still has something to do."""


class ItemRow(NamedTuple):
    """One attempt of one item, as supervision shows it.

    `received_at`: since when it lies complete before its department; `resting`: the states that the end of a pause, or
    a failed seal, leads back to, the last one first; `closed`: how the dispatcher closed it; `reported`: the national
    statuses told so far, a bit each, and `last_reported` the last of them.
    """

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
    received_at: datetime | None = None
    accepted_at: datetime | None = None
    corrections: int = 0
    resting: str = ""
    closed: str | None = None
    reported: int = 0
    last_reported: int = 0


class StageRow(NamedTuple):
    """One stage application. `version` is the dispatcher's, 0 before it spoke; the last three are as declared."""

    application_id: UUID
    project_code: str
    stage: int
    version: int
    jurisdiction: str
    state: str | None
    result: str | None
    process_type: int
    submission: str
    catalogue_version: str


def declared(event: StageApplied) -> StageRow:
    """Return the row of a stage that was declared and not yet split."""
    return StageRow(
        event.application_id,
        event.project_code,
        event.stage.value,
        0,
        event.jurisdiction,
        None,
        None,
        event.process_type.value,
        event.submission.value,
        event.policies.catalogue_version,
    )


def moved(row: StageRow, event: AboutStage) -> StageRow:
    """Return a stage's row after an event of the dispatcher; a repeat changes nothing."""
    match event:
        case StageDispatched():
            state, result = StageState.DISPATCHED, None
        case StageAccepted():
            state, result = StageState.ACCEPTED, None
        case StageConcluded() | StageResultAmended():
            state, result = StageState.CONCLUDED, event.result.value
        case _:
            return row
    if event.version <= row.version:
        return row
    return row._replace(version=event.version, state=state.value, result=result)


def application_of(project_code: str, stage: Stage) -> UUID:
    """Return the id that a stage's application has, or will have once it is declared: one per project and stage."""
    return derived_id("application", project_code, stage.value)


# Items ----------------------------------------------------------------------------------------------------------


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
        S.DRAFT.value,
        None,
        0,
        item.limit_days,
    )


def opened(event: AboutItem) -> ItemRow:
    """Return the row of an attempt that is met for the first time (declared again, or dispatched anew)."""
    return ItemRow(
        event.item_id,
        event.project_code,
        event.application_id,
        event.stage.value,
        event.item_code,
        event.attempt,
        event.department,
        event.jurisdiction,
        S.DRAFT.value,
        None,
        0,
        0,
    )


def never_begun(row: ItemRow) -> ItemRow:
    """Return the row of an item that waited for another one in vain (R29)."""
    return row if row.version else row._replace(state=S.NOT_DISPATCHED.value)


def closed(row: ItemRow, outcome: Outcome) -> ItemRow:
    """Return the row of an item that the dispatcher closed, whatever its steps were or will be (Art. 14, 17)."""
    return row._replace(closed=outcome.value)


def stepped(row: ItemRow, step: ItemStepped) -> ItemRow:
    """Return the row after a step; a repeat changes nothing."""
    if step.version <= row.version:
        return row
    state, resting = _state_after(row, step)
    outcome, _ = step.told
    said = None if outcome is None else outcome.value
    return row._replace(version=step.version, state=state, resting=resting, outcome=said, **_noted(row, step))


def _state_after(row: ItemRow, step: ItemStepped) -> tuple[str, str]:
    """Return the state shown, and those that lie beneath it while the item stands still or waits for its seal (R7)."""
    plain = AFTER.get(type(step))
    if plain is not None:
        return plain.value, ""
    beneath = row.resting.split()
    match step:
        case items.CorrectionRequested(before_acceptance=True):
            return S.CORRECTION_PRE.value, ""
        case items.CorrectionEnded(before_acceptance=True):
            return S.RECEIVED.value, ""
        case items.CorrectionRequested():
            return S.CORRECTION.value, " ".join((*beneath, row.state))
        case items.SpecialStarted():
            return _beside_correction(row, beneath)
        case items.ItemDecided():
            return S.SEALING.value, row.state
        case items.CorrectionEnded() | items.SpecialEnded() | items.SealFailed():
            return _back(row, step, beneath)
        case _:
            return row.state, row.resting


def _beside_correction(row: ItemRow, beneath: list[str]) -> tuple[str, str]:
    if row.state == S.CORRECTION.value:
        return row.state, " ".join((*beneath, S.SPECIAL.value))
    return S.SPECIAL.value, " ".join((*beneath, row.state))


def _back(row: ItemRow, step: ItemStepped, beneath: list[str]) -> tuple[str, str]:
    if isinstance(step, items.SpecialEnded) and row.state == S.CORRECTION.value and S.SPECIAL.value in beneath:
        beneath.remove(S.SPECIAL.value)
        return row.state, " ".join(beneath)
    state = beneath.pop() if beneath else S.ACCEPTED.value
    return state, " ".join(beneath)


def _noted(row: ItemRow, step: ItemStepped) -> dict[str, Any]:
    """Return what only some steps say: the limit, when it was received and accepted, how often it was corrected."""
    match step:
        case items.ItemReceived():
            return {"limit_days": step.limit_days, "received_at": step.at}
        case items.ItemAccepted():
            return {"limit_days": step.limit_days, "accepted_at": step.at}
        case items.LimitAmended():
            return {"limit_days": step.limit_days}
        case items.CorrectionRequested(before_acceptance=False):
            return {"corrections": row.corrections + 1}
        case items.CorrectionEnded(before_acceptance=True):
            return {"received_at": step.at}
        case _:
            return {}


# Marks ----------------------------------------------------------------------------------------------------------


class MarkKind(StrEnum):
    """What an item is marked with until it moves on: somebody has to look."""

    ACCEPTANCE_OVERDUE = "ACCEPTANCE_OVERDUE"
    RESULT_STILL_MISSING = "RESULT_STILL_MISSING"
    CORRECTION_UNANSWERED = "CORRECTION_UNANSWERED"
    NOT_DECLARED_AGAIN = "NOT_DECLARED_AGAIN"
    SPECIAL_OVERDUE = "SPECIAL_OVERDUE"


STANDS_IN: Final[Mapping[MarkKind, tuple[ItemState, ...]]] = {
    MarkKind.ACCEPTANCE_OVERDUE: (S.RECEIVED,),
    MarkKind.RESULT_STILL_MISSING: (S.RECEIVED, S.CORRECTION_PRE),
    MarkKind.CORRECTION_UNANSWERED: (S.CORRECTION, S.CORRECTION_PRE),
    MarkKind.NOT_DECLARED_AGAIN: (S.RETURNED,),
    MarkKind.SPECIAL_OVERDUE: (S.SPECIAL, S.CORRECTION),
}
"""Mark → the states in which it still means something."""


class Mark(NamedTuple):
    """One mark of one item: since when, and the instant that passed where there is one."""

    item_id: UUID
    kind: str
    event_id: UUID
    project_code: str
    since: datetime
    due_at: datetime | None
    detail: str


def mark(event: AboutItem) -> Mark | None:
    """Return how an event marks its item (P5, P12, R8, R10, R22)."""
    about = (event.event_id, event.project_code)
    match event:
        case AcceptanceOverdue():
            return Mark(event.item_id, MarkKind.ACCEPTANCE_OVERDUE.value, *about, event.due_at, event.due_at, "")
        case ReminderDue():
            return Mark(event.item_id, event.kind.value, *about, event.since, event.due_at, "")
        case items.ItemActRefused() if event.code == MarkKind.RESULT_STILL_MISSING.value:
            return Mark(event.item_id, event.code, *about, event.at, None, event.message)
        case _:
            return None


def stands(one: Mark, row: ItemRow) -> bool:
    """Whether a mark still means something: its item is where it was when it was marked."""
    if row.closed is not None or ItemState(row.state) not in STANDS_IN[MarkKind(one.kind)]:
        return False
    again = one.kind == MarkKind.ACCEPTANCE_OVERDUE.value and row.received_at is not None
    return not (again and row.received_at is not None and row.received_at >= one.since)


# Who looks ------------------------------------------------------------------------------------------------------


def places_of(caller: Caller) -> list[str] | None:
    """Return the jurisdictions a caller sees: all for the city's (None), its own and the pilot zones it hosts else."""
    if caller.jurisdiction == CITY:
        return None
    own = caller.jurisdiction or ""
    return [own, *(zone for zone, host in PILOT_ZONES.items() if host == own)]


class Names:
    """What items and departments are called, over all versions of the catalogue: a running case keeps its own, and the
    newest name of a code is shown (Art. 24)."""

    def __init__(self, catalogues: Collection[Catalogue]) -> None:
        in_turn = sorted(catalogues, key=lambda one: one.effective_from)
        self.items: dict[str, str] = {code: rule.name for one in in_turn for code, rule in one.items.items()}
        self.departments: dict[str, str] = {code: name for one in in_turn for code, name in one.departments.items()}

    def item(self, code: str) -> str:
        return self.items.get(code, code)

    def department(self, code: str) -> str:
        return self.departments.get(code, code)


def leads(department: str, catalogue: Catalogue) -> Sequence[int]:
    """Return the stages that a department leads (Art. 5)."""
    return [stage.value for stage, rule in catalogue.stages.items() if rule.lead_department == department]


def handles(department: str, jurisdiction: str, stage: Stage, project_place: str, catalogue: Catalogue) -> bool:
    """Whether a department of a jurisdiction handles any item of a stage of a project at `project_place` (Art. 18)."""
    rules = (rule for rule in catalogue.items.values() if rule.stage is stage and rule.department == department)
    return any((CITY if rule.city_level else project_place) == jurisdiction for rule in rules)
