"""特殊处理程序 (Art. 17): what it may do, who may file it, and what has to be filed with it.

A department with authority files its reason and evidence, and answers for what follows. The effects are enumerated: an
effect that is not in the table does not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.labels import label
from contracts.supervision import SpecialHandlingGranted
from contracts.terms import Outcome, Role, SpecialEffect
from procedure.refusals import Refusal


class ReasonMissing(Refusal):
    """特殊处理须写明原因，并提交说明或证明材料"""

    article = "第十七条"
    status = 400


class FactsMissing(Refusal):
    """“{effect}”还须写明：{missing}"""

    article = "第十七条"
    status = 422


class FactsNotWanted(Refusal):
    """“{effect}”不需要：{extra}"""

    article = "第十七条"
    status = 422


class OutcomeNotADecision(Refusal):
    """补录的决定应为准予、容缺准予或不予批准"""

    article = "第十七条"
    status = 422


class NotYourAuthority(Refusal):
    """“{effect}”应由{who}按审批权限提出，并对此负责"""

    article = "第十七条"
    status = 403


@dataclass(frozen=True, slots=True)
class Effect:
    """One row: who may file it, which facts go with it, which service carries it out, and what then happens."""

    filed_by: tuple[Role, ...]
    about_item: bool
    needs: tuple[str, ...]
    carried_out_by: str
    what: str


E = SpecialEffect
EFFECTS: Final[Mapping[SpecialEffect, Effect]] = {
    E.SKIP_STAGE_ORDER: Effect((Role.LEAD,), False, (), "intake", "本阶段可以在前一阶段办结前申报（第七条的例外）"),
    E.DEFER_MATERIAL: Effect(
        (Role.LEAD, Role.OFFICER),
        False,
        ("material", "promised_on"),
        "intake",
        "缺少的材料可以在承诺日期前补交（容缺）",
    ),
    E.REOPEN: Effect(
        (Role.LEAD, Role.OFFICER), True, (), "dispatcher", "收回的事项重新启动，自启动时重新计算时限（第十四条的例外）"
    ),
    E.WAIVE: Effect((Role.LEAD,), True, (), "dispatcher", "该事项免予办理或并入其他事项"),
    E.REROUTE: Effect(
        (Role.LEAD,), True, ("to_jurisdiction",), "dispatcher", "该事项改由另一层级的同一部门办理（第十八条的例外）"
    ),
    E.ENTER_DECISION: Effect(
        (Role.LEAD, Role.OFFICER),
        True,
        ("outcome", "decided_on"),
        "department-worker",
        "系统故障期间作出的决定补录，标明补录",
    ),
    E.MORE_CORRECTIONS: Effect((Role.LEAD, Role.OFFICER), True, (), "department-worker", "可以再作一次补正告知"),
}
"""Effect → its row."""
FACTS: Final = ("material", "promised_on", "outcome", "decided_on", "to_jurisdiction")
DECISIONS: Final = (Outcome.GRANTED, Outcome.GRANTED_DEFERRED, Outcome.REFUSED)


def hold_to_form(filed: SpecialHandlingGranted | Any, role: Role) -> None:
    """Hold what was filed to its effect's row.

    Raises NotYourAuthority, ReasonMissing, FactsMissing, FactsNotWanted or OutcomeNotADecision.
    """
    row, name = EFFECTS[filed.effect], label(filed.effect)
    if role not in row.filed_by:
        raise NotYourAuthority(effect=name, who="、".join(label(one) for one in row.filed_by))
    if not filed.reason.strip():
        raise ReasonMissing
    needs = (*row.needs, "item_code") if row.about_item else row.needs
    if missing := [fact for fact in needs if getattr(filed, fact) is None]:
        raise FactsMissing(effect=name, missing="、".join(missing))
    if extra := [fact for fact in FACTS if fact not in row.needs and getattr(filed, fact) is not None]:
        raise FactsNotWanted(effect=name, extra="、".join(extra))
    if filed.outcome is not None and filed.outcome not in DECISIONS:
        raise OutcomeNotADecision
