"""A seal of a batch keeps its path to the root that was signed (ADR 10)."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE seals ADD COLUMN proof text")
