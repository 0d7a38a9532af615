"""Clocks with their readings, reminders and what was said of them; the calendar's amendments; idempotency keys.

The rows follow from the topics. They are not converted: the timer makes them anew from the beginning, and finds on its
own topic what it has said (`timer.restoring`).
"""

from alembic import op

from chassis import calendars
from chassis.tables import IDEMPOTENCY_DDL, create

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create(op, "DROP TABLE clocks;\nDELETE FROM parked;\nDELETE FROM positions", TABLES, calendars.DDL, IDEMPOTENCY_DDL)


TABLES = """
CREATE TABLE clocks (
    application_id uuid NOT NULL,
    about uuid NOT NULL,
    partition int NOT NULL,
    project_code text NOT NULL,
    stage int NOT NULL,
    jurisdiction text NOT NULL,
    versions text NOT NULL,
    item_code text,
    attempt int NOT NULL,
    department text,
    on_expiry text,
    lane int NOT NULL,
    split text,
    subject text NOT NULL,
    began int NOT NULL,
    limit_days int NOT NULL,
    extended_days int NOT NULL,
    started_at timestamptz,
    pauses text,
    ended_at timestamptz,
    ended text,
    open text,
    held boolean NOT NULL,
    reminders text,
    outcome text,
    seen int NOT NULL,
    due_at timestamptz,
    light text NOT NULL,
    told timestamptz,
    generation int NOT NULL,
    expires_at timestamptz,
    reckoned text NOT NULL,
    act_at timestamptz,
    PRIMARY KEY (application_id, about)
) WITH (fillfactor = 70);
CREATE INDEX clocks_act ON clocks (partition, act_at, lane) WHERE act_at IS NOT NULL;
"""
