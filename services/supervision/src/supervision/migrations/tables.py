"""Supervision's tables as they stand after the newest revision."""

from uuid import UUID

from sqlmodel import Field, Index, text

from chassis.alembic.described import numbered, tables_of_a_service

Base = tables_of_a_service(http_writes=True, shows_clocks=True)


class Chapter(Base, table=True):
    __tablename__ = "chapters"
    __table_args__ = (Index("chapters_project", "project_code", "id"),)
    id: int = numbered()
    project_code: str
    events: str


class Stage(Base, table=True):
    __tablename__ = "stages"
    __table_args__ = (Index("stages_project", "project_code"),)
    application_id: UUID = Field(primary_key=True)
    project_code: str
    stage: int
    jurisdiction: str | None
    version: int
    state: str | None
    result: str | None


class Item(Base, table=True):
    __tablename__ = "items"
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


_shown = Base.metadata.tables["shown_clocks"].c
Index("shown_clocks_lit", _shown.light, _shown.due_at, postgresql_where=text("light IN ('RED', 'YELLOW')"))
