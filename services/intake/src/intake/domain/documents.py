"""Documents of the window, made when somebody asks for them (Art. 9, 10): what each says, and when there is nothing yet
that it could say."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from contracts.codes import ItemCode, Sha256
from contracts.envelope import derived_id
from contracts.intake import WindowDocumentPrinted, WindowDocumentRequested
from contracts.parts import Actor, MaterialRef
from contracts.terms import DocumentKind
from intake.domain.admission import Project
from intake.domain.given import HandedIn
from procedure.refusals import Refusal


class NotReceivedYet(Refusal):
    """该阶段申报尚未由窗口收件，不能出具收件回执"""

    article = "第十条"


class NotDispatchedYet(Refusal):
    """该阶段申报尚未按事项分发，不能出具窗口报件通知书"""

    article = "第九条"


class DocumentNotIssued(Refusal):
    """该文书尚未出具：请先申请出具；已经申请的，签章完成后即可取得"""

    article = "第十六条"


class DocumentRefused(Refusal):
    """该文书未能签章，没有出具：{why}。原因消除后可以重新申请"""

    article = "第十六条"


class Announced(NamedTuple):
    """What the split of a stage told its builder (Art. 9): when, and which originals to bring where."""

    at: datetime
    place: str
    originals: tuple[str, ...]


class Told(NamedTuple):
    """What a document tells of: an instant, where the window is, what was split, is to be brought, or was received."""

    at: datetime
    place: str
    items: tuple[ItemCode, ...] = ()
    originals: tuple[str, ...] = ()
    materials: tuple[MaterialRef, ...] = ()


class Document(NamedTuple):
    """An attempt at a document of the window; `file` is its SHA-256 once it is sealed, `refusal` says why it is not."""

    request_id: UUID
    kind: DocumentKind
    attempt: int
    file: Sha256 | None
    refusal: str | None


def window_notice(announced: Announced | None, items: Iterable[ItemCode]) -> Told:
    """Return what a 窗口报件通知书 tells (Art. 9). Raises NotDispatchedYet."""
    if announced is None:
        raise NotDispatchedYet
    return Told(announced.at, announced.place, items=tuple(sorted(items)), originals=announced.originals)


def receipt(received_at: datetime | None, application_id: UUID, handed_in: Iterable[HandedIn], place: str) -> Told:
    """Return what a 收件回执 tells: all that was handed in for the stage by the instant of receipt (Art. 8, 10).

    Raises NotReceivedYet.
    """
    if received_at is None:
        raise NotReceivedYet
    of_stage = [one for one in handed_in if one.application_id == application_id and one.item_code is None]
    return Told(received_at, place, materials=tuple(one.material for one in of_stage if one.given_at <= received_at))


def attempt_after(last: Document | None) -> int:
    """Return which attempt at a document it is when somebody asks: the last one again, unless its seal was refused."""
    if last is None:
        return 1
    return last.attempt if last.refusal is None else last.attempt + 1


def issued(last: Document | None) -> tuple[Document, Sha256]:
    """Return a document that is there, and its file. Raises DocumentNotIssued or DocumentRefused."""
    if last is not None and last.file is not None:
        return last, last.file
    if last is not None and last.refusal is not None:
        raise DocumentRefused(why=last.refusal)
    raise DocumentNotIssued


def requested(
    request_id: UUID,
    kind: DocumentKind,
    told: Told,
    application: Any,
    project: Project,
    actor: Actor,
    cause: UUID,
    at: datetime,
) -> WindowDocumentRequested:
    """Return the request for a stage application's document of `kind`: it carries all that the document says."""
    return WindowDocumentRequested(
        event_id=derived_id("window-document-requested", request_id),
        causation_id=cause,
        occurred_at=at,
        project_code=application.project_code,
        application_id=application.application_id,
        stage=application.stage,
        request_id=request_id,
        kind=kind,
        jurisdiction=application.jurisdiction,
        builder=project.builder,
        project_name=project.name,
        applied_at=application.applied_at,
        told_at=told.at,
        place=told.place,
        items=told.items,
        originals=told.originals,
        materials=told.materials,
        policies=application.policies,
        at=at,
        actor=actor,
    )


def printed(document: Document, number: int, application: Any, actor: Actor, at: datetime) -> WindowDocumentPrinted:
    """Return that somebody printed a document that is sealed: the print of this `number`."""
    assert document.file is not None
    return WindowDocumentPrinted(
        event_id=derived_id("window-document-printed", document.request_id, number),
        causation_id=document.request_id,
        occurred_at=at,
        project_code=application.project_code,
        application_id=application.application_id,
        stage=application.stage,
        request_id=document.request_id,
        kind=document.kind,
        document=document.file,
        at=at,
        actor=actor,
    )
