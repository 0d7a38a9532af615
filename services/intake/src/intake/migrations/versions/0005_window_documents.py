"""Documents of the window, made when they are asked for: what each tells of, which were asked for, which were printed.

Stages that were declared or split before this revision have no instant of receipt and no notice to print.
"""

from alembic import op

from chassis.tables import create

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    create(op, DDL)


DDL = """
ALTER TABLE applications ADD COLUMN received_at timestamptz;
ALTER TABLE applications ADD COLUMN announced text;
CREATE TABLE window_documents (
    request_id uuid PRIMARY KEY,
    application_id uuid NOT NULL REFERENCES applications,
    kind text NOT NULL,
    asked_at timestamptz NOT NULL,
    document text,
    issued_at timestamptz
);
CREATE TABLE window_prints (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id uuid NOT NULL REFERENCES window_documents,
    holder text NOT NULL,
    certificate text NOT NULL,
    printed_at timestamptz NOT NULL
);
CREATE INDEX window_prints_request ON window_prints (request_id);
"""
