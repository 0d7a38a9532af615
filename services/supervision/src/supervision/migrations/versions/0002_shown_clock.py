"""The clock itself beside what is shown of it, so that days used can be counted."""

from alembic import op

from chassis.shown import CLOCK_DDL
from chassis.tables import create

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create(op, CLOCK_DDL)
