"""Projects, stage applications, materials, progress, notices."""

from alembic import op

from chassis import shown
from chassis.tables import DDL, IDEMPOTENCY_DDL, create

revision = "0001"
down_revision = None


def upgrade() -> None:
    create(op, DDL, IDEMPOTENCY_DDL, shown.DDL, TABLES)


TABLES = """
CREATE TABLE projects (
    code text PRIMARY KEY,
    version int NOT NULL,
    name text NOT NULL,
    process_type int NOT NULL,
    jurisdiction text NOT NULL,
    builder text NOT NULL,
    builder_name text NOT NULL
);

CREATE TABLE applications (
    application_id uuid PRIMARY KEY,
    project_code text NOT NULL REFERENCES projects,
    stage int NOT NULL,
    builder text NOT NULL,
    jurisdiction text NOT NULL,
    applied_at timestamptz NOT NULL,
    version int NOT NULL DEFAULT 1,
    stage_version int NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'APPLIED',
    result text,
    passed boolean,
    limit_days int,
    UNIQUE (project_code, stage)
) WITH (fillfactor = 70);

CREATE TABLE uploads (
    owner text NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    media_type text NOT NULL,
    PRIMARY KEY (owner, sha256)
);

CREATE TABLE project_materials (
    project_code text NOT NULL,
    material text NOT NULL,
    sha256 text NOT NULL,
    name text NOT NULL,
    size bigint NOT NULL,
    stage int NOT NULL,
    PRIMARY KEY (project_code, material)
);

CREATE TABLE progress (
    application_id uuid NOT NULL REFERENCES applications,
    item_code text NOT NULL,
    item_id uuid NOT NULL,
    attempt int NOT NULL,
    department text NOT NULL,
    jurisdiction text NOT NULL,
    state text NOT NULL,
    outcome text,
    opinion text NOT NULL,
    limit_days int NOT NULL,
    version int NOT NULL,
    PRIMARY KEY (application_id, item_code)
) WITH (fillfactor = 60);

CREATE TABLE notices (
    notice_id uuid PRIMARY KEY,
    builder text NOT NULL,
    project_code text NOT NULL,
    application_id uuid NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    article text NOT NULL,
    sent_at timestamptz NOT NULL
);
CREATE INDEX notices_builder ON notices (builder, sent_at DESC);
"""
