"""Projects as the 多规合一 platform pushed them, and what their next declaration is judged by."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from chassis.database import Connection, Work
from contracts.codes import CreditCode, JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.parts import Builder, MaterialRef
from contracts.terms import ProcessType, SpecialEffect, Stage
from intake.domain.admission import Handling, Known, Project
from intake.store import policies
from procedure.stages import Declared

_KEEP: Final = """
    INSERT INTO projects (code, version, name, process_type, jurisdiction, builder, builder_name)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (code) DO UPDATE SET version = $2, name = $3, process_type = $4, jurisdiction = $5, builder_name = $7
"""
_KNOWN: Final = """
    SELECT (SELECT json_agg(json_build_array(stage, passed)) FROM applications WHERE project_code = $1) AS declared,
           (SELECT json_agg(json_build_array(material, sha256, name, size))
            FROM (SELECT DISTINCT ON (material) * FROM given_materials WHERE project_code = $1
                  ORDER BY material, number DESC) AS newest) AS held,
           (SELECT json_agg(json_build_array(handling_id, effect, material, promised_on) ORDER BY granted_at)
            FROM special_handlings WHERE project_code = $1 AND stage = $2) AS handlings,
           (SELECT versions FROM policies WHERE effective_at <= $3
            ORDER BY effective_at DESC, published_at DESC LIMIT 1) AS policy
"""


async def find(connection: Connection, code: str, *, lock: bool = False) -> Project | None:
    """Return a project, or None; with `lock` held until the unit of work ends."""
    row = await connection.fetchrow(f"SELECT * FROM projects WHERE code = $1{' FOR UPDATE' if lock else ''}", code)
    return None if row is None else _project(row)


def _project(row: asyncpg.Record) -> Project:
    builder = Builder(uscc=CreditCode(row["builder"]), name=row["builder_name"])
    kind, place = ProcessType(row["process_type"]), JurisdictionCode(row["jurisdiction"])
    return Project(ProjectCode(row["code"]), row["version"], row["name"], kind, place, builder)


async def keep(work: Work, p: Project, version: int) -> None:
    """Keep a project as it was pushed."""
    values = (p.code, version, p.name, p.process_type.value, p.jurisdiction, p.builder.uscc, p.builder.name)
    await work.execute(_KEEP, *values)


async def known(connection: Connection, code: str, stage: Stage, at: datetime) -> Known:
    """Return what a declaration of `stage` at `at` is judged by, in one statement."""
    row = await connection.fetchrow(_KNOWN, code, stage.value, at)
    assert row is not None
    held = [_material(one) for one in _listed(row["held"])]
    return Known(
        declared=[Declared(Stage(stage), passed) for stage, passed in _listed(row["declared"])],
        held={one.code: one for one in held},
        handlings=[_handling(one) for one in _listed(row["handlings"])],
        policy=None if row["policy"] is None else policies.of_text(row["policy"]),
    )


def _listed(text: str | None) -> list[list[Any]]:
    return [] if text is None else orjson.loads(text)


def _material(one: Sequence[Any]) -> MaterialRef:
    code, sha256, name, size = one
    return MaterialRef(code=MaterialCode(code), sha256=Sha256(sha256), name=name, size=size)


def _handling(one: Sequence[Any]) -> Handling:
    handling_id, effect, material, promised_on = one
    code = None if material is None else MaterialCode(material)
    day = None if promised_on is None else date.fromisoformat(promised_on)
    return Handling(UUID(handling_id), SpecialEffect(effect), code, day)
