"""What the lead and special handling may do to an item: every standing × every decision, and what follows."""

from typing import Any

import pytest

from contracts.codes import ItemCode, JurisdictionCode
from contracts.dispatcher import (
    ItemClosed,
    ItemDispatched,
    ItemNotDispatched,
    ItemWithdrawn,
    SpecialHandlingRefused,
    StageConcluded,
    StageResultAmended,
)
from contracts.terms import (
    CloseCause,
    ExpiryDecision,
    ItemState,
    Outcome,
    ProcessType,
    SpecialEffect,
    StageResult,
)
from dispatcher import decisions
from procedure.special_handling import EFFECTS

SMALL = ProcessType.SOCIAL_SMALL
CITY = JurisdictionCode("210200")
E, D = SpecialEffect, ExpiryDecision
Script = list[tuple[str, str]]

STANDINGS: dict[str, tuple[str, Script]] = {
    "waits for another": ("S1-05", []),
    "given to its department": ("S1-03", []),
    "being handled": ("S1-03", [("received", "S1-03"), ("accepted", "S1-03")]),
    "returned": ("S1-03", [("accepted", "S1-03"), ("returned", "S1-03")]),
    "granted": ("S1-03", [("concluded", "S1-03")]),
    "refused": ("S1-03", [("refused", "S1-03")]),
    "not accepted": ("S1-03", [("not_accepted", "S1-03")]),
    "withdrawn": ("S1-03", [("withdrawn", "S1-03")]),
    "revoked": ("S1-03", [("concluded", "S1-03"), ("revoked", "S1-03")]),
    "deemed": ("S1-09", [("deemed", "S1-09")]),
    "expired": ("S1-03", [("expired", "S1-03")]),
    "closed": ("S1-03", [("expired", "S1-03"), ("close", "S1-03")]),
    "waived": ("S1-03", [("accepted", "S1-03"), ("waive", "S1-03")]),
    "never started": ("S1-05", [("refused", "S1-03")]),
}
"""How an item may stand, and what led there."""
NOT_EXPIRED, DECIDED = "ITEM_NOT_EXPIRED", "EXPIRY_DECIDED_ALREADY"
NOT_RECALLED, ENDED = "ITEM_NOT_RECALLED", "ITEM_ENDED_ALREADY"
AGAIN, CLOSED, TAKEN = "ItemDispatched", "ItemClosed", "ItemWithdrawn"

ALLOWED: dict[str, tuple[list[str], list[str], list[str], list[str], list[str]]] = {
    # standing                 REDISPATCH     CLOSE          REOPEN          WAIVE            REROUTE
    "waits for another":       ([NOT_EXPIRED], [NOT_EXPIRED], [NOT_RECALLED], [CLOSED],        []),
    "given to its department": ([NOT_EXPIRED], [NOT_EXPIRED], [NOT_RECALLED], [TAKEN, CLOSED], [TAKEN, AGAIN]),
    "being handled":           ([NOT_EXPIRED], [NOT_EXPIRED], [NOT_RECALLED], [TAKEN, CLOSED], [TAKEN, AGAIN]),
    "returned":                ([NOT_EXPIRED], [NOT_EXPIRED], [NOT_RECALLED], [TAKEN, CLOSED], [ENDED]),
    "granted":                 ([NOT_EXPIRED], [NOT_EXPIRED], [NOT_RECALLED], [ENDED],         [ENDED]),
    "refused":                 ([NOT_EXPIRED], [NOT_EXPIRED], [NOT_RECALLED], [ENDED],         [ENDED]),
    "not accepted":            ([NOT_EXPIRED], [NOT_EXPIRED], [NOT_RECALLED], [ENDED],         [ENDED]),
    "withdrawn":               ([NOT_EXPIRED], [NOT_EXPIRED], [NOT_RECALLED], [ENDED],         [ENDED]),
    "revoked":                 ([NOT_EXPIRED], [NOT_EXPIRED], [NOT_RECALLED], [ENDED],         [ENDED]),
    "deemed":                  ([NOT_EXPIRED], [NOT_EXPIRED], [AGAIN],        [ENDED],         [ENDED]),
    "expired":                 ([AGAIN],       [CLOSED],      [AGAIN],        [CLOSED],        [AGAIN]),
    "closed":                  ([DECIDED],     [DECIDED],     [NOT_RECALLED], [ENDED],         [ENDED]),
    "waived":                  ([NOT_EXPIRED], [NOT_EXPIRED], [NOT_RECALLED], [ENDED],         [ENDED]),
    "never started":           ([NOT_EXPIRED], [NOT_EXPIRED], [NOT_RECALLED], [CLOSED],        [ENDED]),
}  # fmt: skip
"""What comes of each decision about an item that stands so: what is said of this item, or the refusal's code."""
DECISIONS = (D.REDISPATCH, D.CLOSE, E.REOPEN, E.WAIVE, E.REROUTE)


def decision(case: Any, kind: ExpiryDecision | SpecialEffect, code: str) -> Any:
    if isinstance(kind, ExpiryDecision):
        return case.lead(kind, code)
    return case.special(kind, code, **({"to_jurisdiction": CITY} if kind is E.REROUTE else {}))


def standing(case: Any, name: str) -> tuple[Any, str]:
    code, script = STANDINGS[name]
    told = case(SMALL)
    for act, of in script:
        special = {"close": D.CLOSE, "waive": E.WAIVE}.get(act)
        told.tell(decision(told, special, of) if special else getattr(told, act)(of))
    return told, code


def said_of(code: str, said: list[Any]) -> list[str]:
    refused = [one.code for one in said if isinstance(one, SpecialHandlingRefused)]
    kinds = (ItemDispatched, ItemClosed, ItemWithdrawn)
    return refused or [type(one).__name__ for one in said if isinstance(one, kinds) and one.item_code == code]


@pytest.mark.parametrize("kind", DECISIONS)
@pytest.mark.parametrize("name", STANDINGS)
def test_a_decision_takes_effect_where_the_table_has_it_and_is_refused_elsewhere(
    case: Any, name: str, kind: ExpiryDecision | SpecialEffect
) -> None:
    told, code = standing(case, name)
    before = told.process
    said = told.tell(decision(told, kind, code))
    assert said_of(code, said) == ALLOWED[name][DECISIONS.index(kind)]
    if isinstance(said[0] if said else None, SpecialHandlingRefused):
        (refused,) = said
        assert told.process == before._replace(version=before.version + 1)
        assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.message) and refused.article


def test_every_decision_that_is_the_dispatchers_is_carried_out() -> None:
    ours = {effect for effect, row in EFFECTS.items() if row.carried_out_by == "dispatcher"}
    assert set(decisions.CARRIED_OUT) == {*ExpiryDecision, *ours}


@pytest.mark.parametrize("effect", SpecialEffect)
def test_effects_of_other_services_are_passed_over(case: Any, effect: SpecialEffect) -> None:
    told = case(SMALL)
    assert decisions.is_ours(told.special(effect, "S1-03")) == (EFFECTS[effect].carried_out_by == "dispatcher")


def test_an_expired_item_holds_its_stage_until_the_lead_closes_it(case: Any) -> None:
    told = case(SMALL)
    told.tell(told.expired("S1-03"), told.deemed("S1-09"), told.concluded("S1-10"))
    assert told.of(StageConcluded) == []
    decided = told.lead(D.CLOSE, "S1-03", reason="部门不再办理")
    closed, never, concluded = told.tell(decided)
    assert (closed.cause, closed.outcome) == (CloseCause.EXPIRED, Outcome.CLOSED_NO_OPINION)
    assert (closed.decided_by, closed.at, closed.reason) == (decided.event_id, decided.occurred_at, "部门不再办理")
    assert (never.item_code, never.because_of) == ("S1-05", "S1-03")
    assert (concluded.result, concluded.concluded_at) == (StageResult.PARTLY_REFUSED, decided.occurred_at)
    assert [one.outcome for one in concluded.items if one.item_code == "S1-03"] == [Outcome.CLOSED_NO_OPINION]
    assert [one.version for one in (closed, never, concluded)] == sorted(
        {one.version for one in (closed, never, concluded)}
    )


def test_an_item_dispatched_again_after_its_expiry_holds_the_stage_and_what_waits_for_it(case: Any) -> None:
    told = case(SMALL)
    told.tell(told.expired("S1-03"), told.deemed("S1-09"), told.concluded("S1-10"))
    decided = told.lead(D.REDISPATCH, "S1-03")
    (again,) = told.tell(decided)
    assert (again.attempt, again.applied_at, again.reopened_at) == (2, decided.occurred_at, None)
    assert again.item_id != decided.item_id and again.jurisdiction == decided.jurisdiction
    told.again("S1-03")
    assert [one.item_code for one in told.tell(told.concluded("S1-03"))] == ["S1-05"]


@pytest.mark.parametrize(("code", "end"), [("S1-03", "expired"), ("S1-09", "deemed")])
def test_a_recalled_item_is_opened_again_from_the_instant_of_the_handling(case: Any, code: str, end: str) -> None:
    told = case(SMALL)
    told.tell(getattr(told, end)(code))
    handled = told.special(E.REOPEN, code)
    (again,) = told.tell(handled)
    assert (again.attempt, again.reopened_at) == (2, handled.occurred_at)
    assert told.process.lines[code].outcome is None


def test_a_deemed_item_is_opened_again_only_while_its_stage_is_open(case: Any) -> None:
    told = case(SMALL)
    told.tell(*(told.concluded(code) for code in ("S1-03", "S1-05", "S1-10")), told.deemed("S1-09"))
    (refused,) = told.tell(told.special(E.REOPEN, "S1-09"))
    assert refused.code == "STAGE_CONCLUDED_ALREADY"


def test_an_item_that_expires_after_a_milestone_concluded_its_stage_is_decided_all_the_same(case: Any) -> None:
    told = case(ProcessType.SOCIAL_GENERAL, milestones=["S1-03"], stage_concludes_when="milestone_any")
    told.tell(told.concluded("S1-03"), told.expired("S1-06"), told.expired("S1-07"))
    assert len(told.of(StageConcluded)) == 1
    assert [type(one) for one in told.tell(told.lead(D.CLOSE, "S1-06"))] == [ItemClosed, StageResultAmended]
    assert [type(one) for one in told.tell(told.special(E.REOPEN, "S1-07"))] == [ItemDispatched]


def test_a_waived_item_is_taken_back_and_lets_others_start_and_its_stage_pass(case: Any) -> None:
    told = case(SMALL)
    told.tell(told.accepted("S1-03"))
    handled = told.special(E.WAIVE, "S1-03", reason="并入其他事项" + "，说明" * 100)
    taken, closed, dispatched = told.tell(handled)
    assert (taken.withdrawn_at, taken.actor) == (handled.occurred_at, handled.actor)
    assert taken.reason == handled.reason[:200] and closed.reason == handled.reason
    assert (closed.cause, closed.outcome) == (CloseCause.WAIVED, Outcome.WAIVED)
    assert dispatched.item_code == "S1-05"
    assert told.tell(told.withdrawn("S1-03")) == [], "what its department still says counts no more"
    told.tell(told.concluded("S1-05"), told.deemed("S1-09"))
    (concluded,) = told.tell(told.concluded("S1-10"))
    assert concluded.result is StageResult.ALL_GRANTED


def test_a_decision_that_crossed_with_a_waiver_counts_no_more(case: Any) -> None:
    told = case(SMALL)
    told.tell(told.accepted("S1-03"), told.special(E.WAIVE, "S1-03"))
    assert told.tell(told.refused("S1-03")) == []
    assert told.process.lines["S1-03"].outcome is Outcome.WAIVED


def test_an_item_that_waits_is_waived_without_telling_anybody_who_never_had_it(case: Any) -> None:
    told = case(SMALL)
    (closed,) = told.tell(told.special(E.WAIVE, "S1-05"))
    assert closed.outcome is Outcome.WAIVED
    assert told.tell(told.concluded("S1-03"))[-1].__class__ is not ItemDispatched
    assert [one.item_code for one in told.of(ItemDispatched)] == ["S1-03", "S1-09", "S1-10"]


def test_waiving_what_failed_to_start_lets_what_waits_for_it_start(case: Any) -> None:
    told = case(ProcessType.GOV_BUILDING)
    told.tell(told.refused("S1-01"), told.concluded("S1-04"))
    assert [one.item_code for one in told.of(ItemNotDispatched)] == ["S1-02", "S1-05"]
    closed, dispatched = told.tell(told.special(E.WAIVE, "S1-02"))
    assert (closed.item_code, dispatched.item_code) == ("S1-02", "S1-05")


def test_a_waived_item_amends_the_result_of_a_stage_that_concluded_without_it(case: Any) -> None:
    told = case(SMALL)
    told.tell(told.deemed("S1-09"), told.concluded("S1-10"), told.refused("S1-03"))
    closed, amended = told.tell(told.special(E.WAIVE, "S1-05"))
    assert (type(closed), type(amended)) == (ItemClosed, StageResultAmended)
    assert told.process.lines["S1-05"].state is ItemState.NOT_DISPATCHED


def test_a_waived_item_does_not_keep_its_stage_from_being_accepted(case: Any) -> None:
    told = case(SMALL, stage_accepted_when="all_items")
    told.tell(told.received("S1-10"), told.special(E.WAIVE, "S1-10"), told.accepted("S1-03"))
    assert [type(one).__name__ for one in told.tell(told.accepted("S1-09"))] == ["StageAccepted"]


def test_a_rerouted_item_goes_to_the_same_department_of_the_other_level(case: Any) -> None:
    told = case(SMALL)
    told.tell(told.received("S1-03"), told.accepted("S1-03"))
    handled = told.special(E.REROUTE, "S1-03", to_jurisdiction=CITY)
    taken, again = told.tell(handled)
    assert (taken.jurisdiction, taken.attempt, taken.item_id) == ("210281", 1, handled.item_id)
    assert (again.jurisdiction, again.attempt, again.department) == (CITY, 2, taken.department)
    assert told.tell(told.withdrawn("S1-03"), told.refused("S1-03")) == [], "the former attempt's steps"
    told.again("S1-03", CITY)
    told.tell(told.returned("S1-03"))
    (declared,) = told.tell(told.reapplied("S1-03"))
    assert (declared.jurisdiction, declared.attempt) == (CITY, 3)


def test_an_item_that_waits_goes_the_other_way_when_its_time_comes(case: Any) -> None:
    told = case(SMALL)
    assert told.tell(told.special(E.REROUTE, "S1-05", to_jurisdiction=CITY)) == []
    dispatched = told.tell(told.accepted("S1-03"), told.concluded("S1-03"))[-1]
    assert (dispatched.item_code, dispatched.attempt, dispatched.jurisdiction) == ("S1-05", 1, CITY)


@pytest.mark.parametrize(
    ("there", "code"),
    [("210281", "HANDLED_THERE_ALREADY"), (None, "NO_DEPARTMENT_THERE")],
)
def test_a_route_that_leads_nowhere_new_is_refused(case: Any, there: str | None, code: str) -> None:
    told = case(SMALL)
    place = None if there is None else JurisdictionCode(there)
    (refused,) = told.tell(told.special(E.REROUTE, "S1-03", to_jurisdiction=place))
    assert refused.code == code


def test_a_department_that_a_place_does_not_have_is_refused(case: Any) -> None:
    """S1-11 is the city's own: no district has a department that handles it."""
    told = case(ProcessType.SOCIAL_GENERAL)
    elsewhere = JurisdictionCode("210281")
    (refused,) = told.tell(told.special(E.REROUTE, "S1-11", to_jurisdiction=elsewhere))
    assert refused.code == "NO_DEPARTMENT_THERE"


@pytest.mark.parametrize("kind", DECISIONS)
def test_only_the_newest_attempt_is_decided_about(case: Any, kind: ExpiryDecision | SpecialEffect) -> None:
    told = case(SMALL)
    told.tell(told.expired("S1-03"), told.lead(D.REDISPATCH, "S1-03"))
    (refused,) = told.tell(decision(told, kind, "S1-03"))
    assert (refused.code, refused.item_code) == ("NOT_THE_NEWEST_ATTEMPT", "S1-03")


def test_an_item_that_the_stage_does_not_have_is_refused(case: Any) -> None:
    told = case(SMALL)
    handled = told.special(E.WAIVE, "S1-03")
    for code in (None, ItemCode("S1-01")):
        (refused,) = told.tell(handled.model_copy(update={"item_code": code, "item_id": None}))
        assert (refused.code, refused.handling_id) == ("NO_SUCH_ITEM", handled.handling_id)


def test_a_handling_that_names_no_attempt_is_about_the_newest(case: Any) -> None:
    told = case(SMALL)
    told.tell(told.expired("S1-03"))
    handled = told.special(E.REOPEN, "S1-03").model_copy(update={"item_id": None})
    assert [type(one) for one in told.tell(handled)] == [ItemDispatched]


EARLY = [
    (D.CLOSE, "being handled", True),
    (D.REDISPATCH, "given to its department", True),
    (E.REOPEN, "being handled", True),
    (E.WAIVE, "being handled", False),
    (E.REROUTE, "being handled", False),
    (D.CLOSE, "expired", False),
    (D.CLOSE, "granted", False),
    (E.REOPEN, "deemed", False),
    (E.REOPEN, "returned", False),
    (D.CLOSE, "closed", False),
]


@pytest.mark.parametrize(("kind", "name", "early"), EARLY)
def test_what_needs_a_recall_is_early_while_the_item_is_open(
    case: Any, kind: ExpiryDecision | SpecialEffect, name: str, early: bool
) -> None:
    told, code = standing(case, name)
    assert decisions.comes_early(told.process, decision(told, kind, code)) == early


def test_a_declaration_by_item_is_early_until_the_former_attempt_has_ended(case: Any) -> None:
    from dispatcher import domain

    told = case(SMALL)
    again = told.reapplied("S1-03")
    assert domain.comes_early(told.process, again)
    told.tell(told.returned("S1-03"))
    assert not domain.comes_early(told.process, again)
    told.tell(again)
    assert not domain.comes_early(told.process, again)
