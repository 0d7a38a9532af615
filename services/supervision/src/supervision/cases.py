"""催办、督查、协调 (Art. 22) as state machines: what may follow upon what, and the refusal where it may not."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from contracts import supervision as said
from contracts.envelope import Event
from contracts.parts import Actor
from procedure.refusals import Refusal


class UrgeNotReceivedYet(Refusal):
    """承办部门尚未签收该催办，应先签收再答复"""

    article = "第二十二条"


class UrgeAlreadyReceived(Refusal):
    """该催办已经签收"""

    article = "第二十二条"


class UrgeAlreadyAnswered(Refusal):
    """该催办已经答复"""

    article = "第二十二条"


class NotRectifiedYet(Refusal):
    """承办部门尚未报告整改情况，不能结束督查"""

    article = "第二十二条"


class AlreadyRectified(Refusal):
    """该督查已报告整改情况"""

    article = "第二十二条"


class InspectionIsClosed(Refusal):
    """该督查已经结束"""

    article = "第二十二条"


class NotAssignedYet(Refusal):
    """该协调申请尚未指定办理人和期限，不能办结"""

    article = "第二十二条"


class AlreadyAssigned(Refusal):
    """该协调申请已指定办理人和期限"""

    article = "第二十二条"


class AlreadyResolved(Refusal):
    """该协调申请已经办结"""

    article = "第二十二条"


class DeadlineInThePast(Refusal):
    """期限应晚于现在"""

    article = "第二十二条"
    status = 422


class WordsMissing(Refusal):
    """须写明内容"""

    article = "第二十二条"
    status = 422


class CaseKind(StrEnum):
    """催办, 督查, 协调申请."""

    URGE = "URGE"
    INSPECTION = "INSPECTION"
    COORDINATION = "COORDINATION"


class CaseState(StrEnum):
    """Where a case stands; the first of each kind is how it begins, the last how it ends."""

    URGED = "URGED"
    RECEIVED = "RECEIVED"
    ANSWERED = "ANSWERED"
    OPEN = "OPEN"
    RECTIFIED = "RECTIFIED"
    CLOSED = "CLOSED"
    REQUESTED = "REQUESTED"
    ASSIGNED = "ASSIGNED"
    RESOLVED = "RESOLVED"


C = CaseState
STATES: Final[Mapping[CaseKind, tuple[CaseState, ...]]] = {
    CaseKind.URGE: (C.URGED, C.RECEIVED, C.ANSWERED),
    CaseKind.INSPECTION: (C.OPEN, C.RECTIFIED, C.CLOSED),
    CaseKind.COORDINATION: (C.REQUESTED, C.ASSIGNED, C.RESOLVED),
}
ACTS: Final[Mapping[CaseKind, tuple[type[Event], ...]]] = {
    CaseKind.URGE: (said.UrgeReceived, said.UrgeAnswered),
    CaseKind.INSPECTION: (said.InspectionRectified, said.InspectionClosed),
    CaseKind.COORDINATION: (said.CoordinationAssigned, said.CoordinationResolved),
}
TRANSITIONS: Final[Mapping[tuple[CaseState, type[Event]], CaseState]] = {
    (C.URGED, said.UrgeReceived): C.RECEIVED,
    (C.RECEIVED, said.UrgeAnswered): C.ANSWERED,
    (C.OPEN, said.InspectionRectified): C.RECTIFIED,
    (C.RECTIFIED, said.InspectionClosed): C.CLOSED,
    (C.REQUESTED, said.CoordinationAssigned): C.ASSIGNED,
    (C.ASSIGNED, said.CoordinationResolved): C.RESOLVED,
}
OUT_OF_ORDER: Final[Mapping[tuple[CaseState, type[Event]], type[Refusal]]] = {
    (C.URGED, said.UrgeAnswered): UrgeNotReceivedYet,
    (C.RECEIVED, said.UrgeReceived): UrgeAlreadyReceived,
    (C.ANSWERED, said.UrgeReceived): UrgeAlreadyAnswered,
    (C.ANSWERED, said.UrgeAnswered): UrgeAlreadyAnswered,
    (C.OPEN, said.InspectionClosed): NotRectifiedYet,
    (C.RECTIFIED, said.InspectionRectified): AlreadyRectified,
    (C.CLOSED, said.InspectionRectified): InspectionIsClosed,
    (C.CLOSED, said.InspectionClosed): InspectionIsClosed,
    (C.REQUESTED, said.CoordinationResolved): NotAssignedYet,
    (C.ASSIGNED, said.CoordinationAssigned): AlreadyAssigned,
    (C.RESOLVED, said.CoordinationAssigned): AlreadyResolved,
    (C.RESOLVED, said.CoordinationResolved): AlreadyResolved,
}
"""Both tables together say every act in every state: it leads on, or it is refused by name."""
ENDED: Final = tuple(states[-1] for states in STATES.values())

Opening = said.Urged | said.InspectionOpened | said.CoordinationRequested
Following = (
    said.UrgeReceived
    | said.UrgeAnswered
    | said.InspectionRectified
    | said.InspectionClosed
    | said.CoordinationAssigned
    | said.CoordinationResolved
)


class Done(NamedTuple):
    """One act of a case: which event, what, when, by whom, in which words."""

    event_id: str
    what: str
    at: str
    holder: str
    certificate: str
    words: str


class Case(NamedTuple):
    """One urge, inspection or coordination request with everything done about it; `due_at` None: no deadline."""

    case_id: UUID
    kind: CaseKind
    state: CaseState
    project_code: str
    application_id: UUID
    stage: int
    item_id: UUID | None
    item_code: str | None
    department: str
    jurisdiction: str
    level: str
    words: str
    opened_at: datetime
    due_at: datetime | None
    acts: tuple[Done, ...]

    @property
    def is_open(self) -> bool:
        return self.state not in ENDED

    def is_overdue(self, at: datetime) -> bool:
        """Whether its deadline has passed and it is still open."""
        return self.is_open and self.due_at is not None and self.due_at < at


def opened(event: Opening) -> Case:
    """Return the case that an event opens."""
    kind, case_id, words, due_at, level = _opening(event)
    return Case(
        case_id=case_id,
        kind=kind,
        state=STATES[kind][0],
        project_code=event.project_code,
        application_id=event.application_id,
        stage=event.stage.value,
        item_id=None if isinstance(event, said.CoordinationRequested) else event.item_id,
        item_code=event.item_code,
        department=event.department,
        jurisdiction=event.jurisdiction,
        level=level,
        words=words,
        opened_at=event.occurred_at,
        due_at=due_at,
        acts=(_done(event, event.actor, words),),
    )


def _opening(event: Opening) -> tuple[CaseKind, UUID, str, datetime | None, str]:
    if isinstance(event, said.Urged):
        return CaseKind.URGE, event.urge_id, event.message, None, event.level.value
    if isinstance(event, said.InspectionOpened):
        return CaseKind.INSPECTION, event.inspection_id, event.finding, event.rectify_by, ""
    return CaseKind.COORDINATION, event.request_id, event.matter, event.resolve_by, ""


WORDS: Final[Mapping[type[Event], str]] = {
    said.UrgeAnswered: "answer",
    said.InspectionRectified: "measures",
    said.InspectionClosed: "conclusion",
    said.CoordinationAssigned: "assigned_to",
    said.CoordinationResolved: "resolution",
}
"""Event → the field in which it says something."""


def case_of(event: Following) -> UUID:
    """Return the case that an event is about."""
    if isinstance(event, said.UrgeReceived | said.UrgeAnswered):
        return event.urge_id
    if isinstance(event, said.InspectionRectified | said.InspectionClosed):
        return event.inspection_id
    return event.request_id


def hold_to_order(case: Case, act: type[Event]) -> None:
    """Hold an act to the order of its case. Raises the refusal that the table names."""
    refusal = OUT_OF_ORDER.get((case.state, act))
    if refusal is not None:
        raise refusal


def followed(case: Case, event: Following) -> Case:
    """Return the case after an event about it; a repeat changes nothing."""
    if any(done.event_id == str(event.event_id) for done in case.acts):
        return case
    words: Any = getattr(event, WORDS.get(type(event), ""), "")
    return case._replace(
        state=TRANSITIONS.get((case.state, type(event)), case.state),
        due_at=event.resolve_by if isinstance(event, said.CoordinationAssigned) else case.due_at,
        acts=(*case.acts, _done(event, event.actor, words)),
    )


def _done(event: Event, actor: Actor, words: str) -> Done:
    at = event.occurred_at.isoformat()
    return Done(str(event.event_id), type(event).__name__, at, actor.holder, actor.certificate, words)
