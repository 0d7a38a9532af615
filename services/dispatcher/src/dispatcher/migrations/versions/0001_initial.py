"""Stage applications as processes, with a line for each item."""

from alembic import op

from chassis.tables import DDL, create

revision = "0001"
down_revision = None


def upgrade() -> None:
    create(op, DDL, TABLES)


TABLES = """
CREATE TABLE processes (
    application_id uuid PRIMARY KEY,
    project_code text NOT NULL,
    stage int NOT NULL,
    process_type int NOT NULL,
    jurisdiction text NOT NULL,
    builder text NOT NULL,
    project_name text NOT NULL,
    submission text NOT NULL,
    materials text NOT NULL,
    policies text NOT NULL,
    applied_at timestamptz NOT NULL,
    limit_days int NOT NULL,
    version int NOT NULL,
    accepted_at timestamptz,
    concluded_at timestamptz
) WITH (fillfactor = 70);

CREATE TABLE lines (
    application_id uuid NOT NULL REFERENCES processes,
    item_code text NOT NULL,
    item_id uuid NOT NULL,
    attempt int NOT NULL,
    department text NOT NULL,
    jurisdiction text NOT NULL,
    after text[] NOT NULL,
    optional boolean NOT NULL,
    state text NOT NULL,
    outcome text,
    opinion text NOT NULL,
    dispatched boolean NOT NULL,
    version int NOT NULL,
    PRIMARY KEY (application_id, item_code)
) WITH (fillfactor = 60);
"""
