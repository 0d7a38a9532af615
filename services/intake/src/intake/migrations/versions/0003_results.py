"""Results as files, and every print of one (Art. 10)."""

from alembic import op

from chassis.tables import create

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    create(op, DDL)


DDL = """
CREATE TABLE results (
    item_id uuid PRIMARY KEY,
    project_code text NOT NULL,
    application_id uuid NOT NULL,
    stage int NOT NULL,
    item_code text NOT NULL,
    outcome text NOT NULL,
    document text NOT NULL,
    concluded_at timestamptz NOT NULL
);
CREATE INDEX results_project ON results (project_code, document);
CREATE TABLE prints (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id uuid NOT NULL,
    document text NOT NULL,
    holder text NOT NULL,
    certificate text NOT NULL,
    printed_at timestamptz NOT NULL
);
CREATE INDEX prints_item ON prints (item_id);
"""
