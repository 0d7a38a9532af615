"""What others decide about an item beyond its department's own steps, and what the stage makes of it.

The lead decides about an item that expired without an opinion (Art. 14, 22); special handling opens an item again,
takes it to another level, or waives it (Art. 17). What cannot take effect is answered with a refusal on the stages
topic.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts.codes import ItemCode, JurisdictionCode
from contracts.dispatcher import ItemClosed, ItemWithdrawn, SpecialHandlingRefused
from contracts.labels import label
from contracts.supervision import ExpiryDecided, SpecialHandlingGranted
from contracts.terms import CloseCause, ExpiryDecision, ItemState, Outcome, SpecialEffect
from dispatcher.domain import (
    ItemLine,
    Said,
    StageProcess,
    about_item,
    about_stage,
    begin_again,
    revived,
    with_lines,
)
from dispatcher.folding import settle
from procedure import stages
from procedure.catalogue import Catalogue
from procedure.refusals import Refusal
from procedure.special_handling import EFFECTS

S = ItemState
Decision = ExpiryDecided | SpecialHandlingGranted
REASON_LENGTH: Final = 200
"""Characters of a reason that the department is told with a withdrawal."""


class NoSuchItem(Refusal):
    """该阶段没有这一事项，不能作特殊处理"""

    article = "第十七条"


class NotTheNewestAttempt(Refusal):
    """该事项已另行办理（第 {attempt} 次），只能处理最近一次办理"""

    article = "第十七条"


class ItemNotExpired(Refusal):
    """该事项没有逾期未反馈意见，不需要牵头部门决定"""

    article = "第十四条"


class ExpiryDecidedAlready(Refusal):
    """该事项逾期后如何处理已有决定"""

    article = "第十四条"


class ItemNotRecalled(Refusal):
    """只有到期自动收回的事项可以重新启动"""

    article = "第十七条"


class StageConcludedAlready(Refusal):
    """阶段已经办结，视为无意见的事项不能重新启动"""

    article = "第十四条"


class ItemEndedAlready(Refusal):
    """该事项已经终结（{state}），不能再作“{effect}”"""

    article = "第十七条"


class NoDepartmentThere(Refusal):
    """{jurisdiction} 没有办理该事项的部门"""

    article = "第十八条"


class HandledThereAlready(Refusal):
    """该事项已由 {jurisdiction} 办理"""

    article = "第十八条"


def is_ours(event: Decision) -> bool:
    """Whether the dispatcher carries it out; other services' effects are passed over."""
    return isinstance(event, ExpiryDecided) or EFFECTS[event.effect].carried_out_by == "dispatcher"


def id_of(event: Decision) -> UUID:
    """Return the id under which a decision takes effect once."""
    return event.event_id if isinstance(event, ExpiryDecided) else event.handling_id


def comes_early(process: StageProcess, event: Decision) -> bool:
    """Whether it builds on a recall that has not been read: the item is open as far as is known."""
    needs_recall = isinstance(event, ExpiryDecided) or event.effect is SpecialEffect.REOPEN
    line = None if event.item_code is None else process.lines.get(event.item_code)
    newest = line is not None and event.item_id in (None, line.item_id)
    return needs_recall and newest and line is not None and not line.ended


def decide(process: StageProcess, event: Decision, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    """Return the process after a decision and what is said of it: what came of it, or why nothing did."""
    try:
        line = _newest(process, event.item_code, event.item_id)
        return CARRIED_OUT[_kind(event)](process, line, event, catalogue)
    except Refusal as refusal:
        return _refused(process, event, refusal)


def _newest(process: StageProcess, item_code: ItemCode | None, item_id: UUID | None) -> ItemLine:
    line = None if item_code is None else process.lines.get(item_code)
    if line is None:
        raise NoSuchItem
    if item_id not in (None, line.item_id):
        raise NotTheNewestAttempt(attempt=line.attempt)
    return line


def _kind(event: Decision) -> ExpiryDecision | SpecialEffect:
    return event.decision if isinstance(event, ExpiryDecided) else event.effect


def _refused(process: StageProcess, event: Decision, refusal: Refusal) -> tuple[StageProcess, Said]:
    process = process._replace(version=process.version + 1)
    about = about_stage(process, event.event_id, event.occurred_at, "SpecialHandlingRefused", id_of(event))
    return process, (
        SpecialHandlingRefused(
            **about,
            version=process.version,
            handling_id=id_of(event),
            item_code=event.item_code,
            code=refusal.code,
            message=refusal.message,
            article=refusal.article,
        ),
    )


# The lead, about an item that expired (R3) -------------------------------------------------------------------------


def _redispatch(
    process: StageProcess, line: ItemLine, event: Decision, catalogue: Catalogue
) -> tuple[StageProcess, Said]:
    """The same department handles it anew: a new attempt with a clock of its own."""
    _hold_to_expired(line)
    return begin_again(process, line, event.event_id, event.occurred_at, catalogue)


def _close(process: StageProcess, line: ItemLine, event: Decision, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    """It ends without a grant; what waits for it never starts (R29)."""
    _hold_to_expired(line)
    return _closed(process, line, event, Outcome.CLOSED_NO_OPINION, catalogue)


def _hold_to_expired(line: ItemLine) -> None:
    if line.closed and line.state is S.AUTO_RECALLED:
        raise ExpiryDecidedAlready
    if line.outcome is not Outcome.EXPIRED_NO_OPINION:
        raise ItemNotExpired


# Special handling --------------------------------------------------------------------------------------------------


def _reopen(process: StageProcess, line: ItemLine, event: Decision, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    """A recalled item is handled anew, with the full limit from now on (R20); a deemed one while the stage is open."""
    if line.state is not S.AUTO_RECALLED or line.closed:
        raise ItemNotRecalled
    if line.outcome is Outcome.DEEMED_NO_OPINION and process.concluded_at is not None:
        raise StageConcludedAlready
    at = event.occurred_at
    return begin_again(process, line, event.event_id, at, catalogue, reopened_at=at)


def _waive(process: StageProcess, line: ItemLine, event: Decision, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    """It need not be handled, whether it is open or never started; its department, if it has it, is told."""
    never_started = line.state is S.NOT_DISPATCHED and not line.closed
    if stages.is_closed(line.standing) and not never_started:
        raise ItemEndedAlready(state=label(line.state), effect=label(SpecialEffect.WAIVE))
    taken = _taken_back(process, line, event)
    process, said = _closed(process, line, event, Outcome.WAIVED, catalogue)
    return process, (*taken, *said)


def _reroute(process: StageProcess, line: ItemLine, event: Decision, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    """The same department of another level handles it anew; the former one is told that it is no longer its affair.

    An item that still waits for others will go there when its time comes.
    """
    there = _place_for(line, event, catalogue)
    if not line.dispatched:
        return with_lines(process, line._replace(jurisdiction=there)), ()
    taken = _taken_back(process, line, event)
    process, said = begin_again(process, line, event.event_id, event.occurred_at, catalogue, jurisdiction=there)
    return process, (*taken, *said)


def _place_for(line: ItemLine, event: Decision, catalogue: Catalogue) -> JurisdictionCode:
    expired = line.outcome is Outcome.EXPIRED_NO_OPINION
    if line.ended and not expired:
        raise ItemEndedAlready(state=label(line.state), effect=label(SpecialEffect.REROUTE))
    there = event.to_jurisdiction if isinstance(event, SpecialHandlingGranted) else None
    if there is None or (there, line.department) not in catalogue.departments_of(there):
        raise NoDepartmentThere(jurisdiction=there or "未写明的属地")
    if there == line.jurisdiction:
        raise HandledThereAlready(jurisdiction=catalogue.places[there].name)
    return there


def _taken_back(process: StageProcess, line: ItemLine, event: Decision) -> Said:
    """Tell the department that has the item; after a recall it has it no longer (Art. 14)."""
    if not line.dispatched or line.state is S.AUTO_RECALLED:
        return ()
    about = about_item(process, line, event.event_id, event.occurred_at, "withdraw", event.event_id)
    reason = event.reason.strip() or label(_kind(event))
    return (ItemWithdrawn(**about, withdrawn_at=event.occurred_at, reason=reason[:REASON_LENGTH], actor=event.actor),)


ENDED_AS: Final[Mapping[Outcome, CloseCause]] = {
    Outcome.CLOSED_NO_OPINION: CloseCause.EXPIRED,
    Outcome.WAIVED: CloseCause.WAIVED,
}


def _closed(
    process: StageProcess, line: ItemLine, event: Decision, outcome: Outcome, catalogue: Catalogue
) -> tuple[StageProcess, Said]:
    at = event.occurred_at
    line = _as_closed(line, outcome, event.reason, at)
    process = revived(with_lines(process, line)._replace(version=process.version + 1))
    said = ItemClosed(
        **about_item(process, line, event.event_id, at, "ItemClosed"),
        version=process.version,
        at=at,
        cause=ENDED_AS[outcome],
        outcome=outcome,
        reason=event.reason,
        decided_by=event.event_id,
        actor=event.actor,
    )
    process, more = settle(process, line, event.event_id, at, catalogue)
    return process, (said, *more)


def _as_closed(line: ItemLine, outcome: Outcome, reason: str, at: datetime) -> ItemLine:
    """A recalled item stays recalled; what its department has is withdrawn; what never went out never will."""
    state = S.AUTO_RECALLED
    if line.state is not S.AUTO_RECALLED:
        state = S.WITHDRAWN if line.dispatched else S.NOT_DISPATCHED
    return line._replace(state=state, outcome=outcome, opinion=reason, ended_at=at)


_Carry = Callable[[StageProcess, ItemLine, Decision, Catalogue], tuple[StageProcess, Said]]
CARRIED_OUT: Final[Mapping[ExpiryDecision | SpecialEffect, _Carry]] = {
    ExpiryDecision.REDISPATCH: _redispatch,
    ExpiryDecision.CLOSE: _close,
    SpecialEffect.REOPEN: _reopen,
    SpecialEffect.WAIVE: _waive,
    SpecialEffect.REROUTE: _reroute,
}
"""Decision → what it does to the process; the effects are those rows of `procedure.special_handling.EFFECTS` that the
dispatcher carries out."""
