"""Who may withdraw what, and when only the window's word makes it so (P21, R8)."""

import pytest

from contracts.terms import ItemState, Outcome, Role
from intake.domain import withdrawals
from intake.domain.withdrawals import DeclineReasonMissing, NoWithdrawalWaits, WithdrawalNotPossible
from procedure.policies import DEFAULT, Policies

S = ItemState
OPEN = {
    S.DRAFT,
    S.RECEIVED,
    S.CORRECTION_PRE,
    S.ACCEPTED,
    S.REVIEWING,
    S.APPROVING,
    S.CORRECTION,
    S.SPECIAL,
    S.RETURNED,
}


@pytest.mark.parametrize("state", ItemState)
def test_what_has_not_ended_and_what_was_returned_may_be_withdrawn(state: ItemState) -> None:
    if state in OPEN:
        withdrawals.admit(state, None)
        return
    with pytest.raises(WithdrawalNotPossible) as refused:
        withdrawals.admit(state, None)
    assert refused.value.status == 409 and refused.value.article == "第十条"


def test_a_waived_item_is_not_withdrawn() -> None:
    with pytest.raises(WithdrawalNotPossible) as refused:
        withdrawals.admit(S.RECEIVED, Outcome.WAIVED)
    assert "免予办理" in refused.value.message


@pytest.mark.parametrize("state", sorted(OPEN))
def test_once_handling_began_the_builders_word_alone_is_not_enough(state: ItemState) -> None:
    begun = state not in (S.DRAFT, S.RECEIVED, S.CORRECTION_PRE)
    assert withdrawals.is_confirmed(Role.BUILDER, state, DEFAULT) is not begun
    assert withdrawals.is_confirmed(Role.WINDOW, state, DEFAULT)
    assert withdrawals.is_confirmed(Role.BUILDER, state, Policies(withdrawal_needs_window=False))


def test_the_window_answers_what_waits_and_says_why_not() -> None:
    withdrawals.admit_answer(waits=True, confirmed=True, reason="")
    withdrawals.admit_answer(waits=True, confirmed=False, reason="已在发证")
    with pytest.raises(NoWithdrawalWaits):
        withdrawals.admit_answer(waits=False, confirmed=True, reason="")
    with pytest.raises(DeclineReasonMissing):
        withdrawals.admit_answer(waits=True, confirmed=False, reason="  ")
