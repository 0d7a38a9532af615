"""Intake's SQL: projects, applications, materials, the builder's progress and notices."""

from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from chassis.database import Connection, Work
from contracts.codes import CreditCode, ItemCode, JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.intake import NoticeSent, StageApplied
from contracts.parts import Builder, MaterialRef
from contracts.terms import ItemState, Outcome, ProcessType, Stage
from intake.domain import Project, UploadedMaterial
from intake.materials import Stored
from procedure.stages import Declared


@dataclass(frozen=True, slots=True)
class Application:
    """A stage application as intake keeps it; `version` counts what intake said of it."""

    application_id: UUID
    project_code: ProjectCode
    stage: Stage
    builder: CreditCode
    jurisdiction: JurisdictionCode
    version: int
    state: str
    result: str | None
    limit_days: int | None


@dataclass(frozen=True, slots=True)
class StageStep:
    """What an event of the dispatcher's changes of a stage; None changes nothing. `version` is the dispatcher's."""

    application_id: UUID
    version: int
    state: str | None = None
    result: str | None = None
    passed: bool | None = None
    limit_days: int | None = None


class Progress(NamedTuple):
    """One item as the builder sees it (Art. 11)."""

    application_id: UUID
    item_code: ItemCode
    item_id: UUID
    attempt: int
    department: str
    jurisdiction: str
    state: ItemState
    outcome: Outcome | None
    opinion: str
    limit_days: int
    version: int


# Projects -------------------------------------------------------------------------------------------------------


async def project(connection: Connection, code: str, *, lock: bool = False) -> Project | None:
    """Return a project, or None; with `lock` held until the unit of work ends."""
    row = await connection.fetchrow(f"SELECT * FROM projects WHERE code = $1{' FOR UPDATE' if lock else ''}", code)
    return None if row is None else _project(row)


def _project(row: asyncpg.Record) -> Project:
    builder = Builder(uscc=CreditCode(row["builder"]), name=row["builder_name"])
    kind, place = ProcessType(row["process_type"]), JurisdictionCode(row["jurisdiction"])
    return Project(ProjectCode(row["code"]), row["version"], row["name"], kind, place, builder)


async def keep_project(work: Work, p: Project, version: int) -> None:
    """Keep a project as it was pushed."""
    await work.execute(
        """INSERT INTO projects (code, version, name, process_type, jurisdiction, builder, builder_name)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (code) DO UPDATE SET version = $2, name = $3, process_type = $4, jurisdiction = $5,
                                            builder_name = $7""",
        *(p.code, version, p.name, p.process_type.value, p.jurisdiction, p.builder.uscc, p.builder.name),
    )


# Applications ---------------------------------------------------------------------------------------------------


async def declared(work: Work, code: str) -> list[Declared]:
    """Return which stages of a project were declared, and whether they passed."""
    rows = await work.fetch("SELECT stage, passed FROM applications WHERE project_code = $1", code)
    return [Declared(Stage(row["stage"]), row["passed"]) for row in rows]


async def add_application(work: Work, event: StageApplied) -> None:
    """Keep a new stage application with its materials."""
    await work.execute(
        """INSERT INTO applications (application_id, project_code, stage, builder, jurisdiction, applied_at)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        *(event.application_id, event.project_code, event.stage.value, event.builder.uscc),
        *(event.jurisdiction, event.occurred_at),
    )
    await hold_materials(work, event.project_code, event.stage, event.materials)


async def hold_materials(work: Work, code: str, stage: Stage, materials: Collection[MaterialRef]) -> None:
    """Remember what a project has handed in, so that no later stage asks for it again (Art. 8)."""
    if materials:
        await work.execute(
            """INSERT INTO project_materials (project_code, material, sha256, name, size, stage)
               SELECT $1, m, s, n, z, $6 FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) AS g (m, s, n, z)
               ON CONFLICT (project_code, material) DO UPDATE SET sha256 = excluded.sha256, name = excluded.name,
                                                                  size = excluded.size""",
            code,
            [m.code for m in materials],
            [m.sha256 for m in materials],
            [m.name for m in materials],
            [m.size for m in materials],
            stage.value,
        )


async def held_materials(connection: Connection, code: str) -> dict[MaterialCode, MaterialRef]:
    """Return what a project has handed in so far."""
    rows = await connection.fetch("SELECT * FROM project_materials WHERE project_code = $1", code)
    held = [
        MaterialRef(code=MaterialCode(r["material"]), sha256=Sha256(r["sha256"]), name=r["name"], size=r["size"])
        for r in rows
    ]
    return {one.code: one for one in held}


async def application(connection: Connection, application_id: UUID, *, lock: bool = False) -> Application | None:
    """Return a stage application, or None."""
    suffix = " FOR UPDATE" if lock else ""
    row = await connection.fetchrow(f"SELECT * FROM applications WHERE application_id = $1{suffix}", application_id)
    return None if row is None else _application(row)


async def applications_of(connection: Connection, code: str) -> list[Application]:
    """Return a project's stage applications."""
    rows = await connection.fetch("SELECT * FROM applications WHERE project_code = $1 ORDER BY stage", code)
    return [_application(row) for row in rows]


def _application(row: asyncpg.Record) -> Application:
    return Application(
        row["application_id"],
        ProjectCode(row["project_code"]),
        Stage(row["stage"]),
        CreditCode(row["builder"]),
        JurisdictionCode(row["jurisdiction"]),
        row["version"],
        row["state"],
        row["result"],
        row["limit_days"],
    )


async def next_version(work: Work, application_id: UUID) -> int:
    """Count one more event of an application, and return its number."""
    query = "UPDATE applications SET version = version + 1 WHERE application_id = $1 RETURNING version"
    return await work.fetchval(query, application_id)


async def builders(work: Work, application_ids: Collection[UUID]) -> dict[UUID, CreditCode]:
    """Return whose the stage applications are."""
    query = "SELECT application_id, builder FROM applications WHERE application_id = ANY($1::uuid[])"
    rows = await work.fetch(query, list(application_ids))
    return {row["application_id"]: CreditCode(row["builder"]) for row in rows}


# Materials ------------------------------------------------------------------------------------------------------


async def keep_upload(work: Work, owner: str, stored: Stored) -> None:
    """Remember who uploaded which bytes."""
    await work.execute(
        """INSERT INTO uploads (owner, sha256, size, media_type) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING""",
        *(owner, stored.sha256, stored.size, stored.media_type),
    )


async def uploads(connection: Connection, owner: str, digests: Collection[str]) -> dict[Sha256, UploadedMaterial]:
    """Return those of `digests` that `owner` uploaded."""
    query = "SELECT sha256, size, media_type FROM uploads WHERE owner = $1 AND sha256 = ANY($2::text[])"
    rows = await connection.fetch(query, owner, list(digests))
    return {Sha256(row["sha256"]): UploadedMaterial(row["size"], row["media_type"]) for row in rows}


# Progress -------------------------------------------------------------------------------------------------------

_PROGRESS = """application_id, item_code, item_id, attempt, department, jurisdiction, state, outcome, opinion,
    limit_days, version"""
_KEEP_PROGRESS = f"""
    INSERT INTO progress ({_PROGRESS})
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::text[], $10::int[], $11::int[])
    ON CONFLICT (application_id, item_code) DO UPDATE SET
        item_id = excluded.item_id, attempt = excluded.attempt, state = excluded.state, outcome = excluded.outcome,
        opinion = excluded.opinion, version = excluded.version
"""


async def progress(connection: Connection, application_ids: Collection[UUID]) -> dict[tuple[UUID, ItemCode], Progress]:
    """Return the items of stage applications as the builder sees them (positions keep their writers apart)."""
    query = "SELECT * FROM progress WHERE application_id = ANY($1::uuid[]) ORDER BY application_id, item_code"
    rows = [_progress(row) for row in await connection.fetch(query, list(application_ids))]
    return {(row.application_id, row.item_code): row for row in rows}


def _progress(row: asyncpg.Record) -> Progress:
    return Progress(
        row["application_id"],
        ItemCode(row["item_code"]),
        row["item_id"],
        row["attempt"],
        row["department"],
        row["jurisdiction"],
        ItemState(row["state"]),
        None if row["outcome"] is None else Outcome(row["outcome"]),
        row["opinion"],
        row["limit_days"],
        row["version"],
    )


async def keep_progress(work: Work, rows: Collection[Progress]) -> None:
    """Keep items as the builder sees them."""
    if rows:
        await work.execute(_KEEP_PROGRESS, *_columns(_cells(row) for row in rows))


def _cells(p: Progress) -> tuple[Any, ...]:
    outcome = None if p.outcome is None else p.outcome.value
    place = (p.application_id, p.item_code, p.item_id, p.attempt, p.department, p.jurisdiction)
    return (*place, p.state.value, outcome, p.opinion, p.limit_days, p.version)


_KEEP_STAGES = """
    UPDATE applications a SET stage_version = u.v, state = coalesce(u.s, a.state), result = coalesce(u.r, a.result),
           passed = coalesce(u.p, a.passed), limit_days = coalesce(u.l, a.limit_days)
    FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::bool[], $6::int[]) AS u (id, v, s, r, p, l)
    WHERE a.application_id = u.id AND a.stage_version < u.v
"""


async def keep_stages(work: Work, steps: Iterable[StageStep]) -> None:
    """Take steps of stages in, each stage's in order; a repeat changes nothing."""
    merged: dict[UUID, StageStep] = {}
    for step in steps:
        merged[step.application_id] = _merged(merged.get(step.application_id), step)
    if merged:
        await work.execute(_KEEP_STAGES, *_columns(astuple(step) for step in merged.values()))


def _merged(before: StageStep | None, step: StageStep) -> StageStep:
    """An UPDATE takes one row per stage: the steps of one batch become one."""
    if before is None or step.version <= before.version:
        return before or step
    pairs = zip(astuple(step), astuple(before), strict=True)
    return StageStep(*(old if new is None else new for new, old in pairs))


async def keep_notices(work: Work, notices: Collection[NoticeSent]) -> list[NoticeSent]:
    """Keep notices; returns those that are new."""
    if not notices:
        return []
    rows = await work.fetch(
        """INSERT INTO notices (notice_id, builder, project_code, application_id, kind, title, body, article, sent_at)
           SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                                $8::text[], $9::timestamptz[])
           ON CONFLICT (notice_id) DO NOTHING RETURNING notice_id""",
        *_columns(
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
        ),
    )
    new = {row["notice_id"] for row in rows}
    return [notice for notice in notices if notice.event_id in new]


async def notices(connection: Connection, builder: str, most: int) -> list[asyncpg.Record]:
    """Return a builder's newest notices."""
    query = "SELECT * FROM notices WHERE builder = $1 ORDER BY sent_at DESC, notice_id LIMIT $2"
    return await connection.fetch(query, builder, most)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
