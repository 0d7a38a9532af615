"""Intake's tables as they stand after the newest revision."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, Index, UniqueConstraint, text

from chassis.alembic.described import big, instant, tables_of_a_service

Base = tables_of_a_service(http_writes=True, shows_clocks=True)


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


class Upload(Base, table=True):
    __tablename__ = "uploads"
    owner: str = Field(primary_key=True)
    sha256: str = Field(primary_key=True)
    size: int = big()
    media_type: str


class ProjectMaterial(Base, table=True):
    __tablename__ = "project_materials"
    project_code: str = Field(primary_key=True)
    material: str = Field(primary_key=True)
    sha256: str
    name: str
    size: int = big()
    stage: int


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
