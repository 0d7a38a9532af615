"""What the department worker alone decides: how messages become acts, and what a decision's document says."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple
from uuid import UUID

from contracts.codes import Sha256
from contracts.department import ItemReport
from contracts.department_worker import (
    CorrectionRequested,
    DocumentIssued,
    ItemAccepted,
    ItemActRefused,
    ItemApproved,
    ItemConcluded,
    ItemDecided,
    ItemNotAccepted,
    ItemReviewed,
    ItemStepped,
    LateOpinionRecorded,
    MaterialsRecorded,
    SealRequested,
    WindowDocumentIssued,
)
from contracts.dispatcher import (
    DeferredMaterialsPassedOn,
    ItemDispatched,
    ItemSupplemented,
    ItemWithdrawn,
    ResultsPassedOn,
)
from contracts.envelope import derived_id
from contracts.intake import ApplicationReceived, WindowDocumentRequested
from contracts.parts import Actor, MaterialRef, ResultRef
from contracts.signing import SealCompleted, SealRejected
from contracts.supervision import SpecialHandlingGranted
from contracts.terms import (
    ClockEnd,
    DocumentKind,
    ItemKind,
    ItemState,
    ItemStep,
    Light,
    Outcome,
    PauseReason,
    SealForm,
    Submission,
)
from contracts.timer import AcceptanceOverdue, ItemAutoRecall
from department_worker import documents, window
from department_worker.documents import Facts
from evidence import records
from procedure import clock as clocks
from procedure import items as law
from procedure import lights
from procedure.calendar import SHANGHAI, Calendar, YearNotCovered
from procedure.catalogue import Catalogue
from procedure.items import Act, Happened, Item, advance
from procedure.notices import NOTICED, NoticedStep, request_id_of
from procedure.refusals import CalendarDoesNotReach, Refusal
from procedure.roster import Record, hold_to_record, may_act
from procedure.special_handling import EFFECTS

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
    ItemStep.EXTEND,
    ItemStep.REVOKE,
)
"""The steps that are a department's own; the others come from the builder, the window, the administrator or the
platform."""


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


@dataclass(frozen=True, slots=True)
class Paper:
    """A document that leaves the house, with the step that it tells of, or with who asked the window for it: it has to
    be printed before its seal can be asked for. An item waits for the document of its decision, for no other."""

    request_id: UUID
    kind: DocumentKind
    step: ItemDecided | NoticedStep | WindowDocumentRequested
    traceparent: str = ""

    @property
    def item_id(self) -> UUID | None:
        """The item that it is about; None for the window's, which is about a stage."""
        return None if isinstance(self.step, WindowDocumentRequested) else self.step.item_id

    @property
    def is_decision(self) -> bool:
        return isinstance(self.step, ItemDecided)


class Dossier(NamedTuple):
    """案卷: what a department judges an item by, its materials and other departments' results (Art. 8)."""

    name: str
    project_name: str
    materials: tuple[MaterialRef, ...]
    results: tuple[ResultRef, ...] = ()
    builder_name: str = ""


def dossier_of(event: ItemDispatched) -> Dossier:
    return Dossier(event.name, event.project_name, event.materials, event.results, event.builder_name or "")


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
        deferred=event.deferred,
        missing_results=event.missing_results,
    )


def waits_for_window(event: ItemDispatched) -> bool:
    """Whether the window has to receive the originals first: only a declaration for the window, once (Art. 10)."""
    return event.submission is Submission.WINDOW and event.attempt == 1


def opening_of(event: ItemDispatched, at: datetime, window: Act | None) -> tuple[Act, ...]:
    """Return the acts with which an item given at `at` begins.

    It is received: at once when it was handed in online; else with, or after, the receipt by the `window`, so not yet
    while the window has not received the originals (Art. 10). One that special handling opened again after its recall
    is received and accepted at that instant, with the full limit (R20).
    """
    if event.reopened_at is not None:
        steps = (ItemStep.RECEIVE, ItemStep.ACCEPT)
        return tuple(Act(step, PLATFORM, event.reopened_at, event.event_id) for step in steps)
    if not waits_for_window(event):
        return (Act(ItemStep.RECEIVE, PLATFORM, at, event.event_id),)
    return () if window is None else (window._replace(at=max(window.at, at)),)


def with_results(item: Item, event: ResultsPassedOn) -> Item:
    """Return the item with what it still waits for; a result that has come is not missed again (Art. 8)."""
    left = tuple(code for code in item.missing_results if code in event.missing_results)
    return item._replace(missing_results=left)


def with_deferred(item: Item, event: DeferredMaterialsPassedOn) -> Item:
    """Return the item with what is still promised to it (容缺, Art. 17)."""
    came = {reference.code for reference in event.materials}
    return item._replace(deferred=tuple(promise for promise in item.deferred if promise.code not in came))


def window_receipt(event: ApplicationReceived) -> Act:
    return Act(ItemStep.RECEIVE, event.actor, event.occurred_at, event.event_id)


def act_of(event: ItemSupplemented | ItemWithdrawn) -> Act:
    """Return what the builder did; it counts from the instant the platform received it."""
    if isinstance(event, ItemSupplemented):
        by = event.actor or PLATFORM
        return Act(ItemStep.SUPPLEMENT, by, event.submitted_at, event.event_id, opinion=event.explanation)
    return Act(ItemStep.WITHDRAW, event.actor, event.withdrawn_at, event.event_id, opinion=event.reason)


def lets_act(record: Record, item: Item, at: datetime) -> bool:
    """Whether what is known of one holder lets it handle `item` at `at` (Art. 18, 20)."""
    return may_act(record, at, item.jurisdiction, item.department, item.item_code)


def is_answered(before: Item, after: Item) -> bool:
    """Whether a supplement answered a correction (Art. 13); one that nobody asked for changes no dossier."""
    return before.state in (ItemState.CORRECTION, ItemState.CORRECTION_PRE) and after.version > before.version


def hold_to_department(step: ItemStep) -> None:
    """Hold an act to the steps that are a department's own. Raises NotADepartmentsStep."""
    if step not in BY_DEPARTMENT:
        raise NotADepartmentsStep(step=step.value)


def reported(report: ItemReport, item: Item, received_at: datetime, record: Record) -> Act:
    """Return what a department's system reported; it counts from the broker's append time.

    `record` is what is known of whoever acted. Raises NotADepartmentsStep, NotThisDepartmentsItem,
    CertificateIsSuspended or NotOnRoster.
    """
    hold_to_department(report.step)
    ours = (item.department, item.jurisdiction, item.item_code, item.project_code)
    if (report.department, report.jurisdiction, report.item_code, report.project_code) != ours:
        raise NotThisDepartmentsItem
    hold_to_record(record, received_at, item.jurisdiction, item.department, item.item_code)
    return Act(
        report.step,
        report.actor,
        received_at,
        report.event_id,
        report.outcome,
        report.opinion,
        report.special,
        document_dated_on=report.document_dated_on,
        approved_by=report.approved_by or "",
    )


def proposed(event: ItemAutoRecall | AcceptanceOverdue, at: datetime) -> Act:
    """Return what the timer proposes: to take an item back that expired, or, where silence accepts, to accept it at the
    instant at which the time for acceptance ran out (Art. 14, P5)."""
    if isinstance(event, ItemAutoRecall):
        return Act(ItemStep.RECALL, PLATFORM, max(at, event.due_at), event.event_id)
    return Act(ItemStep.DEEM_ACCEPTED, PLATFORM, event.due_at, event.event_id)


def is_outdated(event: ItemAutoRecall | AcceptanceOverdue, item: Item) -> bool:
    """Whether the time for acceptance that ran out was another: a correction in time began a new one (R21)."""
    since = item.received_at
    return isinstance(event, AcceptanceOverdue) and since is not None and since > event.due_at


def acceptance_by_silence(item: Item, act: Act, calendar: Calendar) -> Act | None:
    """Return the acceptance that silence had already brought about when `act` came, if that is the case's reading (P5).

    So it does not matter which arrives first, the act that came too late or what the timer says of it.
    """
    if item.state is not ItemState.RECEIVED or item.policies.acceptance_expiry != "deem_accepted":
        return None
    due = None if act.step is ItemStep.DEEM_ACCEPTED else law.accepts_by(item, calendar)
    if due is None or not law.is_late(item, act.at, due):
        return None
    return Act(ItemStep.DEEM_ACCEPTED, PLATFORM, due.at, act.causation_id)


def is_ours(event: SpecialHandlingGranted) -> bool:
    """Whether a special handling takes effect here, on an item (Art. 17)."""
    return event.item_id is not None and EFFECTS[event.effect].carried_out_by == "department-worker"


def entered(event: SpecialHandlingGranted, at: datetime) -> Act:
    """Return the decision that special handling enters after an outage (Art. 17); it counts from the broker's append
    time like any other."""
    return Act(
        ItemStep.ENTER_DECISION,
        event.actor,
        at,
        event.event_id,
        event.outcome,
        event.reason,
        document_dated_on=event.decided_on,
        special_handling=event.handling_id,
    )


def sealed(event: SealCompleted) -> Act:
    return Act(ItemStep.SEAL, PLATFORM, event.signed_at, event.event_id, document=event.digest)


def seal_rejected(event: SealRejected) -> Act:
    return Act(ItemStep.REJECT_SEAL, PLATFORM, event.occurred_at, event.event_id, opinion=event.message)


class Result(NamedTuple):
    """What came of an act: the item as it then stands, what is said on `items`, a document to be sealed; and the
    refusal, if it was refused."""

    item: Item
    said: tuple[Happened | ItemActRefused, ...]
    document: Document | None = None
    refusal: Refusal | None = None

    @property
    def is_late(self) -> bool:
        """Whether it was refused because it came late: only the whole calendar can say that."""
        return isinstance(self.refusal, law.TooLate | law.TooLateToPause)


LENGTHENING: Final = (ItemStep.EXTEND, ItemStep.AMEND_LIMIT)


def decide(item: Item, act: Act, calendar: Calendar, *, seal: bool = True) -> Result:
    """Return what comes of `act`; one that came too late is told of, and refused. Raises Refusal when the law says no.

    An extension beyond the calendar raises CalendarDoesNotReach.
    """
    after, happened = advance(item, act, calendar, sealed=seal)
    late = next((event for event in happened if isinstance(event, LateOpinionRecorded)), None)
    if late is not None:
        return Result(item, happened, refusal=law.TooLate(due_at=f"{late.due_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"))
    if act.step in LENGTHENING:
        due_of(after, calendar)
    decided = next((event for event in happened if isinstance(event, ItemDecided)), None)
    return Result(after, happened, None if decided is None else document_of(after, decided))


def judged(item: Item, act: Act, calendar: Calendar, *, seal: bool = True) -> Result:
    """Return what comes of `act`, after what silence had made of the item before it; a refusal is an answer too."""
    silence = acceptance_by_silence(item, act, calendar)
    before = None if silence is None else _judged(item, silence, calendar, seal)
    if before is None or before.refusal is not None:
        return _judged(item, act, calendar, seal)
    result = _judged(before.item, act, calendar, seal)
    return result._replace(said=(*before.said, *result.said))


def _judged(item: Item, act: Act, calendar: Calendar, seal: bool) -> Result:
    try:
        return decide(item, act, calendar, seal=seal)
    except Refusal as refusal:
        return turned_away(item, act, act.at, refusal)


def turned_away(item: Item, act: Act | ItemReport, at: datetime, refusal: Refusal) -> Result:
    """Return what comes of an act that is refused: nothing but its record."""
    return Result(item, (refused(item, act, at, refusal),), refusal=refusal)


def is_told(result: Result) -> bool:
    """Whether what came of the timer's proposal is told: not when it is void, the item having been decided, paused or
    ended in time; but that a result is still missing concerns the lead (Art. 8, 14)."""
    return result.refusal is None or isinstance(result.refusal, law.ResultStillMissing)


def due_of(item: Item, calendar: Calendar) -> datetime | None:
    """Return when the item's running clock expires; None while none runs. Raises CalendarDoesNotReach."""
    try:
        due = law.expires(item, calendar)
    except YearNotCovered as wrong:
        raise CalendarDoesNotReach(year=wrong.year) from None
    return None if due is None else due.at


def corrected_once_more(item: Item, event: SpecialHandlingGranted, at: datetime) -> Result:
    """Return the item that may be corrected once more (Art. 17); an item that has ended is past correcting."""
    if item.state in law.TERMINAL:
        act = Act(ItemStep.START_CORRECTION, event.actor, at, event.event_id)
        return turned_away(item, act, at, law.ItemAlreadyEnded(state=item.state.value))
    return Result(item._replace(more_corrections=item.more_corrections + 1), ())


CHECKED_WITH: Final = (ItemAccepted, ItemReviewed, ItemApproved, ItemDecided, ItemConcluded)


def checks_materials(event: Happened | ItemActRefused) -> bool:
    """Whether who took this step has checked the item's materials against their originals, and answers for them: the
    officer who accepts; for what came later, or was accepted by silence, the one who handles it next (Art. 12)."""
    by_hand = isinstance(event, CHECKED_WITH) and event.actor != PLATFORM
    return by_hand and getattr(event, "special_handling", None) is None


def recorded(step: ItemStepped, materials: Sequence[MaterialRef]) -> MaterialsRecorded:
    """Return the record of the materials that nobody in this project had checked before `step` (Art. 12)."""
    return MaterialsRecorded(
        event_id=derived_id("recorded", step.event_id),
        causation_id=step.event_id,
        occurred_at=step.at,
        project_code=step.project_code,
        application_id=step.application_id,
        stage=step.stage,
        item_id=step.item_id,
        item_code=step.item_code,
        attempt=step.attempt,
        department=step.department,
        jurisdiction=step.jurisdiction,
        at=step.at,
        materials=tuple(materials),
        actor=step.actor,
    )


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
    what = (decided.seal_request_id, item.item_id, _kind(item, decided.outcome))
    return Document(*what, records.digest_of(decided), records.record_of(decided))


def _kind(item: Item, outcome: Outcome) -> DocumentKind:
    if outcome is Outcome.REFUSED:
        return DocumentKind.REFUSAL
    return DocumentKind.OPINION if item.kind is ItemKind.CONSULT else DocumentKind.DECISION


def seal_request(item: Item, document: Document, step: ItemStepped) -> SealRequested:
    """Return the request to seal the `document` of a step with the department's seal."""
    return SealRequested(
        event_id=derived_id("seal-request", document.request_id),
        causation_id=step.event_id,
        occurred_at=step.at,
        project_code=item.project_code,
        request_id=document.request_id,
        item_id=item.item_id,
        item_code=item.item_code,
        document_kind=document.kind,
        digest=document.digest,
        seal=f"{item.jurisdiction}.{item.department}",
        actor=step.actor,
    )


def leaves_the_house(item: Item, kind: DocumentKind) -> bool:
    """Whether a document is a PDF with a seal of its own, or a record that stays on the platform (Art. 10, 14, 16)."""
    return documents.FORMS[kind, item.kind].seal is SealForm.PDF


def facts_of(item: Item, dossier: Dossier, paper: Paper, city: Catalogue, number: str, verify_url: str) -> Facts:
    """Return what a document says, under the catalogue that its case runs under."""
    step = paper.step
    assert not isinstance(step, WindowDocumentRequested)
    told = step if isinstance(step, ItemAccepted) else item
    dated = getattr(step, "document_dated_on", None) or step.at.astimezone(SHANGHAI).date()
    return Facts(
        kind=paper.kind,
        item_kind=item.kind,
        code=str(paper.request_id),
        authority=documents.authority_of(city, item.jurisdiction, item.department),
        number=number,
        addressee=dossier.builder_name or f"统一社会信用代码为{item.builder}的建设单位",
        uscc=item.builder,
        project_name=dossier.project_name,
        project_code=item.project_code,
        item_name=dossier.name,
        applied=item.applied_at.astimezone(SHANGHAI).date(),
        accepted=_accepted_on(item, step),
        dated=dated,
        opinion=step.told[1],
        limit_days=told.limit_days,
        deferred=tuple(f"{city.materials[one.code].name}（{one.promised_on}前）" for one in told.deferred),
        review_authority=documents.review_authority_of(city, item.jurisdiction),
        verify_url=f"{verify_url}/verify?document={paper.request_id}" if verify_url else "",
    )


def _accepted_on(item: Item, step: ItemDecided | NoticedStep) -> date | None:
    """Return the local day of acceptance as it stood at `step`, which may be printed later; None before acceptance."""
    if isinstance(step, ItemNotAccepted) or (isinstance(step, CorrectionRequested) and step.before_acceptance):
        return None
    started = item.clock.started_at if item.clock else step.at
    return started.astimezone(SHANGHAI).date()


def notices_of(result: Result, traceparent: str) -> list[Paper]:
    """Return the notices that what came of an act makes: each is a document of its own, with an id of its step.

    The platform gives none: nobody of the department answers for what silence or special handling accepted.
    """
    steps = (event for event in result.said if isinstance(event, NoticedStep) and event.actor != PLATFORM)
    papers = (Paper(request_id_of(step), NOTICED[type(step)], step, traceparent) for step in steps)
    return [paper for paper in papers if leaves_the_house(result.item, paper.kind)]


def window_paper(asked: WindowDocumentRequested, traceparent: str) -> Paper:
    """Return the document that somebody asked the window for."""
    return Paper(asked.request_id, asked.kind, asked, traceparent)


def paper_request(item: Item, paper: Paper, digest: Sha256) -> SealRequested:
    """Return the request to seal a printed document: `digest` is of all of it but the signature's gap."""
    document = Document(paper.request_id, item.item_id, paper.kind, digest, b"")
    assert isinstance(paper.step, ItemStepped)
    return seal_request(item, document, paper.step).model_copy(update={"form": SealForm.PDF})


def answered(event: SealCompleted | SealRejected) -> tuple[UUID, bytes | None, datetime]:
    """Return the signature that came for a document, None where it was refused, and when."""
    if isinstance(event, SealRejected):
        return event.request_id, None, event.occurred_at
    return event.request_id, base64.b64decode(event.signature), event.signed_at


def paper_sealed(paper: Paper, file: Sha256, signed_at: datetime) -> Act:
    """Return the act that concludes an item when its document is sealed and stored under `file` (Art. 10, 16)."""
    return Act(ItemStep.SEAL, PLATFORM, signed_at, paper.request_id, document=file)


def issued(paper: Paper, file: Sha256, signed_at: datetime) -> DocumentIssued | WindowDocumentIssued:
    """Return what tells that a notice, or a document of the window, is sealed and stored under `file` (Art. 16)."""
    step = paper.step
    if isinstance(step, WindowDocumentRequested):
        return window.issued(step, file, signed_at)
    return DocumentIssued(
        event_id=derived_id("issued", paper.request_id),
        causation_id=step.event_id,
        occurred_at=signed_at,
        project_code=step.project_code,
        application_id=step.application_id,
        stage=step.stage,
        item_id=step.item_id,
        item_code=step.item_code,
        attempt=step.attempt,
        department=step.department,
        jurisdiction=step.jurisdiction,
        at=signed_at,
        kind=paper.kind,
        request_id=paper.request_id,
        document=file,
        actor=step.actor,
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


class Progress(NamedTuple):
    """How an item's time stands: working days used and left, why it stands still, its light (Art. 13, 22); nothing but
    Nones before acceptance."""

    due_at: datetime | None = None
    provisional: bool = False
    used_days: int | None = None
    remaining_days: int | None = None
    paused_by: tuple[PauseReason, ...] = ()
    light: Light | None = None


def progress_of(item: Item, calendar: Calendar, at: datetime) -> Progress:
    """Return how the item's time stands at `at`; a decision that waits for its seal stopped it at its receipt (R1)."""
    clock = item.clock
    if clock is None:
        return Progress()
    at = at if item.decision is None else min(at, item.decision.at)
    used = clocks.used_days(clock, at, calendar, item.jurisdiction, item.policies)
    try:
        due = law.expires(item, calendar)
    except YearNotCovered:
        due = None
    return Progress(
        due_at=None if due is None else due.at,
        provisional=due is not None and due.provisional,
        used_days=used,
        remaining_days=clock.total_days - used,
        paused_by=tuple(sorted({reason for reason, _ in clock.reasons})) if clock.ended_at is None else (),
        light=_light(item, clock, clock.total_days - used, overdue=law.is_late(item, at, due)),
    )


def _light(item: Item, clock: clocks.Clock, remaining: int, *, overdue: bool) -> Light | None:
    if clock.ended_at is not None:
        return Light.RED if clock.end is ClockEnd.RECALLED else None
    return lights.light(remaining, clock.total_days, paused=bool(clock.reasons), overdue=overdue)
