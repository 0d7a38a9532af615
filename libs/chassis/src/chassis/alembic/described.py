"""Tables as SQLModel describes them: what alembic holds a database against, and what a developer reads and changes.

No running service imports this (`docs/decisions/0005`): the hot path writes SQL over arrays. Each service describes its
own tables in `migrations/tables.py`; those that every database has stand here.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Identity, MetaData
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import registry
from sqlmodel import BigInteger, Field, Index, SQLModel, text


def instant(default: str | None = None) -> Any:
    """Return a column that holds an instant; `default` is the function PostgreSQL fills it with."""
    if default is None:
        return Field(sa_type=TIMESTAMP(timezone=True))
    filled = {"server_default": text(f"{default}()")}
    return Field(sa_type=TIMESTAMP(timezone=True), sa_column_kwargs=filled)


def big() -> Any:
    """Return a column of 64-bit integers."""
    return Field(sa_type=BigInteger)


def numbered() -> Any:
    """Return the primary key that PostgreSQL numbers itself."""
    return Field(sa_type=BigInteger, primary_key=True, sa_column_args=[Identity(always=True)])


def tables_of_a_service(
    *, http_writes: bool = False, shows_clocks: bool = False, counts_days: bool = False, rostered: bool = False
) -> type[SQLModel]:
    """Return the base of one service's tables, with those that every service has; its `metadata` is alembic's target.

    `http_writes` adds the idempotency keys, `shows_clocks` the table of `chassis.shown`, `counts_days` that of
    `chassis.calendars`, `rostered` those of `chassis.rostered`.
    """

    class Base(SQLModel, registry=registry()):
        metadata = MetaData()

    class Position(Base, table=True):
        __tablename__ = "positions"
        topic: str = Field(primary_key=True)
        partition: int = Field(primary_key=True)
        next_offset: int = big()
        moved_at: datetime = instant("clock_timestamp")

    class OutboxRow(Base, table=True):
        __tablename__ = "outbox"
        __table_args__ = (Index("outbox_shard", "shard", "id"),)
        id: int = numbered()
        shard: int
        owner: str
        messages: str
        said_at: datetime = instant("clock_timestamp")

    class Parked(Base, table=True):
        __tablename__ = "parked"
        __table_args__ = (Index("parked_lane", "topic", "key", "id"),)
        id: int = numbered()
        topic: str
        partition: int
        record_offset: int = big()
        appended_ms: int = big()
        key: str
        value: bytes | None
        headers: str
        why: str
        detail: str
        attempts: int
        first_at: datetime = instant()
        next_try_at: datetime = instant()

    if http_writes:
        _idempotency_keys(Base)
    if shows_clocks:
        _shown_clocks(Base)
    if counts_days:
        _calendar_amendments(Base)
    if rostered:
        _roster(Base)
    return Base


def _idempotency_keys(base: Any) -> None:
    class IdempotencyKey(base, table=True):
        __tablename__ = "idempotency_keys"
        __table_args__ = (Index("idempotency_keys_age", "created_at", postgresql_using="brin"),)
        caller: str = Field(primary_key=True)
        key: str = Field(primary_key=True)
        digest: bytes
        status: int | None
        body: bytes | None
        created_at: datetime = instant("now")


def _shown_clocks(base: Any) -> None:
    class ShownClock(base, table=True):
        __tablename__ = "shown_clocks"
        about: UUID = Field(primary_key=True)
        due_at: datetime | None = instant()
        light: str | None
        generation: int
        clock: str | None


def _calendar_amendments(base: Any) -> None:
    class CalendarAmendment(base, table=True):
        __tablename__ = "calendar_amendments"
        sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
        amendment: str


def _roster(base: Any) -> None:
    class RosterRow(base, table=True):
        __tablename__ = "roster"
        serial: str = Field(primary_key=True)
        holder: str
        entries: str

    class SuspensionRow(base, table=True):
        __tablename__ = "suspensions"
        serial: str = Field(primary_key=True)
        since: datetime = Field(sa_type=TIMESTAMP(timezone=True), primary_key=True)
        until: datetime | None = instant()
