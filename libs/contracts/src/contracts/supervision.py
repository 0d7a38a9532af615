"""What supervision says: urges, inspections, coordination, special handling, and signs of handling off the platform."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.envelope import Event, Instant, Line, ProjectEvent, Said, Text
from contracts.parts import AboutItem, AboutStage, Actor
from contracts.terms import ExpiryDecision, Ledger, Outcome, SignalKind, SpecialEffect, UrgeLevel


class Urged(AboutItem):
    """催办: the lead presses a department on a lit item (Art. 22)."""

    urge_id: UUID
    level: UrgeLevel
    message: Text
    actor: Actor


class UrgeReceived(ProjectEvent):
    """The handler has seen an urge."""

    urge_id: UUID
    actor: Actor


class UrgeAnswered(ProjectEvent):
    """The handler answered an urge."""

    urge_id: UUID
    answer: Text
    actor: Actor


class InspectionOpened(AboutItem):
    """督查: a case with a deadline for putting it right (Art. 22)."""

    inspection_id: UUID
    finding: Text
    rectify_by: Instant
    actor: Actor


class InspectionRectified(ProjectEvent):
    """The department says what it put right."""

    inspection_id: UUID
    measures: Text
    actor: Actor


class InspectionClosed(ProjectEvent):
    inspection_id: UUID
    conclusion: Text
    actor: Actor


class CoordinationRequested(AboutStage):
    """协调申请: a department brings a matter it cannot settle to the stage's lead (Art. 22)."""

    request_id: UUID
    department: DepartmentCode
    jurisdiction: JurisdictionCode
    item_code: ItemCode | None
    matter: Text
    actor: Actor
    resolve_by: Instant | None = None


class CoordinationAssigned(ProjectEvent):
    """The lead named who settles the matter."""

    request_id: UUID
    assigned_to: Line
    resolve_by: Instant
    actor: Actor


class CoordinationResolved(ProjectEvent):
    request_id: UUID
    resolution: Text
    decided_by: Line
    actor: Actor


class SpecialHandlingGranted(AboutStage):
    """特殊处理程序 (Art. 17): a department with authority filed its reason and evidence, and answers for it.

    Which fields go with which `effect` is said in `procedure.special_handling`; `item_code` and `item_id` name the
    item where the effect is about one.
    """

    handling_id: UUID
    effect: SpecialEffect
    jurisdiction: JurisdictionCode
    department: DepartmentCode
    item_code: ItemCode | None
    item_id: UUID | None
    reason: Text
    evidence: Sha256
    evidence_name: Line
    actor: Actor
    material: MaterialCode | None = None
    promised_on: date | None = None
    outcome: Outcome | None = None
    decided_on: date | None = None
    to_jurisdiction: JurisdictionCode | None = None


class ExpiryDecided(AboutItem):
    """The stage's lead decided what becomes of an item that expired without an opinion (Art. 14, 22)."""

    decision: ExpiryDecision
    reason: Text
    actor: Actor


class SignalRaised(AboutItem):
    """体外循环 (Art. 21): a sign of handling off the platform, with the events that show it; a sign, not a verdict."""

    signal: SignalKind
    evidence: Annotated[tuple[UUID, ...], Field(max_length=100)]
    detail: Text


class AuditedChain(Said):
    """How many entries the audit chain of one partition of a topic has for its owner."""

    topic: Line
    partition: Annotated[int, Field(ge=0)]
    entries: Annotated[int, Field(ge=1)]


class AuditedProject(Said):
    """A project's leaf in the tree of a root, and how far each of its chains reaches (`evidence.audit`)."""

    project_code: ProjectCode
    leaf: Sha256
    chains: Annotated[tuple[AuditedChain, ...], Field(min_length=1, max_length=100)]

    @property
    def owner(self) -> str:
        """Whose chains these are."""
        return self.project_code


class AuditedLedger(Said):
    """A ledger's leaf in the tree of a root, and how far each of its chains reaches."""

    ledger: Ledger
    leaf: Sha256
    chains: Annotated[tuple[AuditedChain, ...], Field(min_length=1, max_length=100)]

    @property
    def owner(self) -> str:
        """Whose chains these are."""
        return self.ledger.value


class AuditRootClosed(Event):
    """The chains of all projects and ledgers that moved were closed under one root; whoever seals it computes it anew.

    `root` is what is signed: the tree over the leaves of `owners` with `number`, `closed_at` and `previous`, the root
    before ('0' × 64 for the first).
    """

    KEY_FIELD: ClassVar[str] = "root"

    number: Annotated[int, Field(ge=1)]
    closed_at: Instant
    previous: Sha256
    root: Sha256
    projects: Annotated[tuple[AuditedProject, ...], Field(max_length=500)]
    ledgers: Annotated[tuple[AuditedLedger, ...], Field(max_length=len(Ledger))] = ()

    @property
    def owners(self) -> tuple[AuditedProject | AuditedLedger, ...]:
        """Everything whose chains this root closes, in the order of its leaves."""
        return (*self.projects, *self.ledgers)
