"""Which steps of an item its builder is told of in a sealed document: what it can appeal, or has to act on (Art. 13,
行政许可法 Art. 32).

Who prints such a notice and who lets a seal onto it read the same table, and know it by the same id.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

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


def request_id_of(step: NoticedStep) -> UUID:
    """Return the id of the notice that a step makes, under which its seal is asked for."""
    return derived_id("notice", step.event_id)
