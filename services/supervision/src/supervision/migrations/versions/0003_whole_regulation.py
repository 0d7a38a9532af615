"""Marks, cases, special handlings, signs, rules and the national exchange; what a stage was declared as.

All of it follows from the topics, of the past too: what stands is wiped and read again from the beginning.
"""

from alembic import op

from chassis import calendars
from chassis.tables import create

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    create(op, calendars.DDL, TABLES)


TABLES = """
TRUNCATE chapters, stages, items, shown_clocks, parked, positions;

ALTER TABLE stages
    ALTER COLUMN jurisdiction SET NOT NULL,
    ADD COLUMN process_type int NOT NULL,
    ADD COLUMN submission text NOT NULL,
    ADD COLUMN catalogue_version text NOT NULL;

ALTER TABLE items
    ADD COLUMN received_at timestamptz,
    ADD COLUMN accepted_at timestamptz,
    ADD COLUMN corrections int NOT NULL,
    ADD COLUMN resting text NOT NULL,
    ADD COLUMN closed text,
    ADD COLUMN reported int NOT NULL,
    ADD COLUMN last_reported int NOT NULL;
CREATE INDEX items_application ON items (application_id);

CREATE TABLE projects (
    code text PRIMARY KEY,
    version int NOT NULL,
    process_type int NOT NULL,
    jurisdiction text NOT NULL
);

CREATE TABLE marks (
    item_id uuid NOT NULL,
    kind text NOT NULL,
    event_id uuid NOT NULL,
    project_code text NOT NULL,
    since timestamptz NOT NULL,
    due_at timestamptz,
    detail text NOT NULL,
    PRIMARY KEY (item_id, kind)
);

CREATE TABLE cases (
    case_id uuid PRIMARY KEY,
    kind text NOT NULL,
    state text NOT NULL,
    project_code text NOT NULL,
    application_id uuid NOT NULL,
    stage int NOT NULL,
    item_id uuid,
    item_code text,
    department text NOT NULL,
    jurisdiction text NOT NULL,
    level text NOT NULL,
    words text NOT NULL,
    opened_at timestamptz NOT NULL,
    due_at timestamptz,
    acts text NOT NULL
);
CREATE INDEX cases_kind ON cases (kind, opened_at);

CREATE TABLE handlings (
    handling_id uuid PRIMARY KEY,
    project_code text NOT NULL,
    item_id uuid,
    jurisdiction text NOT NULL,
    granted_at timestamptz NOT NULL,
    event text NOT NULL
);
CREATE INDEX handlings_age ON handlings (granted_at);

CREATE TABLE consequences (
    cause uuid NOT NULL,
    event_id uuid NOT NULL,
    project_code text NOT NULL,
    what text NOT NULL,
    at timestamptz NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (cause, event_id)
);

CREATE TABLE expiry_decisions (
    event_id uuid PRIMARY KEY,
    item_id uuid NOT NULL,
    event text NOT NULL
);
CREATE INDEX expiry_decisions_item ON expiry_decisions (item_id);

CREATE TABLE signals (
    signal_id uuid PRIMARY KEY,
    kind text NOT NULL,
    item_id uuid NOT NULL,
    jurisdiction text NOT NULL,
    raised_at timestamptz NOT NULL,
    event text NOT NULL
);
CREATE INDEX signals_age ON signals (raised_at);

CREATE TABLE unjudged (
    item_id uuid PRIMARY KEY,
    project_code text NOT NULL,
    partition int NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE nights (
    event_id uuid PRIMARY KEY,
    certificate text NOT NULL,
    holder text NOT NULL,
    at timestamptz NOT NULL,
    project_code text NOT NULL,
    application_id uuid NOT NULL,
    stage int NOT NULL,
    item_id uuid NOT NULL,
    item_code text NOT NULL,
    attempt int NOT NULL,
    department text NOT NULL,
    jurisdiction text NOT NULL,
    day date NOT NULL,
    judged boolean NOT NULL DEFAULT false
);
CREATE INDEX nights_holder ON nights (certificate, day);
CREATE INDEX nights_unjudged ON nights (judged) WHERE NOT judged;

CREATE TABLE rules (
    rule_id uuid PRIMARY KEY,
    kind text NOT NULL,
    jurisdiction text NOT NULL,
    said_at timestamptz,
    effective_at timestamptz NOT NULL,
    until timestamptz,
    who text NOT NULL,
    document text NOT NULL,
    effect text NOT NULL
);

CREATE TABLE exchange (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_code text NOT NULL,
    catalogue_version text UNIQUE,
    written_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    told text NOT NULL
);
ALTER TABLE exchange ALTER COLUMN told SET STORAGE EXTERNAL;
"""
