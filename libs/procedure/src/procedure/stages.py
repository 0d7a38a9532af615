"""The law of stages: what may be declared when (Art. 2, 7, 8), how a stage is split (Art. 9), when it is accepted and
concluded and how (Art. 13, 15)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from contracts.codes import ItemCode, MaterialCode, ProjectCode
from contracts.terms import ItemState, Outcome, ProcessType, Stage, StageResult
from procedure.catalogue import Catalogue, ItemRule
from procedure.policies import DEFAULT, Policies
from procedure.refusals import Refusal

S = ItemState
MAJOR_WORKS: Final = (ProcessType.TRANSPORT, ProcessType.WATER, ProcessType.ENERGY)
GRANTED: Final = (Outcome.GRANTED, Outcome.GRANTED_DEFERRED)
SATISFIED: Final = (*GRANTED, Outcome.DEEMED_NO_OPINION, Outcome.WAIVED)
"""Outcomes that satisfy a stage and what waits for the item (R22, R28)."""


class OutOfScope(Refusal):
    """该项目不在联合审批范围内：仅限大连市行政区域内的房屋建筑和城市基础设施工程，不含交通、水利、能源等领域的重大工程"""

    article = "第二条"
    status = 422


class StageNotYetOpen(Refusal):
    """首次申报应按四个审批阶段依次进行，第 {stage} 阶段须在前一阶段办结通过后申报"""

    article = "第七条"


class StageAlreadyDeclared(Refusal):
    """该阶段已经申报；未受理且需补正的事项请按具体事项再次申报"""

    article = "第七条"


class TruthfulnessNotStated(Refusal):
    """须承诺所填表单和提交材料真实有效"""

    article = "第八条"
    status = 400


class MaterialMissing(Refusal):
    """缺少申报材料：{missing}"""

    article = "第八条"
    status = 422


class ResultNotRequired(Refusal):
    """审批结果材料由审批部门间流转，无需也不得由申请人提交：{materials}"""

    article = "第八条"
    status = 400


class MaterialNotNeeded(Refusal):
    """本阶段不需要这些材料：{materials}"""

    article = "第八条"
    status = 422


class MaterialTypeWrong(Refusal):
    """材料 {material} 的文件类型不符合要求，应为原件扫描件（{allowed}）"""

    article = "第八条"
    status = 415


class ItemBeingHandled(Refusal):
    """该事项正在办理或已办结，不能再次申报"""

    article = "第七条"


class ItemNotInCorrection(Refusal):
    """该事项未要求补正，无需补交材料"""

    article = "第十三条"


class NoSuchStageForType(Refusal):
    """该类项目没有这一阶段的审批事项"""

    article = "第七条"
    status = 422


@dataclass(frozen=True, slots=True)
class Declared:
    """What is known of one stage of a project that was declared: `passed` None until it concluded."""

    stage: Stage
    passed: bool | None


def admit_project(code: ProjectCode, process_type: ProcessType) -> None:
    """Hold a pushed project to the platform's scope (Art. 2). Raises OutOfScope."""
    if process_type in MAJOR_WORKS or not code.inside_dalian:
        raise OutOfScope


def admit_stage(stage: Stage, declared: Iterable[Declared], policies: Policies = DEFAULT) -> None:
    """Hold a first declaration to the order of the stages (Art. 7). Raises StageNotYetOpen or StageAlreadyDeclared."""
    known = {one.stage: one for one in declared}
    if stage in known:
        raise StageAlreadyDeclared(stage=stage.value)
    if stage in (Stage.LAND_USE, Stage.PARALLEL):
        return
    before = known.get(Stage(stage - 1))
    passed_over = before is not None and (before.passed or policies.next_stage_needs == "declared")
    if not passed_over:
        raise StageNotYetOpen(stage=stage.value)


def admit_materials(
    stage: Stage,
    process_type: ProcessType,
    given: Collection[MaterialCode],
    held: Collection[MaterialCode],
    catalogue: Catalogue,
) -> None:
    """Hold one set of materials to what the stage needs, counting what an earlier stage brought (Art. 8).

    Raises ResultNotRequired, MaterialNotNeeded or MaterialMissing, each naming the materials.
    """
    issued = [code for code in given if _is_result(code, catalogue)]
    if issued:
        raise ResultNotRequired(materials=_names(issued, catalogue))
    needed = {material.code for material in catalogue.materials_of(stage, process_type)}
    if stray := [code for code in given if code not in needed]:
        raise MaterialNotNeeded(materials=_names(stray, catalogue))
    required = [material.code for material in catalogue.to_submit(stage, process_type)]
    if missing := [code for code in required if code not in given and code not in held]:
        raise MaterialMissing(missing=_names(missing, catalogue), codes=missing)


def _is_result(code: MaterialCode, catalogue: Catalogue) -> bool:
    material = catalogue.materials.get(code)
    return material is not None and material.source == "result"


def _names(codes: Iterable[MaterialCode], catalogue: Catalogue) -> str:
    known = catalogue.materials
    return "、".join(f"{code} {known[code].name}" if code in known else code for code in codes)


REDECLARED: Final = (S.RETURNED, S.NOT_ACCEPTED, S.WITHDRAWN)
SUPPLEMENTED: Final = (S.CORRECTION, S.CORRECTION_PRE)


def admit_reapplication(state: ItemState, outcome: Outcome | None) -> None:
    """Hold a declaration by item to R4. Raises ItemBeingHandled."""
    refused = state is S.CONCLUDED and outcome is Outcome.REFUSED
    if state not in REDECLARED and not refused:
        raise ItemBeingHandled


def admit_supplement(state: ItemState) -> None:
    """Hold a supplement to an item that asked for one (R4). Raises ItemNotInCorrection."""
    if state not in SUPPLEMENTED:
        raise ItemNotInCorrection


class Standing(NamedTuple):
    """How the newest attempt of an item stands, as the stage needs to know it. `dispatched` False: it still waits;
    `closed`: the lead closed it, or special handling waived it."""

    item_code: ItemCode
    state: ItemState
    outcome: Outcome | None = None
    dispatched: bool = True
    optional: bool = False
    milestone: bool = False
    closed: bool = False


def is_satisfied(standing: Standing) -> bool:
    """Whether what waits for this item may go on."""
    return standing.outcome in SATISFIED


def is_closed(standing: Standing) -> bool:
    """Whether the item no longer holds the stage: a returned one and an expired permit still do (R3, P18)."""
    if standing.closed or standing.state in (S.CONCLUDED, S.NOT_ACCEPTED, S.WITHDRAWN, S.NOT_DISPATCHED, S.REVOKED):
        return True
    return standing.state is S.AUTO_RECALLED and standing.outcome is Outcome.DEEMED_NO_OPINION


def failed(standing: Standing) -> bool:
    """Whether the item closed without a grant, so that what waits for it never starts (R29)."""
    return is_closed(standing) and not is_satisfied(standing)


@dataclass(frozen=True, slots=True)
class Next:
    """What follows for the items that wait: those to dispatch now, and those that never will be, with the reason."""

    ready: tuple[ItemCode, ...]
    never: tuple[tuple[ItemCode, ItemCode], ...]


def following(after: Mapping[ItemCode, Sequence[ItemCode]], standings: Mapping[ItemCode, Standing]) -> Next:
    """Return what follows from how the items stand; `after` maps each waiting item to its predecessors."""
    ready: list[ItemCode] = []
    never: list[tuple[ItemCode, ItemCode]] = []
    for code, before in after.items():
        standing = standings[code]
        if standing.dispatched or standing.state is S.NOT_DISPATCHED:
            continue
        broken = next((one for one in before if failed(standings[one])), None)
        if broken is not None:
            never.append((code, broken))
        elif all(is_satisfied(standings[one]) for one in before):
            ready.append(code)
    return Next(tuple(ready), tuple(never))


def is_concluded(standings: Collection[Standing], policies: Policies = DEFAULT) -> bool:
    """Whether the stage has ended: its last open item has (R3, R25), or by a milestone rule all of its milestone items
    are closed or any is granted (P18, R30; a stage without milestones ends with its last item)."""
    milestones = [standing for standing in standings if standing.milestone]
    if policies.stage_concludes_when == "milestone_any" and milestones:
        return any(standing.outcome in GRANTED for standing in milestones) or all(map(is_closed, standings))
    if policies.stage_concludes_when == "milestone_all" and milestones:
        return all(map(is_closed, milestones))
    return all(map(is_closed, standings))


NOT_BEGUN: Final = (S.DRAFT, S.RECEIVED, S.CORRECTION_PRE, S.NOT_ACCEPTED, S.WITHDRAWN, S.NOT_DISPATCHED)
"""States that show no acceptance: a withdrawn item may never have been accepted."""


def is_accepted(standings: Collection[Standing], policies: Policies = DEFAULT) -> bool:
    """Whether the steps of its items accept the stage (P2): the first one accepted, or every dispatched one accepted or
    not accepted (R31). Under `window_receipt` no step does: the window's receipt is what counts."""
    begun = [one for one in standings if one.state not in NOT_BEGUN]
    if policies.stage_accepted_when == "first_item":
        return bool(begun)
    if policies.stage_accepted_when == "all_items":
        waiting = [one for one in standings if one.dispatched and one.state in (S.DRAFT, S.RECEIVED, S.CORRECTION_PRE)]
        return bool(begun) and not waiting
    return False


def result(standings: Collection[Standing]) -> StageResult:
    """Return how a concluded stage ended (R27)."""
    decided = [one for one in standings if one.outcome not in (None, Outcome.CLOSED_NO_OPINION)]
    satisfied = [one for one in standings if is_satisfied(one)]
    if not decided:
        return StageResult.CLOSED_WITHOUT_RESULT
    if len(satisfied) == len(standings):
        return StageResult.ALL_GRANTED
    return StageResult.PARTLY_REFUSED if satisfied else StageResult.ALL_REFUSED


def passed(standings: Collection[Standing]) -> bool:
    """Whether the next stage may be declared: every required item granted or deemed (R28)."""
    return all(is_satisfied(one) for one in standings if not one.optional)


def waits(item: ItemRule, process_type: ProcessType, catalogue: Catalogue) -> bool:
    """Whether the item is held back until others of its stage are granted (P23)."""
    return bool(catalogue.after(item, process_type))
