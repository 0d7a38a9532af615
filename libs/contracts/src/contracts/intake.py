"""What intake says: projects, stage applications and what the window and the builder do to them, notices."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from contracts.codes import CreditCode, ItemCode, JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.envelope import Event, Instant, Line, ProjectEvent, Said, Text, Version
from contracts.parts import AboutStage, Actor, Builder, DeferredMaterial, MaterialRef, Policies, Setting
from contracts.terms import DocumentKind, NoticeKind, ProcessType, Stage, Submission


class ProjectRegistered(ProjectEvent):
    """The 多规合一 platform pushed a project (Art. 4); `actor` is whose key it pushed with (Art. 19)."""

    version: Version
    name: Line
    process_type: ProcessType
    jurisdiction: JurisdictionCode
    builder: Builder
    actor: Actor | None = None


class ProjectAmended(ProjectRegistered):
    """The 多规合一 platform pushed a change of a project it had pushed before."""


class StageForm(Said):
    """一张申请表单 (Art. 8): areas in square metres, investment in 万元."""

    contact_name: Line
    contact_phone: Annotated[str, Field(pattern=r"^[0-9+\- ]{5,20}$")]
    summary: Text
    land_area: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    floor_area: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    investment: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None


class StageApplied(AboutStage):
    """A builder declared one stage: one form, one set of materials, truthfulness stated (Art. 7, 8)."""

    version: Version
    project_name: Line
    process_type: ProcessType
    jurisdiction: JurisdictionCode
    builder: Builder
    submission: Submission
    form: StageForm
    materials: tuple[MaterialRef, ...]
    policies: Policies
    actor: Actor
    deferred: tuple[DeferredMaterial, ...] = ()
    special_handling: UUID | None = None


class ItemReapplied(AboutStage):
    """An item that was not accepted, returned, withdrawn or refused is declared again, by item (Art. 7)."""

    version: Version
    item_code: ItemCode
    former_item_id: UUID
    form: StageForm
    materials: tuple[MaterialRef, ...]
    actor: Actor


class SupplementSubmitted(AboutStage):
    """The builder answered a correction notice; its submission ends the pause (Art. 13)."""

    version: Version
    item_id: UUID
    item_code: ItemCode
    materials: tuple[MaterialRef, ...]
    explanation: Text = ""
    actor: Actor


class DeferredMaterialsSubmitted(AboutStage):
    """容缺: the builder handed in materials that were deferred at the declaration (Art. 17); held from now on like any
    other, no clock feels it."""

    version: Version
    materials: tuple[MaterialRef, ...]
    actor: Actor


class WithdrawalRequested(AboutStage):
    """The builder asks to withdraw an item; `confirmed` once the window confirmed or handling had not begun."""

    version: Version
    item_id: UUID
    item_code: ItemCode
    reason: Line
    confirmed: bool
    actor: Actor


class ApplicationReceived(AboutStage):
    """收件: the window received the stage application's originals (Art. 10)."""

    version: Version
    window: Line
    actor: Actor


class ResultIssued(AboutStage):
    """发件: the window handed a result out (Art. 10)."""

    version: Version
    item_id: UUID
    item_code: ItemCode
    recipient: Line
    actor: Actor


class ResultPrinted(AboutStage):
    """自行打印: somebody printed the sealed document of an item, the very file that was sealed (Art. 10)."""

    item_id: UUID
    item_code: ItemCode
    document: Sha256
    at: Instant
    actor: Actor


class WindowDocumentRequested(AboutStage):
    """Somebody asked for a document of the window about a stage: 窗口报件通知书 (Art. 9) or 收件回执 (Art. 10).

    It carries all that the document says: `told_at` is the instant of the split, or of the receipt, `at` that of the
    request, `place` where the window is; a notice names `items` and the `originals` to bring, a receipt `materials`.
    """

    request_id: UUID
    kind: DocumentKind
    jurisdiction: JurisdictionCode
    builder: Builder
    project_name: Line
    applied_at: Instant
    told_at: Instant
    place: Line
    items: tuple[ItemCode, ...] = ()
    originals: tuple[Line, ...] = ()
    materials: tuple[MaterialRef, ...] = ()
    policies: Policies
    at: Instant
    actor: Actor


class WindowDocumentPrinted(AboutStage):
    """自行打印: somebody printed a document of the window, the very file that was sealed (Art. 10)."""

    request_id: UUID
    kind: DocumentKind
    document: Sha256
    at: Instant
    actor: Actor


class MaterialViewed(AboutStage):
    """An officer opened a material of an item (Art. 12, 21): who decides without having looked can be seen."""

    item_id: UUID
    item_code: ItemCode
    material: MaterialCode
    sha256: Sha256
    at: Instant
    actor: Actor


class PolicyPublished(Event):
    """The platform's administrator published a policy version (Art. 23): applications admitted from `effective_at` on
    run under it and under `catalogue_version`; running ones keep theirs. `settings` differ from the default readings.
    """

    KEY_FIELD: ClassVar[str] = "authority"

    authority: JurisdictionCode
    version: Line
    catalogue_version: Line
    settings: dict[str, Setting]
    effective_at: Instant
    document: Line
    reason: Text
    actor: Actor


class NoticeSent(Event):
    """The builder is told (Art. 9, 15); for SMS and other gateways too."""

    KEY_FIELD: ClassVar[str] = "builder"

    project_code: ProjectCode
    application_id: UUID
    stage: Stage
    builder: CreditCode
    kind: NoticeKind
    title: Line
    body: Text
    article: Line
    item_code: ItemCode | None = None
