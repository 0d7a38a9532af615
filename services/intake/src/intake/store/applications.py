"""Stage applications: what each was admitted under, what intake said of it, how its stage stands."""

from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from chassis.database import Connection, Work
from contracts.codes import CreditCode, JurisdictionCode, ProjectCode
from contracts.dispatcher import StageDispatched
from contracts.intake import StageApplied
from contracts.parts import MaterialRef, Policies
from contracts.terms import Stage, Submission
from intake.domain.documents import Announced
from intake.store.columns import columns
from intake.store.policies import as_text, of_text

_ANNOUNCED: Final = TypeAdapter(Announced)


@dataclass(frozen=True, slots=True)
class Application:
    """A stage application as intake keeps it; `version` counts what intake said of it, `policies` are pinned.

    `received_at`: when its materials were received (收件), online at the declaration; `announced`: its split.
    """

    application_id: UUID
    project_code: ProjectCode
    stage: Stage
    builder: CreditCode
    jurisdiction: JurisdictionCode
    applied_at: datetime
    version: int
    state: str
    result: str | None
    limit_days: int | None
    policies: Policies
    received_at: datetime | None
    announced: Announced | None


@dataclass(frozen=True, slots=True)
class StageStep:
    """What an event of the dispatcher's changes of a stage; None changes nothing. `version` is the dispatcher's."""

    application_id: UUID
    version: int
    state: str | None = None
    result: str | None = None
    passed: bool | None = None
    limit_days: int | None = None
    announced: str | None = None


class Case(NamedTuple):
    """Whose a stage application is, and what it runs under."""

    builder: CreditCode
    policies: Policies


_ADD: Final = """
    WITH added AS (
        INSERT INTO applications (application_id, project_code, stage, builder, jurisdiction, applied_at, policies,
                                  received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $12)
    )
    INSERT INTO given_materials (project_code, application_id, stage, material, sha256, name, size, given_at)
    SELECT $2, $1, $3, m, s, n, z, $6
    FROM unnest($8::text[], $9::text[], $10::text[], $11::bigint[]) WITH ORDINALITY AS g (m, s, n, z, o) ORDER BY o
"""
_CASES: Final = """
    SELECT application_id, builder, policies FROM applications WHERE application_id = ANY($1::uuid[])
"""
_KEEP_STAGES: Final = """
    UPDATE applications a SET stage_version = u.v, state = coalesce(u.s, a.state), result = coalesce(u.r, a.result),
           passed = coalesce(u.p, a.passed), limit_days = coalesce(u.l, a.limit_days),
           announced = coalesce(u.n, a.announced)
    FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::bool[], $6::int[], $7::text[])
         AS u (id, v, s, r, p, l, n)
    WHERE a.application_id = u.id AND a.stage_version < u.v
"""


async def add(work: Work, event: StageApplied, given: Collection[MaterialRef]) -> None:
    """Keep a new stage application, and the materials that were handed in with it, in one statement."""
    about = (event.application_id, event.project_code, event.stage.value, event.builder.uscc)
    values = (*about, event.jurisdiction, event.occurred_at, as_text(event.policies))
    received_at = event.occurred_at if event.submission is Submission.ONLINE else None
    await work.execute(_ADD, *values, *material_columns(given), received_at)


def material_columns(given: Collection[MaterialRef]) -> tuple[list[object], ...]:
    """Return materials as columns: code, SHA-256, name, size."""
    return [m.code for m in given], [m.sha256 for m in given], [m.name for m in given], [m.size for m in given]


async def find(connection: Connection, application_id: UUID, *, lock: bool = False) -> Application | None:
    """Return a stage application, or None; with `lock` held until the unit of work ends."""
    suffix = " FOR UPDATE" if lock else ""
    row = await connection.fetchrow(f"SELECT * FROM applications WHERE application_id = $1{suffix}", application_id)
    return None if row is None else _application(row)


async def of_project(connection: Connection, code: str) -> list[Application]:
    """Return a project's stage applications."""
    rows = await connection.fetch("SELECT * FROM applications WHERE project_code = $1 ORDER BY stage", code)
    return [_application(row) for row in rows]


def _application(row: asyncpg.Record) -> Application:
    return Application(
        application_id=row["application_id"],
        project_code=ProjectCode(row["project_code"]),
        stage=Stage(row["stage"]),
        builder=CreditCode(row["builder"]),
        jurisdiction=JurisdictionCode(row["jurisdiction"]),
        applied_at=row["applied_at"],
        version=row["version"],
        state=row["state"],
        result=row["result"],
        limit_days=row["limit_days"],
        policies=of_text(row["policies"]),
        received_at=row["received_at"],
        announced=None if row["announced"] is None else _ANNOUNCED.validate_json(row["announced"]),
    )


async def next_version(work: Work, application_id: UUID) -> int:
    """Count one more event of an application, and return its number."""
    query = "UPDATE applications SET version = version + 1 WHERE application_id = $1 RETURNING version"
    return await work.fetchval(query, application_id)


async def receive(work: Work, application_id: UUID, at: datetime) -> None:
    """Keep when the window received an application's originals; the first time counts."""
    query = "UPDATE applications SET received_at = coalesce(received_at, $2) WHERE application_id = $1"
    await work.execute(query, application_id, at)


def announced(event: StageDispatched) -> str:
    """Return what a split told, as it is kept."""
    return _ANNOUNCED.dump_json(Announced(event.occurred_at, event.window, event.originals)).decode()


async def cases(work: Work, application_ids: Collection[UUID]) -> dict[UUID, Case]:
    """Return whose the stage applications are, and what each runs under; those of another intake are left out."""
    rows = await work.fetch(_CASES, list(application_ids))
    return {row["application_id"]: Case(CreditCode(row["builder"]), of_text(row["policies"])) for row in rows}


async def keep_stages(work: Work, steps: Iterable[StageStep]) -> None:
    """Take steps of stages in, each stage's in order; a repeat changes nothing."""
    merged: dict[UUID, StageStep] = {}
    for step in steps:
        merged[step.application_id] = _merged(merged.get(step.application_id), step)
    if merged:
        await work.execute(_KEEP_STAGES, *columns(astuple(step) for step in merged.values()))


def _merged(before: StageStep | None, step: StageStep) -> StageStep:
    """An UPDATE takes one row per stage: the steps of one batch become one."""
    if before is None or step.version <= before.version:
        return before or step
    pairs = zip(astuple(step), astuple(before), strict=True)
    return StageStep(*(old if new is None else new for new, old in pairs))
