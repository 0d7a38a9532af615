"""特殊处理: what may be filed as things stand, and which events say what came of it."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from contracts.codes import JurisdictionCode, MaterialCode
from contracts.department_worker import CorrectionRequested, ItemActRefused, ItemConcluded, ItemReceived
from contracts.dispatcher import ItemClosed, SpecialHandlingRefused
from contracts.intake import StageApplied
from contracts.parts import DeferredMaterial
from contracts.supervision import SpecialHandlingGranted
from contracts.terms import ItemState, ItemStep, Outcome, SpecialEffect
from local.samples import sample
from procedure.refusals import Refusal
from supervision import domain, handlings
from supervision.domain import ItemRow
from supervision.handlings import Came, Situation

E = SpecialEffect
TODAY = date(2026, 3, 2)


def filed(effect: SpecialEffect, **facts: Any) -> Any:
    bare = dict.fromkeys(
        ("material", "promised_on", "outcome", "decided_on", "to_jurisdiction", "item_code", "item_id")
    )
    return sample(SpecialHandlingGranted).model_copy(update={**bare, "effect": effect, **facts})


@pytest.fixture
def row(begin: Any) -> ItemRow:
    return domain.opened(begin("S1-05").do(ItemStep.RECEIVE).events[0])


def situation(item: ItemRow | None = None, *, declared: bool = True) -> Situation:
    return Situation(item, declared, (MaterialCode("M07"),), TODAY)


def refusal(one: Any, how: Situation) -> str | None:
    try:
        handlings.hold_to_situation(one, how)
    except Refusal as refused:
        return refused.code
    return None


def test_a_stage_is_skipped_or_deferred_for_before_it_is_declared(row: ItemRow) -> None:
    assert refusal(filed(E.SKIP_STAGE_ORDER), situation(declared=False)) is None
    assert refusal(filed(E.SKIP_STAGE_ORDER), situation()) == "STAGE_DECLARED_BEFORE"
    later = {"material": "M07", "promised_on": date(2026, 3, 3)}
    assert refusal(filed(E.DEFER_MATERIAL, **later), situation(declared=False)) is None
    assert refusal(filed(E.DEFER_MATERIAL, **later | {"promised_on": TODAY}), situation(declared=False)) == (
        "PROMISED_IN_THE_PAST"
    )
    assert refusal(filed(E.DEFER_MATERIAL, **later | {"material": "M48"}), situation(declared=False)) == (
        "MATERIAL_NOT_OF_STAGE"
    )


STATES = list(ItemState)


@pytest.mark.parametrize("state", STATES)
def test_each_effect_about_an_item_fits_certain_states_only(row: ItemRow, state: ItemState) -> None:
    item = row._replace(state=state.value, version=3)
    fits = {effect for effect in (E.REOPEN, E.WAIVE, E.ENTER_DECISION, E.MORE_CORRECTIONS) if _fits(effect, item)}
    expected: set[SpecialEffect] = set()
    if state is ItemState.AUTO_RECALLED:
        expected.add(E.REOPEN)
    if state in domain.OPEN:
        expected.add(E.WAIVE)
    if state in (ItemState.ACCEPTED, ItemState.REVIEWING, ItemState.APPROVING):
        expected |= {E.ENTER_DECISION, E.MORE_CORRECTIONS}
    if state in (ItemState.CORRECTION, ItemState.SPECIAL):
        expected.add(E.MORE_CORRECTIONS)
    assert fits == expected


def _fits(effect: SpecialEffect, item: ItemRow) -> bool:
    return refusal(filed(effect, decided_on=TODAY), situation(item)) is None


def test_an_expired_permit_may_be_waived_and_a_closed_item_nothing(row: ItemRow) -> None:
    expired = row._replace(state="AUTO_RECALLED", outcome=Outcome.EXPIRED_NO_OPINION.value)
    assert refusal(filed(E.WAIVE), situation(expired)) is None
    for effect in (E.WAIVE, E.REOPEN):
        assert refusal(filed(effect), situation(expired._replace(closed="CLOSED_NO_OPINION"))) is not None


def test_an_item_is_rerouted_elsewhere_and_no_decision_comes_from_tomorrow(row: ItemRow) -> None:
    received = row._replace(state="RECEIVED")
    assert refusal(filed(E.REROUTE, to_jurisdiction=JurisdictionCode("210200")), situation(received)) is None
    same = filed(E.REROUTE, to_jurisdiction=JurisdictionCode("210281"))
    assert refusal(same, situation(received)) == "SAME_JURISDICTION"
    accepted = row._replace(state="ACCEPTED")
    tomorrow = filed(E.ENTER_DECISION, decided_on=date(2026, 3, 3))
    assert refusal(tomorrow, situation(accepted)) == "DECIDED_IN_THE_FUTURE"


def test_the_lead_decides_once_on_an_item_that_expired_without_an_opinion(row: ItemRow) -> None:
    expired = row._replace(state="AUTO_RECALLED", outcome="EXPIRED_NO_OPINION")
    handlings.hold_to_expiry(expired, decided=False)
    for item, decided, code in (
        (expired, True, "DECIDED_BEFORE"),
        (expired._replace(closed="CLOSED_NO_OPINION"), False, "DECIDED_BEFORE"),
        (row._replace(state="AUTO_RECALLED", outcome="DEEMED_NO_OPINION"), False, "NOT_AWAITING_DECISION"),
        (row._replace(state="ACCEPTED"), False, "NOT_AWAITING_DECISION"),
    ):
        with pytest.raises(Refusal) as refused:
            handlings.hold_to_expiry(item, decided=decided)
        assert refused.value.code == code


def test_what_came_of_it_is_told_by_the_events_that_carry_its_id() -> None:
    handling = UUID(int=77)
    applied = sample(StageApplied).model_copy(update={"special_handling": handling, "deferred": ()})
    waived = sample(ItemClosed).model_copy(update={"decided_by": handling})
    refused = sample(SpecialHandlingRefused).model_copy(update={"handling_id": handling})
    act_refused = sample(ItemActRefused).model_copy(update={"causation_id": handling})
    for event, came in (
        (applied, Came.APPLIED),
        (waived, Came.APPLIED),
        (refused, Came.REFUSED),
        (act_refused, Came.REFUSED),
    ):
        (one,) = handlings.consequences(event)
        assert (one.cause, handlings.came([one])) == (handling, came)
    assert handlings.came([]) is Came.FILED


def test_what_carries_no_id_is_told_by_what_was_allowed(begin: Any, versions: Any) -> None:
    deferred = (DeferredMaterial(code=MaterialCode("M07"), promised_on=TODAY),)
    applied = sample(StageApplied).model_copy(update={"special_handling": None, "deferred": deferred})
    (one,) = handlings.consequences(applied)
    granted = filed(E.DEFER_MATERIAL, material=MaterialCode("M07"), project_code=applied.project_code)
    assert one.cause in handlings.causes(granted, None)
    again = begin("S1-05", attempt=2).do(ItemStep.RECEIVE)
    received = again.events[0]
    assert isinstance(received, ItemReceived)
    former = domain.opened(begin("S1-05").do(ItemStep.RECEIVE).events[0])
    (one,) = handlings.consequences_of_step(received, domain.opened(received))
    assert one.cause in handlings.causes(filed(E.REOPEN), former)
    assert one.cause not in handlings.causes(filed(E.WAIVE), former)


def test_a_further_correction_and_an_entered_decision_are_told(begin: Any) -> None:
    lived = begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).do(ItemStep.START_CORRECTION, 2)
    step, row = lived.events[-1], domain.opened(lived.events[0])
    assert isinstance(step, CorrectionRequested)
    assert list(handlings.consequences_of_step(step, row._replace(corrections=1))) == []
    (one,) = handlings.consequences_of_step(step, row._replace(corrections=2))
    assert one.cause in handlings.causes(filed(E.MORE_CORRECTIONS), row)
    entered = begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1)
    entered.do(ItemStep.ENTER_DECISION, 2, special_handling=UUID(int=5)).do(ItemStep.SEAL, 2)
    assert isinstance(entered.events[-1], ItemConcluded)
    (one,) = handlings.consequences_of_step(entered.events[-1], row)
    assert one.cause == UUID(int=5)
