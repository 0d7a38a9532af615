"""What supervision says: urges, inspections and requests for coordination (Art. 21, 22)."""

from uuid import UUID

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode
from contracts.envelope import Instant, Line, ProjectEvent, Text
from contracts.parts import AboutItem, AboutStage, Actor
from contracts.terms import UrgeLevel


class Urged(AboutItem):
    """催办: the lead presses a department on a lit item."""

    urge_id: UUID
    level: UrgeLevel
    message: Text
    actor: Actor


class UrgeAnswered(ProjectEvent):
    """The handler answered an urge."""

    urge_id: UUID
    answer: Text
    actor: Actor


class InspectionOpened(AboutItem):
    """督查: a case with a deadline for putting it right."""

    inspection_id: UUID
    finding: Text
    rectify_by: Instant
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


class CoordinationResolved(ProjectEvent):
    request_id: UUID
    resolution: Text
    decided_by: Line
    actor: Actor
