"""What intake alone decides: which events a declaration makes, and what the builder is told when (Art. 9, 15)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from contracts import labels
from contracts.codes import CreditCode, ItemCode, JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.department_worker import (
    CorrectionRequested,
    ItemNotAccepted,
    ItemRecalled,
    ItemReturned,
    ItemStepped,
    SpecialStarted,
)
from contracts.dispatcher import StageAccepted, StageConcluded, StageDispatched
from contracts.envelope import Event, derived_id
from contracts.intake import (
    NoticeSent,
    ProjectAmended,
    ProjectRegistered,
    StageApplied,
    StageForm,
)
from contracts.parts import AboutStage, Actor, Builder, MaterialRef
from contracts.terms import ItemState, NoticeKind, Outcome, ProcessType, Stage, Submission
from procedure import stages
from procedure.catalogue import Catalogue
from procedure.refusals import Refusal


class MaterialNotYours(Refusal):
    """材料 {materials} 尚未上传，或不是贵单位上传的"""

    article = "第八条"
    status = 422


class ProjectChanged(Refusal):
    """项目的代码、建设单位不能变更；请由多规合一平台另行推送"""

    article = "第四条"


class ItemNotGranted(Refusal):
    """该事项尚无可以发出的审批结果"""

    article = "第十条"


@dataclass(frozen=True, slots=True)
class Project:
    """A project as the 多规合一 platform pushed it."""

    code: ProjectCode
    version: int
    name: str
    process_type: ProcessType
    jurisdiction: JurisdictionCode
    builder: Builder


@dataclass(frozen=True, slots=True)
class GivenMaterial:
    """A material that a builder hands in: its code in the dictionary, and the address of its bytes."""

    code: MaterialCode
    sha256: Sha256
    name: str


@dataclass(frozen=True, slots=True)
class UploadedMaterial:
    """What is known of uploaded bytes."""

    size: int
    media_type: str


def pushed(project: Project, known: Project | None, cause: UUID, at: datetime) -> ProjectRegistered | None:
    """Return what a push says: a registration, an amendment, or nothing for the same push again (Art. 4).

    Raises OutOfScope or ProjectChanged.
    """
    stages.admit_project(project.code, project.process_type)
    if known is not None and known.builder.uscc != project.builder.uscc:
        raise ProjectChanged
    same = known is not None and _facts(known) == _facts(project)
    if same:
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
    )


def _facts(project: Project) -> tuple[object, ...]:
    return project.name, project.process_type, project.jurisdiction, project.builder


def references(
    given: Collection[GivenMaterial], uploaded: Mapping[Sha256, UploadedMaterial], catalogue: Catalogue
) -> tuple[MaterialRef, ...]:
    """Return the references of what a builder hands in. Raises MaterialNotYours or MaterialTypeWrong."""
    if missing := [one.code for one in given if one.sha256 not in uploaded]:
        raise MaterialNotYours(materials="、".join(missing))
    for one in given:
        material = catalogue.materials.get(one.code)
        if material is not None and uploaded[one.sha256].media_type not in material.media_types:
            raise stages.MaterialTypeWrong(material=one.code, allowed="、".join(sorted(material.media_types)))
    return tuple(
        MaterialRef(code=one.code, sha256=one.sha256, name=one.name, size=uploaded[one.sha256].size) for one in given
    )


def applied(
    project: Project,
    stage: Stage,
    submission: Submission,
    form: StageForm,
    materials: tuple[MaterialRef, ...],
    actor: Actor,
    catalogue: Catalogue,
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
        materials=materials,
        policies=catalogue.versions,
        actor=actor,
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


STATE_AFTER: Final[Mapping[str, ItemState]] = {
    "ItemReceived": ItemState.RECEIVED,
    "ItemAccepted": ItemState.ACCEPTED,
    "ItemNotAccepted": ItemState.NOT_ACCEPTED,
    "ItemReviewed": ItemState.REVIEWING,
    "ItemApproved": ItemState.APPROVING,
    "ItemDecided": ItemState.SEALING,
    "SealFailed": ItemState.APPROVING,
    "ItemConcluded": ItemState.CONCLUDED,
    "ItemReturned": ItemState.RETURNED,
    "ItemRecalled": ItemState.AUTO_RECALLED,
    "ItemTakenBack": ItemState.WITHDRAWN,
    "SpecialStarted": ItemState.SPECIAL,
}


def state_after(step: ItemStepped, before: ItemState) -> ItemState:
    """Return the state that the builder is shown after a step."""
    if isinstance(step, CorrectionRequested):
        return ItemState.CORRECTION_PRE if step.before_acceptance else ItemState.CORRECTION
    name = type(step).__name__
    if name in ("CorrectionEnded", "SpecialEnded"):
        return ItemState.RECEIVED if before is ItemState.CORRECTION_PRE else ItemState.ACCEPTED
    return STATE_AFTER.get(name, before)


def can_issue(state: ItemState, outcome: Outcome | None) -> None:
    """Hold the window to results that exist (Art. 10). Raises ItemNotGranted."""
    if state is not ItemState.CONCLUDED or outcome is None:
        raise ItemNotGranted


# What the builder is told ---------------------------------------------------------------------------------------

ITEM_NOTICES: Final[Mapping[type[ItemStepped], tuple[NoticeKind, str, str]]] = {
    ItemNotAccepted: (NoticeKind.NOT_ACCEPTED, "不予受理通知", "第七条"),
    CorrectionRequested: (NoticeKind.CORRECTION, "补正告知（一次性）", "第十三条"),
    ItemReturned: (NoticeKind.RETURNED, "退回通知", "第十三条"),
    ItemRecalled: (NoticeKind.DEEMED_NO_OPINION, "到期自动收回通知", "第十四条"),
    SpecialStarted: (NoticeKind.SPECIAL, "特别程序告知", "第十三条"),
}
"""Which steps of an item the builder is told of: kind, title, article."""


def notice_of_item(step: ItemStepped, builder: CreditCode, catalogue: Catalogue) -> NoticeSent | None:
    """Return the notice that a step of an item makes, or None."""
    row = ITEM_NOTICES.get(type(step))
    if row is None:
        return None
    kind, title, article = row
    name = catalogue.items[step.item_code].name if step.item_code in catalogue.items else step.item_code
    return _notice(step, step.event_id, builder, kind, f"{title}：{name}", _item_body(step), article, step.item_code)


def _item_body(step: ItemStepped) -> str:
    if isinstance(step, ItemRecalled):
        return "审批部门逾期未反馈意见，" + labels.label(step.outcome)
    if isinstance(step, SpecialStarted):
        return f"{labels.label(step.special.kind)}：{step.special.reason}；所需时间不计入办理时限"
    return step.told[1]


def notice_of_stage(event: AboutStage, builder: CreditCode, catalogue: Catalogue) -> NoticeSent | None:
    """Return the notice that an event of a stage makes, or None."""
    if isinstance(event, StageDispatched):
        body = f"请持原件到{event.window}报件。事项：{_names(event)}。原件：{'、'.join(event.originals) or '无'}"
        return _notice(event, event.event_id, builder, NoticeKind.WINDOW_NOTICE, "窗口报件通知", body[:4000], "第九条")
    if isinstance(event, StageAccepted):
        body = f"{labels.label(event.stage)}已受理，总时限 {event.limit_days} 个工作日"
        return _notice(event, event.event_id, builder, NoticeKind.ACCEPTED, "受理通知", body, "第十三条")
    if isinstance(event, StageConcluded):
        lines = [_result_line(one.item_code, one.state, one.outcome, one.opinion, catalogue) for one in event.items]
        body = "；".join([labels.label(event.result), *lines])[:4000]
        return _notice(event, event.event_id, builder, NoticeKind.STAGE_RESULT, "审批结果通知", body, "第十五条")
    return None


def _names(event: StageDispatched) -> str:
    return "、".join(item.name for item in event.items)


def _result_line(code: ItemCode, state: ItemState, outcome: Outcome | None, opinion: str, catalogue: Catalogue) -> str:
    name = catalogue.items[code].name if code in catalogue.items else code
    ending = labels.label(state) if outcome is None else labels.label(outcome)
    return f"{name}：{ending}" + (f"（{opinion}）" if opinion else "")


def _notice(
    event: AboutStage,
    cause: UUID,
    builder: CreditCode,
    kind: NoticeKind,
    title: str,
    body: str,
    article: str,
    item_code: ItemCode | None = None,
) -> NoticeSent:
    return NoticeSent(
        event_id=derived_id("notice", cause, kind.value),
        causation_id=cause,
        occurred_at=event.occurred_at,
        project_code=event.project_code,
        application_id=event.application_id,
        stage=event.stage,
        builder=builder,
        kind=kind,
        title=title[:200],
        body=body,
        article=article,
        item_code=item_code,
    )
