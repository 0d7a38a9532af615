"""The seals that were made."""

from alembic import op

from chassis.tables import DDL, create

revision = "0001"
down_revision = None


def upgrade() -> None:
    create(op, DDL, TABLES)


TABLES = """
CREATE TABLE seals (
    request_id uuid PRIMARY KEY,
    item_id uuid NOT NULL,
    project_code text NOT NULL,
    digest text NOT NULL,
    algorithm text NOT NULL,
    signature text NOT NULL,
    certificate text NOT NULL,
    signed_at timestamptz NOT NULL
);
CREATE INDEX seals_item ON seals (item_id);
"""
