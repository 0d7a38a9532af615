"""Refused logins of ten minutes that are alike are one line, and are told: nobody fills a disk by being refused."""

from alembic import op

from chassis.tables import create

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    create(op, DDL)


DDL = """
ALTER TABLE login_attempts ADD COLUMN times integer NOT NULL DEFAULT 1;
ALTER TABLE login_attempts ADD COLUMN told boolean NOT NULL DEFAULT true;
ALTER TABLE login_attempts ALTER COLUMN times DROP DEFAULT;
ALTER TABLE login_attempts ALTER COLUMN told DROP DEFAULT;
CREATE INDEX login_attempts_untold ON login_attempts (at) WHERE NOT told;
"""
