"""What a declaration is held to: the order of stages, what is held, what is promised (Art. 7, 8, 17)."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from chassis.catalogue import City
from contracts.codes import JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.intake import StageForm
from contracts.parts import Actor, Builder, MaterialRef, Policies
from contracts.terms import ProcessType, SpecialEffect, Stage, Submission
from intake.domain import admission
from intake.domain.admission import Admitted, Handling, Known, Project
from procedure.stages import Declared, MaterialMissing, NoSuchStageForType, StageAlreadyDeclared, StageNotYetOpen

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
TODAY = date(2026, 3, 2)
PINNED = Policies(catalogue_version="2018.1", policy_version="178/2018")
BUILDER = Builder.model_validate({"uscc": "91210281MA0ABC123K", "name": "示例"}, strict=False)
PROJECT = Project(
    ProjectCode("2018-210281-47-03-000123"), 1, "项目", ProcessType.SOCIAL_SMALL, JurisdictionCode("210281"), BUILDER
)
SKIP = Handling(UUID(int=1), SpecialEffect.SKIP_STAGE_ORDER, None, None)


def material(code: str, version: int = 1) -> MaterialRef:
    return MaterialRef(code=MaterialCode(code), sha256=Sha256(f"{version:064x}"), name=f"{code}.pdf", size=10)


def known(*declared: Declared, held: Sequence[MaterialRef] = (), handlings: Sequence[Handling] = ()) -> Known:
    return Known(declared, {one.code: one for one in held}, handlings, None)


def in_order(city: City, stage: Stage, what: Known, pinned: Policies = PINNED) -> UUID | None:
    return admission.hold_to_order(PROJECT, stage, what, pinned, city.catalogue)


def admitted(city: City, what: Known, *given: MaterialRef, stage: Stage = Stage.LAND_USE) -> Admitted:
    return admission.admitted(PROJECT, stage, what, given, None, city.catalogue, NOW)


def needed(city: City, stage: Stage = Stage.LAND_USE) -> list[MaterialRef]:
    return [material(one.code) for one in city.catalogue.to_submit(stage, PROJECT.process_type)]


def test_the_next_stage_waits_until_the_one_before_has_passed(city: City) -> None:
    for before in ((), (Declared(Stage.LAND_USE, None),), (Declared(Stage.LAND_USE, False),)):
        with pytest.raises(StageNotYetOpen):
            in_order(city, Stage.ENGINEERING, known(*before))
    assert in_order(city, Stage.ENGINEERING, known(Declared(Stage.LAND_USE, True))) is None


def test_by_another_reading_it_is_enough_that_the_one_before_was_declared(city: City) -> None:
    declared = PINNED.model_copy(update={"policy_version": "乙", "settings": {"next_stage_needs": "declared"}})
    assert in_order(city, Stage.ENGINEERING, known(Declared(Stage.LAND_USE, None)), declared) is None
    with pytest.raises(StageNotYetOpen):
        in_order(city, Stage.ENGINEERING, known(), declared)


def test_special_handling_passes_over_the_order_only_where_it_is_needed(city: City) -> None:
    assert in_order(city, Stage.CONSTRUCTION, known(handlings=[SKIP])) == SKIP.handling_id
    in_turn = known(Declared(Stage.LAND_USE, True), handlings=[SKIP])
    assert in_order(city, Stage.ENGINEERING, in_turn) is None


def test_special_handling_does_not_open_a_stage_twice_nor_one_that_does_not_exist(city: City) -> None:
    with pytest.raises(StageAlreadyDeclared):
        in_order(city, Stage.LAND_USE, known(Declared(Stage.LAND_USE, None), handlings=[SKIP]))
    other = Project(PROJECT.code, 1, "项目", ProcessType.OTHER, PROJECT.jurisdiction, BUILDER)
    with pytest.raises(NoSuchStageForType):
        admission.hold_to_order(other, Stage.LAND_USE, known(handlings=[SKIP]), PINNED, city.catalogue)


def test_what_is_held_counts_and_what_is_given_anew_replaces_it(city: City) -> None:
    first, *others = needed(city)
    newer = material(first.code, 2)
    made = admitted(city, known(held=[first, *others]), newer)
    assert {(one.code, one.sha256) for one in made.materials} == {(one.code, one.sha256) for one in (newer, *others)}
    assert (made.deferred, made.used) == ((), ())


def test_a_promised_material_may_be_missing_until_its_day_has_passed(city: City) -> None:
    missing, *others = needed(city)

    def promise(day: date) -> Known:
        return known(handlings=[Handling(UUID(int=2), SpecialEffect.DEFER_MATERIAL, missing.code, day)])

    made = admitted(city, promise(TODAY), *others)
    assert [(one.code, one.promised_on) for one in made.deferred] == [(missing.code, TODAY)]
    assert made.used == (UUID(int=2),)
    with pytest.raises(MaterialMissing) as refused:
        admitted(city, promise(date(2026, 3, 1)), *others)
    assert refused.value.facts["codes"] == [missing.code]


def test_a_promise_that_is_not_needed_is_not_used(city: City) -> None:
    first, *others = needed(city)
    promise = Handling(UUID(int=2), SpecialEffect.DEFER_MATERIAL, first.code, TODAY)
    made = admitted(city, known(handlings=[promise]), first, *others)
    assert (made.deferred, made.used) == ((), ())


def test_another_material_than_the_promised_one_is_still_missing(city: City) -> None:
    first, second, *others = needed(city)
    promise = Handling(UUID(int=2), SpecialEffect.DEFER_MATERIAL, first.code, TODAY)
    with pytest.raises(MaterialMissing) as refused:
        admitted(city, known(handlings=[promise]), *others)
    assert refused.value.facts["codes"] == [second.code]


def test_the_declaration_says_what_it_was_admitted_under_and_by_which_special_handling() -> None:
    form = StageForm(contact_name="王工", contact_phone="0411-85600000", summary="示例")
    made = Admitted((material("M02"),), (), (SKIP.handling_id, UUID(int=2)))
    actor = Actor(holder="王工", certificate="CA-1")
    common: dict[str, Any] = {"actor": actor, "pinned": PINNED, "cause": UUID(int=9), "at": NOW}
    event = admission.applied(PROJECT, Stage.LAND_USE, Submission.ONLINE, form, made, **common)
    assert (event.policies, event.special_handling, event.materials) == (PINNED, SKIP.handling_id, made.materials)
    assert event == admission.applied(PROJECT, Stage.LAND_USE, Submission.ONLINE, form, made, **common)
