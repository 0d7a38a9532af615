"""撤件 (P21): who may withdraw what, and when only the window's word makes it so."""

from typing import Final

from contracts.labels import label
from contracts.terms import ItemState, ItemStep, Outcome, Role
from procedure.items import TRANSITIONS
from procedure.policies import Policies
from procedure.refusals import Refusal

NOT_BEGUN: Final = (ItemState.DRAFT, ItemState.RECEIVED, ItemState.CORRECTION_PRE)
"""The states before any handling: the builder's own word is enough."""
WITHDRAWABLE: Final = tuple(state for state in ItemState if (state, ItemStep.WITHDRAW) in TRANSITIONS)


class WithdrawalNotPossible(Refusal):
    """该事项处于“{state}”，不能撤件"""

    article = "第十条"


class WithdrawalWaits(Refusal):
    """该事项的撤件申请已经提交，正待综合窗口确认"""

    article = "第十条"


class NoWithdrawalWaits(Refusal):
    """该事项没有待确认的撤件申请"""

    article = "第十条"


class DeclineReasonMissing(Refusal):
    """不予确认撤件须写明理由"""

    article = "第十条"
    status = 422


def admit(state: ItemState, outcome: Outcome | None) -> None:
    """Hold a withdrawal to items that have not ended; one that was returned may still be withdrawn (R8).

    Raises WithdrawalNotPossible.
    """
    if state not in WITHDRAWABLE or outcome is Outcome.WAIVED:
        raise WithdrawalNotPossible(state=label(state if outcome is not Outcome.WAIVED else outcome))


def is_confirmed(role: Role, state: ItemState, policies: Policies) -> bool:
    """Whether a request takes effect at once: the window's always, a builder's before handling began, or where the
    city's reading asks for no window."""
    return role is Role.WINDOW or state in NOT_BEGUN or not policies.withdrawal_needs_window


def admit_answer(*, waits: bool, confirmed: bool, reason: str) -> None:
    """Hold the window's answer to a request that waits. Raises NoWithdrawalWaits or DeclineReasonMissing."""
    if not waits:
        raise NoWithdrawalWaits
    if not confirmed and not reason.strip():
        raise DeclineReasonMissing
