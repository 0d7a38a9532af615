"""The roster as this service knows it (Art. 18)."""

from alembic import op

from chassis.rostered import DDL
from chassis.tables import create

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    create(op, DDL)
