"""首录负责制 (Art. 12): every version of every material of a project, where it is used, who recorded it first; and the
report of who answers for what."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from chassis.identity import requires
from contracts.codes import MaterialCode, ProjectCode, Sha256
from contracts.terms import Role, Stage
from intake import domain, store
from intake.api.office import CodeInPath, Office, Reader
from intake.domain.given import Declaration, FirstRecorder, HandedIn
from intake.domain.progress import Progress
from procedure.authority import Caller

Supervisor = Annotated[Caller, Depends(requires(Role.SUPERVISOR))]


class Recorder(BaseModel):
    """首录人: who checked these bytes against the original first, and answers for it (Art. 12)."""

    holder: str
    certificate: str
    department: str
    jurisdiction: str
    item_code: str
    at: datetime


class UsedBy(BaseModel):
    """An item that goes by these bytes."""

    application_id: UUID
    item_code: str
    name: str
    department: str
    jurisdiction: str


class MaterialVersion(BaseModel):
    """One version of a material: its bytes, when and for what they were handed in first, who recorded them first, and
    which items go by them."""

    sha256: str
    file_name: str
    size: int
    given_at: datetime
    stage: Stage
    item_code: str | None
    first_recorder: Recorder | None
    used_by: list[UsedBy]


class MaterialView(BaseModel):
    code: str
    name: str
    versions: list[MaterialVersion]


class RecordedMaterial(BaseModel):
    """One line of the report 材料 → 首录人."""

    project_code: str
    project_name: str
    material: str
    name: str
    sha256: str
    first_recorder: Recorder


def router(office: Office) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/projects/{code}/materials", summary="项目材料：各版本、首录人、使用事项")
    async def read_materials(caller: Reader, code: CodeInPath) -> list[MaterialView]:
        return await _materials(office, caller, code)

    @routes.get("/reports/first-recorders", summary="材料首录人报表")
    async def read_recorders(
        caller: Supervisor, most: Annotated[int, Query(ge=1, le=1000)] = 200
    ) -> list[RecordedMaterial]:
        async with office.database.reading() as connection:
            rows = await store.given.report(connection, office.places(caller), most)
        return [_recorded(row, office) for row in rows]

    return routes


async def _materials(office: Office, caller: Caller, code: ProjectCode) -> list[MaterialView]:
    """Tell every version of every material of a project, who recorded it first, and which items go by it (Art. 12)."""
    async with office.database.reading() as connection:
        await office.project(connection, code, caller)
        applications = await store.applications.of_project(connection, code)
        handed_in = await store.given.handed_in(connection, code)
        recorders = await store.given.recorders(connection, code)
        items = await store.progress.load(connection, [one.application_id for one in applications])
    declarations = {one.application_id: Declaration(one.applied_at, office.under(one)) for one in applications}
    used = domain.given.uses(items.values(), declarations, handed_in)
    first = {(one.material, one.sha256): one for one in recorders}
    codes = sorted({one.material.code for one in handed_in})
    return [
        MaterialView(
            code=material,
            name=_name(material, declarations.values()),
            versions=[
                _version(one, first.get((material, one.material.sha256)), used, declarations)
                for one in _versions(material, handed_in)
            ],
        )
        for material in codes
    ]


def _versions(material: MaterialCode, handed_in: Iterable[HandedIn]) -> list[HandedIn]:
    """Each version of a material once, as it was handed in first, the newest last."""
    first: dict[Sha256, HandedIn] = {}
    for one in handed_in:
        if one.material.code == material:
            first.setdefault(one.material.sha256, one)
    return list(first.values())


def _name(material: MaterialCode, declarations: Iterable[Declaration]) -> str:
    named = (one.catalogue.materials.get(material) for one in declarations)
    return next((one.name for one in named if one is not None), material)


def _version(
    one: HandedIn,
    first: FirstRecorder | None,
    used: Mapping[tuple[MaterialCode, Sha256], Sequence[Progress]],
    declarations: Mapping[UUID, Declaration],
) -> MaterialVersion:
    items = used.get((one.material.code, one.material.sha256), ())
    return MaterialVersion(
        sha256=one.material.sha256,
        file_name=one.material.name,
        size=one.material.size,
        given_at=one.given_at,
        stage=one.stage,
        item_code=one.item_code,
        first_recorder=None if first is None else _recorder(first),
        used_by=[_used_by(item, declarations[item.application_id]) for item in items],
    )


def _used_by(item: Progress, declaration: Declaration) -> UsedBy:
    return UsedBy(
        application_id=item.application_id,
        item_code=item.item_code,
        name=declaration.catalogue.items[item.item_code].name,
        department=item.department,
        jurisdiction=item.jurisdiction,
    )


def _recorder(first: FirstRecorder) -> Recorder:
    return Recorder(
        holder=first.actor.holder,
        certificate=first.actor.certificate,
        department=first.department,
        jurisdiction=first.jurisdiction,
        item_code=first.item_code,
        at=first.at,
    )


def _recorded(row: Any, office: Office) -> RecordedMaterial:
    first = store.given.recorder(row)
    material = office.city.catalogue.materials.get(first.material)
    return RecordedMaterial(
        project_code=row["project_code"],
        project_name=row["project_name"],
        material=first.material,
        name=first.material if material is None else material.name,
        sha256=first.sha256,
        first_recorder=_recorder(first),
    )
