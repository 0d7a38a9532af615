"""A decision is registered with the digest of its record: a seal over anything else is none.

What was registered before this revision has none: it may bear a seal as a file, and no other.
"""

from alembic import op

from chassis.tables import create

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    create(op, DDL)


DDL = "ALTER TABLE decisions ADD COLUMN record text;"
