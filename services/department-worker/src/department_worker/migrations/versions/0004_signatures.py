"""Signatures by officers' own keys over 批准 and 办结, and the nonces that they answer (Art. 19, 20)."""

from alembic import op

from chassis.tables import create

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    create(op, TABLES)


TABLES = """
CREATE TABLE step_nonces (
    nonce text PRIMARY KEY,
    certificate text NOT NULL,
    session text NOT NULL,
    item_id uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX step_nonces_expire ON step_nonces (expires_at);

CREATE TABLE step_signatures (
    digest text PRIMARY KEY,
    item_id uuid NOT NULL,
    serial text NOT NULL,
    text text NOT NULL,
    algorithm text NOT NULL,
    certificate bytea NOT NULL,
    signature bytea NOT NULL,
    signed_at timestamptz NOT NULL
);
CREATE INDEX step_signatures_item ON step_signatures (item_id);
"""
