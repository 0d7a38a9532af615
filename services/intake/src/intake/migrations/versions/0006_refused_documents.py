"""A document of the window whose seal was refused stays on record, and another attempt may be made at it.

What was refused before this revision is learnt of when the topic of seals is read from its beginning.
"""

from alembic import op

from chassis.tables import create

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    create(op, DDL)


DDL = """
ALTER TABLE window_documents ADD COLUMN attempt int NOT NULL DEFAULT 1;
ALTER TABLE window_documents ALTER COLUMN attempt DROP DEFAULT;
ALTER TABLE window_documents ADD COLUMN refused_at timestamptz;
ALTER TABLE window_documents ADD COLUMN refusal text;
CREATE UNIQUE INDEX window_documents_attempt ON window_documents (application_id, kind, attempt);
"""
