"""Intake over HTTP: the 多规合一 platform pushes, builders declare and ask, the window receives and issues."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import idempotency, shown
from chassis.database import Database, Work
from chassis.http import traceparent_of
from chassis.idempotency import Answer, Key
from chassis.identity import requires
from chassis.wallclock import WallClock
from contracts import topics
from contracts.codes import ItemCode, JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.envelope import Line, Text, derived_id
from contracts.intake import (
    ApplicationReceived,
    ItemReapplied,
    ResultIssued,
    StageForm,
    SupplementSubmitted,
    WithdrawalRequested,
)
from contracts.parts import Builder
from contracts.terms import ItemState, Light, Outcome, ProcessType, Role, Stage, Submission
from intake import domain, store
from intake.domain import GivenMaterial, Project
from intake.materials import MAGIC, Materials
from intake.store import Application, Progress
from procedure import authority, stages
from procedure.authority import Caller, NotFound
from procedure.catalogue import Catalogue
from procedure.lights import Shown

Platform = Annotated[Caller, Depends(requires(Role.PLATFORM))]
OnlyBuilder = Annotated[Caller, Depends(requires(Role.BUILDER))]
Window = Annotated[Caller, Depends(requires(Role.WINDOW))]
Reader = Annotated[Caller, Depends(requires(Role.BUILDER, Role.WINDOW, Role.SUPERVISOR, Role.PLATFORM))]
IdempotencyKey = Annotated[str, Depends(idempotency.key_of)]
CodeInPath = Annotated[ProjectCode, Path()]
JSON = "application/json"
Act = Callable[[Work, Key], Awaitable[Answer]]


class Given(BaseModel):
    """What callers send: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class PushedProject(Given):
    """A project as the 多规合一 platform generated it (Art. 4)."""

    name: Line
    process_type: ProcessType
    jurisdiction: JurisdictionCode
    builder: Builder


class MaterialGiven(Given):
    """One material of the set: its code and the address that the upload answered."""

    code: MaterialCode
    sha256: Sha256
    name: Line


class Declaration(Given):
    """One form, one set of materials, and the statement that all of it is true (Art. 8)."""

    submission: Submission = Submission.ONLINE
    form: StageForm
    materials: Annotated[list[MaterialGiven], Field(max_length=100)] = []
    truthful: bool = False


class Reapplication(Given):
    """A declaration by item (Art. 7)."""

    form: StageForm
    materials: Annotated[list[MaterialGiven], Field(max_length=100)] = []
    truthful: bool = False


class Supplement(Given):
    """The answer to a correction notice (Art. 13)."""

    materials: Annotated[list[MaterialGiven], Field(max_length=100)] = []
    explanation: Text = ""


class Withdrawal(Given):
    reason: Line


class Issue(Given):
    """发件: who took the result (Art. 10)."""

    recipient: Line


class UploadView(BaseModel):
    sha256: str
    size: int
    media_type: str


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
    stage: Stage
    name: str
    limit_days: int
    items: list[NeededItem]


class Inquiry(BaseModel):
    """统一征询: what each stage needs (Art. 7)."""

    project_code: str
    stages: list[NeededStage]


class Accepted(BaseModel):
    """The declaration is durable; its progress can be read at `location`."""

    application_id: UUID
    location: str


class ItemProgress(BaseModel):
    item_id: UUID
    item_code: str
    name: str
    attempt: int
    department: str
    jurisdiction: str
    state: ItemState
    outcome: Outcome | None
    opinion: str
    limit_days: int
    due_at: datetime | None
    light: Light | None


class StageProgress(BaseModel):
    application_id: UUID
    project_code: str
    stage: Stage
    state: str
    result: str | None
    limit_days: int | None
    due_at: datetime | None
    light: Light | None
    catalogue_version: str
    policy_version: str
    items: list[ItemProgress]


class Notice(BaseModel):
    notice_id: UUID
    project_code: str
    kind: str
    title: str
    body: str
    article: str
    sent_at: datetime


class Intake:
    """What the routes do, over one database, clock, catalogue and store of materials."""

    def __init__(self, database: Database, wallclock: WallClock, catalogue: Catalogue, materials: Materials) -> None:
        self._database = database
        self._wallclock = wallclock
        self._catalogue = catalogue
        self._materials = materials

    # Projects ---------------------------------------------------------------------------------------------------

    async def push(self, work: Work, key: Key, code: ProjectCode, body: PushedProject) -> Answer:
        """The 多规合一 platform pushes a project; the same push twice is one project (Art. 4)."""
        project = Project(code, 1, body.name, body.process_type, body.jurisdiction, body.builder)
        known = await store.project(work.connection, code, lock=True)
        event = domain.pushed(project, known, derived_id("push", key.caller, key.key), self._wallclock.now())
        if event is not None:
            await store.keep_project(work, project, event.version)
            work.say(topics.PROJECTS, event)
        view = {
            "project_code": code,
            "version": known.version if event is None and known else event.version if event else 1,
        }
        return await idempotency.remember(work, key, 201 if known is None else 200, view)

    async def inquire(self, caller: Caller, code: ProjectCode) -> Inquiry:
        """Tell for each stage its items and materials, and what is held already (Art. 7, 8)."""
        async with self._database.reading() as connection:
            project = await self._project(connection, code, caller)
            held = await store.held_materials(connection, code)
        return Inquiry(
            project_code=code, stages=[self._needed(stage, project, set(held)) for stage in self._catalogue.stages]
        )

    def _needed(self, stage: Stage, project: Project, held: set[MaterialCode]) -> NeededStage:
        catalogue = self._catalogue
        items = [
            NeededItem(
                code=rule.code,
                name=rule.name,
                department=catalogue.departments[rule.department],
                limit_days=rule.limit_days,
                after=list(catalogue.after(rule, project.process_type)),
                materials=[self._material(code, held) for code in rule.materials]
                + [self._result(code) for code in rule.results],
            )
            for rule in catalogue.items_of(stage, project.process_type)
        ]
        limit = catalogue.limit(project.process_type, stage)
        return NeededStage(stage=stage, name=catalogue.stages[stage].name, limit_days=limit, items=items)

    def _material(self, code: MaterialCode, held: set[MaterialCode]) -> NeededMaterial:
        material = self._catalogue.materials[code]
        how = "填写表单" if material.source == "form" else "已有，无需重复提交" if code in held else "提交"
        return NeededMaterial(code=code, name=material.name, how=how)

    def _result(self, code: ItemCode) -> NeededMaterial:
        return NeededMaterial(code=code, name=self._catalogue.items[code].result, how="部门流转")

    async def _project(self, connection: Any, code: str, caller: Caller, *, lock: bool = False) -> Project:
        project = await store.project(connection, code, lock=lock)
        if project is None:
            raise NotFound
        authority.own_project(caller, project.builder.uscc)
        authority.own_territory(caller, project.jurisdiction)
        return project

    # Declarations -----------------------------------------------------------------------------------------------

    async def declare(
        self, work: Work, key: Key, caller: Caller, code: ProjectCode, stage: Stage, body: Declaration
    ) -> Answer:
        """A builder declares one stage once (Art. 7, 8); 202 once it is durable."""
        if not body.truthful:
            raise stages.TruthfulnessNotStated
        project = await self._project(work.connection, code, caller, lock=True)
        if not self._catalogue.items_of(stage, project.process_type):
            raise stages.NoSuchStageForType
        stages.admit_stage(stage, await store.declared(work, code))
        held = await store.held_materials(work.connection, code)
        given = await self._given(work, caller, body.materials)
        codes = [one.code for one in given]
        stages.admit_materials(stage, project.process_type, codes, held, self._catalogue)
        needed = {material.code for material in self._catalogue.materials_of(stage, project.process_type)}
        kept = tuple(one for one in held.values() if one.code in needed and one.code not in codes)
        event = domain.applied(
            project,
            stage,
            body.submission,
            body.form,
            (*given, *kept),
            caller.actor,
            self._catalogue,
            derived_id("declare", key.caller, key.key),
            self._wallclock.now(),
        )
        await store.add_application(work, event)
        work.say(topics.APPLICATIONS, event)
        return await self._accepted(work, key, event.application_id)

    async def _given(self, work: Work, caller: Caller, materials: list[MaterialGiven]) -> tuple[Any, ...]:
        given = [GivenMaterial(one.code, one.sha256, one.name) for one in materials]
        known = await store.uploads(work.connection, caller.uscc or "", {one.sha256 for one in given})
        return domain.references(given, known, self._catalogue)

    async def _accepted(self, work: Work, key: Key, application_id: UUID) -> Answer:
        view = {"application_id": str(application_id), "location": f"/applications/{application_id}"}
        return await idempotency.remember(work, key, 202, view)

    async def reapply(
        self, work: Work, key: Key, caller: Caller, application_id: UUID, item_code: ItemCode, body: Reapplication
    ) -> Answer:
        """A builder declares one item again (Art. 7)."""
        if not body.truthful:
            raise stages.TruthfulnessNotStated
        application, row = await self._item(work, caller, application_id, item_code)
        stages.admit_reapplication(row.state, row.outcome)
        given = await self._given(work, caller, body.materials)
        await store.hold_materials(work, application.project_code, application.stage, given)
        about = await self._about(work, key, application, ItemReapplied)
        event = ItemReapplied(
            **about,
            item_code=item_code,
            former_item_id=row.item_id,
            form=body.form,
            materials=given,
            actor=caller.actor,
        )
        work.say(topics.APPLICATIONS, event)
        return await self._accepted(work, key, application_id)

    async def supplement(
        self, work: Work, key: Key, caller: Caller, application_id: UUID, item_code: ItemCode, body: Supplement
    ) -> Answer:
        """A builder answers a correction notice (Art. 13)."""
        application, row = await self._item(work, caller, application_id, item_code)
        stages.admit_supplement(row.state)
        given = await self._given(work, caller, body.materials)
        await store.hold_materials(work, application.project_code, application.stage, given)
        about = await self._about(work, key, application, SupplementSubmitted)
        event = SupplementSubmitted(
            **about,
            item_id=row.item_id,
            item_code=item_code,
            materials=given,
            explanation=body.explanation,
            actor=caller.actor,
        )
        work.say(topics.APPLICATIONS, event)
        return await self._accepted(work, key, application_id)

    async def withdraw(
        self, work: Work, key: Key, caller: Caller, application_id: UUID, item_code: ItemCode, body: Withdrawal
    ) -> Answer:
        """A builder, or the window for it, withdraws an item; once handling began only the window confirms (P21)."""
        application, row = await self._item(work, caller, application_id, item_code)
        if row.state in (ItemState.CONCLUDED, ItemState.AUTO_RECALLED, ItemState.WITHDRAWN, ItemState.NOT_DISPATCHED):
            raise stages.ItemBeingHandled
        begun = row.state not in (ItemState.DRAFT, ItemState.RECEIVED, ItemState.CORRECTION_PRE)
        about = await self._about(work, key, application, WithdrawalRequested)
        event = WithdrawalRequested(
            **about,
            item_id=row.item_id,
            item_code=item_code,
            reason=body.reason,
            confirmed=caller.role is Role.WINDOW or not begun,
            actor=caller.actor,
        )
        work.say(topics.APPLICATIONS, event)
        return await self._accepted(work, key, application_id)

    async def _about(self, work: Work, key: Key, application: Application, kind: Any) -> dict[str, Any]:
        version = await store.next_version(work, application.application_id)
        cause = derived_id(kind.__name__, key.caller, key.key)
        return domain.about(kind, application, version, cause, self._wallclock.now())

    async def _application(self, connection: Any, caller: Caller, application_id: UUID, *, lock: bool) -> Application:
        application = await store.application(connection, application_id, lock=lock)
        if application is None:
            raise NotFound
        authority.own_project(caller, application.builder)
        authority.own_territory(caller, application.jurisdiction)
        return application

    async def _item(
        self, work: Work, caller: Caller, application_id: UUID, item_code: ItemCode
    ) -> tuple[Application, Progress]:
        application = await self._application(work.connection, caller, application_id, lock=True)
        row = (await store.progress(work.connection, [application_id])).get((application_id, item_code))
        if row is None:
            raise NotFound
        return application, row

    # The window -------------------------------------------------------------------------------------------------

    async def receive(self, work: Work, key: Key, caller: Caller, application_id: UUID) -> Answer:
        """收件: the window has the originals (Art. 10)."""
        application = await self._application(work.connection, caller, application_id, lock=True)
        about = await self._about(work, key, application, ApplicationReceived)
        window = self._catalogue.places[application.jurisdiction].window
        work.say(topics.APPLICATIONS, ApplicationReceived(**about, window=window, actor=caller.actor))
        return await self._accepted(work, key, application_id)

    async def issue(
        self, work: Work, key: Key, caller: Caller, application_id: UUID, item_code: ItemCode, body: Issue
    ) -> Answer:
        """发件: the window hands a result out (Art. 10)."""
        application, row = await self._item(work, caller, application_id, item_code)
        domain.can_issue(row.state, row.outcome)
        about = await self._about(work, key, application, ResultIssued)
        event = ResultIssued(
            **about, item_id=row.item_id, item_code=item_code, recipient=body.recipient, actor=caller.actor
        )
        work.say(topics.APPLICATIONS, event)
        return await self._accepted(work, key, application_id)

    # Reading ----------------------------------------------------------------------------------------------------

    async def progress(self, caller: Caller, application_id: UUID) -> StageProgress:
        """Tell how a stage and its items stand (Art. 11)."""
        async with self._database.reading() as connection:
            application = await self._application(connection, caller, application_id, lock=False)
            rows = await store.progress(connection, [application_id])
            clocks = await shown.of(connection, [application_id, *(row.item_id for row in rows.values())])
        return self._stage_view(application, list(rows.values()), clocks)

    def _stage_view(self, a: Application, rows: list[Progress], clocks: Mapping[UUID, Shown]) -> StageProgress:
        clock = clocks.get(a.application_id, Shown())
        return StageProgress(
            application_id=a.application_id,
            project_code=a.project_code,
            stage=a.stage,
            state=a.state,
            result=a.result,
            limit_days=a.limit_days,
            due_at=clock.due_at,
            light=clock.light,
            **self._catalogue.versions.model_dump(),
            items=[self._item_view(row, clocks.get(row.item_id, Shown())) for row in rows],
        )

    def _item_view(self, row: Progress, clock: Shown) -> ItemProgress:
        return ItemProgress(
            item_id=row.item_id,
            item_code=row.item_code,
            name=self._catalogue.items[row.item_code].name,
            attempt=row.attempt,
            department=row.department,
            jurisdiction=row.jurisdiction,
            state=row.state,
            outcome=row.outcome,
            opinion=row.opinion,
            limit_days=row.limit_days,
            due_at=clock.due_at,
            light=clock.light,
        )

    async def stages_of(self, caller: Caller, code: ProjectCode) -> list[StageProgress]:
        """Tell how every declared stage of a project stands."""
        async with self._database.reading() as connection:
            await self._project(connection, code, caller)
            applications = await store.applications_of(connection, code)
            ids = [one.application_id for one in applications]
            rows = await store.progress(connection, ids)
            clocks = await shown.of(connection, [*ids, *(row.item_id for row in rows.values())])
        return [
            self._stage_view(one, [row for row in rows.values() if row.application_id == one.application_id], clocks)
            for one in applications
        ]

    async def notices(self, caller: Caller, most: int) -> list[Notice]:
        """Tell a builder's notices, the newest first (Art. 9, 15)."""
        async with self._database.reading() as connection:
            rows = await store.notices(connection, caller.uscc or "", most)
        return [Notice(**{name: row[name] for name in Notice.model_fields}) for row in rows]

    async def upload(self, request: Request, caller: Caller) -> UploadView:
        """Store a scan of an original, streamed, by its SHA-256 (Art. 8)."""
        kind = unquote(request.headers.get("content-type", "")).split(";")[0].strip().lower()
        stored = await self._materials.keep(request.stream(), kind)
        async with self._database.work() as work:
            await store.keep_upload(work, caller.uscc or "", stored)
        return UploadView(sha256=stored.sha256, size=stored.size, media_type=stored.media_type)


def _bound(act: Callable[..., Awaitable[Answer]], *arguments: Any) -> Act:
    """Return `act` with what the request said, still waiting for its unit of work and key."""
    return lambda work, key: act(work, key, *arguments)


def router(database: Database, wallclock: WallClock, catalogue: Catalogue, materials: Materials) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    intake = Intake(database, wallclock, catalogue, materials)

    async def once(request: Request, caller: Caller, given: str, what: str, act: Act) -> Response:
        """Run a write once per idempotency key, in one unit of work."""
        key = Key(caller.subject, given, idempotency.digest(request.method, request.url.path, what))
        async with database.work(traceparent_of(request)) as work:
            answer = await idempotency.claim(work, key) or await act(work, key)
        return Response(answer.body, answer.status, media_type=JSON)

    @routes.put("/projects/{code}", summary="多规合一平台推送项目", status_code=201)
    async def push_project(
        request: Request, caller: Platform, code: CodeInPath, body: PushedProject, key: IdempotencyKey
    ) -> Response:
        return await once(request, caller, key, body.model_dump_json(), _bound(intake.push, code, body))

    @routes.get("/projects/{code}/inquiry", summary="统一征询")
    async def read_inquiry(caller: Reader, code: CodeInPath) -> Inquiry:
        return await intake.inquire(caller, code)

    @routes.get("/projects/{code}/stages", summary="项目各阶段进度")
    async def read_stages(caller: Reader, code: CodeInPath) -> list[StageProgress]:
        return await intake.stages_of(caller, code)

    scans = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in sorted(MAGIC)}

    @routes.post(
        "/materials",
        summary="上传材料（原件扫描）",
        status_code=201,
        openapi_extra={"requestBody": {"required": True, "content": scans}},
    )
    async def upload_material(request: Request, caller: OnlyBuilder) -> UploadView:
        return await intake.upload(request, caller)

    @routes.post(
        "/projects/{code}/stages/{stage}/applications",
        summary="按阶段申报",
        status_code=202,
        response_model=Accepted,
    )
    async def declare_stage(
        request: Request, caller: OnlyBuilder, code: CodeInPath, stage: Stage, body: Declaration, key: IdempotencyKey
    ) -> Response:
        what = body.model_dump_json()
        return await once(request, caller, key, what, _bound(intake.declare, caller, code, stage, body))

    @routes.get("/applications/{application_id}", summary="阶段和事项进度")
    async def read_application(caller: Reader, application_id: UUID) -> StageProgress:
        return await intake.progress(caller, application_id)

    items = "/applications/{application_id}/items/{item_code}"

    @routes.post(f"{items}/reapplications", summary="按事项再次申报", status_code=202, response_model=Accepted)
    async def reapply_item(
        request: Request,
        caller: OnlyBuilder,
        application_id: UUID,
        item_code: ItemCode,
        body: Reapplication,
        key: IdempotencyKey,
    ) -> Response:
        what = body.model_dump_json()
        return await once(request, caller, key, what, _bound(intake.reapply, caller, application_id, item_code, body))

    @routes.post(f"{items}/supplements", summary="补正", status_code=202, response_model=Accepted)
    async def supplement_item(
        request: Request,
        caller: OnlyBuilder,
        application_id: UUID,
        item_code: ItemCode,
        body: Supplement,
        key: IdempotencyKey,
    ) -> Response:
        what = body.model_dump_json()
        return await once(
            request, caller, key, what, _bound(intake.supplement, caller, application_id, item_code, body)
        )

    @routes.post(f"{items}/withdrawals", summary="撤件", status_code=202, response_model=Accepted)
    async def withdraw_item(
        request: Request,
        caller: Annotated[Caller, Depends(requires(Role.BUILDER, Role.WINDOW))],
        application_id: UUID,
        item_code: ItemCode,
        body: Withdrawal,
        key: IdempotencyKey,
    ) -> Response:
        what = body.model_dump_json()
        return await once(request, caller, key, what, _bound(intake.withdraw, caller, application_id, item_code, body))

    @routes.post("/applications/{application_id}/receipt", summary="窗口收件", status_code=202, response_model=Accepted)
    async def receive_application(
        request: Request, caller: Window, application_id: UUID, key: IdempotencyKey
    ) -> Response:
        return await once(request, caller, key, "", _bound(intake.receive, caller, application_id))

    @routes.post(f"{items}/issues", summary="窗口发件", status_code=202, response_model=Accepted)
    async def issue_result(
        request: Request, caller: Window, application_id: UUID, item_code: ItemCode, body: Issue, key: IdempotencyKey
    ) -> Response:
        what = body.model_dump_json()
        return await once(request, caller, key, what, _bound(intake.issue, caller, application_id, item_code, body))

    @routes.get("/notices", summary="通知")
    async def read_notices(caller: OnlyBuilder, most: Annotated[int, Query(ge=1, le=500)] = 100) -> list[Notice]:
        return await intake.notices(caller, most)

    return routes
