"""Signing's tables as they stand after the newest revision."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlmodel import Field, Index

from chassis.alembic.described import instant, tables_of_a_service

Base = tables_of_a_service(http_writes=True)


class Seal(Base, table=True):
    __tablename__ = "seals"
    __table_args__ = (Index("seals_item", "item_id"),)
    request_id: UUID = Field(primary_key=True)
    item_id: UUID | None
    project_code: str
    digest: str
    algorithm: str
    signature: str
    certificate: str
    signed_at: datetime = instant()
    proof: str | None


class Decision(Base, table=True):
    __tablename__ = "decisions"
    request_id: UUID = Field(primary_key=True)
    item_id: UUID | None
    item_code: str | None
    jurisdiction: str
    department: str
    outcome: str | None
    certificate: str
    decided_at: datetime = instant()
    special: bool
    notice: str | None
    record: str | None
    proof: str


class RefusedSeal(Base, table=True):
    __tablename__ = "refused_seals"
    request_id: UUID = Field(primary_key=True)
    item_id: UUID | None
    code: str
    refused_at: datetime = instant()


class AuditSeal(Base, table=True):
    __tablename__ = "audit_seals"
    root: str = Field(primary_key=True)
    event: str


class RosterHolder(Base, table=True):
    __tablename__ = "roster_holders"
    serial: str = Field(primary_key=True)
    holder: str


class RosterEntry(Base, table=True):
    __tablename__ = "roster_entries"
    __table_args__ = (
        Index("roster_entries_serial", "serial"),
        Index("roster_entries_place", "jurisdiction", "department"),
    )
    entry_id: UUID = Field(primary_key=True)
    serial: str
    role: str
    jurisdiction: str
    department: str | None
    items: str
    effective_at: datetime = instant()
    until: datetime | None = instant()
    requested_by: str
    approved_by: str
    document: str


class RosterRequest(Base, table=True):
    __tablename__ = "roster_requests"
    __table_args__ = (Index("roster_requests_place", "jurisdiction", "requested_at"),)
    request_id: UUID = Field(primary_key=True)
    change: str
    serial: str
    holder: str
    role: str
    jurisdiction: str
    department: str | None
    items: str
    effective_at: datetime = instant()
    document: str
    asker: str
    asker_certificate: str
    requested_at: datetime = instant()
    stand: str
    decider: str | None
    decider_certificate: str | None
    decided_at: datetime | None = instant()
    reason: str


class RosterAttempt(Base, table=True):
    __tablename__ = "roster_attempts"
    __table_args__ = (Index("roster_attempts_request", "request_id"),)
    attempt_id: UUID = Field(primary_key=True)
    request_id: UUID
    holder: str
    certificate: str
    attempted: str
    attempted_at: datetime = instant()


class LoginNonce(Base, table=True):
    __tablename__ = "login_nonces"
    __table_args__ = (Index("login_nonces_expire", "expires_at"),)
    browser: bytes = Field(primary_key=True)
    nonce: str
    expires_at: datetime = instant()


class LoginSession(Base, table=True):
    __tablename__ = "login_sessions"
    __table_args__ = (Index("login_sessions_serial", "serial"), Index("login_sessions_end", "ends_at"))
    secret: bytes = Field(primary_key=True)
    session_id: UUID
    serial: str
    certificate: bytes
    role: str
    jurisdiction: str | None
    department: str | None
    uscc: str | None
    begun_at: datetime = instant()
    ends_at: datetime = instant()


class LoginAttempt(Base, table=True):
    __tablename__ = "login_attempts"
    __table_args__ = (
        Index("login_attempts_at", "at"),
        Index("login_attempts_untold", "at", postgresql_where=text("NOT told")),
    )
    attempt_id: UUID = Field(primary_key=True)
    at: datetime = instant()
    serial: str | None
    code: str
    address: str
    times: int
    told: bool


class Suspension(Base, table=True):
    __tablename__ = "suspensions"
    serial: str = Field(primary_key=True)
    holder: str
    reason: str
    invalid_since: datetime = instant()
    suspended_at: datetime = instant()
    reporter: str
    reporter_certificate: str


class PastSuspension(Base, table=True):
    __tablename__ = "past_suspensions"
    serial: str = Field(primary_key=True)
    since: datetime = Field(primary_key=True, sa_type=TIMESTAMP(timezone=True))
    until: datetime = instant()


class Reinstatement(Base, table=True):
    __tablename__ = "reinstatements"
    __table_args__ = (Index("reinstatements_serial", "serial"),)
    request_id: UUID = Field(primary_key=True)
    serial: str
    reason: str
    asker: str
    asker_certificate: str
    requested_at: datetime = instant()
    stand: str
    decider: str | None
    decider_certificate: str | None
    decided_at: datetime | None = instant()
