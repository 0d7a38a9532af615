"""What builders were told (Art. 9, 15)."""

from collections.abc import Collection
from typing import Final

import asyncpg

from chassis.database import Connection, Work
from contracts.intake import NoticeSent
from intake.store.columns import columns

_KEEP: Final = """
    INSERT INTO notices (notice_id, builder, project_code, application_id, kind, title, body, article, sent_at)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::timestamptz[])
    ON CONFLICT (notice_id) DO NOTHING RETURNING notice_id
"""


async def keep(work: Work, notices: Collection[NoticeSent]) -> list[NoticeSent]:
    """Keep notices; returns those that are new."""
    if not notices:
        return []
    rows = (
        (
            n.event_id,
            n.builder,
            n.project_code,
            n.application_id,
            n.kind.value,
            n.title,
            n.body,
            n.article,
            n.occurred_at,
        )
        for n in notices
    )
    new = {row["notice_id"] for row in await work.fetch(_KEEP, *columns(rows))}
    return [notice for notice in notices if notice.event_id in new]


async def newest(connection: Connection, builder: str, most: int) -> list[asyncpg.Record]:
    """Return a builder's newest notices."""
    query = "SELECT * FROM notices WHERE builder = $1 ORDER BY sent_at DESC, notice_id LIMIT $2"
    return await connection.fetch(query, builder, most)
