"""Clocks of items and stages."""

from alembic import op

from chassis.tables import DDL, create

revision = "0001"
down_revision = None


def upgrade() -> None:
    create(op, DDL, TABLES)


TABLES = """
CREATE TABLE clocks (
    clock_id uuid PRIMARY KEY,
    subject text NOT NULL,
    project_code text NOT NULL,
    application_id uuid NOT NULL,
    stage int NOT NULL,
    jurisdiction text NOT NULL,
    clock text NOT NULL,
    started boolean NOT NULL,
    item_id uuid,
    item_code text,
    attempt int NOT NULL,
    department text,
    on_expiry text,
    generation int NOT NULL,
    held boolean NOT NULL,
    fired boolean NOT NULL,
    light text NOT NULL,
    seen int NOT NULL,
    act_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX clocks_act ON clocks (act_at) WHERE act_at IS NOT NULL;
"""
