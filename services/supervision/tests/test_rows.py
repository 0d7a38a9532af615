"""What supervision shows of items and stages is what the law says of them, whatever happens in whatever order."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import topics
from contracts.department_worker import ItemActRefused, ItemStepped
from contracts.dispatcher import ItemClosed, StageAccepted, StageConcluded, StageDispatched, StageResultAmended
from contracts.envelope import derived_id
from contracts.intake import StageApplied
from contracts.parts import Actor
from contracts.terms import CloseCause, ItemState, ItemStep, Outcome, ReminderKind, StageResult
from contracts.timer import AcceptanceOverdue, ReminderDue
from local.samples import sample
from supervision import domain
from supervision.domain import AFTER, ItemRow, MarkKind

BY_HAND = [one for one in ItemStep if one not in (ItemStep.RECEIVE, ItemStep.RECALL)]
THERE_AND_BACK = (
    *("CorrectionRequested", "CorrectionEnded", "SpecialStarted", "SpecialEnded"),
    *("ItemDecided", "SealFailed", "ItemExtended", "LimitAmended"),
)


def row_after(events: list[ItemStepped]) -> ItemRow:
    row = domain.opened(events[0])
    for event in events:
        row = domain.stepped(row, event)
    return row


def test_every_step_of_an_item_leads_somewhere() -> None:
    steps = {model for model in topics.ITEMS.says if issubclass(model, ItemStepped)}
    assert {model for model in steps if model.__name__ not in THERE_AND_BACK} == set(AFTER)


@settings(max_examples=400, deadline=None)
@given(acts=st.lists(st.sampled_from(BY_HAND), max_size=14))
def test_the_state_shown_is_the_state_in_law_after_any_acts(begin: Any, acts: list[ItemStep]) -> None:
    lived = begin("S1-05").do(ItemStep.RECEIVE)
    for place, step in enumerate(acts):
        lived.attempt(step, 0.1 * place)
        row = row_after(lived.events)
        held = (row.state, row.version, row.corrections, row.limit_days)
        assert held == (lived.item.state, lived.item.version, lived.item.corrections, lived.item.limit_days)
        outcome = lived.item.outcome or (lived.item.decision and lived.item.decision.outcome)
        assert row.outcome == outcome
        assert (row.accepted_at is None) == (lived.item.clock is None)


def test_a_repeat_changes_nothing(begin: Any) -> None:
    lived = (
        begin().do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).do(ItemStep.START_SPECIAL, 2).do(ItemStep.END_SPECIAL, 3)
    )
    row = row_after(lived.events)
    for event in lived.events:
        assert domain.stepped(row, event) is row


def test_correction_before_acceptance_leads_back_to_received(begin: Any) -> None:
    lived = begin().do(ItemStep.RECEIVE).do(ItemStep.START_CORRECTION, 1)
    assert row_after(lived.events).state == ItemState.CORRECTION_PRE
    row = row_after(lived.do(ItemStep.SUPPLEMENT, 30).events)
    assert (row.state, row.corrections, row.received_at) == (ItemState.RECEIVED, 0, lived.events[-1].at)


def test_closing_and_the_last_step_may_come_in_any_order(begin: Any) -> None:
    lived = begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).recall()
    row = domain.opened(lived.events[0])
    for event in lived.events[:-1]:
        row = domain.stepped(row, event)
    closed_last = domain.closed(domain.stepped(row, lived.events[-1]), Outcome.CLOSED_NO_OPINION)
    assert domain.stepped(domain.closed(row, Outcome.CLOSED_NO_OPINION), lived.events[-1]) == closed_last
    assert (closed_last.state, closed_last.outcome) == (ItemState.AUTO_RECALLED, Outcome.EXPIRED_NO_OPINION)


def test_a_stage_goes_from_declared_to_concluded_and_its_result_may_be_amended(
    applied: StageApplied, dispatched: StageDispatched
) -> None:
    row = domain.declared(applied)
    assert (row.version, row.state, row.catalogue_version) == (0, None, applied.policies.catalogue_version)
    seen: list[Any] = []
    for version, model in enumerate((StageDispatched, StageAccepted, StageConcluded, StageResultAmended), 1):
        event = sample(model).model_copy(update={"version": version, "result": StageResult.ALL_GRANTED})
        row = domain.moved(row, event)
        assert domain.moved(row, event) is row
        seen.append((row.state, row.result))
    assert seen == [
        ("DISPATCHED", None),
        ("ACCEPTED", None),
        ("CONCLUDED", "ALL_GRANTED"),
        ("CONCLUDED", "ALL_GRANTED"),
    ]


def test_an_item_that_waited_in_vain_is_shown_so_unless_it_began(begin: Any) -> None:
    row = domain.opened(begin().do(ItemStep.RECEIVE).events[0])
    assert domain.never_begun(row).state == ItemState.NOT_DISPATCHED
    begun = row._replace(version=1, state="RECEIVED")
    assert domain.never_begun(begun) is begun


def about(begin: Any) -> dict[str, Any]:
    item = begin().item
    names = ("item_id", "project_code", "application_id", "stage", "item_code", "attempt", "department", "jurisdiction")
    return {name: getattr(item, name) for name in names}


def test_marks_stand_while_the_item_is_where_it_was_marked(begin: Any) -> None:
    lived = begin().do(ItemStep.RECEIVE)
    received = row_after(lived.events)
    overdue = sample(AcceptanceOverdue).model_copy(update={**about(begin), "due_at": lived.events[0].at.replace(day=9)})
    mark = domain.mark(overdue)
    assert mark is not None and mark.kind == MarkKind.ACCEPTANCE_OVERDUE
    assert domain.stands(mark, received)
    accepted = row_after(lived.do(ItemStep.ACCEPT, 1).events)
    assert not domain.stands(mark, accepted)
    assert not domain.stands(mark, received._replace(closed=Outcome.WAIVED.value))


def test_the_time_for_acceptance_begins_anew_after_a_correction(begin: Any) -> None:
    lived = begin().do(ItemStep.RECEIVE).do(ItemStep.START_CORRECTION, 24 * 9).do(ItemStep.SUPPLEMENT, 24 * 10)
    due_at = lived.events[0].at.replace(day=9)
    mark = domain.mark(sample(AcceptanceOverdue).model_copy(update={**about(begin), "due_at": due_at}))
    assert mark is not None and not domain.stands(mark, row_after(lived.events))


@pytest.mark.parametrize("kind", ReminderKind)
def test_every_reminder_is_a_mark(begin: Any, kind: ReminderKind) -> None:
    mark = domain.mark(sample(ReminderDue).model_copy(update={**about(begin), "kind": kind}))
    assert mark is not None and MarkKind(mark.kind).value == kind.value


def test_only_a_missing_result_marks_a_refused_act(begin: Any) -> None:
    refused = sample(ItemActRefused).model_copy(update={**about(begin), "code": "RESULT_STILL_MISSING"})
    assert domain.mark(refused) is not None
    assert domain.mark(refused.model_copy(update={"code": "STEP_OUT_OF_ORDER"})) is None


def test_an_application_has_the_id_that_intake_will_give_it(applied: StageApplied) -> None:
    assert domain.application_of(applied.project_code, applied.stage) == applied.application_id


def test_a_closing_is_kept_by_the_item_it_names(begin: Any) -> None:
    closed = ItemClosed(
        event_id=derived_id("closed"),
        causation_id=UUID(int=1),
        occurred_at=begin().item.applied_at,
        **about(begin),
        version=3,
        at=begin().item.applied_at,
        cause=CloseCause.WAIVED,
        outcome=Outcome.WAIVED,
        reason="并入",
        decided_by=UUID(int=2),
        actor=Actor(holder="李四", certificate="KEY-2"),
    )
    row = domain.closed(domain.opened(closed), closed.outcome)
    assert (row.item_id, row.closed) == (closed.item_id, "WAIVED")
