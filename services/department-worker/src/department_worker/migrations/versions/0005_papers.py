"""Documents that leave the house, on their way to be printed, sealed and filed; and their numbers (文号)."""

from alembic import op

from chassis.tables import create

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    create(op, DDL)


DDL = """
ALTER TABLE dossiers ADD COLUMN builder_name text NOT NULL DEFAULT '';
CREATE TABLE papers (
    request_id uuid PRIMARY KEY,
    item_id uuid NOT NULL,
    kind text NOT NULL,
    decided text NOT NULL,
    traceparent text NOT NULL,
    stand text NOT NULL,
    number text,
    digest text,
    signature bytea,
    signed_at timestamptz,
    file text
);
CREATE INDEX papers_item ON papers (item_id);
CREATE INDEX papers_waiting ON papers (stand, request_id) WHERE stand IN ('DECIDED', 'ANSWERED');
CREATE TABLE paper_numbers (
    series text NOT NULL,
    year int NOT NULL,
    last int NOT NULL,
    PRIMARY KEY (series, year)
);
"""
