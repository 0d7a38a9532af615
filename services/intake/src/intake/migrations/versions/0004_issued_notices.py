"""Notices of an item as files, beside its result (Art. 13, 16)."""

from alembic import op

from chassis.tables import create

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    create(op, DDL)


DDL = """
CREATE TABLE issued_notices (
    request_id uuid PRIMARY KEY,
    item_id uuid NOT NULL,
    project_code text NOT NULL,
    application_id uuid NOT NULL,
    stage int NOT NULL,
    item_code text NOT NULL,
    notice text NOT NULL,
    document text NOT NULL,
    issued_at timestamptz NOT NULL
);
CREATE INDEX issued_notices_project ON issued_notices (project_code, document);
"""
