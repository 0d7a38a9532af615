"""Policy versions and what each application is pinned to; every hand-in of a material, its first recorder, who looked;
special handling; withdrawals that wait; the calendar as amended."""

from alembic import op

from chassis import calendars, shown
from chassis.tables import create

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create(op, calendars.DDL, shown.CLOCK_DDL, TABLES)


TABLES = """
CREATE TABLE policies (
    version text PRIMARY KEY,
    versions text NOT NULL,
    effective_at timestamptz NOT NULL,
    document text NOT NULL,
    reason text NOT NULL,
    holder text NOT NULL,
    certificate text NOT NULL,
    published_at timestamptz NOT NULL
);

ALTER TABLE applications ADD COLUMN policies text NOT NULL
    DEFAULT '{"catalogue_version":"2018.1","policy_version":"178/2018","settings":{}}';
ALTER TABLE applications ALTER COLUMN policies DROP DEFAULT;

ALTER TABLE progress ADD COLUMN pauses text NOT NULL DEFAULT '', ADD COLUMN resting text;

CREATE TABLE given_materials (
    project_code text NOT NULL,
    material text NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    application_id uuid NOT NULL,
    stage int NOT NULL,
    item_code text,
    sha256 text NOT NULL,
    name text NOT NULL,
    size bigint NOT NULL,
    given_at timestamptz NOT NULL,
    PRIMARY KEY (project_code, material, number)
);
INSERT INTO given_materials (project_code, application_id, stage, material, sha256, name, size, given_at)
    SELECT m.project_code, application_id, m.stage, material, sha256, name, size, applied_at
    FROM project_materials m JOIN applications a ON a.project_code = m.project_code AND a.stage = m.stage
    ORDER BY applied_at, material;
DROP TABLE project_materials;

CREATE TABLE first_recorders (
    project_code text NOT NULL,
    material text NOT NULL,
    sha256 text NOT NULL,
    holder text NOT NULL,
    certificate text NOT NULL,
    department text NOT NULL,
    jurisdiction text NOT NULL,
    item_code text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (project_code, material, sha256)
);

CREATE TABLE viewed_materials (event_id uuid PRIMARY KEY);

CREATE TABLE special_handlings (
    handling_id uuid PRIMARY KEY,
    project_code text NOT NULL,
    stage int NOT NULL,
    effect text NOT NULL,
    material text,
    promised_on date,
    granted_at timestamptz NOT NULL,
    used_by uuid
);
CREATE INDEX special_handlings_stage ON special_handlings (project_code, stage);
CREATE INDEX special_handlings_used ON special_handlings (used_by);

CREATE TABLE withdrawals (
    request_id uuid PRIMARY KEY,
    application_id uuid NOT NULL REFERENCES applications,
    item_code text NOT NULL,
    item_id uuid NOT NULL,
    reason text NOT NULL,
    holder text NOT NULL,
    certificate text NOT NULL,
    asked_at timestamptz NOT NULL,
    confirmed boolean,
    answer text,
    answered_by text,
    answered_at timestamptz
);
CREATE INDEX withdrawals_application ON withdrawals (application_id);
CREATE UNIQUE INDEX withdrawals_waiting ON withdrawals (item_id) WHERE confirmed IS NULL;
"""
