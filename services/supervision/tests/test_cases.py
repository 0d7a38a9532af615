"""Urge, inspection, coordination: every act in every state either leads on or is refused by its own name."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from contracts import supervision as said
from contracts import topics
from contracts.envelope import Event, derived_id
from local.samples import sample
from supervision import cases
from supervision.cases import ACTS, ENDED, OUT_OF_ORDER, STATES, TRANSITIONS, CaseKind, CaseState

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
OPENINGS: dict[CaseKind, type[Event]] = {
    CaseKind.URGE: said.Urged,
    CaseKind.INSPECTION: said.InspectionOpened,
    CaseKind.COORDINATION: said.CoordinationRequested,
}


def event(model: type[Event], **facts: Any) -> Any:
    """A sample of an event with an id of its own."""
    return sample(model).model_copy(update={"event_id": derived_id(model.__name__), "occurred_at": NOW, **facts})


@pytest.mark.parametrize("kind", CaseKind)
def test_every_act_in_every_state_stands_in_exactly_one_table(kind: CaseKind) -> None:
    for state, act in product(STATES[kind], ACTS[kind]):
        assert ((state, act) in TRANSITIONS) != ((state, act) in OUT_OF_ORDER), (state, act)


def test_the_tables_name_every_event_of_a_case() -> None:
    named = {act for acts in ACTS.values() for act in acts} | set(OPENINGS.values())
    others = {said.SpecialHandlingGranted, said.ExpiryDecided, said.SignalRaised}
    assert named == set(topics.SUPERVISION.says) - others


@pytest.mark.parametrize("kind", CaseKind)
def test_a_case_goes_from_its_first_state_to_its_last_in_the_legal_order_only(kind: CaseKind) -> None:
    case = cases.opened(event(OPENINGS[kind]))
    assert case.state == STATES[kind][0] and case.is_open
    for act, state in zip(ACTS[kind], STATES[kind][1:], strict=True):
        for other in (one for one in ACTS[kind] if one is not act):
            with pytest.raises(OUT_OF_ORDER[case.state, other]):
                cases.hold_to_order(case, other)
        cases.hold_to_order(case, act)
        case = cases.followed(case, event(act))
        assert case.state == state
    assert case.state in ENDED and not case.is_open
    assert [done.what for done in case.acts] == [OPENINGS[kind].__name__, *(act.__name__ for act in ACTS[kind])]


def test_a_repeat_changes_nothing() -> None:
    case = cases.opened(event(said.Urged))
    received = event(said.UrgeReceived)
    once = cases.followed(case, received)
    assert cases.followed(once, received) == once
    assert len(once.acts) == 2


def test_a_deadline_that_passed_is_overdue_until_the_case_ends() -> None:
    due = NOW + timedelta(days=3)
    case = cases.opened(event(said.InspectionOpened, rectify_by=due))
    assert not case.is_overdue(due) and case.is_overdue(due + timedelta(seconds=1))
    ended = case._replace(state=CaseState.CLOSED)
    assert not ended.is_overdue(due + timedelta(days=1))


def test_the_leads_deadline_replaces_the_one_that_was_asked_for() -> None:
    case = cases.opened(event(said.CoordinationRequested, resolve_by=NOW))
    assigned = cases.followed(case, event(said.CoordinationAssigned, resolve_by=NOW + timedelta(days=5)))
    assert (case.due_at, assigned.due_at) == (NOW, NOW + timedelta(days=5))


def test_every_act_keeps_its_words_and_who_said_them() -> None:
    case = cases.followed(cases.opened(event(said.Urged)), event(said.UrgeAnswered, answer="今日办结"))
    done = case.acts[-1]
    assert (done.words, done.holder, done.at) == ("今日办结", sample(said.UrgeAnswered).actor.holder, NOW.isoformat())  # type: ignore[attr-defined]
