"""The dispatcher's tables as they stand after the newest revision."""

from datetime import datetime
from uuid import UUID

from sqlmodel import ARRAY, Field, Text, Uuid

from chassis.alembic.described import instant, tables_of_a_service

Base = tables_of_a_service()


class Process(Base, table=True):
    __tablename__ = "processes"
    application_id: UUID = Field(primary_key=True)
    project_code: str
    stage: int
    process_type: int
    jurisdiction: str
    builder: str
    builder_name: str = Field(sa_column_kwargs={"server_default": ""})
    project_name: str
    submission: str
    materials: str
    policies: str
    applied_at: datetime = instant()
    limit_days: int
    version: int
    accepted_at: datetime | None = instant()
    concluded_at: datetime | None = instant()
    deferred: str


class Line(Base, table=True):
    __tablename__ = "lines"
    application_id: UUID = Field(primary_key=True, foreign_key="processes.application_id")
    item_code: str = Field(primary_key=True)
    item_id: UUID
    attempt: int
    department: str
    jurisdiction: str
    after: list[str] = Field(sa_type=ARRAY(Text))
    optional: bool
    state: str
    outcome: str | None
    opinion: str
    dispatched: bool
    version: int
    ended_at: datetime | None = instant()


class Result(Base, table=True):
    __tablename__ = "results"
    project_code: str = Field(primary_key=True)
    item_code: str = Field(primary_key=True)
    item_id: UUID | None
    outcome: str | None
    document: str | None
    awaited_by: list[UUID] = Field(sa_type=ARRAY(Uuid))


class Decision(Base, table=True):
    __tablename__ = "decisions"
    decision_id: UUID = Field(primary_key=True)
    took_effect_at: datetime = instant("clock_timestamp")
