"""The stage as a process, whole: when an item ended, material promised for later, decisions from outside, results."""

from alembic import op

from chassis.tables import create

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create(op, TABLES)


TABLES = """
ALTER TABLE processes ADD COLUMN deferred text NOT NULL DEFAULT '[]';

ALTER TABLE lines ADD COLUMN ended_at timestamptz;

CREATE TABLE results (
    project_code text NOT NULL,
    item_code text NOT NULL,
    item_id uuid,
    outcome text,
    document text,
    awaited_by uuid[] NOT NULL,
    PRIMARY KEY (project_code, item_code)
) WITH (fillfactor = 80);

CREATE TABLE decisions (
    decision_id uuid PRIMARY KEY,
    took_effect_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""
