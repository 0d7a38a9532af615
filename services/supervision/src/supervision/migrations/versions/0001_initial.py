"""Stories by project, items with their lights, stages."""

from alembic import op

from chassis import shown
from chassis.tables import DDL, IDEMPOTENCY_DDL, create

revision = "0001"
down_revision = None


def upgrade() -> None:
    create(op, DDL, IDEMPOTENCY_DDL, shown.DDL, TABLES)


TABLES = """
CREATE TABLE chapters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_code text NOT NULL,
    events text NOT NULL
);
ALTER TABLE chapters ALTER COLUMN events SET STORAGE EXTERNAL;
CREATE INDEX chapters_project ON chapters (project_code, id);

CREATE TABLE stages (
    application_id uuid PRIMARY KEY,
    project_code text NOT NULL,
    stage int NOT NULL,
    jurisdiction text,
    version int NOT NULL,
    state text,
    result text
) WITH (fillfactor = 70);
CREATE INDEX stages_project ON stages (project_code);

CREATE TABLE items (
    item_id uuid PRIMARY KEY,
    project_code text NOT NULL,
    application_id uuid NOT NULL,
    stage int NOT NULL,
    item_code text NOT NULL,
    attempt int NOT NULL,
    department text NOT NULL,
    jurisdiction text NOT NULL,
    state text NOT NULL,
    outcome text,
    version int NOT NULL,
    limit_days int NOT NULL
) WITH (fillfactor = 60);
CREATE INDEX shown_clocks_lit ON shown_clocks (light, due_at) WHERE light IN ('RED', 'YELLOW');
"""
