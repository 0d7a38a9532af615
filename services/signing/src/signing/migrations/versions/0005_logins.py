"""Logging in with the key: challenges, sessions, refused attempts (Art. 19)."""

from alembic import op

from chassis.tables import create

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    create(op, TABLES)


TABLES = """
CREATE TABLE login_nonces (
    browser bytea PRIMARY KEY,
    nonce text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX login_nonces_expire ON login_nonces (expires_at);

CREATE TABLE login_sessions (
    secret bytea PRIMARY KEY,
    session_id uuid NOT NULL,
    serial text NOT NULL,
    certificate bytea NOT NULL,
    role text NOT NULL,
    jurisdiction text,
    department text,
    uscc text,
    begun_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX login_sessions_serial ON login_sessions (serial);
CREATE INDEX login_sessions_end ON login_sessions (ends_at);

CREATE TABLE login_attempts (
    attempt_id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    serial text,
    code text NOT NULL,
    address text NOT NULL
);
CREATE INDEX login_attempts_at ON login_attempts (at);
"""
