"""The department worker's tables as they stand after the newest revision."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, Index, text

from chassis.alembic.described import instant, tables_of_a_service

Base = tables_of_a_service(http_writes=True, rostered=True)


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


class Document(Base, table=True):
    __tablename__ = "documents"
    __table_args__ = (Index("documents_item", "item_id"),)
    request_id: UUID = Field(primary_key=True)
    item_id: UUID
    kind: str
    digest: str
    content: bytes
