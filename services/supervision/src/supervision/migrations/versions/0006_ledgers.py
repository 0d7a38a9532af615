"""Roster and certificates, calendar and policies have audit chains (Art. 18, 20, 23): their topics are read anew, so
that a chain begins with the first record whenever it is built."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(f"DELETE FROM positions WHERE topic IN ({TOPICS})")


TOPICS = "'approval.identity.v1', 'approval.calendar.v1', 'approval.policies.v1'"
