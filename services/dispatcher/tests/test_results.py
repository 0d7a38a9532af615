"""Results circulate between departments: who is given which, what is missing, and what comes later (Art. 8)."""

from typing import Any

import pytest

from contracts.codes import ItemCode
from contracts.dispatcher import ItemDispatched, ResultsPassedOn
from contracts.envelope import derived_id
from contracts.parts import ResultRef
from contracts.terms import Outcome, ProcessType, SpecialEffect, Stage
from dispatcher import results
from dispatcher.results import Result

RESULT = Result(derived_id("item"), Outcome.GRANTED, None)


def given(case: Any, code: str, *existing: str) -> ItemDispatched:
    """The dispatch of `code` as its department reads it when results of `existing` are held."""
    event = next(one for one in case.of(ItemDispatched) if one.item_code == code)
    held = {(case.code, ItemCode(one)): RESULT for one in existing}
    return results.completed(event, results.needs(case.process, event, case.catalogue), held, case.catalogue)


@pytest.mark.parametrize(
    ("process_type", "existing", "found", "missing"),
    [
        (ProcessType.GOV_BUILDING, ["S1-02"], ["S1-02"], []),
        (ProcessType.GOV_BUILDING, [], [], ["S1-02"]),
        (ProcessType.GOV_BUILDING, ["S1-05"], [], ["S1-02"]),
    ],
)
def test_an_item_is_given_the_results_that_exist_and_told_those_that_do_not(
    case: Any, process_type: ProcessType, existing: list[str], found: list[str], missing: list[str]
) -> None:
    dispatched = given(case(process_type, Stage.ENGINEERING), "S2-08", *existing)
    assert [one.item_code for one in dispatched.results] == found
    assert list(dispatched.missing_results) == missing


def test_only_results_that_apply_to_the_projects_type_are_missed(case: Any) -> None:
    """S1-05 builds on S1-02, S1-03 and S1-04; a company's project has only S1-03 of them."""
    told = case(ProcessType.SOCIAL_SMALL)
    told.tell(told.accepted("S1-03"), told.concluded("S1-03"))
    assert given(told, "S1-05").missing_results == ("S1-03",)
    assert given(told, "S1-05", "S1-03").missing_results == ()


def test_an_item_that_builds_on_nothing_is_given_nothing(case: Any) -> None:
    dispatched = given(case(ProcessType.SOCIAL_SMALL), "S1-03", "S1-05")
    assert (dispatched.results, dispatched.missing_results) == ((), ())


@pytest.mark.parametrize(
    ("make", "exists"),
    [("concluded", True), ("refused", False), ("revoked", False)],
)
def test_a_refusal_is_no_result_and_a_revoked_one_is_none_any_more(case: Any, make: str, exists: bool) -> None:
    step = getattr(case(ProcessType.SOCIAL_SMALL), make)("S1-03")
    assert results.exists(step) == exists
    assert (results.result_of(step).outcome is not None) == exists


@pytest.mark.parametrize(("make", "kept"), [("concluded", 1), ("refused", 0), ("revoked", 1)])
def test_only_what_gives_or_revokes_a_result_is_kept(case: Any, make: str, kept: int) -> None:
    told = case(ProcessType.SOCIAL_SMALL)
    told.tell(getattr(told, make)("S1-03"))
    assert len(told.process.issued) == kept


@pytest.mark.parametrize("end", ["waived", "deemed"])
def test_a_deemed_or_waived_predecessor_lets_an_item_start_and_is_no_result(case: Any, end: str) -> None:
    told = case(ProcessType.SOCIAL_SMALL)
    waived = end == "waived"
    told.tell(told.special(SpecialEffect.WAIVE, "S1-03") if waived else told.deemed("S1-03"))
    assert given(told, "S1-05").missing_results == ("S1-03",)
    assert told.process.issued == ()


def test_the_departments_that_wait_are_told_when_a_result_comes(case: Any) -> None:
    land, beside = case(ProcessType.SOCIAL_SMALL, Stage.ENGINEERING), case(ProcessType.SOCIAL_SMALL, Stage.PARALLEL)
    beside.tell(beside.accepted("U-01"), beside.concluded("U-01"), beside.returned("U-02"))
    step = land.concluded("S2-07")
    told = results.passed_on(beside.process, step, beside.catalogue)
    assert [one.item_code for one in told] == ["U-03", "U-04", "U-05", "U-06"]
    (reference,) = told[0].results
    assert reference == ResultRef(
        item_code=step.item_code,
        item_id=step.item_id,
        name="建设工程规划许可证核发·许可证",
        outcome=Outcome.GRANTED,
        document=step.document,
    )
    assert len({one.event_id for one in told}) == 4
    assert results.passed_on(beside.process, step, beside.catalogue) == told, "a repeat is the same event"


@pytest.mark.parametrize("make", ["refused", "revoked"])
def test_nobody_is_told_of_what_is_no_result(case: Any, make: str) -> None:
    beside = case(ProcessType.SOCIAL_SMALL, Stage.PARALLEL)
    step = getattr(case(ProcessType.SOCIAL_SMALL, Stage.ENGINEERING), make)("S2-07")
    assert results.passed_on(beside.process, step, beside.catalogue) == ()


def test_what_is_passed_on_says_what_is_missing_still(case: Any) -> None:
    told = case(ProcessType.SOCIAL_GENERAL, Stage.CONSTRUCTION)
    told.tell(told.accepted("S3-01"), told.concluded("S3-01"))
    (passed,) = (
        one
        for one in results.passed_on(told.process, told.concluded("S3-01"), told.catalogue)
        if one.item_code == "S3-02"
    )
    assert isinstance(passed, ResultsPassedOn)
    needs = results.needs(told.process, passed, told.catalogue)
    held = {(told.code, ItemCode("S3-01")): RESULT}
    complete = results.completed(passed, needs, held, told.catalogue)
    assert (complete.missing_results, complete.results) == (("S2-07",), passed.results)


def test_results_of_every_catalogue_version_circulate(case: Any) -> None:
    catalogue = case(ProcessType.SOCIAL_SMALL).catalogue
    named = results.circulating([catalogue])
    assert {"S1-03", "S1-05", "S2-07", "S3-01"} <= named
    assert not {"S1-06", "S1-09", "S4-08", "U-01"} & named
