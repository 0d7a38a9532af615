"""The table of steps, every state × every step: allowed exactly where the table says, refused by name elsewhere."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from chassis.catalogue import load
from contracts.codes import CreditCode, DepartmentCode, ItemCode, JurisdictionCode, ProjectCode, Sha256
from contracts.envelope import derived_id
from contracts.parts import Actor, Policies, Special
from contracts.terms import ItemKind, ItemState, ItemStep, OnExpiry, Outcome, PauseReason, SpecialKind, Stage
from local.suite import CATALOGUE
from procedure.clock import Clock, pause
from procedure.items import TERMINAL, TRANSITIONS, Act, Decision, Item, advance
from procedure.refusals import Refusal

CALENDAR = load(CATALOGUE).calendar
STARTED = datetime(2026, 3, 2, 1, tzinfo=UTC)
NOW = STARTED + timedelta(hours=2)
OFFICER = Actor(holder="经办人", certificate="CA-1")
STILL = {ItemState.CORRECTION: "CORRECTION", ItemState.SPECIAL: "SPECIAL", ItemState.CORRECTION_PRE: "CORRECTION"}


def item(state: ItemState) -> Item:
    """An item as it stands in `state` within its limit."""
    begun = state not in (ItemState.DRAFT, ItemState.RECEIVED, ItemState.CORRECTION_PRE, ItemState.NOT_ACCEPTED)
    clock = Clock(10, STARTED) if begun else None
    if clock is not None and state in STILL:
        clock = pause(clock, PauseReason[STILL[state]], "", STARTED)
    decision = Decision(Outcome.GRANTED, "准予", NOW, UUID(int=7), OFFICER, ItemState.APPROVING)
    return Item(
        item_id=UUID(int=1),
        project_code=ProjectCode("2018-210281-47-03-000123"),
        application_id=UUID(int=2),
        stage=Stage.LAND_USE,
        item_code=ItemCode("S1-10"),
        attempt=1,
        department=DepartmentCode("WWJ"),
        jurisdiction=JurisdictionCode("210281"),
        kind=ItemKind.CONSULT,
        limit_days=10,
        on_expiry=OnExpiry.DEEM_NO_OBJECTION,
        builder=CreditCode("91210281MA0ABC123K"),
        versions=Policies(catalogue_version="1", policy_version="1"),
        applied_at=STARTED,
        state=state,
        version=3,
        clock=clock,
        before_pause=ItemState.ACCEPTED if state in STILL else None,
        decision=decision if state is ItemState.SEALING else None,
    )


def act(step: ItemStep) -> Act:
    at = NOW if step is not ItemStep.RECALL else NOW + timedelta(days=60)
    return Act(
        step,
        OFFICER,
        at,
        derived_id("cause", step),
        Outcome.GRANTED,
        "意见",
        Special(kind=SpecialKind.HEARING, reason="听证"),
        Sha256("0" * 64),
        limit_days=12,
        approved_by="局长",
    )


@pytest.mark.parametrize("step", ItemStep)
@pytest.mark.parametrize("state", ItemState)
def test_a_step_is_taken_where_the_table_has_it_and_refused_elsewhere(state: ItemState, step: ItemStep) -> None:
    before = item(state)
    if (state, step) == (ItemState.CORRECTION, ItemStep.END_SPECIAL):  # a special procedure may end while one corrects
        assert before.clock is not None
        before = before._replace(clock=pause(before.clock, PauseReason.SPECIAL, "", STARTED))
    target = TRANSITIONS.get((state, step))
    if target is None:
        with pytest.raises(Refusal) as refusal:
            advance(before, act(step), CALENDAR)
        assert any("\u4e00" <= letter <= "\u9fff" for letter in refusal.value.message)
        return
    after, said = advance(before, act(step), CALENDAR)
    assert said and after.version == before.version + len(said)
    assert after.state is target or state in STILL


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_only_withdrawal_leads_out_of_a_return_and_only_revocation_out_of_a_conclusion(state: ItemState) -> None:
    led = [step for before, step in TRANSITIONS if before is state]
    ways = {ItemState.RETURNED: [ItemStep.WITHDRAW], ItemState.CONCLUDED: [ItemStep.REVOKE]}
    assert led == ways.get(state, [])


def test_every_state_is_reached() -> None:
    reached = {ItemState.DRAFT, *TRANSITIONS.values()}
    assert set(ItemState) - reached == {ItemState.NOT_DISPATCHED}
