"""Audit chains: how far each is, the roots that closed them, and the seals over the roots (Art. 22)."""

from alembic import op

from chassis.tables import create

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    create(op, TABLES)


TABLES = """
CREATE TABLE audit_heads (
    project_code text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    entries bigint NOT NULL,
    last bytea NOT NULL,
    closed bigint NOT NULL,
    PRIMARY KEY (project_code, topic, partition)
) WITH (fillfactor = 70);

CREATE TABLE audit_roots (
    root text PRIMARY KEY,
    number bigint NOT NULL,
    event text NOT NULL
);
CREATE INDEX audit_roots_number ON audit_roots (number);

CREATE TABLE audit_leaves (
    project_code text NOT NULL,
    root text NOT NULL,
    place int NOT NULL,
    PRIMARY KEY (project_code, root)
);

CREATE TABLE audit_seals (
    root text PRIMARY KEY,
    event text NOT NULL
);
"""
