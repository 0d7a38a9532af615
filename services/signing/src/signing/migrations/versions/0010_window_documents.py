"""Documents of the window are about a stage: they name no item."""

from alembic import op

from chassis.tables import create

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    create(op, DDL)


DDL = """
ALTER TABLE decisions ALTER COLUMN item_id DROP NOT NULL;
ALTER TABLE decisions ALTER COLUMN item_code DROP NOT NULL;
ALTER TABLE seals ALTER COLUMN item_id DROP NOT NULL;
ALTER TABLE refused_seals ALTER COLUMN item_id DROP NOT NULL;
"""
