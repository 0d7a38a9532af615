"""Items with their clocks, registered documents, idempotency keys."""

from alembic import op

from chassis.tables import DDL, IDEMPOTENCY_DDL, create

revision = "0001"
down_revision = None


def upgrade() -> None:
    create(op, DDL, IDEMPOTENCY_DDL, TABLES)


TABLES = """
CREATE TABLE window_receipts (
    application_id uuid PRIMARY KEY,
    event_id uuid,
    received_at timestamptz,
    holder text,
    certificate text
);

CREATE TABLE items (
    item_id uuid PRIMARY KEY,
    project_code text NOT NULL,
    application_id uuid NOT NULL,
    stage int NOT NULL,
    item_code text NOT NULL,
    attempt int NOT NULL,
    department text NOT NULL,
    jurisdiction text NOT NULL,
    kind text NOT NULL,
    limit_days int NOT NULL,
    on_expiry text NOT NULL,
    builder text NOT NULL,
    versions text NOT NULL,
    applied_at timestamptz NOT NULL,
    state text NOT NULL,
    version int NOT NULL,
    clock text,
    before_pause text,
    corrections int NOT NULL,
    decision text,
    outcome text,
    on_desk boolean NOT NULL,
    due_at timestamptz
) WITH (fillfactor = 60);
CREATE INDEX items_application ON items (application_id);
CREATE INDEX items_desk ON items (jurisdiction, department, due_at) WHERE on_desk;

CREATE TABLE documents (
    request_id uuid PRIMARY KEY,
    item_id uuid NOT NULL,
    kind text NOT NULL,
    digest text NOT NULL,
    content bytea NOT NULL
);
CREATE INDEX documents_item ON documents (item_id);
"""
