"""What the window's documents say about a stage, under its seal: 窗口报件通知书 (Art. 9), 收件回执 (Art. 10).

Whoever asks for one has all of its facts said by intake; nothing of an item is looked up.
"""

from datetime import datetime

from contracts import labels
from contracts.codes import Sha256
from contracts.department_worker import SealRequested, WindowDocumentIssued
from contracts.envelope import derived_id
from contracts.intake import WindowDocumentRequested
from contracts.terms import SealForm
from department_worker import documents
from department_worker.documents import Facts, Form
from procedure.calendar import SHANGHAI, local_day
from procedure.catalogue import Catalogue
from procedure.notices import WINDOW


def form_of(asked: WindowDocumentRequested) -> Form:
    """Return the form of a document of the window."""
    return documents.FORMS[asked.kind, None]


def series_of(asked: WindowDocumentRequested, city: Catalogue) -> str:
    """Return what it is numbered by."""
    return documents.series_of(city, asked.jurisdiction, WINDOW, form_of(asked))


def facts_of(asked: WindowDocumentRequested, city: Catalogue, number: str, verify_url: str) -> Facts:
    """Return what it says, under the catalogue that its case runs under; it is dated on the day it was asked for."""
    received = [(f"{city.materials[one.code].name}（{one.name}）", one.sha256) for one in asked.materials]
    return Facts(
        kind=asked.kind,
        item_kind=None,
        code=str(asked.request_id),
        authority=documents.authority_of(city, asked.jurisdiction, WINDOW),
        number=number,
        addressee=asked.builder.name,
        uscc=asked.builder.uscc,
        project_name=asked.project_name,
        project_code=asked.project_code,
        item_name=labels.label(asked.stage),
        applied=local_day(asked.applied_at),
        received=asked.told_at.astimezone(SHANGHAI),
        dated=local_day(asked.at),
        items=tuple(city.items[code].name for code in asked.items),
        materials=asked.originals or tuple(name for name, _ in received),
        digests=tuple(digest for _, digest in received),
        place=asked.place,
        verify_url=f"{verify_url}/verify?document={asked.request_id}" if verify_url else "",
    )


def seal_request(asked: WindowDocumentRequested, digest: Sha256) -> SealRequested:
    """Return the request for the window's seal: `digest` is of all of the document but the signature's gap."""
    return SealRequested(
        event_id=derived_id("seal-request", asked.request_id),
        causation_id=asked.event_id,
        occurred_at=asked.at,
        project_code=asked.project_code,
        request_id=asked.request_id,
        document_kind=asked.kind,
        digest=digest,
        seal=f"{asked.jurisdiction}.{WINDOW}",
        actor=asked.actor,
        form=SealForm.PDF,
    )


def issued(asked: WindowDocumentRequested, file: Sha256, signed_at: datetime) -> WindowDocumentIssued:
    """Return what tells that it is sealed and stored under `file` (Art. 16)."""
    return WindowDocumentIssued(
        event_id=derived_id("issued", asked.request_id),
        causation_id=asked.event_id,
        occurred_at=signed_at,
        project_code=asked.project_code,
        application_id=asked.application_id,
        stage=asked.stage,
        jurisdiction=asked.jurisdiction,
        at=signed_at,
        kind=asked.kind,
        request_id=asked.request_id,
        document=file,
        actor=asked.actor,
    )
