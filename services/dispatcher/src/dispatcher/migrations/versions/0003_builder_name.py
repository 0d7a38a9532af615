"""The builder's name, as documents are addressed to it."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE processes ADD COLUMN builder_name text NOT NULL DEFAULT ''")
