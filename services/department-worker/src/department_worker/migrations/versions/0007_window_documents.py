"""Documents of the window are about a stage: they name no item."""

from alembic import op

from chassis.tables import create

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    create(op, DDL)


DDL = "ALTER TABLE papers ALTER COLUMN item_id DROP NOT NULL;"
