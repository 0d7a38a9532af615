"""What the department worker alone decides: how messages become acts, and what a decision's document says."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from contracts.codes import Sha256
from contracts.department import ItemReport
from contracts.department_worker import (
    ItemActRefused,
    ItemDecided,
    SealRequested,
)
from contracts.dispatcher import ItemDispatched, ItemSupplemented, ItemWithdrawn
from contracts.envelope import derived_id
from contracts.intake import ApplicationReceived
from contracts.parts import Actor
from contracts.signing import RosterEntry, SealCompleted, SealRejected
from contracts.terms import DocumentKind, ItemKind, ItemState, ItemStep, Outcome, Submission
from contracts.timer import ItemAutoRecall
from procedure.calendar import Calendar
from procedure.items import Act, Happened, Item, advance
from procedure.refusals import Refusal
from procedure.roster import hold_to_roster, may_handle

PLATFORM: Final = Actor(holder="联合审批平台", certificate="platform")
BY_DEPARTMENT: Final = (
    ItemStep.ACCEPT,
    ItemStep.NOT_ACCEPT,
    ItemStep.START_CORRECTION,
    ItemStep.REVIEW,
    ItemStep.APPROVE,
    ItemStep.CONCLUDE,
    ItemStep.RETURN,
    ItemStep.START_SPECIAL,
    ItemStep.END_SPECIAL,
)
"""The steps that are a department's own; the others come from the builder, the window or the platform."""


class NotADepartmentsStep(Refusal):
    """“{step}”不是审批部门的办理环节"""

    article = "第十条"
    status = 422


class NotThisDepartmentsItem(Refusal):
    """该事项不属于该部门或该属地，不予办理"""

    article = "第十八条"
    status = 403


@dataclass(frozen=True, slots=True)
class Document:
    """A registered document: what a seal is asked for."""

    request_id: UUID
    item_id: UUID
    kind: DocumentKind
    digest: Sha256
    content: bytes


def opened(event: ItemDispatched) -> Item:
    """Return the item that a department is given; it is a draft until it is received."""
    return Item(
        item_id=event.item_id,
        project_code=event.project_code,
        application_id=event.application_id,
        stage=event.stage,
        item_code=event.item_code,
        attempt=event.attempt,
        department=event.department,
        jurisdiction=event.jurisdiction,
        kind=event.kind,
        limit_days=event.limit_days,
        on_expiry=event.on_expiry,
        builder=event.builder,
        versions=event.policies,
        applied_at=event.applied_at,
    )


def waits_for_window(event: ItemDispatched) -> bool:
    """Whether the window has to receive the originals first: only a declaration for the window, once (Art. 10)."""
    return event.submission is Submission.WINDOW and event.attempt == 1


def receipt_of(event: ItemDispatched, at: datetime, window: Act | None) -> Act | None:
    """Return the receipt of an item given at `at`: at once when it is handed in online; else with, or after, the
    receipt by the `window`; None while the window has not received the originals (Art. 10)."""
    if not waits_for_window(event):
        return Act(ItemStep.RECEIVE, PLATFORM, at, event.event_id)
    return None if window is None else window._replace(at=max(window.at, at))


def window_receipt(event: ApplicationReceived) -> Act:
    return Act(ItemStep.RECEIVE, event.actor, event.occurred_at, event.event_id)


def act_of(event: ItemSupplemented | ItemWithdrawn) -> Act:
    """Return what the builder did; it counts from the instant the platform received it."""
    if isinstance(event, ItemSupplemented):
        return Act(ItemStep.SUPPLEMENT, PLATFORM, event.submitted_at, event.event_id, opinion=event.explanation)
    return Act(ItemStep.WITHDRAW, event.actor, event.withdrawn_at, event.event_id, opinion=event.reason)


def is_rostered(roster: Sequence[RosterEntry], item: Item, at: datetime) -> bool:
    """Whether the entries of one holder let it handle `item` at `at` (Art. 18)."""
    return may_handle(roster, at, item.jurisdiction, item.department, item.item_code)


def reported(report: ItemReport, item: Item, received_at: datetime, roster: Sequence[RosterEntry]) -> Act:
    """Return what a department's system reported; it counts from the broker's append time.

    `roster` are the entries of whoever acted. Raises NotADepartmentsStep, NotThisDepartmentsItem or NotOnRoster.
    """
    if report.step not in BY_DEPARTMENT:
        raise NotADepartmentsStep(step=report.step.value)
    ours = (item.department, item.jurisdiction, item.item_code, item.project_code)
    if (report.department, report.jurisdiction, report.item_code, report.project_code) != ours:
        raise NotThisDepartmentsItem
    hold_to_roster(roster, received_at, item.jurisdiction, item.department, item.item_code)
    return Act(report.step, report.actor, received_at, report.event_id, report.outcome, report.opinion, report.special)


def recalled(event: ItemAutoRecall, at: datetime) -> Act:
    return Act(ItemStep.RECALL, PLATFORM, max(at, event.due_at), event.event_id)


def sealed(event: SealCompleted) -> Act:
    return Act(ItemStep.SEAL, PLATFORM, event.signed_at, event.event_id, document=event.digest)


def seal_rejected(event: SealRejected) -> Act:
    return Act(ItemStep.REJECT_SEAL, PLATFORM, event.occurred_at, event.event_id, opinion=event.message)


class Result(NamedTuple):
    """What came of an act: the item as it then stands, what is said on `items`, and a document to be sealed."""

    item: Item
    said: tuple[Happened | ItemActRefused, ...]
    document: Document | None = None


def decide(item: Item, act: Act, calendar: Calendar, *, seal: bool = True) -> Result:
    """Return what comes of `act`. Raises Refusal when the law says no."""
    after, happened = advance(item, act, calendar, sealed=seal)
    decided = next((event for event in happened if isinstance(event, ItemDecided)), None)
    return Result(after, happened, None if decided is None else document_of(after, decided))


def refused(item: Item, act: Act | ItemReport, at: datetime, refusal: Refusal) -> ItemActRefused:
    """Return the record of a refused report: an answer on the topic, not a dead letter."""
    causation_id = act.causation_id if isinstance(act, Act) else act.event_id
    return ItemActRefused(
        event_id=derived_id("refused", item.item_id, causation_id),
        causation_id=causation_id,
        occurred_at=at,
        project_code=item.project_code,
        application_id=item.application_id,
        stage=item.stage,
        item_id=item.item_id,
        item_code=item.item_code,
        attempt=item.attempt,
        department=item.department,
        jurisdiction=item.jurisdiction,
        version=item.version,
        at=at,
        step=act.step,
        state=item.state,
        code=refusal.code,
        message=refusal.message,
        article=refusal.article,
        actor=act.actor,
    )


def document_of(item: Item, decided: ItemDecided) -> Document:
    """Return the decision's document: its facts in one canonical text, and the digest that the seal covers."""
    facts = {
        "item_id": str(item.item_id),
        "project_code": item.project_code,
        "item_code": item.item_code,
        "department": item.department,
        "jurisdiction": item.jurisdiction,
        "outcome": decided.outcome.value,
        "opinion": decided.opinion,
        "decided_at": decided.at.isoformat(),
        "actor": decided.actor.model_dump(),
    }
    content = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS, default=str)
    digest = Sha256(hashlib.sha256(content).hexdigest())
    return Document(decided.seal_request_id, item.item_id, _kind(item, decided.outcome), digest, content)


def _kind(item: Item, outcome: Outcome) -> DocumentKind:
    if outcome is Outcome.REFUSED:
        return DocumentKind.REFUSAL
    return DocumentKind.OPINION if item.kind is ItemKind.CONSULT else DocumentKind.DECISION


def seal_request(item: Item, document: Document, decided: ItemDecided) -> SealRequested:
    """Return the request to seal `document` with the department's seal."""
    return SealRequested(
        event_id=derived_id("seal-request", document.request_id),
        causation_id=decided.event_id,
        occurred_at=decided.at,
        project_code=item.project_code,
        request_id=document.request_id,
        item_id=item.item_id,
        item_code=item.item_code,
        document_kind=document.kind,
        digest=document.digest,
        seal=f"{item.jurisdiction}.{item.department}",
        actor=decided.actor,
    )


def is_on_desk(item: Item) -> bool:
    """Whether the item still asks something of its department."""
    return item.state in (
        ItemState.RECEIVED,
        ItemState.CORRECTION_PRE,
        ItemState.ACCEPTED,
        ItemState.REVIEWING,
        ItemState.APPROVING,
        ItemState.CORRECTION,
        ItemState.SPECIAL,
        ItemState.SEALING,
    )
