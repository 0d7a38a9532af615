"""Which documents the builder is given beside decisions: notices of steps of an item, which it can appeal or has to act
on (Art. 13, 行政许可法 Art. 32), and what the window gives when it is asked (Art. 9, 10).

Who prints such a document and who lets a seal onto it read the same table, and know it by the same id.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from contracts.codes import DepartmentCode
from contracts.department_worker import CorrectionRequested, ItemAccepted, ItemNotAccepted
from contracts.envelope import derived_id
from contracts.terms import DocumentKind

NoticedStep = ItemAccepted | ItemNotAccepted | CorrectionRequested
NOTICED: Final[Mapping[type[NoticedStep], DocumentKind]] = {
    ItemAccepted: DocumentKind.ACCEPTANCE,
    ItemNotAccepted: DocumentKind.NOT_ACCEPTED,
    CorrectionRequested: DocumentKind.CORRECTION,
}
NOTICES: Final = frozenset(NOTICED.values())

WINDOW: Final = DepartmentCode("WINDOW")
"""综合窗口, where a department stands otherwise: in the name of a seal, and in the grants."""
OF_THE_WINDOW: Final = frozenset({DocumentKind.WINDOW_NOTICE, DocumentKind.RECEIPT})


def request_id_of(step: NoticedStep) -> UUID:
    """Return the id of the notice that a step makes, under which its seal is asked for."""
    return derived_id("notice", step.event_id)


def window_request_id(application_id: UUID, kind: DocumentKind, attempt: int = 1) -> UUID:
    """Return the id of a stage application's document of the window: there is one of each kind, and another `attempt`
    at it only when the seal was refused to the one before."""
    return derived_id("window-document", application_id, kind.value, *([attempt] if attempt > 1 else []))
