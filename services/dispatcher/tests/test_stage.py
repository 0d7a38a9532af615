"""The stage as a process: when it is accepted and concluded, and what its items' ends mean for the others."""

from datetime import date, timedelta
from typing import Any

import pytest

from contracts.dispatcher import (
    DeferredMaterialsPassedOn,
    ItemDispatched,
    ItemNotDispatched,
    ItemSupplemented,
    ItemWithdrawn,
    StageAccepted,
    StageConcluded,
    StageDispatched,
    StageResultAmended,
)
from contracts.parts import DeferredMaterial
from contracts.terms import ItemState, Outcome, ProcessType, Stage, StageResult, Submission

SMALL = ProcessType.SOCIAL_SMALL
"""Stage 1 of a small project: S1-03, S1-05 (a milestone, after S1-03), and the consultations S1-09 and S1-10."""
Script = list[tuple[str, str]]


def played(case: Any, script: Script) -> Any:
    for act, code in script:
        case.tell(getattr(case, act)(code))
    return case


ALL_ENDED: Script = [("concluded", "S1-03"), ("concluded", "S1-05"), ("deemed", "S1-09"), ("concluded", "S1-10")]

ACCEPTED: list[tuple[str, Script, bool]] = [
    ("first_item", [("received", "S1-03")], False),
    ("first_item", [("received", "S1-03"), ("not_accepted", "S1-03")], False),
    ("first_item", [("received", "S1-03"), ("withdrawn", "S1-03")], False),
    ("first_item", [("received", "S1-03"), ("accepted", "S1-03")], True),
    ("all_items", [("accepted", "S1-03"), ("accepted", "S1-09"), ("received", "S1-10")], False),
    ("all_items", [("accepted", "S1-03"), ("accepted", "S1-09"), ("accepted", "S1-10")], True),
    ("all_items", [("accepted", "S1-03"), ("accepted", "S1-09"), ("not_accepted", "S1-10")], True),
    ("all_items", [("accepted", "S1-03"), ("returned", "S1-03"), ("accepted", "S1-09"), ("accepted", "S1-10")], True),
    ("all_items", [("not_accepted", "S1-09"), ("withdrawn", "S1-10"), ("not_accepted", "S1-03")], False),
    ("window_receipt", ALL_ENDED[:3], False),
]


@pytest.mark.parametrize(("reading", "script", "accepted"), ACCEPTED)
def test_a_stage_is_accepted_by_the_reading_it_was_admitted_under(
    case: Any, reading: str, script: Script, accepted: bool
) -> None:
    told = played(case(SMALL, submission=Submission.WINDOW, stage_accepted_when=reading), script)
    assert (told.of(StageAccepted) != []) == accepted


def test_the_windows_receipt_accepts_a_stage_where_the_city_reads_it_so_and_only_there(case: Any) -> None:
    here = case(SMALL, submission=Submission.WINDOW, stage_accepted_when="window_receipt")
    receipt = here.receipt()
    (accepted,) = here.tell(receipt)
    assert (accepted.accepted_at, accepted.causation_id) == (receipt.occurred_at, receipt.event_id)
    assert here.tell(here.receipt()) == []
    elsewhere = case(SMALL, submission=Submission.WINDOW)
    assert elsewhere.tell(elsewhere.receipt()) == []


def test_what_is_handed_in_wholly_online_is_received_when_it_is_declared(case: Any) -> None:
    told = case(SMALL, submission=Submission.ONLINE, stage_accepted_when="window_receipt")
    assert [accepted.accepted_at for accepted in told.of(StageAccepted)] == [told.applied.occurred_at]


def test_a_start_stands_even_if_the_first_item_is_withdrawn_or_returned_later(case: Any) -> None:
    told = played(case(SMALL), [("accepted", "S1-03"), ("withdrawn", "S1-03"), ("accepted", "S1-09")])
    assert len(told.of(StageAccepted)) == 1


CONCLUDED: list[tuple[str, list[str], Script, StageResult | None]] = [
    ("all_terminal", [], ALL_ENDED, StageResult.ALL_GRANTED),
    ("all_terminal", [], ALL_ENDED[:3], None),
    ("all_terminal", [], [("refused", "S1-03"), *ALL_ENDED[2:]], StageResult.PARTLY_REFUSED),
    ("all_terminal", [], [("refused", "S1-03"), ("refused", "S1-09"), ("refused", "S1-10")], StageResult.ALL_REFUSED),
    ("all_terminal", [], [("withdrawn", "S1-03"), ("withdrawn", "S1-09"), ("not_accepted", "S1-10")],
     StageResult.CLOSED_WITHOUT_RESULT),
    ("all_terminal", [], [("concluded", "S1-03"), ("not_accepted", "S1-05"), *ALL_ENDED[2:]],
     StageResult.PARTLY_REFUSED),
    ("all_terminal", [], [("concluded", "S1-03"), ("returned", "S1-05"), *ALL_ENDED[2:]], None),
    ("all_terminal", [], [("concluded", "S1-03"), ("expired", "S1-05"), *ALL_ENDED[2:]], None),
    ("milestone_all", ["S1-05"], ALL_ENDED[:2], StageResult.PARTLY_REFUSED),
    ("milestone_all", ["S1-05"], [ALL_ENDED[0], ("refused", "S1-05")], StageResult.PARTLY_REFUSED),
    ("milestone_all", ["S1-05"], [ALL_ENDED[0], ("returned", "S1-05")], None),
    ("milestone_all", ["S1-05"], [("refused", "S1-03")], StageResult.ALL_REFUSED),
    ("milestone_all", ["S1-03", "S1-05"], ALL_ENDED[:1], None),
    ("milestone_any", ["S1-03", "S1-05"], ALL_ENDED[:1], StageResult.PARTLY_REFUSED),
    ("milestone_any", ["S1-05", "S1-10"], [("refused", "S1-10"), ("deemed", "S1-09")], None),
    ("milestone_any", ["S1-05", "S1-10"], [("refused", "S1-10"), *ALL_ENDED[:2]], StageResult.PARTLY_REFUSED),
    ("milestone_any", ["S1-05"], [("refused", "S1-03"), *ALL_ENDED[2:]], StageResult.PARTLY_REFUSED),
    ("milestone_all", [], ALL_ENDED[:3], None),
    ("milestone_any", [], ALL_ENDED, StageResult.ALL_GRANTED),
]  # fmt: skip


@pytest.mark.parametrize(("reading", "milestones", "script", "result"), CONCLUDED)
def test_a_stage_concludes_by_the_reading_it_was_admitted_under(
    case: Any, reading: str, milestones: list[str], script: Script, result: StageResult | None
) -> None:
    told = played(case(SMALL, milestones=milestones, stage_concludes_when=reading), script)
    assert [concluded.result for concluded in told.of(StageConcluded)] == ([] if result is None else [result])


def test_milestones_of_the_catalogue_are_told_with_the_split(case: Any) -> None:
    (dispatched,) = case(SMALL).of(StageDispatched)
    assert {item.item_code for item in dispatched.items if item.milestone} == {"S1-05"}


def test_a_stage_concludes_when_the_last_of_its_items_ended_whichever_is_read_last(case: Any) -> None:
    """A decision that waited for its seal, and a recall that was said late, count from their own instants (R1, R19)."""
    told = played(case(SMALL), ALL_ENDED[:2])
    due_at, decided_at = told.now(), told.now()
    told.tell(told.deemed("S1-09", due_at=due_at))
    late = told.concluded("S1-10", at=decided_at - timedelta(hours=3))
    (concluded,) = told.tell(late)
    assert concluded.concluded_at == due_at


def test_a_recall_concludes_its_stage_at_the_due_instant(case: Any) -> None:
    told = played(case(SMALL), [*ALL_ENDED[:2], ALL_ENDED[3]])
    due_at = told.now()
    told.now()
    (concluded,) = told.tell(told.deemed("S1-09", due_at=due_at))
    assert concluded.concluded_at == due_at


def test_under_a_milestone_the_stage_concludes_when_the_milestone_does(case: Any) -> None:
    told = case(SMALL, milestones=["S1-05"], stage_concludes_when="milestone_all")
    told.tell(told.concluded("S1-03"))
    later = told.now() + timedelta(days=1)
    told.tell(told.concluded("S1-09", at=later))
    (concluded,) = told.tell(told.concluded("S1-05"))
    assert concluded.concluded_at < later


def test_items_run_on_after_a_milestone_concluded_their_stage(case: Any) -> None:
    told = played(case(SMALL, milestones=["S1-05"], stage_concludes_when="milestone_all"), ALL_ENDED[:2])
    assert told.tell(told.accepted("S1-09")) == []
    due_at = told.now()
    (first,) = told.tell(told.deemed("S1-09", due_at=due_at))
    (last,) = told.tell(told.concluded("S1-10"))
    assert first.amended_at == due_at
    assert [type(one) for one in (first, last)] == [StageResultAmended] * 2
    assert (first.result, last.result) == (StageResult.PARTLY_REFUSED, StageResult.ALL_GRANTED)
    assert len(told.of(StageConcluded)) == 1


def test_what_waits_for_a_milestone_goes_out_after_the_stage_concluded(case: Any) -> None:
    told = case(SMALL, milestones=["S1-03"], stage_concludes_when="milestone_any")
    told.tell(told.accepted("S1-03"))
    dispatched, concluded = told.tell(told.concluded("S1-03"))
    assert (dispatched.item_code, type(concluded)) == ("S1-05", StageConcluded)


@pytest.mark.parametrize("end", ["refused", "not_accepted", "withdrawn"])
def test_what_waits_for_a_failed_item_never_starts_and_does_not_hold_the_stage(case: Any, end: str) -> None:
    told = played(case(SMALL), ALL_ENDED[2:])
    never, concluded = told.tell(getattr(told, end)("S1-03"))
    assert (never.item_code, never.because_of) == ("S1-05", "S1-03")
    assert concluded.items[1].state is ItemState.NOT_DISPATCHED


def test_an_item_declared_again_while_the_stage_is_open_opens_it_with_all_that_waits_for_it(case: Any) -> None:
    told = played(case(SMALL), [("refused", "S1-03"), ("deemed", "S1-09")])
    assert [one.item_code for one in told.of(ItemNotDispatched)] == ["S1-05"]
    (again,) = told.tell(told.reapplied("S1-03", "M08"))
    assert (again.item_code, again.attempt) == ("S1-03", 2)
    told.tell(told.concluded("S1-10"))
    assert told.of(StageConcluded) == []
    told.again("S1-03")
    (dispatched,) = told.tell(told.concluded("S1-03"))
    assert (dispatched.item_code, dispatched.attempt) == ("S1-05", 1)
    assert {one.code for one in dispatched.materials} == {"M01", "M08"}
    (concluded,) = told.tell(told.concluded("S1-05"))
    assert concluded.result is StageResult.ALL_GRANTED


def test_an_item_refused_twice_stops_what_waits_for_it_twice(case: Any) -> None:
    told = played(case(SMALL), [("refused", "S1-03")])
    told.tell(told.reapplied("S1-03"))
    told.again("S1-03")
    told.tell(told.refused("S1-03"))
    never = told.of(ItemNotDispatched)
    assert [one.item_code for one in never] == ["S1-05", "S1-05"]
    assert len({one.event_id for one in never}) == 2 and never[0].version < never[1].version


@pytest.mark.parametrize("end", ["refused", "not_accepted", "withdrawn"])
def test_an_item_declared_again_after_the_stage_concluded_amends_its_result_when_it_ends(case: Any, end: str) -> None:
    told = played(case(SMALL), [ALL_ENDED[0], (end, "S1-05"), *ALL_ENDED[2:]])
    accepted = len(told.of(StageAccepted))
    (again,) = told.tell(told.reapplied("S1-05"))
    assert again.attempt == 2
    told.again("S1-05")
    assert told.tell(told.received("S1-05"), told.accepted("S1-05"), told.returned("S1-05")) == []
    told.tell(told.reapplied("S1-05"))
    told.again("S1-05")
    step = told.concluded("S1-05")
    (amended,) = told.tell(step)
    assert isinstance(amended, StageResultAmended)
    assert (amended.result, amended.amended_at) == (StageResult.ALL_GRANTED, step.at)
    assert [one.outcome for one in amended.items if one.item_code == "S1-05"] == [Outcome.GRANTED]
    assert (len(told.of(StageConcluded)), len(told.of(StageAccepted))) == (1, accepted)


def test_what_never_started_goes_out_when_its_predecessor_is_granted_after_the_stage_concluded(case: Any) -> None:
    told = played(case(SMALL), [*ALL_ENDED[2:], ("refused", "S1-03")])
    told.tell(told.reapplied("S1-03"))
    told.again("S1-03")
    dispatched, first = told.tell(told.concluded("S1-03"))
    (second,) = told.tell(told.concluded("S1-05"))
    assert dispatched.item_code == "S1-05"
    assert (first.result, second.result) == (StageResult.PARTLY_REFUSED, StageResult.ALL_GRANTED)


def test_a_stage_that_closed_without_an_acceptance_is_not_accepted_afterwards(case: Any) -> None:
    told = played(case(SMALL), [("withdrawn", "S1-03"), ("withdrawn", "S1-09"), ("withdrawn", "S1-10")])
    told.tell(told.reapplied("S1-09"))
    told.again("S1-09")
    assert told.tell(told.received("S1-09"), told.accepted("S1-09")) == []


def test_a_revoked_item_amends_the_result_of_its_stage(case: Any) -> None:
    told = played(case(SMALL), ALL_ENDED)
    (amended,) = told.tell(told.revoked("S1-05"))
    assert isinstance(amended, StageResultAmended) and amended.result is StageResult.PARTLY_REFUSED
    assert [(one.state, one.outcome) for one in amended.items if one.item_code == "S1-05"] == [
        (ItemState.REVOKED, None)
    ]


def test_a_revoked_item_stops_what_still_waits_for_it_while_the_stage_is_open(case: Any) -> None:
    told = played(case(ProcessType.GOV_BUILDING), [("concluded", "S1-01")])
    told.tell(told.revoked("S1-01"))
    assert [one.item_code for one in told.of(ItemNotDispatched)] == ["S1-02", "S1-05"]
    assert told.of(StageResultAmended) == []


@pytest.mark.parametrize("script", [ALL_ENDED, [("refused", "S1-03"), *ALL_ENDED[2:]]])
def test_repeats_change_nothing(case: Any, script: Script) -> None:
    told = case(SMALL)
    steps = [getattr(told, act)(code) for act, code in script]
    for step in steps:
        told.tell(step)
    reapplied = told.reapplied("S1-03")
    told.tell(reapplied)
    process = told.process
    assert told.tell(*steps, reapplied, *steps) == []
    assert told.process is process


def test_steps_of_a_former_attempt_count_no_more(case: Any) -> None:
    told = played(case(SMALL), [("returned", "S1-09")])
    late = told.withdrawn("S1-09")
    told.tell(told.reapplied("S1-09"))
    assert told.tell(late) == []
    assert told.process.lines["S1-09"].state is ItemState.DRAFT


def test_deferred_material_goes_with_the_items_that_need_it_until_it_is_handed_in(case: Any) -> None:
    promised = DeferredMaterial(code="M07", promised_on=date(2026, 4, 1))  # type: ignore[arg-type]
    told = case(SMALL, deferred=[promised])
    assert {one.item_code: one.deferred for one in told.of(ItemDispatched)} == {
        "S1-03": (),
        "S1-09": (promised,),
        "S1-10": (promised,),
    }
    told.tell(told.returned("S1-09"), told.returned("S1-10"))
    (still,) = told.tell(told.reapplied("S1-09"))
    (given,) = told.tell(told.reapplied("S1-10", "M07"))
    assert (still.deferred, given.deferred) == ((promised,), ())
    assert "M07" in {one.code for one in given.materials}


def test_a_promised_material_that_came_goes_with_what_is_dispatched_later(case: Any) -> None:
    promised = DeferredMaterial(code="M07", promised_on=date(2026, 4, 1))  # type: ignore[arg-type]
    told = case(SMALL, deferred=[promised])
    told.tell(told.handed_in("M07"))
    told.tell(told.returned("S1-09"))
    (again,) = told.tell(told.reapplied("S1-09"))
    assert again.deferred == () and "M07" in {one.code for one in again.materials}


def test_a_promised_material_that_came_goes_to_every_department_that_was_given_an_item_without_it(case: Any) -> None:
    promised = DeferredMaterial(code="M07", promised_on=date(2026, 4, 1))  # type: ignore[arg-type]
    told = played(case(SMALL, deferred=[promised]), [("returned", "S1-09")])
    given = told.tell(told.handed_in("M07"))
    assert {one.item_code for one in given} == {"S1-09", "S1-10"}
    assert all(isinstance(one, DeferredMaterialsPassedOn) for one in given)
    assert {reference.code for one in given for reference in one.materials} == {"M07"}
    assert len({one.event_id for one in given}) == 2


def test_a_supplement_is_handed_on_and_kept_for_what_is_dispatched_later(case: Any) -> None:
    told = case(SMALL)
    (supplemented,) = told.tell(told.supplemented("S1-09", "M08"))
    assert isinstance(supplemented, ItemSupplemented) and supplemented.actor is not None
    told.tell(told.returned("S1-09"))
    (again,) = told.tell(told.reapplied("S1-09"))
    assert "M08" in {one.code for one in again.materials}


def test_an_item_withdrawn_while_it_waits_is_handed_over_with_its_withdrawal(case: Any) -> None:
    told = case(SMALL)
    dispatched, withdrawn = told.tell(told.withdrawal("S1-05"))
    assert (type(dispatched), type(withdrawn)) == (ItemDispatched, ItemWithdrawn)
    told.tell(told.concluded("S1-03"))
    assert len([one for one in told.of(ItemDispatched) if one.item_code == "S1-05"]) == 1


def test_a_step_that_the_stage_does_not_know_changes_nothing(case: Any) -> None:
    told, other = case(SMALL), case(ProcessType.GOV_BUILDING)
    assert told.tell(other.concluded("S1-01")) == []
    assert told.tell(told.reapplied("S1-08"), told.supplemented("S1-08"), told.withdrawal("S1-08")) == []


def test_utilities_run_beside_the_stages_without_a_clock_of_their_own(case: Any) -> None:
    told = case(SMALL, Stage.PARALLEL)
    assert told.process.limit_days == 0
    assert len(told.of(ItemDispatched)) == 6
