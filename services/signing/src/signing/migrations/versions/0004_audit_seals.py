"""Seals over the roots of the audit chains, one per root."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("CREATE TABLE audit_seals (root text PRIMARY KEY, event text NOT NULL)")
