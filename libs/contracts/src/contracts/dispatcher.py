"""What the dispatcher says: the stage as a process, and each department's items."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.codes import CreditCode, ItemCode, JurisdictionCode
from contracts.envelope import Instant, Line, Said, Text, Version
from contracts.parts import (
    AboutItem,
    AboutStage,
    Actor,
    DeferredMaterial,
    DispatchedItem,
    MaterialRef,
    Policies,
    ResultRef,
)
from contracts.terms import CloseCause, ItemKind, ItemState, OnExpiry, Outcome, ProcessType, StageResult, Submission


class StageDispatched(AboutStage):
    """A stage application was split by item (Art. 9); the window notice tells what to bring where.

    `limit_days` is the stage's limit in working days. Items with `after` wait for others of the same stage.
    """

    version: Version
    applied_at: Instant
    jurisdiction: JurisdictionCode
    process_type: ProcessType
    limit_days: Annotated[int, Field(ge=0, le=366)]
    items: tuple[DispatchedItem, ...]
    window: Line
    originals: tuple[Line, ...]
    policies: Policies


class ItemNotDispatched(AboutItem):
    """A predecessor closed without a grant, so this item never starts (it does not hold the stage)."""

    version: Version
    because_of: ItemCode


class StageAccepted(AboutStage):
    """The stage's clock starts: its first item was accepted at `accepted_at` (Art. 13)."""

    version: Version
    accepted_at: Instant
    limit_days: Annotated[int, Field(ge=0, le=366)]
    jurisdiction: JurisdictionCode


class ItemResult(Said):
    """How one item stood when its stage concluded; `opinion` is fed back to the builder (Art. 15)."""

    item_id: UUID
    item_code: ItemCode
    state: ItemState
    outcome: Outcome | None
    opinion: Text = ""


class StageConcluded(AboutStage):
    """The last open item of the stage ended at `concluded_at` (Art. 13, 15)."""

    version: Version
    concluded_at: Instant
    result: StageResult
    items: tuple[ItemResult, ...]


class StageResultAmended(AboutStage):
    """An item of a concluded stage ended anew: declared again after a refusal, or revoked. The stage's clock stays
    closed; whether the next stage is open is judged by these results (Art. 7)."""

    version: Version
    amended_at: Instant
    result: StageResult
    items: tuple[ItemResult, ...]


class ItemClosed(AboutItem):
    """An item is closed without its department's decision: the lead closed an expired one (Art. 14, 22), or special
    handling waived it (Art. 17). `decided_by` is the event that said so."""

    version: Version
    at: Instant
    cause: CloseCause
    outcome: Outcome
    reason: Text
    decided_by: UUID
    actor: Actor


class SpecialHandlingRefused(AboutStage):
    """A special handling that was filed cannot take effect; `code` names the situation (Art. 17)."""

    version: Version
    handling_id: UUID
    item_code: ItemCode | None
    code: Line
    message: Text
    article: Line | None


class ItemDispatched(AboutItem):
    """A department is given an item: what, for whom, with which materials, in how many working days (Art. 9).

    `results` are other departments' results that it builds on, `missing_results` those that do not exist yet: without
    them it cannot be accepted (Art. 8). `reopened_at` says that special handling opened
    the item again after its recall: it is accepted at that instant with the full limit.
    """

    applied_at: Instant
    name: Line
    kind: ItemKind
    limit_days: Annotated[int, Field(ge=1, le=366)]
    on_expiry: OnExpiry
    submission: Submission
    project_name: Line
    builder: CreditCode
    builder_name: Line | None = None
    materials: tuple[MaterialRef, ...]
    policies: Policies
    results: tuple[ResultRef, ...] = ()
    deferred: tuple[DeferredMaterial, ...] = ()
    missing_results: tuple[ItemCode, ...] = ()
    reopened_at: Instant | None = None


class ItemSupplemented(AboutItem):
    """The builder answered a correction of this item; `submitted_at` ends the pause (Art. 13)."""

    submitted_at: Instant
    materials: tuple[MaterialRef, ...]
    explanation: Text
    actor: Actor | None = None


class DeferredMaterialsPassedOn(AboutItem):
    """容缺: materials that this item was dispatched without have come (Art. 17)."""

    materials: tuple[MaterialRef, ...]


class ResultsPassedOn(AboutItem):
    """Results that an item was still waiting for are there, or came anew (Art. 8)."""

    results: tuple[ResultRef, ...]
    missing_results: tuple[ItemCode, ...] = ()


class ItemWithdrawn(AboutItem):
    """The builder withdrew this item, confirmed where confirmation is due."""

    withdrawn_at: Instant
    reason: Line
    actor: Actor
