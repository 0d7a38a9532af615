"""Projects: pushed by the 多规合一 platform (Art. 4), and 统一征询, what each stage needs (Art. 7, 8)."""

from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from chassis import idempotency
from chassis.database import Work
from chassis.idempotency import Answer, Key
from chassis.identity import requires
from contracts import topics
from contracts.codes import ItemCode, JurisdictionCode, MaterialCode, ProjectCode
from contracts.envelope import Line, derived_id
from contracts.parts import Builder, Policies
from contracts.terms import ProcessType, Role, Stage
from intake import domain, store
from intake.api.office import CodeInPath, Given, IdempotencyKey, Office, Reader
from intake.domain.admission import Project
from procedure.authority import Caller
from procedure.catalogue import Catalogue

Platform = Annotated[Caller, Depends(requires(Role.PLATFORM))]


class PushedProject(Given):
    """A project as the 多规合一 platform generated it (Art. 4)."""

    name: Line
    process_type: ProcessType
    jurisdiction: JurisdictionCode
    builder: Builder


class NeededMaterial(BaseModel):
    code: str
    name: str
    how: str


class NeededItem(BaseModel):
    code: str
    name: str
    department: str
    limit_days: int
    after: list[str]
    materials: list[NeededMaterial]


class NeededStage(BaseModel):
    """What a stage needs under the versions that it was admitted under, or would be now."""

    stage: Stage
    name: str
    limit_days: int
    catalogue_version: str
    policy_version: str
    items: list[NeededItem]


class Inquiry(BaseModel):
    """统一征询: what each stage needs (Art. 7)."""

    project_code: str
    stages: list[NeededStage]


def router(office: Office) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.put("/projects/{code}", summary="多规合一平台推送项目", status_code=201)
    async def push_project(
        request: Request, caller: Platform, code: CodeInPath, body: PushedProject, key: IdempotencyKey
    ) -> Response:
        return await office.once(request, caller, key, body.model_dump_json(), _push, office, caller, code, body)

    @routes.get("/projects/{code}/inquiry", summary="统一征询")
    async def read_inquiry(caller: Reader, code: CodeInPath) -> Inquiry:
        return await _inquire(office, caller, code)

    return routes


async def _push(work: Work, key: Key, office: Office, caller: Caller, code: ProjectCode, body: PushedProject) -> Answer:
    """The 多规合一 platform pushes a project; the same push twice is one project (Art. 4)."""
    project = Project(code, 1, body.name, body.process_type, body.jurisdiction, body.builder)
    known = await store.projects.find(work.connection, code, lock=True)
    cause = derived_id("push", key.caller, key.key)
    event = domain.admission.pushed(project, known, caller.actor, cause, office.now())
    if event is not None:
        await store.projects.keep(work, project, event.version)
        work.say(topics.PROJECTS, event)
    version = event.version if event is not None else known.version if known is not None else 1
    return await idempotency.remember(
        work, key, 201 if known is None else 200, {"project_code": code, "version": version}
    )


async def _inquire(office: Office, caller: Caller, code: ProjectCode) -> Inquiry:
    """Tell for each stage its items and materials, and what is held already (Art. 7, 8): a declared stage by the
    catalogue that it was admitted under, the others by the one in force."""
    at = office.now()
    async with office.database.reading() as connection:
        project = await office.project(connection, code, caller)
        applications = await store.applications.of_project(connection, code)
        known = await store.projects.known(connection, code, Stage.LAND_USE, at)
    now = domain.policies.pinned(known.policy, office.city.catalogue, at)
    pinned = {one.stage: one.policies for one in applications}
    stages = sorted(office.city.under(now).stages)
    needed = [_needed(office, stage, project, pinned.get(stage, now), known.held) for stage in stages]
    return Inquiry(project_code=code, stages=needed)


def _needed(
    office: Office, stage: Stage, project: Project, versions: Policies, held: Collection[MaterialCode]
) -> NeededStage:
    catalogue = office.city.under(versions)
    items = [
        NeededItem(
            code=rule.code,
            name=rule.name,
            department=catalogue.departments[rule.department],
            limit_days=rule.limit_days,
            after=list(catalogue.after(rule, project.process_type)),
            materials=[_material(code, held, catalogue) for code in rule.materials]
            + [_result(code, catalogue) for code in rule.results],
        )
        for rule in catalogue.items_of(stage, project.process_type)
    ]
    return NeededStage(
        stage=stage,
        name=catalogue.stages[stage].name,
        limit_days=catalogue.limit(project.process_type, stage),
        catalogue_version=versions.catalogue_version,
        policy_version=versions.policy_version,
        items=items,
    )


def _material(code: MaterialCode, held: Collection[MaterialCode], catalogue: Catalogue) -> NeededMaterial:
    material = catalogue.materials[code]
    how = "填写表单" if material.source == "form" else "已有，无需重复提交" if code in held else "提交"
    return NeededMaterial(code=code, name=material.name, how=how)


def _result(code: ItemCode, catalogue: Catalogue) -> NeededMaterial:
    return NeededMaterial(code=code, name=catalogue.items[code].result, how="部门流转")
