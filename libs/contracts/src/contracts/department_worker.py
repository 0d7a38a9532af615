"""What a department worker says: every step of every item with its version, and the seals it asks for."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.codes import CreditCode, ItemCode, JurisdictionCode, Sha256
from contracts.envelope import Instant, Line, ProjectEvent, Text, Version
from contracts.parts import AboutItem, AboutStage, Actor, DeferredMaterial, MaterialRef, OwnSignature, Policies, Special
from contracts.terms import DocumentKind, ItemKind, ItemState, ItemStep, OnExpiry, Outcome, SealForm


class ItemStepped(AboutItem):
    """What every step of an item carries: `version` counts 1, 2, 3 … per item, `at` is the platform's receipt."""

    version: Version
    at: Instant
    actor: Actor
    policies: Policies

    @property
    def told(self) -> tuple[Outcome | None, str]:
        """The outcome and the opinion, as far as this step has them."""
        said = self.__dict__
        return said.get("outcome"), said.get("opinion", "")


class ItemReceived(ItemStepped):
    """收件: the item stands on the department's desk; the acceptance clock starts."""

    applied_at: Instant
    kind: ItemKind
    limit_days: Annotated[int, Field(ge=1, le=366)]
    on_expiry: OnExpiry
    builder: CreditCode


class ItemAccepted(ItemStepped):
    """受理: the item's clock starts (Art. 13). `deemed`: the department let the time for acceptance run out."""

    kind: ItemKind
    limit_days: Annotated[int, Field(ge=1, le=366)]
    on_expiry: OnExpiry
    deemed: bool = False
    deferred: tuple[DeferredMaterial, ...] = ()


class MaterialsRecorded(AboutItem):
    """首录负责制 (Art. 12): the accepting officer was the first to check these materials against their originals, and
    answers for each; other departments need not check them again."""

    at: Instant
    materials: tuple[MaterialRef, ...]
    actor: Actor


class ItemNotAccepted(ItemStepped):
    """不予受理."""

    opinion: Text


class CorrectionRequested(ItemStepped):
    """补正: one-time notice; before acceptance it stops the acceptance clock, after it pauses the item (Art. 13)."""

    before_acceptance: bool
    opinion: Text


class CorrectionEnded(ItemStepped):
    """The supplement came: the clock runs again, or the item is received anew (Art. 13)."""

    before_acceptance: bool


class SpecialStarted(ItemStepped):
    """特别程序 begins: the clock is paused (Art. 13)."""

    special: Special


class SpecialEnded(ItemStepped):
    """特别程序 ended: the clock runs again."""


class ItemReviewed(ItemStepped):
    """审核."""

    opinion: Text = ""


class ItemApproved(ItemStepped):
    """批准. `own_signature`: the officer's, and its digest; a department's own system gives none (Art. 20)."""

    opinion: Text = ""
    signature: Sha256 | None = None
    own_signature: OwnSignature | None = None


class ItemDecided(ItemStepped):
    """The decision reached the platform at `at`, in time; its seal is asked for and holds the expiry (Art. 10, 14).

    `own_signature`: the officer's, and its digest; a department's own system gives none (Art. 20).
    """

    outcome: Outcome
    opinion: Text
    seal_request_id: UUID
    document_dated_on: date | None = None
    special_handling: UUID | None = None
    signature: Sha256 | None = None
    own_signature: OwnSignature | None = None


class SealFailed(ItemStepped):
    """The seal on a decision was rejected: the item stands before its decision again."""

    seal_request_id: UUID
    opinion: Text


class ItemConcluded(ItemStepped):
    """办结(含签章): the conclusion instant `at` is the receipt of the decision (Art. 10, 13)."""

    outcome: Outcome
    opinion: Text
    document: Sha256 | None = None
    document_dated_on: date | None = None
    special_handling: UUID | None = None


class ItemExtended(ItemStepped):
    """延长审批 (行政许可法 Art. 42): the head of the agency gave `days` working days more, once per attempt."""

    days: Annotated[int, Field(ge=1, le=366)]
    opinion: Text
    approved_by: Line


class LimitAmended(ItemStepped):
    """The platform's administrator amended this clock's limit (working days), never below what is used plus one."""

    limit_days: Annotated[int, Field(ge=1, le=366)]
    former_limit_days: Annotated[int, Field(ge=1, le=366)]
    opinion: Text


class ItemRevoked(ItemStepped):
    """撤销: a legal act on a concluded item; no clock runs."""

    opinion: Text


class ItemReturned(ItemStepped):
    """退回: this attempt's clock ends for good, the stage pauses (Art. 13)."""

    opinion: Text


class ItemRecalled(ItemStepped):
    """到期自动收回: the department stayed silent to the due instant (Art. 14)."""

    outcome: Outcome
    due_at: Instant


class ItemTakenBack(ItemStepped):
    """撤件: the builder withdrew the item."""

    opinion: Text


class LateOpinionRecorded(AboutItem):
    """An act came after the due instant: refused, and kept (Art. 14). `version` is the item's, unchanged."""

    version: Version
    at: Instant
    due_at: Instant
    step: ItemStep
    outcome: Outcome | None
    opinion: Text
    actor: Actor


class ItemActRefused(AboutItem):
    """An act was refused; `code` names the situation, `message` says it in Chinese, `article` is the law's reason.

    `version` is the item's, unchanged.
    """

    version: Annotated[int, Field(ge=0)]
    at: Instant
    step: ItemStep
    state: ItemState
    code: Line
    message: Text
    article: Line | None
    actor: Actor


class DocumentIssued(AboutItem):
    """A notice of a step of this item left the house, sealed at `at`: `document` is the SHA-256 of its file (Art. 16).

    It is no step: nothing about the item waited for it.
    """

    at: Instant
    kind: DocumentKind
    request_id: UUID
    document: Sha256
    actor: Actor


class WindowDocumentIssued(AboutStage):
    """A document of the window about a stage left the house, sealed at `at`: `document` is the SHA-256 of its file
    (Art. 9, 10, 16)."""

    jurisdiction: JurisdictionCode
    at: Instant
    kind: DocumentKind
    request_id: UUID
    document: Sha256
    actor: Actor


class SealRequested(ProjectEvent):
    """A registered document waits for its seal; `request_id` makes it idempotent (Art. 10, 16).

    A document of the window is about a stage and names no item. With the form PDF, `digest` is of a PDF without the
    gap that its signature will fill, which signing returns as CMS.
    """

    request_id: UUID
    item_id: UUID | None = None
    item_code: ItemCode | None = None
    document_kind: DocumentKind
    digest: Sha256
    seal: Line
    actor: Actor
    form: SealForm = SealForm.DIGEST
