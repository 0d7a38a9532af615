"""The chapters of every project's story, and the whole read model for comparing two of them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg

from chassis.database import Connection, Work

_CHAPTERS = """
    WITH told AS (
        INSERT INTO chapters (project_code, events) SELECT * FROM unnest($1::text[], $2::text[])
        RETURNING id, project_code)
    INSERT INTO deeds (certificate, last_at, chapter)
    SELECT certificate, at, id
    FROM unnest($3::text[], $4::text[], $5::timestamptz[]) AS done (project_code, certificate, at)
    JOIN told USING (project_code)
"""
NAMING: Final = """
    SELECT project_code, events FROM deeds JOIN chapters ON id = chapter
    WHERE certificate = $1 AND last_at >= coalesce($2::timestamptz, '-infinity') ORDER BY id
"""
TABLES: Final = {
    "project": ("projects", "code"),
    "stage": ("stages", "application_id"),
    "item": ("items", "item_id"),
    "clock": ("shown_clocks", "about"),
    "mark": ("marks", "item_id, kind"),
    "case": ("cases", "case_id"),
    "handling": ("handlings", "handling_id"),
    "consequence": ("consequences", "cause, event_id"),
    "expiry": ("expiry_decisions", "event_id"),
    "signal": ("signals", "signal_id"),
    "rule": ("rules", "rule_id"),
}
"""What a rebuild has to bring back row by row, in one order."""


async def tell(work: Work, stories: Mapping[str, Sequence[str]], deeds: Mapping[tuple[str, str], datetime]) -> None:
    """Add to each project's story the events of one batch: one row a project, whatever the number of events.

    `deeds` are those of them that somebody did: (project, certificate) → the last instant.
    """
    if stories:
        chapters = ["[" + ",".join(events) + "]" for events in stories.values()]
        projects, certificates = [project for project, _ in deeds], [serial for _, serial in deeds]
        await work.execute(_CHAPTERS, list(stories), chapters, projects, certificates, list(deeds.values()))


async def of_project(connection: Connection, project_code: str) -> list[str]:
    """Return the chapters of a project's or a ledger's story, each a JSON array of events, as they came."""
    return (await of_projects(connection, [project_code])).get(project_code, [])


async def of_projects(connection: Connection, codes: Collection[str]) -> dict[str, list[str]]:
    """Return the chapters of several projects' stories."""
    query = "SELECT project_code, events FROM chapters WHERE project_code = ANY($1::text[]) ORDER BY id"
    stories: dict[str, list[str]] = {}
    for row in await connection.fetch(query, list(codes)):
        stories.setdefault(row["project_code"], []).append(row["events"])
    return stories


async def everything(connection: Connection) -> list[asyncpg.Record]:
    """Return every row of the read model that is neither story nor exchange, in one order."""
    selects = (
        f"SELECT '{kind}' AS kind, to_json(t)::text AS row FROM (SELECT * FROM {table} ORDER BY {key}) t"
        for kind, (table, key) in TABLES.items()
    )
    return await connection.fetch(" UNION ALL ".join(selects))


async def stories(connection: Connection) -> list[asyncpg.Record]:
    """Return all chapters."""
    return await connection.fetch("SELECT project_code, events FROM chapters ORDER BY project_code, id")


async def naming(connection: Connection, certificate: str, since: datetime | None) -> dict[str, list[str]]:
    """Return the chapters in which somebody acted under a certificate, since an instant or ever, by project."""
    found: dict[str, list[str]] = {}
    for row in await connection.fetch(NAMING, certificate, since):
        found.setdefault(row["project_code"], []).append(row["events"])
    return found
