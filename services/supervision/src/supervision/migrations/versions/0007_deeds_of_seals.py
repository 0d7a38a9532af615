"""What a seal's key sealed is among the deeds: when it is lost, that is what has to be looked at again (Art. 20)."""

from alembic import op

from chassis.tables import create

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    create(op, FILLED)


FILLED = """
INSERT INTO deeds (certificate, last_at, chapter)
SELECT told #>> '{event,certificate}', max((told #>> '{event,occurred_at}')::timestamptz), id
FROM chapters, json_array_elements(events::json) AS told
WHERE told ->> 'type' = 'SealCompleted'
GROUP BY 1, id
ON CONFLICT DO NOTHING;
"""
