"""The timer's tables as they stand after the newest revision."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, Index, text

from chassis.alembic.described import instant, tables_of_a_service

Base = tables_of_a_service(http_writes=True, counts_days=True)


class Clock(Base, table=True):
    """One attempt of an item, or one stage. The columns up to `split` never change; `reckoned` names the calendar that
    the due instant was counted by; `act_at` is when the timer has to act on the row next."""

    __tablename__ = "clocks"
    __table_args__ = (Index("clocks_act", "partition", "act_at", "lane", postgresql_where=text("act_at IS NOT NULL")),)
    application_id: UUID = Field(primary_key=True)
    about: UUID = Field(primary_key=True)
    partition: int
    project_code: str
    stage: int
    jurisdiction: str
    versions: str
    item_code: str | None
    attempt: int
    department: str | None
    on_expiry: str | None
    lane: int
    split: str | None
    subject: str
    began: int
    limit_days: int
    extended_days: int
    started_at: datetime | None = instant()
    pauses: str | None
    ended_at: datetime | None = instant()
    ended: str | None
    open: str | None
    held: bool
    reminders: str | None
    outcome: str | None
    seen: int
    due_at: datetime | None = instant()
    light: str
    told: datetime | None = instant()
    generation: int
    expires_at: datetime | None = instant()
    reckoned: str
    act_at: datetime | None = instant()
