"""The whole desk: dossiers, first recorders, urges, special handlings, the calendar's amendments; more of each item."""

from alembic import op

from chassis import calendars
from chassis.tables import create

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create(op, calendars.DDL, TABLES)


TABLES = """
ALTER TABLE items
    ADD COLUMN reviewer text NOT NULL DEFAULT '',
    ADD COLUMN more_corrections int NOT NULL DEFAULT 0,
    ADD COLUMN deferred text NOT NULL DEFAULT '[]',
    ADD COLUMN missing_results text NOT NULL DEFAULT '',
    ADD COLUMN received_at timestamptz,
    ADD COLUMN unverified boolean NOT NULL DEFAULT false;

CREATE TABLE dossiers (
    item_id uuid PRIMARY KEY,
    name text NOT NULL,
    project_name text NOT NULL,
    materials jsonb NOT NULL,
    results jsonb NOT NULL
);

CREATE TABLE first_recorders (
    project_code text NOT NULL,
    code text NOT NULL,
    sha256 text NOT NULL,
    item_id uuid NOT NULL,
    department text NOT NULL,
    jurisdiction text NOT NULL,
    holder text NOT NULL,
    certificate text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (project_code, code, sha256)
);

CREATE TABLE urges (
    urge_id uuid PRIMARY KEY,
    item_id uuid NOT NULL,
    level text NOT NULL,
    message text NOT NULL,
    holder text NOT NULL,
    urged_at timestamptz NOT NULL,
    received_at timestamptz,
    answered_at timestamptz,
    answer text
);
CREATE INDEX urges_item ON urges (item_id, urged_at);

CREATE TABLE special_handlings (
    handling_id uuid PRIMARY KEY,
    item_id uuid NOT NULL,
    effect text NOT NULL
);
"""
