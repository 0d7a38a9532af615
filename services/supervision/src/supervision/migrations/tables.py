"""Supervision's tables as they stand after the newest revision."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, Computed
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlmodel import Field, Index, text

from chassis.alembic.described import big, instant, numbered, tables_of_a_service

Base = tables_of_a_service(http_writes=True, shows_clocks=True, counts_days=True)


class Chapter(Base, table=True):
    __tablename__ = "chapters"
    __table_args__ = (Index("chapters_project", "project_code", "id"),)
    id: int = numbered()
    project_code: str
    events: str


class Deed(Base, table=True):
    __tablename__ = "deeds"
    certificate: str = Field(primary_key=True)
    last_at: datetime = Field(primary_key=True, sa_type=TIMESTAMP(timezone=True))
    chapter: int = Field(primary_key=True, sa_type=BigInteger)


class Project(Base, table=True):
    __tablename__ = "projects"
    code: str = Field(primary_key=True)
    version: int
    process_type: int
    jurisdiction: str


class Stage(Base, table=True):
    __tablename__ = "stages"
    __table_args__ = (Index("stages_project", "project_code"),)
    application_id: UUID = Field(primary_key=True)
    project_code: str
    stage: int
    jurisdiction: str
    version: int
    state: str | None
    result: str | None
    process_type: int
    submission: str
    catalogue_version: str


class Item(Base, table=True):
    __tablename__ = "items"
    __table_args__ = (Index("items_application", "application_id"),)
    item_id: UUID = Field(primary_key=True)
    project_code: str
    application_id: UUID
    stage: int
    item_code: str
    attempt: int
    department: str
    jurisdiction: str
    state: str
    outcome: str | None
    version: int
    limit_days: int
    received_at: datetime | None = instant()
    accepted_at: datetime | None = instant()
    corrections: int
    resting: str
    closed: str | None
    reported: int
    last_reported: int


class Mark(Base, table=True):
    __tablename__ = "marks"
    item_id: UUID = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    event_id: UUID
    project_code: str
    since: datetime = instant()
    due_at: datetime | None = instant()
    detail: str


class Case(Base, table=True):
    __tablename__ = "cases"
    __table_args__ = (Index("cases_kind", "kind", "opened_at"),)
    case_id: UUID = Field(primary_key=True)
    kind: str
    state: str
    project_code: str
    application_id: UUID
    stage: int
    item_id: UUID | None
    item_code: str | None
    department: str
    jurisdiction: str
    level: str
    words: str
    opened_at: datetime = instant()
    due_at: datetime | None = instant()
    acts: str


class Handling(Base, table=True):
    __tablename__ = "handlings"
    __table_args__ = (Index("handlings_age", "granted_at"),)
    handling_id: UUID = Field(primary_key=True)
    project_code: str
    item_id: UUID | None
    jurisdiction: str
    granted_at: datetime = instant()
    event: str


class Consequence(Base, table=True):
    __tablename__ = "consequences"
    cause: UUID = Field(primary_key=True)
    event_id: UUID = Field(primary_key=True)
    project_code: str
    what: str
    at: datetime = instant()
    detail: str


class ExpiryDecision(Base, table=True):
    __tablename__ = "expiry_decisions"
    __table_args__ = (Index("expiry_decisions_item", "item_id"),)
    event_id: UUID = Field(primary_key=True)
    item_id: UUID
    event: str


class Signal(Base, table=True):
    __tablename__ = "signals"
    __table_args__ = (Index("signals_age", "raised_at"),)
    signal_id: UUID = Field(primary_key=True)
    kind: str
    item_id: UUID
    jurisdiction: str
    raised_at: datetime = instant()
    event: str


class Unjudged(Base, table=True):
    __tablename__ = "unjudged"
    item_id: UUID = Field(primary_key=True)
    project_code: str
    partition: int
    queued_at: datetime = instant("clock_timestamp")


class Night(Base, table=True):
    __tablename__ = "nights"
    __table_args__ = (
        Index("nights_holder", "certificate", "day"),
        Index("nights_unjudged", "judged", postgresql_where=text("NOT judged")),
    )
    event_id: UUID = Field(primary_key=True)
    certificate: str
    holder: str
    at: datetime = instant()
    project_code: str
    application_id: UUID
    stage: int
    item_id: UUID
    item_code: str
    attempt: int
    department: str
    jurisdiction: str
    day: date
    judged: bool = Field(sa_column_kwargs={"server_default": text("false")})


class Rule(Base, table=True):
    __tablename__ = "rules"
    rule_id: UUID = Field(primary_key=True)
    kind: str
    jurisdiction: str
    said_at: datetime | None = instant()
    effective_at: datetime = instant()
    until: datetime | None = instant()
    who: str
    document: str
    effect: str


class ExchangeRow(Base, table=True):
    __tablename__ = "exchange"
    id: int = numbered()
    project_code: str
    catalogue_version: str | None = Field(unique=True)
    written_in: int = big()
    told: str


class AuditHead(Base, table=True):
    __tablename__ = "audit_heads"
    __table_args__ = (Index("audit_heads_open", "project_code", postgresql_where=text("is_open")),)
    project_code: str = Field(primary_key=True)
    topic: str = Field(primary_key=True)
    partition: int = Field(primary_key=True)
    entries: int = big()
    last: bytes
    closed: int = big()
    is_open: bool = Field(sa_column=Column(Boolean, Computed("entries <> closed", persisted=True), nullable=False))
    held: int = big()


class AuditGap(Base, table=True):
    __tablename__ = "audit_gaps"
    project_code: str = Field(primary_key=True)
    root: str


class AuditRoot(Base, table=True):
    __tablename__ = "audit_roots"
    __table_args__ = (Index("audit_roots_number", "number"),)
    root: str = Field(primary_key=True)
    number: int = big()
    event: str


class AuditLeaf(Base, table=True):
    __tablename__ = "audit_leaves"
    project_code: str = Field(primary_key=True)
    root: str = Field(primary_key=True)
    place: int


class AuditSeal(Base, table=True):
    __tablename__ = "audit_seals"
    root: str = Field(primary_key=True)
    event: str


_shown = Base.metadata.tables["shown_clocks"].c
Index("shown_clocks_lit", _shown.light, _shown.due_at, postgresql_where=text("light IN ('RED', 'YELLOW')"))
