"""The chapters of every project's story, and the whole read model for comparing two of them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import asyncpg

from chassis.database import Connection, Work

_CHAPTERS = """
    INSERT INTO chapters (project_code, events)
    SELECT * FROM unnest($1::text[], $2::text[])
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


async def tell(work: Work, stories: Mapping[str, Sequence[str]]) -> None:
    """Add to each project's story the events of one batch: one row a project, whatever the number of events."""
    if stories:
        chapters = ["[" + ",".join(events) + "]" for events in stories.values()]
        await work.execute(_CHAPTERS, list(stories), chapters)


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


async def naming(connection: Connection, certificate: str) -> dict[str, list[str]]:
    """Return the chapters that name a certificate, by project. It reads every chapter: asked when a key was lost."""
    query = "SELECT project_code, events FROM chapters WHERE position($1 IN events) > 0 ORDER BY id"
    found: dict[str, list[str]] = {}
    for row in await connection.fetch(query, f'"{certificate}"'):
        found.setdefault(row["project_code"], []).append(row["events"])
    return found
