"""Certificates that were reported as lost, and requests to let them count again (Art. 20)."""

from alembic import op

from chassis.tables import create

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    create(op, TABLES)


TABLES = """
CREATE TABLE suspensions (
    serial text PRIMARY KEY,
    holder text NOT NULL,
    reason text NOT NULL,
    invalid_since timestamptz NOT NULL,
    suspended_at timestamptz NOT NULL,
    reporter text NOT NULL,
    reporter_certificate text NOT NULL
);

CREATE TABLE reinstatements (
    request_id uuid PRIMARY KEY,
    serial text NOT NULL,
    reason text NOT NULL,
    asker text NOT NULL,
    asker_certificate text NOT NULL,
    requested_at timestamptz NOT NULL,
    stand text NOT NULL,
    decider text,
    decider_certificate text,
    decided_at timestamptz
);
CREATE INDEX reinstatements_serial ON reinstatements (serial);
"""
