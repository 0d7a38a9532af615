"""Documents that leave the house: the decisions that are registered for a seal, and the seals that were refused."""

from alembic import op

from chassis.tables import create

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    create(op, DDL)


DDL = """
CREATE TABLE decisions (
    request_id uuid PRIMARY KEY,
    item_id uuid NOT NULL,
    item_code text NOT NULL,
    jurisdiction text NOT NULL,
    department text NOT NULL,
    outcome text NOT NULL,
    certificate text NOT NULL,
    decided_at timestamptz NOT NULL,
    special bool NOT NULL
);
CREATE TABLE refused_seals (
    request_id uuid PRIMARY KEY,
    item_id uuid NOT NULL,
    code text NOT NULL,
    refused_at timestamptz NOT NULL
);
"""
