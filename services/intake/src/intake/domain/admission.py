"""What may be declared, and what a declaration says (Art. 2, 4, 7, 8, 17)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from contracts.codes import JurisdictionCode, MaterialCode, ProjectCode
from contracts.envelope import Event, derived_id
from contracts.intake import ProjectAmended, ProjectRegistered, StageApplied, StageForm
from contracts.parts import AboutStage, Actor, Builder, DeferredMaterial, MaterialRef, Policies
from contracts.terms import ProcessType, SpecialEffect, Stage, Submission
from procedure import stages
from procedure.calendar import local_day
from procedure.catalogue import Catalogue
from procedure.policies import policies_of
from procedure.refusals import Refusal
from procedure.stages import Declared, StageNotYetOpen


class ProjectChanged(Refusal):
    """项目的代码、建设单位不能变更；请由多规合一平台另行推送"""

    article = "第四条"


@dataclass(frozen=True, slots=True)
class Project:
    """A project as the 多规合一 platform pushed it."""

    code: ProjectCode
    version: int
    name: str
    process_type: ProcessType
    jurisdiction: JurisdictionCode
    builder: Builder


class Handling(NamedTuple):
    """A special handling that was granted for a stage and that a declaration may use (Art. 17)."""

    handling_id: UUID
    effect: SpecialEffect
    material: MaterialCode | None
    promised_on: date | None


@dataclass(frozen=True, slots=True)
class Known:
    """What a declaration is judged by: the stages declared, the materials held, the special handlings granted for this
    stage, and the newest policy in effect (None: the one that came with the catalogue)."""

    declared: Sequence[Declared]
    held: Mapping[MaterialCode, MaterialRef]
    handlings: Sequence[Handling]
    policy: Policies | None


@dataclass(frozen=True, slots=True)
class Admitted:
    """A declaration that may be made: the materials it goes by, what is promised for later, and the special handlings
    that it needed."""

    materials: tuple[MaterialRef, ...]
    deferred: tuple[DeferredMaterial, ...]
    used: tuple[UUID, ...]


def pushed(project: Project, known: Project | None, by: Actor, cause: UUID, at: datetime) -> ProjectRegistered | None:
    """Return what a push says: a registration, an amendment, or nothing for the same push again (Art. 4).

    Raises OutOfScope or ProjectChanged.
    """
    stages.admit_project(project.code, project.process_type)
    if known is not None and known.builder.uscc != project.builder.uscc:
        raise ProjectChanged
    if known is not None and _facts(known) == _facts(project):
        return None
    version = 1 if known is None else known.version + 1
    kind = ProjectRegistered if known is None else ProjectAmended
    return kind(
        event_id=derived_id("project", project.code, version),
        causation_id=cause,
        occurred_at=at,
        project_code=project.code,
        version=version,
        name=project.name,
        process_type=project.process_type,
        jurisdiction=project.jurisdiction,
        builder=project.builder,
        actor=by,
    )


def _facts(project: Project) -> tuple[object, ...]:
    return project.name, project.process_type, project.jurisdiction, project.builder


def hold_to_order(project: Project, stage: Stage, known: Known, pinned: Policies, catalogue: Catalogue) -> UUID | None:
    """Hold a declaration to the order of the stages (Art. 7); returns the special handling without which it would not
    be its turn yet (Art. 17). Raises NoSuchStageForType, StageAlreadyDeclared or StageNotYetOpen."""
    if not catalogue.items_of(stage, project.process_type):
        raise stages.NoSuchStageForType
    try:
        stages.admit_stage(stage, known.declared, policies_of(pinned))
    except StageNotYetOpen:
        skips = [one.handling_id for one in known.handlings if one.effect is SpecialEffect.SKIP_STAGE_ORDER]
        if not skips:
            raise
        return skips[0]
    return None


def admitted(
    project: Project,
    stage: Stage,
    known: Known,
    given: tuple[MaterialRef, ...],
    skipped_by: UUID | None,
    catalogue: Catalogue,
    at: datetime,
) -> Admitted:
    """Hold one set of materials to what the stage needs, counting what is held, and what may come later (Art. 8, 17).

    Raises ResultNotRequired, MaterialNotNeeded or MaterialMissing.
    """
    codes = [one.code for one in given]
    promised = _promised(known.handlings, at)
    stages.admit_materials(stage, project.process_type, codes, {*known.held, *promised}, catalogue)
    needed = {material.code for material in catalogue.materials_of(stage, project.process_type)}
    kept = [one for one in known.held.values() if one.code in needed and one.code not in codes]
    here = {*codes, *(one.code for one in kept)}
    lacking = [one.code for one in catalogue.to_submit(stage, project.process_type) if one.code not in here]
    deferred = tuple(DeferredMaterial(code=code, promised_on=promised[code][1]) for code in lacking)
    skipped = () if skipped_by is None else (skipped_by,)
    return Admitted((*given, *kept), deferred, (*skipped, *(promised[code][0] for code in lacking)))


def _promised(handlings: Sequence[Handling], at: datetime) -> dict[MaterialCode, tuple[UUID, date]]:
    """Return the materials that may come later: a promise whose day has passed defers nothing any more."""
    return {
        one.material: (one.handling_id, one.promised_on)
        for one in handlings
        if one.effect is SpecialEffect.DEFER_MATERIAL
        and one.material is not None
        and one.promised_on is not None
        and one.promised_on >= local_day(at)
    }


def applied(
    project: Project,
    stage: Stage,
    submission: Submission,
    form: StageForm,
    admission: Admitted,
    actor: Actor,
    pinned: Policies,
    cause: UUID,
    at: datetime,
) -> StageApplied:
    """Return the declaration of a stage; one project has one application per stage, so its id follows (Art. 7)."""
    application_id = derived_id("application", project.code, stage.value)
    return StageApplied(
        event_id=derived_id(application_id, "StageApplied"),
        causation_id=cause,
        occurred_at=at,
        project_code=project.code,
        application_id=application_id,
        stage=stage,
        version=1,
        project_name=project.name,
        process_type=project.process_type,
        jurisdiction=project.jurisdiction,
        builder=project.builder,
        submission=submission,
        form=form,
        materials=admission.materials,
        policies=pinned,
        actor=actor,
        deferred=admission.deferred,
        special_handling=next(iter(admission.used), None),
    )


def about(kind: type[Event], application: AboutStage | Any, version: int, cause: UUID, at: datetime) -> dict[str, Any]:
    """Return what every later event of an application carries."""
    return {
        "event_id": derived_id(application.application_id, kind.__name__, version),
        "causation_id": cause,
        "occurred_at": at,
        "project_code": application.project_code,
        "application_id": application.application_id,
        "stage": application.stage,
        "version": version,
    }
