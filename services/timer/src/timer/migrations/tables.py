"""The timer's tables as they stand after the newest revision."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, Index, text

from chassis.alembic.described import instant, tables_of_a_service

Base = tables_of_a_service()


class Clock(Base, table=True):
    __tablename__ = "clocks"
    __table_args__ = (Index("clocks_act", "act_at", postgresql_where=text("act_at IS NOT NULL")),)
    clock_id: UUID = Field(primary_key=True)
    subject: str
    project_code: str
    application_id: UUID
    stage: int
    jurisdiction: str
    clock: str
    started: bool
    item_id: UUID | None
    item_code: str | None
    attempt: int
    department: str | None
    on_expiry: str | None
    generation: int
    held: bool
    fired: bool
    light: str
    seen: int
    act_at: datetime | None = instant()
