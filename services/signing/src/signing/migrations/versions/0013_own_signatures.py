"""What a decision brought of its officer's own signature; those before were not asked for one (Art. 19, 20)."""

from alembic import op

from chassis.tables import create

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    create(op, DDL)


DDL = """
ALTER TABLE decisions ADD COLUMN proof text NOT NULL DEFAULT 'NONE';
ALTER TABLE decisions ALTER COLUMN proof DROP DEFAULT;
"""
