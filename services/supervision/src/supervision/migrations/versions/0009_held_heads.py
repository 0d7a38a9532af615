"""Up to where a chain was held against the root that closed it, and whose chains are not what a root closed (Art. 22).

What was closed before this revision is held against its root when it moves again.
"""

from alembic import op

from chassis.tables import create

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    create(op, HELD)


HELD = """
ALTER TABLE audit_heads ADD COLUMN held bigint NOT NULL DEFAULT 0;

CREATE TABLE audit_gaps (
    project_code text PRIMARY KEY,
    root text NOT NULL
);
"""
