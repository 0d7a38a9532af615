"""The state machine of one attempt of one item (Art. 7, 10, 13, 14): decide first, act after.

`advance` takes the item, what somebody did, and the calendar, and returns the item as it then stands with the events
that say so; or it raises the Refusal that the law gives, and nothing has changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from contracts import department_worker as said
from contracts.codes import CreditCode, DepartmentCode, ItemCode, JurisdictionCode, ProjectCode, Sha256
from contracts.envelope import derived_id
from contracts.parts import Actor, DeferredMaterial, OwnSignature, Special
from contracts.parts import Policies as Versions
from contracts.terms import (
    ClockEnd,
    ItemKind,
    ItemState,
    ItemStep,
    OnExpiry,
    Outcome,
    PauseReason,
    Stage,
)
from procedure import clock as clocks
from procedure.calendar import Calendar
from procedure.clock import Clock, Due
from procedure.policies import Policies, policies_of
from procedure.refusals import Refusal

S = ItemState
T = ItemStep


class StepOutOfOrder(Refusal):
    """事项当前处于“{state}”，不能执行“{step}”；应按 受理—审核—批准—办结 的流程办理"""

    article = "第十条"


class ItemNotReceivedYet(Refusal):
    """综合窗口尚未收件，不能办理该事项"""

    article = "第十条"


class ItemAlreadyEnded(Refusal):
    """该事项已经结束（{state}），不能再办理"""

    article = "第十条"


class ItemPaused(Refusal):
    """该事项正在补正或特别程序中，计时暂停，不能作出决定"""

    article = "第十三条"


class OpinionMissing(Refusal):
    """须写明意见或理由"""

    article = "第十五条"
    status = 422


class OutcomeMissing(Refusal):
    """办结须写明结果：准予、容缺准予或不予批准"""

    article = "第十条"
    status = 422


class SpecialMissing(Refusal):
    """特别程序须写明种类和理由"""

    article = "第十三条"
    status = 422


class CorrectionAlreadyTold(Refusal):
    """补正应一次性告知，该事项的补正次数已用完"""

    article = "第十三条"


class TooLateToPause(Refusal):
    """办理时限已到，不能再暂停计时"""

    article = "第十三条"


class TooLate(Refusal):
    """办理时限已于 {due_at} 届满，逾期意见不再采纳，已记录在案"""

    article = "第十四条"


class NotExpired(Refusal):
    """该事项尚未到期，不能自动收回"""

    article = "第十四条"


class SameOfficer(Refusal):
    """审核与批准须由不同人员办理"""

    article = "第十条"


class ResultStillMissing(Refusal):
    """该事项须以其他部门的审批结果为依据，尚缺：{missing}；已报牵头部门"""

    article = "第八条"


class ExtendedAlready(Refusal):
    """延长审批期限每次申报只能办理一次"""

    article = "第十三条"


class ApproverMissing(Refusal):
    """延长审批期限须写明批准延长的行政机关负责人和理由（行政许可法第四十二条）"""

    article = "第十三条"
    status = 422


class LimitTooShort(Refusal):
    """调整后的时限不得少于已用工作日加一（至少 {least} 个工作日）"""

    article = "第十三条"
    status = 422


class Decision(NamedTuple):
    """A decision that waits for its seal: received at `at`, in time."""

    outcome: Outcome
    opinion: str
    at: datetime
    request_id: UUID
    actor: Actor
    before: ItemState
    document_dated_on: date | None = None
    special_handling: UUID | None = None


class Item(NamedTuple):
    """One attempt of one item, as far as the law needs to know it."""

    item_id: UUID
    project_code: ProjectCode
    application_id: UUID
    stage: Stage
    item_code: ItemCode
    attempt: int
    department: DepartmentCode
    jurisdiction: JurisdictionCode
    kind: ItemKind
    limit_days: int
    on_expiry: OnExpiry
    builder: CreditCode
    versions: Versions
    applied_at: datetime
    state: ItemState = S.DRAFT
    version: int = 0
    clock: Clock | None = None
    before_pause: ItemState | None = None
    corrections: int = 0
    decision: Decision | None = None
    outcome: Outcome | None = None
    reviewer: str = ""
    more_corrections: int = 0
    deferred: tuple[DeferredMaterial, ...] = ()
    missing_results: tuple[ItemCode, ...] = ()
    received_at: datetime | None = None

    @property
    def policies(self) -> Policies:
        """The readings that this item runs under (Art. 1, 23)."""
        return policies_of(self.versions)


class Act(NamedTuple):
    """What somebody did: `at` is the platform's receipt (API, or the broker's append time), never the sender's time.

    `limit_days` goes with AMEND_LIMIT (working days), `approved_by` with EXTEND, `special_handling` with
    ENTER_DECISION, `signature` (the officer's own) with what was signed by its key.
    """

    step: ItemStep
    actor: Actor
    at: datetime
    causation_id: UUID
    outcome: Outcome | None = None
    opinion: str = ""
    special: Special | None = None
    document: Sha256 | None = None
    document_dated_on: date | None = None
    limit_days: int = 0
    approved_by: str = ""
    special_handling: UUID | None = None
    signature: OwnSignature | None = None

    @property
    def signed(self) -> Mapping[str, Any]:
        """What the event of an act says of the officer's own signature."""
        own = self.signature
        return {} if own is None else {"signature": own.digest, "own_signature": own}


Happened = said.ItemStepped | said.LateOpinionRecorded

HANDLING: Final = (S.ACCEPTED, S.REVIEWING, S.APPROVING)
"""受理, 审核, 批准: the item's clock runs."""
STANDING_STILL: Final = (S.CORRECTION, S.SPECIAL)
IN_TIME: Final = (*HANDLING, *STANDING_STILL)
"""The states between acceptance and decision, whether the clock runs or stands still."""
TERMINAL: Final = (S.NOT_ACCEPTED, S.CONCLUDED, S.RETURNED, S.AUTO_RECALLED, S.WITHDRAWN, S.REVOKED, S.NOT_DISPATCHED)

TRANSITIONS: Final[Mapping[tuple[ItemState, ItemStep], ItemState]] = {
    # 收件 (Art. 10)
    (S.DRAFT, T.RECEIVE): S.RECEIVED,
    # 受理, 不予受理, 受理前补正 (Art. 10, 7)
    (S.RECEIVED, T.ACCEPT): S.ACCEPTED,
    (S.RECEIVED, T.DEEM_ACCEPTED): S.ACCEPTED,
    (S.RECEIVED, T.NOT_ACCEPT): S.NOT_ACCEPTED,
    (S.RECEIVED, T.START_CORRECTION): S.CORRECTION_PRE,
    (S.CORRECTION_PRE, T.SUPPLEMENT): S.RECEIVED,
    # 审核, 批准 (Art. 10)
    (S.ACCEPTED, T.REVIEW): S.REVIEWING,
    (S.REVIEWING, T.APPROVE): S.APPROVING,
    # 办结(含签章) (Art. 10, 16)
    (S.APPROVING, T.CONCLUDE): S.SEALING,
    (S.SEALING, T.SEAL): S.CONCLUDED,
    (S.SEALING, T.REJECT_SEAL): S.APPROVING,
    # 特殊处理：系统故障期间的决定补录 (Art. 17)
    (S.ACCEPTED, T.ENTER_DECISION): S.SEALING,
    (S.REVIEWING, T.ENTER_DECISION): S.SEALING,
    (S.APPROVING, T.ENTER_DECISION): S.SEALING,
    # 撤销: a legal act, no clock
    (S.CONCLUDED, T.REVOKE): S.REVOKED,
    # 补正 (Art. 13)
    (S.ACCEPTED, T.START_CORRECTION): S.CORRECTION,
    (S.REVIEWING, T.START_CORRECTION): S.CORRECTION,
    (S.APPROVING, T.START_CORRECTION): S.CORRECTION,
    (S.SPECIAL, T.START_CORRECTION): S.CORRECTION,
    (S.CORRECTION, T.SUPPLEMENT): S.ACCEPTED,
    # 特别程序 (Art. 13)
    (S.ACCEPTED, T.START_SPECIAL): S.SPECIAL,
    (S.REVIEWING, T.START_SPECIAL): S.SPECIAL,
    (S.APPROVING, T.START_SPECIAL): S.SPECIAL,
    (S.CORRECTION, T.START_SPECIAL): S.CORRECTION,
    (S.SPECIAL, T.END_SPECIAL): S.ACCEPTED,
    (S.CORRECTION, T.END_SPECIAL): S.CORRECTION,
    # 退回 (Art. 13)
    (S.ACCEPTED, T.RETURN): S.RETURNED,
    (S.REVIEWING, T.RETURN): S.RETURNED,
    (S.APPROVING, T.RETURN): S.RETURNED,
    (S.CORRECTION, T.RETURN): S.RETURNED,
    (S.SPECIAL, T.RETURN): S.RETURNED,
    # 到期自动收回 (Art. 14)
    (S.ACCEPTED, T.RECALL): S.AUTO_RECALLED,
    (S.REVIEWING, T.RECALL): S.AUTO_RECALLED,
    (S.APPROVING, T.RECALL): S.AUTO_RECALLED,
    # 撤件
    (S.DRAFT, T.WITHDRAW): S.WITHDRAWN,
    (S.RECEIVED, T.WITHDRAW): S.WITHDRAWN,
    (S.CORRECTION_PRE, T.WITHDRAW): S.WITHDRAWN,
    (S.ACCEPTED, T.WITHDRAW): S.WITHDRAWN,
    (S.REVIEWING, T.WITHDRAW): S.WITHDRAWN,
    (S.APPROVING, T.WITHDRAW): S.WITHDRAWN,
    (S.CORRECTION, T.WITHDRAW): S.WITHDRAWN,
    (S.SPECIAL, T.WITHDRAW): S.WITHDRAWN,
    (S.RETURNED, T.WITHDRAW): S.WITHDRAWN,
    # 延长审批, 调整时限: the state stays (行政许可法 Art. 42; R12, R13)
    **{(state, step): state for state in IN_TIME for step in (T.EXTEND, T.AMEND_LIMIT)},
}
"""The whole of it; the state after the last pause ends is the one before it (R7), whatever the row says."""

OPINION_REQUIRED: Final = (T.NOT_ACCEPT, T.START_CORRECTION, T.RETURN, T.AMEND_LIMIT, T.REVOKE)
"""Steps that mean nothing without a reason (Art. 7, 13, 15)."""
OUTCOMES: Final = (Outcome.GRANTED, Outcome.GRANTED_DEFERRED, Outcome.REFUSED)
LONGEST_LIMIT: Final = 366
DECISIONS: Final = (T.CONCLUDE, T.ENTER_DECISION)
BY_THE_PLATFORM: Final = (T.SEAL, T.REJECT_SEAL, T.RECALL)
"""Steps that follow from the platform's own facts, so the due instant does not judge them again."""


def expires(item: Item, calendar: Calendar) -> Due | None:
    """Return when the item's running clock expires; None while none runs."""
    return None if item.clock is None else clocks.due(item.clock, calendar, item.jurisdiction, item.policies)


def accepts_by(item: Item, calendar: Calendar) -> Due | None:
    """Return when the time for acceptance runs out (行政许可法 Art. 32, R21); None while nobody waits for it."""
    if item.state is not S.RECEIVED or item.received_at is None:
        return None
    waiting = Clock(item.policies.acceptance_days, item.received_at)
    return clocks.due(waiting, calendar, item.jurisdiction, item.policies)


def is_late(item: Item, at: datetime, due: Due | None) -> bool:
    """Whether what was received at `at` came after the due instant (R6); as long as that may still move, everything is
    in time (R5)."""
    if due is None or (due.provisional and not item.policies.fire_on_provisional):
        return False
    return clocks.is_late(at, due)


def advance(item: Item, act: Act, calendar: Calendar, *, sealed: bool = True) -> tuple[Item, tuple[Happened, ...]]:
    """Return the item after `act`, and what happened. Raises Refusal when the law says no; nothing has changed then.

    An act received after the due instant returns the item unchanged with LateOpinionRecorded (Art. 14). With `sealed`
    False a decision concludes at once.
    """
    target = _target(item, act)
    due = expires(item, calendar)
    if due is not None and act.step not in BY_THE_PLATFORM and is_late(item, act.at, due):
        return item, (_late(item, act, due),)
    _hold_to_form(item, act)
    return _STEPS[act.step](item, act, target, _Setting(calendar, item.policies, due, sealed))


@dataclass(frozen=True, slots=True)
class _Setting:
    calendar: Calendar
    policies: Policies
    due: Due | None
    sealed: bool


def _target(item: Item, act: Act) -> ItemState:
    found = TRANSITIONS.get((item.state, act.step))
    if found is not None:
        return found
    if item.state in TERMINAL:
        raise ItemAlreadyEnded(state=item.state.value, step=act.step.value)
    if item.state is S.DRAFT:
        raise ItemNotReceivedYet
    if item.state in STANDING_STILL and act.step in (T.REVIEW, T.APPROVE, *DECISIONS):
        raise ItemPaused
    raise StepOutOfOrder(state=item.state.value, step=act.step.value)


def _hold_to_form(item: Item, act: Act) -> None:
    """Refuse an act that lacks what its step needs."""
    refused = act.step in DECISIONS and act.outcome is Outcome.REFUSED
    if (act.step in OPINION_REQUIRED or refused) and not act.opinion.strip():
        raise OpinionMissing
    if act.step in DECISIONS and act.outcome not in OUTCOMES:
        raise OutcomeMissing
    if act.step is T.EXTEND and not (act.approved_by.strip() and act.opinion.strip()):
        raise ApproverMissing
    if act.step is T.START_SPECIAL and act.special is None:
        raise SpecialMissing
    told = act.step is T.START_CORRECTION and item.state is not S.RECEIVED
    if told and item.corrections >= item.policies.max_corrections + item.more_corrections:
        raise CorrectionAlreadyTold


def _common(item: Item, act: Act, name: str) -> dict[str, Any]:
    version = item.version + 1
    return {
        "event_id": derived_id(item.item_id, version, name),
        "causation_id": act.causation_id,
        "occurred_at": act.at,
        "project_code": item.project_code,
        "application_id": item.application_id,
        "stage": item.stage,
        "item_id": item.item_id,
        "item_code": item.item_code,
        "attempt": item.attempt,
        "department": item.department,
        "jurisdiction": item.jurisdiction,
        "version": version,
        "at": act.at,
        "actor": act.actor,
        "policies": item.versions,
    }


def _step(item: Item, act: Act, target: ItemState, kind: type[said.ItemStepped], /, **more: Any) -> tuple[Item, Any]:
    """Return the item one version on in `target`, and the event of `kind` that says so."""
    return item._replace(state=target, version=item.version + 1), kind(**_common(item, act, kind.__name__), **more)


def _late(item: Item, act: Act, due: Due) -> said.LateOpinionRecorded:
    common = _common(item, act, f"late:{act.causation_id}")
    del common["policies"]
    common["version"] = item.version
    return said.LateOpinionRecorded(**common, due_at=due.at, step=act.step, outcome=act.outcome, opinion=act.opinion)


def _receive(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    after, event = _step(
        item, act, target, said.ItemReceived, applied_at=item.applied_at, builder=item.builder, **_limit(item)
    )
    return after._replace(received_at=act.at), (event,)


def _limit(item: Item) -> dict[str, Any]:
    return {"kind": item.kind, "limit_days": item.limit_days, "on_expiry": item.on_expiry}


def _accept(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    if item.missing_results:
        raise ResultStillMissing(missing="、".join(item.missing_results))
    deemed = act.step is T.DEEM_ACCEPTED
    after, event = _step(item, act, target, said.ItemAccepted, **_limit(item), deemed=deemed, deferred=item.deferred)
    return after._replace(clock=Clock(item.limit_days, act.at)), (event,)


def _not_accept(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    after, event = _step(item, act, target, said.ItemNotAccepted, opinion=act.opinion)
    return after, (event,)


def _review(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    after, event = _step(item, act, target, said.ItemReviewed, opinion=act.opinion)
    return after._replace(reviewer=act.actor.certificate), (event,)


def _approve(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    if setting.policies.four_eyes and act.actor.certificate == item.reviewer:
        raise SameOfficer
    after, event = _step(item, act, target, said.ItemApproved, opinion=act.opinion, **act.signed)
    return after, (event,)


def _start_correction(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    early = item.state is S.RECEIVED
    after, event = _step(item, act, target, said.CorrectionRequested, before_acceptance=early, opinion=act.opinion)
    if not early:
        after = _paused(item, after, PauseReason.CORRECTION, act, setting)._replace(corrections=item.corrections + 1)
    return after, (event,)


def _supplement(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    early = item.state is S.CORRECTION_PRE
    after, event = _step(item, act, target, said.CorrectionEnded, before_acceptance=early)
    if early:
        return after._replace(received_at=act.at), (event,)
    return _resumed(item, after, PauseReason.CORRECTION, act), (event,)


def _start_special(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    if (PauseReason.SPECIAL, _KEY) in _of(item.clock).reasons:
        raise StepOutOfOrder(state=S.SPECIAL.value, step=act.step.value)
    after, event = _step(item, act, target, said.SpecialStarted, special=act.special)
    return _paused(item, after, PauseReason.SPECIAL, act, setting), (event,)


def _end_special(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    if (PauseReason.SPECIAL, _KEY) not in _of(item.clock).reasons:
        raise StepOutOfOrder(state=item.state.value, step=act.step.value)
    after, event = _step(item, act, target, said.SpecialEnded)
    return _resumed(item, after, PauseReason.SPECIAL, act), (event,)


_KEY: Final = ""


def _paused(before: Item, after: Item, reason: PauseReason, act: Act, setting: _Setting) -> Item:
    """Stand still for one more reason; a pause needs a working day left and an instant before the due one (R6)."""
    held = _of(before.clock)
    left = clocks.remaining_days(held, act.at, setting.calendar, before.jurisdiction, setting.policies)
    if left < 1 or (setting.due is not None and act.at >= setting.due.at):
        raise TooLateToPause
    resting = before.before_pause or before.state
    return after._replace(clock=clocks.pause(held, reason, _KEY, act.at), before_pause=resting)


def _resumed(before: Item, after: Item, reason: PauseReason, act: Act) -> Item:
    """Take one reason away; the state before the first pause comes back when none is left (R7)."""
    clock = clocks.resume(_of(before.clock), reason, _KEY, act.at)
    left = {kind for kind, _ in clock.reasons}
    if left:
        state = S.CORRECTION if PauseReason.CORRECTION in left else S.SPECIAL
        return after._replace(clock=clock, state=state)
    return after._replace(clock=clock, state=before.before_pause or S.ACCEPTED, before_pause=None)


def _conclude(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    assert act.outcome is not None
    written: dict[str, Any] = {"document_dated_on": act.document_dated_on, "special_handling": act.special_handling}
    told = {"outcome": act.outcome, "opinion": act.opinion, **written}
    if not setting.sealed:
        after, event = _step(item, act, S.CONCLUDED, said.ItemConcluded, **told)
        return _ended(after, ClockEnd.CONCLUDED, act.at, act.outcome), (event,)
    request_id = seal_request_id(item)
    after, event = _step(item, act, target, said.ItemDecided, seal_request_id=request_id, **act.signed, **told)
    decision = Decision(act.outcome, act.opinion, act.at, request_id, act.actor, item.state, **written)
    return after._replace(decision=decision), (event,)


def seal_request_id(item: Item) -> UUID:
    """Return the id under which the item's next decision asks for its seal."""
    return derived_id("seal", item.item_id, item.version + 1)


def _seal(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    decision = item.decision
    assert decision is not None
    concluded = act._replace(at=decision.at, actor=decision.actor)
    after, event = _step(
        item,
        concluded,
        target,
        said.ItemConcluded,
        outcome=decision.outcome,
        opinion=decision.opinion,
        document=act.document,
        document_dated_on=decision.document_dated_on,
        special_handling=decision.special_handling,
    )
    return _ended(after._replace(decision=None), ClockEnd.CONCLUDED, decision.at, decision.outcome), (event,)


def _reject_seal(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    decision = item.decision
    assert decision is not None
    failed = {"seal_request_id": decision.request_id, "opinion": act.opinion}
    after, event = _step(item, act, decision.before, said.SealFailed, **failed)
    return after._replace(decision=None), (event,)


def _return(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    after, event = _step(item, act, target, said.ItemReturned, opinion=act.opinion)
    return _ended(after, ClockEnd.RETURNED, act.at, None), (event,)


def _recall(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    due = setting.due
    if due is None or act.at < due.at:
        raise NotExpired
    outcome = outcome_of_silence(item.on_expiry)
    after, event = _step(item, act, target, said.ItemRecalled, outcome=outcome, due_at=due.at)
    return _ended(after, ClockEnd.RECALLED, due.at, outcome), (event,)


def outcome_of_silence(on_expiry: OnExpiry) -> Outcome:
    """Return what silence to the due instant means: no objection for a consultation, no opinion else (Art. 14)."""
    return Outcome.DEEMED_NO_OPINION if on_expiry is OnExpiry.DEEM_NO_OBJECTION else Outcome.EXPIRED_NO_OPINION


def _withdraw(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    after, event = _step(item, act, target, said.ItemTakenBack, opinion=act.opinion)
    return _ended(after, ClockEnd.WITHDRAWN, act.at, None), (event,)


def _extend(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    held = _of(item.clock)
    if held.extended_days:
        raise ExtendedAlready
    told = {"days": clocks.EXTENSION_DAYS, "opinion": act.opinion, "approved_by": act.approved_by}
    after, event = _step(item, act, target, said.ItemExtended, **told)
    return after._replace(clock=clocks.extend(held)), (event,)


def _amend_limit(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    held = _of(item.clock)
    used = clocks.used_days(held, act.at, setting.calendar, item.jurisdiction, setting.policies)
    least = max(used + 1 - held.extended_days, 1)
    if not least <= act.limit_days <= LONGEST_LIMIT:
        raise LimitTooShort(least=least)
    told = {"limit_days": act.limit_days, "former_limit_days": held.limit_days, "opinion": act.opinion}
    after, event = _step(item, act, target, said.LimitAmended, **told)
    return after._replace(clock=clocks.amend(held, act.limit_days), limit_days=act.limit_days), (event,)


def _revoke(item: Item, act: Act, target: ItemState, setting: _Setting) -> tuple[Item, tuple[Happened, ...]]:
    after, event = _step(item, act, target, said.ItemRevoked, opinion=act.opinion)
    return after._replace(outcome=None), (event,)


def _ended(item: Item, end: ClockEnd, at: datetime, outcome: Outcome | None) -> Item:
    clock = None if item.clock is None else clocks.stop(item.clock, end, at)
    return item._replace(clock=clock, outcome=outcome, before_pause=None)


def _of(clock: Clock | None) -> Clock:
    assert clock is not None
    return clock


_STEPS: Final = {
    T.RECEIVE: _receive,
    T.ACCEPT: _accept,
    T.NOT_ACCEPT: _not_accept,
    T.START_CORRECTION: _start_correction,
    T.SUPPLEMENT: _supplement,
    T.REVIEW: _review,
    T.APPROVE: _approve,
    T.CONCLUDE: _conclude,
    T.RETURN: _return,
    T.START_SPECIAL: _start_special,
    T.END_SPECIAL: _end_special,
    T.WITHDRAW: _withdraw,
    T.SEAL: _seal,
    T.REJECT_SEAL: _reject_seal,
    T.RECALL: _recall,
    T.DEEM_ACCEPTED: _accept,
    T.EXTEND: _extend,
    T.AMEND_LIMIT: _amend_limit,
    T.ENTER_DECISION: _conclude,
    T.REVOKE: _revoke,
}
