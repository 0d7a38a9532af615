"""Notices are registered for a seal beside decisions: each has a kind, and no outcome."""

from alembic import op

from chassis.tables import create

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    create(op, DDL)


DDL = """
ALTER TABLE decisions ADD COLUMN notice text;
ALTER TABLE decisions ALTER COLUMN outcome DROP NOT NULL;
"""
