"""How an item stands as its builder is shown it: every step taken in once, states that come back, endings that stay."""

from typing import Any
from uuid import UUID

import pytest

from contracts import department_worker as items
from contracts import topics
from contracts.codes import ItemCode
from contracts.department_worker import ItemStepped
from contracts.dispatcher import ItemClosed
from contracts.terms import CloseCause, ItemState, Outcome, PauseReason
from intake.domain import progress
from intake.domain.progress import ItemNotGranted, ItemWaived, Progress
from local.samples import sample

CODE = ItemCode("S1-05")
DRAFT = Progress(UUID(int=1), CODE, UUID(int=2), 1, "GHJ", "210281", ItemState.DRAFT, None, "", 7, 0)
STEPS = [model for model in topics.ITEMS.says if issubclass(model, ItemStepped)]


def step(kind: type[ItemStepped], version: int, **facts: Any) -> Any:
    """A step of the item, with these facts."""
    facts = {"attempt": 1, "before_acceptance": False, "limit_days": 7, **facts}
    known = {name: value for name, value in facts.items() if name in kind.model_fields}
    return sample(kind).model_copy(update={"version": version, "item_code": CODE, **known})


def after(*kinds: type[ItemStepped], row: Progress = DRAFT) -> Progress:
    for kind in kinds:
        row = progress.stepped(row, step(kind, row.version + 1))
    return row


def closed(**facts: Any) -> ItemClosed:
    return sample(ItemClosed).model_copy(update={"item_code": CODE, "attempt": 1, **facts})  # pyright: ignore[reportReturnType]


@pytest.mark.parametrize("kind", STEPS)
def test_every_step_there_is_can_be_taken_in(kind: type[ItemStepped]) -> None:
    row = progress.stepped(DRAFT, step(kind, 1))
    assert (row.version, row.attempt) == (1, 1)


def test_a_step_that_the_reader_does_not_know_leaves_the_state_as_it_is() -> None:
    class ItemBlessed(ItemStepped):
        """Something of a later release."""

    row = after(items.ItemReceived, items.ItemAccepted)
    blessed = ItemBlessed(**{name: getattr(step(items.SpecialEnded, 3), name) for name in ItemStepped.model_fields})
    assert progress.stepped(row, blessed) == row._replace(version=3, item_id=blessed.item_id)


def test_the_state_before_a_pause_comes_back_when_the_last_reason_ends() -> None:
    reviewing = after(items.ItemReceived, items.ItemAccepted, items.ItemReviewed)
    both = after(items.SpecialStarted, items.CorrectionRequested, row=reviewing)
    assert (both.state, set(both.pauses)) == (ItemState.CORRECTION, set(PauseReason) - {PauseReason.RETURNED})
    one = after(items.CorrectionEnded, row=both)
    assert (one.state, one.pauses) == (ItemState.SPECIAL, (PauseReason.SPECIAL,))
    none = after(items.SpecialEnded, row=one)
    assert (none.state, none.pauses) == (ItemState.REVIEWING, ())


def test_a_correction_before_acceptance_pauses_nothing() -> None:
    row = after(items.ItemReceived)
    asked = progress.stepped(row, step(items.CorrectionRequested, 2, before_acceptance=True))
    assert (asked.state, asked.pauses) == (ItemState.CORRECTION_PRE, ())
    answered = progress.stepped(asked, step(items.CorrectionEnded, 3, before_acceptance=True))
    assert answered.state is ItemState.RECEIVED


def test_an_item_returned_out_of_a_pause_is_not_paused_any_more() -> None:
    row = after(items.ItemReceived, items.ItemAccepted, items.CorrectionRequested, items.ItemReturned)
    assert (row.state, row.pauses, row.resting) == (ItemState.RETURNED, (), None)


def test_an_extension_and_an_amended_limit_keep_the_state_and_change_the_limit() -> None:
    paused = after(items.ItemReceived, items.ItemAccepted, items.CorrectionRequested)
    extended = progress.stepped(paused, step(items.ItemExtended, 4, days=10))
    assert (extended.state, extended.pauses, extended.limit_days) == (paused.state, paused.pauses, 17)
    amended = progress.stepped(extended, step(items.LimitAmended, 5, limit_days=9, former_limit_days=7))
    assert (amended.state, amended.limit_days) == (paused.state, 19)
    again = progress.stepped(amended, step(items.ItemReceived, 1, attempt=2))
    assert (again.limit_days, again.attempt) == (7, 2)


def test_a_seal_that_fails_brings_back_the_state_before_the_decision() -> None:
    entered = after(items.ItemReceived, items.ItemAccepted, items.ItemDecided)
    assert entered.state is ItemState.SEALING
    assert after(items.SealFailed, row=entered).state is ItemState.ACCEPTED
    approved = after(items.ItemReceived, items.ItemAccepted, items.ItemReviewed, items.ItemApproved, items.ItemDecided)
    assert after(items.SealFailed, row=approved).state is ItemState.APPROVING


def test_a_revoked_item_has_no_outcome_any_more() -> None:
    granted = after(items.ItemReceived, items.ItemAccepted, items.ItemDecided, items.ItemConcluded)
    assert granted.outcome is Outcome.GRANTED
    revoked = after(items.ItemRevoked, row=granted)
    assert (revoked.state, revoked.outcome) == (ItemState.REVOKED, None)
    with pytest.raises(ItemNotGranted):
        progress.can_issue(revoked.state, revoked.outcome)


def test_a_waived_item_stays_waived_when_its_department_hands_it_back() -> None:
    row = after(items.ItemReceived, items.ItemAccepted)
    waived = progress.closed(row, closed(cause=CloseCause.WAIVED, outcome=Outcome.WAIVED, reason="并入"))
    back = after(items.ItemTakenBack, row=waived)
    assert (back.state, back.outcome, back.opinion) == (ItemState.WITHDRAWN, Outcome.WAIVED, "并入")
    with pytest.raises(ItemWaived):
        progress.not_waived(back.outcome)


def test_a_waived_item_that_never_went_out_never_will() -> None:
    waived = progress.closed(DRAFT, closed(cause=CloseCause.WAIVED, outcome=Outcome.WAIVED))
    assert (waived.state, waived.outcome) == (ItemState.NOT_DISPATCHED, Outcome.WAIVED)


def test_what_closed_a_former_attempt_does_not_close_the_new_one() -> None:
    row = progress.stepped(after(items.ItemReceived), step(items.ItemReceived, 1, attempt=2))
    assert progress.closed(row, closed(outcome=Outcome.CLOSED_NO_OPINION)) == row


def test_a_repeat_and_a_former_attempt_tell_nothing_new() -> None:
    row = after(items.ItemReceived, items.ItemAccepted)
    assert not progress.is_new(row, step(items.ItemAccepted, 2))
    assert progress.is_new(row, step(items.ItemReviewed, 3))
    second = progress.stepped(row, step(items.ItemReceived, 1, attempt=2))
    assert not progress.is_new(second, step(items.ItemReturned, 3))


def test_a_new_attempt_may_stand_with_another_level() -> None:
    rerouted = progress.stepped(DRAFT, step(items.ItemReceived, 1, attempt=2, jurisdiction="210200"))
    assert (rerouted.jurisdiction, rerouted.attempt) == ("210200", 2)
