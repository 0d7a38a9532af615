"""Intake's tables as they stand after the newest revision."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel import Field, Index, UniqueConstraint, text

from chassis.alembic.described import big, instant, numbered, tables_of_a_service

Base = tables_of_a_service(http_writes=True, shows_clocks=True, counts_days=True)


class Policy(Base, table=True):
    __tablename__ = "policies"
    version: str = Field(primary_key=True)
    versions: str
    effective_at: datetime = instant()
    document: str
    reason: str
    holder: str
    certificate: str
    published_at: datetime = instant()


class Project(Base, table=True):
    __tablename__ = "projects"
    code: str = Field(primary_key=True)
    version: int
    name: str
    process_type: int
    jurisdiction: str
    builder: str
    builder_name: str


class Application(Base, table=True):
    __tablename__ = "applications"
    __table_args__ = (UniqueConstraint("project_code", "stage"),)
    application_id: UUID = Field(primary_key=True)
    project_code: str = Field(foreign_key="projects.code")
    stage: int
    builder: str
    jurisdiction: str
    applied_at: datetime = instant()
    version: int = Field(sa_column_kwargs={"server_default": "1"})
    stage_version: int = Field(sa_column_kwargs={"server_default": "0"})
    state: str = Field(sa_column_kwargs={"server_default": "APPLIED"})
    result: str | None
    passed: bool | None
    limit_days: int | None
    policies: str
    received_at: datetime | None = instant()
    announced: str | None


class Upload(Base, table=True):
    __tablename__ = "uploads"
    owner: str = Field(primary_key=True)
    sha256: str = Field(primary_key=True)
    size: int = big()
    media_type: str


class GivenMaterial(Base, table=True):
    __tablename__ = "given_materials"
    project_code: str = Field(primary_key=True)
    material: str = Field(primary_key=True)
    number: int = numbered()
    application_id: UUID
    stage: int
    item_code: str | None
    sha256: str
    name: str
    size: int = big()
    given_at: datetime = instant()


class FirstRecorder(Base, table=True):
    __tablename__ = "first_recorders"
    project_code: str = Field(primary_key=True)
    material: str = Field(primary_key=True)
    sha256: str = Field(primary_key=True)
    holder: str
    certificate: str
    department: str
    jurisdiction: str
    item_code: str
    recorded_at: datetime = instant()


class ViewedMaterial(Base, table=True):
    __tablename__ = "viewed_materials"
    event_id: UUID = Field(primary_key=True)


class SpecialHandling(Base, table=True):
    __tablename__ = "special_handlings"
    __table_args__ = (
        Index("special_handlings_stage", "project_code", "stage"),
        Index("special_handlings_used", "used_by"),
    )
    handling_id: UUID = Field(primary_key=True)
    project_code: str
    stage: int
    effect: str
    material: str | None
    promised_on: date | None
    granted_at: datetime = instant()
    used_by: UUID | None


class Withdrawal(Base, table=True):
    __tablename__ = "withdrawals"
    __table_args__ = (
        Index("withdrawals_application", "application_id"),
        Index("withdrawals_waiting", "item_id", unique=True, postgresql_where=text("confirmed IS NULL")),
    )
    request_id: UUID = Field(primary_key=True)
    application_id: UUID = Field(foreign_key="applications.application_id")
    item_code: str
    item_id: UUID
    reason: str
    holder: str
    certificate: str
    asked_at: datetime = instant()
    confirmed: bool | None
    answer: str | None
    answered_by: str | None
    answered_at: datetime | None = instant()


class Progress(Base, table=True):
    __tablename__ = "progress"
    application_id: UUID = Field(primary_key=True, foreign_key="applications.application_id")
    item_code: str = Field(primary_key=True)
    item_id: UUID
    attempt: int
    department: str
    jurisdiction: str
    state: str
    outcome: str | None
    opinion: str
    limit_days: int
    version: int
    pauses: str = Field(sa_column_kwargs={"server_default": ""})
    resting: str | None


class Result(Base, table=True):
    __tablename__ = "results"
    __table_args__ = (Index("results_project", "project_code", "document"),)
    item_id: UUID = Field(primary_key=True)
    project_code: str
    application_id: UUID
    stage: int
    item_code: str
    outcome: str
    document: str
    concluded_at: datetime = instant()


class IssuedNotice(Base, table=True):
    __tablename__ = "issued_notices"
    __table_args__ = (Index("issued_notices_project", "project_code", "document"),)
    request_id: UUID = Field(primary_key=True)
    item_id: UUID
    project_code: str
    application_id: UUID
    stage: int
    item_code: str
    notice: str
    document: str
    issued_at: datetime = instant()


class Print(Base, table=True):
    __tablename__ = "prints"
    __table_args__ = (Index("prints_item", "item_id"),)
    number: int = numbered()
    item_id: UUID
    document: str
    holder: str
    certificate: str
    printed_at: datetime = instant()


class WindowDocument(Base, table=True):
    __tablename__ = "window_documents"
    __table_args__ = (Index("window_documents_attempt", "application_id", "kind", "attempt", unique=True),)
    request_id: UUID = Field(primary_key=True)
    application_id: UUID = Field(foreign_key="applications.application_id")
    kind: str
    asked_at: datetime = instant()
    document: str | None
    issued_at: datetime | None = instant()
    attempt: int
    refused_at: datetime | None = instant()
    refusal: str | None


class WindowPrint(Base, table=True):
    __tablename__ = "window_prints"
    __table_args__ = (Index("window_prints_request", "request_id"),)
    number: int = numbered()
    request_id: UUID = Field(foreign_key="window_documents.request_id")
    holder: str
    certificate: str
    printed_at: datetime = instant()


class Notice(Base, table=True):
    __tablename__ = "notices"
    __table_args__ = (Index("notices_builder", "builder", text("sent_at DESC")),)
    notice_id: UUID = Field(primary_key=True)
    builder: str
    project_code: str
    application_id: UUID
    kind: str
    title: str
    body: str
    article: str
    sent_at: datetime = instant()
