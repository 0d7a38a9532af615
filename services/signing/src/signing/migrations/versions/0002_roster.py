"""The roster: holders, what they answer for, every change asked for and who decided it; idempotency keys (Art. 18)."""

from alembic import op

from chassis.tables import IDEMPOTENCY_DDL, create

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create(op, IDEMPOTENCY_DDL, TABLES)


TABLES = """
CREATE TABLE roster_holders (
    serial text PRIMARY KEY,
    holder text NOT NULL
);

CREATE TABLE roster_entries (
    entry_id uuid PRIMARY KEY,
    serial text NOT NULL,
    role text NOT NULL,
    jurisdiction text NOT NULL,
    department text,
    items text NOT NULL,
    effective_at timestamptz NOT NULL,
    until timestamptz,
    requested_by text NOT NULL,
    approved_by text NOT NULL,
    document text NOT NULL
);
CREATE INDEX roster_entries_serial ON roster_entries (serial);
CREATE INDEX roster_entries_place ON roster_entries (jurisdiction, department);

CREATE TABLE roster_requests (
    request_id uuid PRIMARY KEY,
    change text NOT NULL,
    serial text NOT NULL,
    holder text NOT NULL,
    role text NOT NULL,
    jurisdiction text NOT NULL,
    department text,
    items text NOT NULL,
    effective_at timestamptz NOT NULL,
    document text NOT NULL,
    asker text NOT NULL,
    asker_certificate text NOT NULL,
    requested_at timestamptz NOT NULL,
    stand text NOT NULL,
    decider text,
    decider_certificate text,
    decided_at timestamptz,
    reason text NOT NULL
);
CREATE INDEX roster_requests_place ON roster_requests (jurisdiction, requested_at);

CREATE TABLE roster_attempts (
    attempt_id uuid PRIMARY KEY,
    request_id uuid NOT NULL,
    holder text NOT NULL,
    certificate text NOT NULL,
    attempted text NOT NULL,
    attempted_at timestamptz NOT NULL
);
CREATE INDEX roster_attempts_request ON roster_attempts (request_id);
"""
