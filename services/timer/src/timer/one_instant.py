"""What comes first at one instant (R19): items expire, then their stage concludes, and only then it is overdue."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from contracts.codes import ItemCode
from contracts.parts import DispatchedItem
from contracts.terms import ClockEnd, ClockState, ClockSubject, ItemState
from procedure import stages
from procedure.item_clock import Attempt
from procedure.stages import Standing
from timer.tracked import Tracked

C, S = ClockState, ItemState


class Split(NamedTuple):
    """One item of a stage as it was split: what decides whether the stage ends without it (P18, P23)."""

    item_code: ItemCode
    after: tuple[ItemCode, ...]
    optional: bool
    milestone: bool


def split(item: DispatchedItem) -> Split:
    return Split(item.item_code, item.after, item.optional, item.milestone)


def waits_for_items(stage: Tracked, items: Sequence[Tracked], splits: Sequence[Split]) -> bool:
    """Whether a stage whose due instant passed may still turn out to have concluded in time: an item's recall or seal
    of that instant has no answer yet, or all that is known says that it concluded and the dispatcher's word is on its
    way. At one instant items expire before their stage concludes, and that before it is overdue (R19)."""
    by = stage.expires_at
    assert by is not None
    return any(_is_undecided(one, by) for one in items) or _has_concluded(stage, items, splits, by)


def _is_undecided(item: Tracked, by: datetime) -> bool:
    if item.subject is not ClockSubject.ITEM or item.state not in (C.RUNNING, C.PAUSED):
        return False
    return item.held or (item.expires_at is not None and item.expires_at <= by)


def _has_concluded(stage: Tracked, items: Sequence[Tracked], splits: Sequence[Split], by: datetime) -> bool:
    newest = {one.whose.item_code: one for one in sorted(items, key=lambda one: one.whose.attempt)}
    standings = {one.item_code: _standing(one, newest.get(one.item_code), by) for one in splits}
    while never := stages.following({one.item_code: one.after for one in splits}, standings).never:
        standings |= {code: standings[code]._replace(state=S.NOT_DISPATCHED) for code, _ in never}
    return bool(standings) and stages.is_concluded(tuple(standings.values()), stage.whose.policies)


ENDED: Final[Mapping[ClockEnd, ItemState]] = {
    ClockEnd.CONCLUDED: S.CONCLUDED,
    ClockEnd.RETURNED: S.RETURNED,
    ClockEnd.WITHDRAWN: S.WITHDRAWN,
    ClockEnd.RECALLED: S.AUTO_RECALLED,
    ClockEnd.NOT_ACCEPTED: S.NOT_ACCEPTED,
}


def _standing(one: Split, item: Tracked | None, by: datetime) -> Standing:
    """How an item stood when its stage's due instant came; open, if it ended later."""
    state, outcome = S.ACCEPTED, None
    if item is None:
        state = S.DRAFT
    elif item.clock.end in ENDED and item.clock.ended_at is not None and item.clock.ended_at <= by:
        assert item.clock.end is not None and isinstance(item.kept, Attempt)
        state, outcome = ENDED[item.clock.end], item.kept.outcome
    dispatched = item is not None or not one.after
    return Standing(one.item_code, state, outcome, dispatched, one.optional, one.milestone)
