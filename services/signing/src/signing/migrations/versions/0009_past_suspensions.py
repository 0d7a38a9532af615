"""Suspensions that were lifted: when a certificate did not count is told with every later word on it (Art. 18, 20)."""

from alembic import op

from chassis.tables import create

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    create(op, TABLES)


TABLES = """
CREATE TABLE past_suspensions (
    serial text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (serial, since)
);
"""
