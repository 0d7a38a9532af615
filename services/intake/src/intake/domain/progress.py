"""How an item stands as its builder is shown it (Art. 11): a fold over what the dispatcher and the departments say.

A reader takes every step it knows, and leaves the state as it is for one that it does not.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

from contracts import department_worker as items
from contracts.codes import ItemCode
from contracts.department_worker import ItemStepped
from contracts.dispatcher import ItemClosed, StageDispatched
from contracts.parts import DispatchedItem
from contracts.terms import ItemState, Outcome, PauseReason
from procedure.refusals import Refusal

S = ItemState


class ItemNotGranted(Refusal):
    """该事项尚无可以发出的审批结果"""

    article = "第十条"


class ItemWaived(Refusal):
    """该事项已经免予办理，无需再次申报"""

    article = "第十七条"


class Progress(NamedTuple):
    """One item as the builder sees it. `limit_days` is the limit with its extensions; `pauses` are the reasons why it
    stands still, `resting` the state that comes back when the last one ends, or when a seal fails (R7)."""

    application_id: UUID
    item_code: ItemCode
    item_id: UUID
    attempt: int
    department: str
    jurisdiction: str
    state: ItemState
    outcome: Outcome | None
    opinion: str
    limit_days: int
    version: int
    pauses: tuple[PauseReason, ...] = ()
    resting: ItemState | None = None


STATE_AFTER: Final[Mapping[type[ItemStepped], ItemState]] = {
    items.ItemReceived: S.RECEIVED,
    items.ItemAccepted: S.ACCEPTED,
    items.ItemNotAccepted: S.NOT_ACCEPTED,
    items.ItemReviewed: S.REVIEWING,
    items.ItemApproved: S.APPROVING,
    items.ItemDecided: S.SEALING,
    items.ItemConcluded: S.CONCLUDED,
    items.ItemReturned: S.RETURNED,
    items.ItemRecalled: S.AUTO_RECALLED,
    items.ItemTakenBack: S.WITHDRAWN,
    items.ItemRevoked: S.REVOKED,
}
BEGINS: Final[Mapping[type[ItemStepped], PauseReason]] = {
    items.CorrectionRequested: PauseReason.CORRECTION,
    items.SpecialStarted: PauseReason.SPECIAL,
}
ENDS: Final[Mapping[type[ItemStepped], PauseReason]] = {
    items.CorrectionEnded: PauseReason.CORRECTION,
    items.SpecialEnded: PauseReason.SPECIAL,
}
CLOSED: Final = (Outcome.WAIVED, Outcome.CLOSED_NO_OPINION)
"""Outcomes that the dispatcher says, not the department: a later step of the same attempt does not undo them."""


def fresh(event: StageDispatched, item: DispatchedItem) -> Progress:
    """Return an item that a stage was just split into."""
    place = (item.item_id, item.attempt, item.department, item.jurisdiction)
    return Progress(event.application_id, item.item_code, *place, S.DRAFT, None, "", item.limit_days, 0)


def not_dispatched(row: Progress) -> Progress:
    """Return an item that never starts, because what it waits for closed without a grant (R29)."""
    return row._replace(state=S.NOT_DISPATCHED)


def closed(row: Progress, event: ItemClosed) -> Progress:
    """Return an item after it was closed without its department's decision (Art. 14, 17); one that nobody has received
    yet never starts."""
    if event.attempt < row.attempt:
        return row
    state = S.NOT_DISPATCHED if row.state is S.DRAFT else row.state
    return row._replace(state=state, outcome=event.outcome, opinion=event.reason)


def is_new(row: Progress, step: ItemStepped) -> bool:
    """Whether a step tells something that the row does not know yet."""
    return step.attempt > row.attempt or (step.attempt == row.attempt and step.version > row.version)


def stepped(row: Progress, step: ItemStepped) -> Progress:
    """Return an item after a step that is new to it; a new attempt may stand with another level's department."""
    outcome, opinion = step.told
    if row.outcome in CLOSED and step.attempt == row.attempt:
        outcome, opinion = row.outcome, row.opinion
    return _moved(row, step)._replace(
        item_id=step.item_id,
        attempt=step.attempt,
        department=step.department,
        jurisdiction=step.jurisdiction,
        outcome=outcome,
        opinion=opinion,
        limit_days=_limit(row, step),
        version=step.version,
    )


def _moved(row: Progress, step: ItemStepped) -> Progress:
    kind = type(step)
    if isinstance(step, items.CorrectionRequested | items.CorrectionEnded) and step.before_acceptance:
        return row._replace(state=S.CORRECTION_PRE if kind is items.CorrectionRequested else S.RECEIVED)
    if kind in BEGINS:
        pauses = tuple(dict.fromkeys((*row.pauses, BEGINS[kind])))
        return _standing(row._replace(resting=row.resting or row.state), pauses)
    if kind in ENDS:
        return _standing(row, tuple(one for one in row.pauses if one is not ENDS[kind]))
    if kind is items.SealFailed:
        return row._replace(state=row.resting or S.APPROVING, resting=None)
    if kind not in STATE_AFTER:
        return row
    return row._replace(state=STATE_AFTER[kind], pauses=(), resting=row.state if kind is items.ItemDecided else None)


def _standing(row: Progress, pauses: tuple[PauseReason, ...]) -> Progress:
    """With both open a correction is shown; when the last reason ends the state before the first comes back (R7)."""
    if not pauses:
        return row._replace(state=row.resting or S.ACCEPTED, pauses=(), resting=None)
    return row._replace(state=S.CORRECTION if PauseReason.CORRECTION in pauses else S.SPECIAL, pauses=pauses)


def _limit(row: Progress, step: ItemStepped) -> int:
    match step:
        case items.ItemReceived() | items.ItemAccepted():
            return step.limit_days
        case items.ItemExtended():
            return row.limit_days + step.days
        case items.LimitAmended():
            return row.limit_days + step.limit_days - step.former_limit_days
        case _:
            return row.limit_days


def can_issue(state: ItemState, outcome: Outcome | None) -> None:
    """Hold the window to results that exist (Art. 10). Raises ItemNotGranted."""
    if state is not S.CONCLUDED or outcome is None:
        raise ItemNotGranted


def not_waived(outcome: Outcome | None) -> None:
    """Hold a declaration by item to what still has to be handled (Art. 17). Raises ItemWaived."""
    if outcome is Outcome.WAIVED:
        raise ItemWaived
