"""特殊处理程序 (Art. 17) as supervision sees it: whether one may be filed as things stand, and what came of it.

The checks are soft: they look at what supervision has heard. Whoever carries an effect out judges it again and may
refuse it; then the list says so.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from contracts.codes import MaterialCode
from contracts.department_worker import CorrectionRequested, ItemActRefused, ItemConcluded, ItemReceived, ItemStepped
from contracts.dispatcher import ItemClosed, SpecialHandlingRefused
from contracts.envelope import Event, derived_id
from contracts.intake import StageApplied
from contracts.supervision import SpecialHandlingGranted
from contracts.terms import ItemState, Outcome, SpecialEffect
from procedure.policies import policies_of
from procedure.refusals import Refusal
from supervision.domain import OPEN, ItemRow


class ItemNotRecalled(Refusal):
    """只有到期自动收回、尚未关闭的事项可以重新启动"""

    article = "第十四条"


class ItemNotOpen(Refusal):
    """该事项已经结束，无需免予办理、改由其他层级办理"""

    article = "第十七条"


class ItemNotInHandling(Refusal):
    """该事项不在受理至批准的办理环节中"""

    article = "第十七条"


class StageDeclaredBefore(Refusal):
    """该阶段已经申报，特殊处理须在申报之前提出"""

    article = "第七条"


class MaterialNotOfStage(Refusal):
    """该阶段不需要材料 {material}"""

    article = "第八条"
    status = 422


class PromisedInThePast(Refusal):
    """承诺补交的日期应晚于今天"""

    article = "第十七条"
    status = 422


class DecidedInTheFuture(Refusal):
    """补录的决定日期不得晚于今天"""

    article = "第十七条"
    status = 422


class SameJurisdiction(Refusal):
    """该事项已由该属地的部门办理"""

    article = "第十八条"
    status = 422


class NotAwaitingDecision(Refusal):
    """该事项并非到期自动收回、等待牵头部门决定"""

    article = "第十四条"


class DecidedBefore(Refusal):
    """牵头部门已对该事项作出决定"""

    article = "第十四条"


class Situation(NamedTuple):
    """What is known where a special handling is filed: the item's newest attempt, whether its stage was declared, the
    materials that the stage needs, and the day in Shanghai."""

    item: ItemRow | None
    declared: bool
    materials: Collection[MaterialCode]
    today: date


Filed = SpecialHandlingGranted
HANDLED: Final = (ItemState.ACCEPTED.value, ItemState.REVIEWING.value, ItemState.APPROVING.value)
PAUSED: Final = (ItemState.CORRECTION.value, ItemState.SPECIAL.value)
OPEN_STATES: Final = tuple(state.value for state in OPEN)


def _not_declared(filed: Filed, situation: Situation) -> None:
    if situation.declared:
        raise StageDeclaredBefore


def _deferrable(filed: Filed, situation: Situation) -> None:
    if filed.material not in situation.materials:
        raise MaterialNotOfStage(material=filed.material)
    if filed.promised_on is not None and filed.promised_on <= situation.today:
        raise PromisedInThePast


def _recalled(filed: Filed, situation: Situation) -> None:
    item = situation.item
    if item is None or item.state != ItemState.AUTO_RECALLED.value or item.closed is not None:
        raise ItemNotRecalled


def _open(filed: Filed, situation: Situation) -> None:
    item = situation.item
    expired = item is not None and item.outcome == Outcome.EXPIRED_NO_OPINION.value
    if item is None or item.closed is not None or not (item.state in OPEN_STATES or expired):
        raise ItemNotOpen


def _elsewhere(filed: Filed, situation: Situation) -> None:
    if situation.item is not None and situation.item.jurisdiction == filed.to_jurisdiction:
        raise SameJurisdiction


def _handled(filed: Filed, situation: Situation) -> None:
    if situation.item is None or situation.item.state not in HANDLED:
        raise ItemNotInHandling
    if filed.decided_on is not None and filed.decided_on > situation.today:
        raise DecidedInTheFuture


def _accepted(filed: Filed, situation: Situation) -> None:
    if situation.item is None or situation.item.state not in (*HANDLED, *PAUSED):
        raise ItemNotInHandling


E = SpecialEffect
CHECKS: Final[Mapping[SpecialEffect, tuple[Callable[[Filed, Situation], None], ...]]] = {
    E.SKIP_STAGE_ORDER: (_not_declared,),
    E.DEFER_MATERIAL: (_not_declared, _deferrable),
    E.REOPEN: (_recalled,),
    E.WAIVE: (_open,),
    E.REROUTE: (_open, _elsewhere),
    E.ENTER_DECISION: (_handled,),
    E.MORE_CORRECTIONS: (_accepted,),
}


def hold_to_situation(filed: Filed, situation: Situation) -> None:
    """Hold what is filed to how things stand. Raises the refusal of its effect."""
    for check in CHECKS[filed.effect]:
        check(filed, situation)


def hold_to_expiry(item: ItemRow, *, decided: bool) -> None:
    """Hold a lead's decision to an item that expired without an opinion and waits for it (R3).

    Raises DecidedBefore or NotAwaitingDecision.
    """
    if decided or item.closed is not None:
        raise DecidedBefore
    if (item.state, item.outcome) != (ItemState.AUTO_RECALLED.value, Outcome.EXPIRED_NO_OPINION.value):
        raise NotAwaitingDecision


# What came of it ------------------------------------------------------------------------------------------------


class Came(StrEnum):
    """Whether a special handling was taken up: not yet, carried out, or refused by whoever should have."""

    FILED = "FILED"
    APPLIED = "APPLIED"
    REFUSED = "REFUSED"


class Consequence(NamedTuple):
    """An event that follows from a special handling, by what it follows from."""

    cause: UUID
    event_id: UUID
    project_code: str
    what: str
    at: datetime
    detail: str


_TELLING: Final = (ItemConcluded, ItemReceived, CorrectionRequested)
REFUSALS: Final = (SpecialHandlingRefused.__name__, ItemActRefused.__name__)


def consequences(event: Event) -> Iterable[Consequence]:
    """Return what an event of a stage says of special handlings, by their ids or by what they allowed."""
    match event:
        case StageApplied():
            if event.special_handling is not None:
                yield _came(event.special_handling, event)
            for one in event.deferred:
                yield _came(deferral(event.project_code, event.stage.value, one.code), event, one.code)
        case ItemClosed():
            yield _came(event.decided_by, event, event.reason)
        case SpecialHandlingRefused():
            yield _came(event.handling_id, event, event.message)
        case ItemActRefused():
            yield _came(event.causation_id, event, event.message)
        case _:
            return


def consequences_of_step(step: ItemStepped, after: ItemRow) -> Iterable[Consequence]:
    """Return what a step of an item says of special handlings; few steps say anything."""
    if type(step) not in _TELLING:
        return
    match step:
        case ItemConcluded() if step.special_handling is not None:
            yield _came(step.special_handling, step, step.outcome.value)
        case ItemReceived() if step.attempt > 1:
            yield _came(next_attempt(step.application_id, step.item_code, step.attempt), step, step.jurisdiction)
        case CorrectionRequested() if after.corrections > policies_of(step.policies).max_corrections:
            yield _came(further_correction(step.item_id), step, step.opinion)
        case _:
            return


def causes(filed: Filed, item: ItemRow | None) -> list[UUID]:
    """Return everything under which a consequence of `filed` may stand; `item` is the attempt it was about."""
    found = [filed.handling_id]
    if filed.effect is E.DEFER_MATERIAL and filed.material is not None:
        found.append(deferral(filed.project_code, filed.stage.value, filed.material))
    if filed.effect in (E.REOPEN, E.REROUTE) and item is not None:
        found.append(next_attempt(item.application_id, item.item_code, item.attempt + 1))
    if filed.effect is E.MORE_CORRECTIONS and item is not None:
        found.append(further_correction(item.item_id))
    return found


def came(told: Collection[Consequence]) -> Came:
    """Return whether a special handling was carried out, by what followed from it."""
    if any(one.what not in REFUSALS for one in told):
        return Came.APPLIED
    return Came.REFUSED if told else Came.FILED


def deferral(project_code: str, stage: int, material: str) -> UUID:
    return derived_id("deferral", project_code, stage, material)


def next_attempt(application_id: UUID, item_code: str, attempt: int) -> UUID:
    return derived_id("attempt", application_id, item_code, attempt)


def further_correction(item_id: UUID) -> UUID:
    return derived_id("further correction", item_id)


def _came(cause: UUID, event: Event, detail: str = "") -> Consequence:
    return Consequence(cause, event.event_id, event.key, type(event).__name__, event.occurred_at, detail)
