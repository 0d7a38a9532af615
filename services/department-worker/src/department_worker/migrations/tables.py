"""The department worker's tables as they stand after the newest revision."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, Index, text

from chassis.alembic.described import instant, tables_of_a_service

Base = tables_of_a_service(http_writes=True, counts_days=True, rostered=True)


class WindowReceipt(Base, table=True):
    __tablename__ = "window_receipts"
    application_id: UUID = Field(primary_key=True)
    event_id: UUID | None
    received_at: datetime | None = instant()
    holder: str | None
    certificate: str | None


class Item(Base, table=True):
    __tablename__ = "items"
    __table_args__ = (
        Index("items_application", "application_id"),
        Index("items_desk", "jurisdiction", "department", "due_at", postgresql_where=text("on_desk")),
    )
    item_id: UUID = Field(primary_key=True)
    project_code: str
    application_id: UUID
    stage: int
    item_code: str
    attempt: int
    department: str
    jurisdiction: str
    kind: str
    limit_days: int
    on_expiry: str
    builder: str
    versions: str
    applied_at: datetime = instant()
    state: str
    version: int
    clock: str | None
    before_pause: str | None
    corrections: int
    decision: str | None
    outcome: str | None
    on_desk: bool
    due_at: datetime | None = instant()
    reviewer: str
    more_corrections: int
    deferred: str
    missing_results: str
    received_at: datetime | None = instant()
    unverified: bool


class Dossier(Base, table=True):
    __tablename__ = "dossiers"
    item_id: UUID = Field(primary_key=True)
    name: str
    project_name: str
    builder_name: str = Field(sa_column_kwargs={"server_default": ""})
    materials: list[Any] = Field(sa_type=JSONB)
    results: list[Any] = Field(sa_type=JSONB)


class FirstRecorder(Base, table=True):
    __tablename__ = "first_recorders"
    project_code: str = Field(primary_key=True)
    code: str = Field(primary_key=True)
    sha256: str = Field(primary_key=True)
    item_id: UUID
    department: str
    jurisdiction: str
    holder: str
    certificate: str
    recorded_at: datetime = instant()


class Urge(Base, table=True):
    __tablename__ = "urges"
    __table_args__ = (Index("urges_item", "item_id", "urged_at"),)
    urge_id: UUID = Field(primary_key=True)
    item_id: UUID
    level: str
    message: str
    holder: str
    urged_at: datetime = instant()
    received_at: datetime | None = instant()
    answered_at: datetime | None = instant()
    answer: str | None


class SpecialHandling(Base, table=True):
    __tablename__ = "special_handlings"
    handling_id: UUID = Field(primary_key=True)
    item_id: UUID
    effect: str


class Paper(Base, table=True):
    __tablename__ = "papers"
    __table_args__ = (
        Index("papers_item", "item_id"),
        Index("papers_waiting", "stand", "request_id", postgresql_where=text("stand IN ('DECIDED', 'ANSWERED')")),
    )
    request_id: UUID = Field(primary_key=True)
    item_id: UUID | None
    kind: str
    decided: str
    traceparent: str
    stand: str
    number: str | None
    digest: str | None
    signature: bytes | None
    signed_at: datetime | None = instant()
    file: str | None


class PaperNumber(Base, table=True):
    __tablename__ = "paper_numbers"
    series: str = Field(primary_key=True)
    year: int = Field(primary_key=True)
    last: int


class Document(Base, table=True):
    __tablename__ = "documents"
    __table_args__ = (Index("documents_item", "item_id"),)
    request_id: UUID = Field(primary_key=True)
    item_id: UUID
    kind: str
    digest: str
    content: bytes


class StepNonce(Base, table=True):
    __tablename__ = "step_nonces"
    __table_args__ = (Index("step_nonces_expire", "expires_at"),)
    nonce: str = Field(primary_key=True)
    certificate: str
    session: str
    item_id: UUID
    expires_at: datetime = instant()


class StepSignature(Base, table=True):
    __tablename__ = "step_signatures"
    __table_args__ = (Index("step_signatures_item", "item_id"),)
    digest: str = Field(primary_key=True)
    item_id: UUID
    serial: str
    text: str
    algorithm: str
    certificate: bytes
    signature: bytes
    signed_at: datetime = instant()
