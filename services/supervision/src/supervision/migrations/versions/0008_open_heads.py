"""What is to be closed is found by an index, however many chains there are (Art. 22).

The index hangs on a column that turns twice between two roots, not on the counts: most updates of a head stay on its
page (HOT) and touch no index.
"""

from alembic import op

from chassis.tables import create

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    create(op, OPEN)


OPEN = """
ALTER TABLE audit_heads ADD COLUMN is_open boolean NOT NULL GENERATED ALWAYS AS (entries <> closed) STORED;
CREATE INDEX audit_heads_open ON audit_heads (project_code) WHERE is_open;
"""
