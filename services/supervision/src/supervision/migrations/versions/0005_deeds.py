"""Under which certificate what was done: the chapters that tell of it, found without reading the others (Art. 20)."""

from alembic import op

from chassis.tables import create

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    create(op, TABLES, FILLED)


TABLES = """
CREATE TABLE deeds (
    certificate text NOT NULL,
    last_at timestamptz NOT NULL,
    chapter bigint NOT NULL,
    PRIMARY KEY (certificate, last_at, chapter)
);
"""
FILLED = """
INSERT INTO deeds (certificate, last_at, chapter)
SELECT told #>> '{event,actor,certificate}', max((told #>> '{event,occurred_at}')::timestamptz), id
FROM chapters, json_array_elements(events::json) AS told
WHERE told #>> '{event,actor,certificate}' IS NOT NULL
GROUP BY 1, id;
"""
