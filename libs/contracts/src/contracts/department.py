"""What a department's own system says on its reports topic."""

from datetime import date
from uuid import UUID

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode
from contracts.envelope import Line, ProjectEvent, Text
from contracts.parts import Actor, Special
from contracts.terms import ItemStep, Outcome


class ItemReport(ProjectEvent):
    """One step of one item, done in the department's own system.

    It counts from the broker's append time, never from `occurred_at`. `outcome` goes with CONCLUDE, `special` with
    START_SPECIAL, `opinion` is the formal opinion or the reason and is required where the step needs one (Art. 14, 15).
    `document_dated_on` is the date on the decision's document, with CONCLUDE; `approved_by` the head of the agency who
    gave more time, with EXTEND.
    """

    item_id: UUID
    item_code: ItemCode
    department: DepartmentCode
    jurisdiction: JurisdictionCode
    step: ItemStep
    actor: Actor
    outcome: Outcome | None = None
    opinion: Text = ""
    special: Special | None = None
    document_dated_on: date | None = None
    approved_by: Line | None = None
