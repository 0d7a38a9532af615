"""Materials: who uploaded which bytes, what was handed in for what, what is promised, who recorded it first (Art. 8,
12, 17)."""

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from chassis.database import Connection, Work
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, MaterialCode, Sha256
from contracts.department_worker import MaterialsRecorded
from contracts.intake import MaterialViewed
from contracts.parts import AboutStage, Actor, MaterialRef
from contracts.supervision import SpecialHandlingGranted
from contracts.terms import Stage
from intake.domain.given import FirstRecorder, HandedIn, Promise, UploadedMaterial
from intake.materials import Stored
from intake.store.applications import Application, material_columns
from intake.store.columns import columns

_UPLOADS: Final = "SELECT sha256, size, media_type FROM uploads WHERE owner = $1 AND sha256 = ANY($2::text[])"
_ADD: Final = """
    INSERT INTO given_materials (project_code, application_id, stage, item_code, given_at, material, sha256, name, size)
    SELECT $1, $2, $3, $4, $5, m, s, n, z
    FROM unnest($6::text[], $7::text[], $8::text[], $9::bigint[]) WITH ORDINALITY AS g (m, s, n, z, o) ORDER BY o
"""
_RECORD: Final = """
    INSERT INTO first_recorders
        (project_code, material, sha256, holder, certificate, department, jurisdiction, item_code, recorded_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::timestamptz[])
    ON CONFLICT DO NOTHING
"""
_REPORT: Final = """
    SELECT r.*, p.name AS project_name FROM first_recorders r JOIN projects p ON p.code = r.project_code
    WHERE p.jurisdiction = ANY($1::text[]) ORDER BY recorded_at DESC, project_code, material LIMIT $2
"""
_GRANT: Final = """
    INSERT INTO special_handlings (handling_id, project_code, stage, effect, material, promised_on, granted_at)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::text[], $6::date[], $7::timestamptz[])
    ON CONFLICT DO NOTHING
"""
_USE: Final = "UPDATE special_handlings SET used_by = $1 WHERE handling_id = ANY($2::uuid[])"
_PROMISES: Final = """
    SELECT used_by, s.material, promised_on, min(given_at) AS given_at
    FROM special_handlings s JOIN applications a ON a.application_id = used_by
         LEFT JOIN given_materials g ON (g.project_code, g.material) = (s.project_code, s.material)
                                        AND given_at >= applied_at
    WHERE used_by = ANY($1::uuid[]) AND s.material IS NOT NULL
    GROUP BY used_by, s.material, promised_on ORDER BY s.material
"""


async def keep_upload(work: Work, owner: str, stored: Stored) -> None:
    """Remember who uploaded which bytes."""
    query = "INSERT INTO uploads (owner, sha256, size, media_type) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
    await work.execute(query, owner, stored.sha256, stored.size, stored.media_type)


async def uploads(connection: Connection, owner: str, digests: Collection[str]) -> dict[Sha256, UploadedMaterial]:
    """Return those of `digests` that `owner` uploaded."""
    rows = await connection.fetch(_UPLOADS, owner, list(digests)) if digests else []
    return {Sha256(row["sha256"]): UploadedMaterial(row["size"], row["media_type"]) for row in rows}


async def add(
    work: Work, application: Application, item_code: ItemCode | None, event: AboutStage, given: Sequence[MaterialRef]
) -> None:
    """Keep what was handed in after the declaration: for one item, or (None) for the stage; no stage asks for it again
    (Art. 8)."""
    if given:
        about = (application.project_code, application.application_id, application.stage.value, item_code)
        await work.execute(_ADD, *about, event.occurred_at, *material_columns(given))


async def handed_in(connection: Connection, code: str) -> list[HandedIn]:
    """Return everything that was handed in for a project, in order."""
    rows = await connection.fetch("SELECT * FROM given_materials WHERE project_code = $1 ORDER BY number", code)
    return [_handed_in(row) for row in rows]


def _handed_in(row: asyncpg.Record) -> HandedIn:
    material = MaterialRef(
        code=MaterialCode(row["material"]), sha256=Sha256(row["sha256"]), name=row["name"], size=row["size"]
    )
    item_code = None if row["item_code"] is None else ItemCode(row["item_code"])
    return HandedIn(row["number"], row["application_id"], Stage(row["stage"]), item_code, material, row["given_at"])


# First recorders ------------------------------------------------------------------------------------------------


async def record(work: Work, events: Collection[MaterialsRecorded]) -> None:
    """Keep who checked which bytes first; whoever comes later changes nothing (Art. 12)."""
    rows = [_recorded(event, material) for event in events for material in event.materials]
    if rows:
        await work.execute(_RECORD, *columns(rows))


def _recorded(event: MaterialsRecorded, material: MaterialRef) -> tuple[Any, ...]:
    actor = (event.actor.holder, event.actor.certificate)
    place = (event.department, event.jurisdiction, event.item_code, event.at)
    return (event.project_code, material.code, material.sha256, *actor, *place)


async def recorders(connection: Connection, code: str) -> list[FirstRecorder]:
    """Return who recorded a project's materials first."""
    rows = await connection.fetch("SELECT * FROM first_recorders WHERE project_code = $1", code)
    return [recorder(row) for row in rows]


async def report(connection: Connection, places: Sequence[str], most: int) -> list[asyncpg.Record]:
    """Return who recorded what first in `places`, the newest first."""
    return await connection.fetch(_REPORT, list(places), most)


def recorder(row: asyncpg.Record) -> FirstRecorder:
    return FirstRecorder(
        material=MaterialCode(row["material"]),
        sha256=Sha256(row["sha256"]),
        actor=Actor(holder=row["holder"], certificate=row["certificate"]),
        department=DepartmentCode(row["department"]),
        jurisdiction=JurisdictionCode(row["jurisdiction"]),
        item_code=ItemCode(row["item_code"]),
        at=row["recorded_at"],
    )


async def view(work: Work, event: MaterialViewed) -> bool:
    """Keep that an officer opened a material; False when that is known."""
    query = "INSERT INTO viewed_materials (event_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING event_id"
    return await work.fetchval(query, event.event_id) is not None


# Special handling -----------------------------------------------------------------------------------------------


async def grant(work: Work, events: Collection[SpecialHandlingGranted]) -> None:
    """Keep special handlings for the declarations that will need them (Art. 17); a repeat changes nothing."""
    if events:
        await work.execute(_GRANT, *columns(map(_granted, events)))


def _granted(event: SpecialHandlingGranted) -> tuple[Any, ...]:
    about = (event.handling_id, event.project_code, event.stage.value, event.effect.value)
    return (*about, event.material, event.promised_on, event.occurred_at)


async def use(work: Work, application_id: UUID, handlings: Collection[UUID]) -> None:
    """Remember which special handlings a declaration needed."""
    if handlings:
        await work.execute(_USE, application_id, list(handlings))


async def promises(connection: Connection, application_ids: Collection[UUID]) -> dict[UUID, list[Promise]]:
    """Return what was promised at stage applications, and when it came."""
    found: dict[UUID, list[Promise]] = {}
    for row in await connection.fetch(_PROMISES, list(application_ids)):
        promise = Promise(MaterialCode(row["material"]), row["promised_on"], row["given_at"])
        found.setdefault(row["used_by"], []).append(promise)
    return found
