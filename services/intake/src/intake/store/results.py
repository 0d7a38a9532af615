"""Intake's SQL of results: the document that each item concluded with, its notices, and every print of one."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from chassis.database import Connection, Work
from contracts.codes import ItemCode, ProjectCode, Sha256
from contracts.department_worker import DocumentIssued, ItemConcluded
from contracts.parts import Actor
from contracts.terms import DocumentKind, Outcome, Stage
from intake.store.columns import columns

_KEEP = """
    INSERT INTO results (item_id, project_code, application_id, stage, item_code, outcome, document, concluded_at)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::text[],
                         $8::timestamptz[])
    ON CONFLICT (item_id) DO NOTHING
"""
_KEEP_NOTICES = """
    INSERT INTO issued_notices (request_id, item_id, project_code, application_id, stage, item_code, notice, document,
                                issued_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::int[], $6::text[], $7::text[], $8::text[],
                         $9::timestamptz[])
    ON CONFLICT (request_id) DO NOTHING
"""
_FILES = """
    SELECT item_id, project_code, application_id, stage, item_code, outcome, NULL AS notice, document,
           concluded_at AS issued_at
    FROM results WHERE project_code = $1
    UNION ALL
    SELECT item_id, project_code, application_id, stage, item_code, NULL, notice, document, issued_at
    FROM issued_notices WHERE project_code = $1
"""
_OF_PROJECT = f"""
    SELECT f.*, (SELECT count(*) FROM prints p WHERE p.item_id = f.item_id AND p.document = f.document) AS prints
    FROM ({_FILES}) AS f ORDER BY issued_at, item_id
"""
_FIND = f"SELECT * FROM ({_FILES}) AS f WHERE document = $2"
_PRINT = """
    INSERT INTO prints (item_id, document, holder, certificate, printed_at) VALUES ($1, $2, $3, $4, $5)
    RETURNING number
"""


class Result(NamedTuple):
    """What an item concluded with, or a notice of one of its steps: it has an outcome, or is a notice of a kind."""

    item_id: UUID
    project_code: ProjectCode
    application_id: UUID
    stage: Stage
    item_code: ItemCode
    outcome: Outcome | None
    notice: DocumentKind | None
    document: Sha256
    issued_at: datetime


async def keep(work: Work, concluded: Iterable[ItemConcluded]) -> None:
    """Keep which document each item concluded with; a repeat changes nothing."""
    rows = [_row(event) for event in concluded if event.document is not None]
    if rows:
        await work.execute(_KEEP, *columns(rows))


async def keep_notices(work: Work, issued: Iterable[DocumentIssued]) -> None:
    """Keep which notices of items there are; a repeat changes nothing."""
    rows = [_notice_row(event) for event in issued]
    if rows:
        await work.execute(_KEEP_NOTICES, *columns(rows))


async def of_project(connection: Connection, code: str) -> list[tuple[Result, int]]:
    """Return the results and notices of a project, the oldest first, each with how often it was printed."""
    return [(_result(row), row["prints"]) for row in await connection.fetch(_OF_PROJECT, code)]


async def find(connection: Connection, code: str, document: Sha256) -> Result | None:
    """Return the project's result or notice that has this document, or None."""
    row = await connection.fetchrow(_FIND, code, document)
    return None if row is None else _result(row)


async def print_out(work: Work, result: Result, actor: Actor, at: datetime) -> int:
    """Log a print and return its number."""
    who = (actor.holder, actor.certificate)
    return await work.fetchval(_PRINT, result.item_id, result.document, *who, at)


def _row(e: ItemConcluded) -> tuple[Any, ...]:
    what = (e.item_id, e.project_code, e.application_id, e.stage.value, e.item_code)
    return (*what, e.outcome.value, e.document, e.at)


def _notice_row(e: DocumentIssued) -> tuple[Any, ...]:
    what = (e.item_id, e.project_code, e.application_id, e.stage.value, e.item_code)
    return (e.request_id, *what, e.kind.value, e.document, e.at)


def _result(row: asyncpg.Record) -> Result:
    return Result(
        item_id=row["item_id"],
        project_code=ProjectCode(row["project_code"]),
        application_id=row["application_id"],
        stage=Stage(row["stage"]),
        item_code=ItemCode(row["item_code"]),
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        notice=None if row["notice"] is None else DocumentKind(row["notice"]),
        document=Sha256(row["document"]),
        issued_at=row["issued_at"],
    )
