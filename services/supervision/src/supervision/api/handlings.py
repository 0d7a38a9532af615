"""特殊处理程序 (Art. 17): filed with reason and evidence by a department with authority; all of them in one list."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict

from chassis.database import Connection, Work
from contracts.codes import CITY, DepartmentCode, ItemCode, JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.envelope import Line, Text
from contracts.labels import label
from contracts.supervision import SpecialHandlingGranted
from contracts.terms import Outcome, ProcessType, Role, SpecialEffect, Stage
from procedure import authority
from procedure.authority import Caller, NotFound, NotYourJurisdiction
from procedure.calendar import local_day
from procedure.special_handling import EFFECTS, ReasonMissing, hold_to_form
from supervision import handlings
from supervision.api.desk import Desk, Filer, IdempotencyKey, Made, Most, Supervisor
from supervision.domain import ItemRow, application_of, handles, places_of
from supervision.handlings import Came, Consequence, Situation
from supervision.store import handlings as kept
from supervision.store import rows


class Filing(BaseModel):
    """What is filed: the effect, about which stage or item, why, on which evidence; and the facts that the effect needs
    (`procedure.special_handling.EFFECTS`)."""

    model_config = ConfigDict(extra="forbid")

    effect: SpecialEffect
    stage: Stage
    reason: Text = ""
    evidence: Sha256 | None = None
    evidence_name: Line | None = None
    item_code: ItemCode | None = None
    material: MaterialCode | None = None
    promised_on: date | None = None
    outcome: Outcome | None = None
    decided_on: date | None = None
    to_jurisdiction: JurisdictionCode | None = None


class Followed(BaseModel):
    """What followed from a special handling: which event, when, and what it says."""

    event_id: UUID
    what: str
    at: datetime
    detail: str


class HandlingView(BaseModel):
    """One special handling: what was allowed, by whom, on which evidence, and what came of it."""

    handling_id: UUID
    project_code: str
    place: str
    stage: Stage
    effect: SpecialEffect
    effect_name: str
    what: str
    item_code: str | None
    item_id: UUID | None
    item_name: str | None
    facts: dict[str, str]
    reason: str
    evidence: str
    evidence_name: str
    jurisdiction: str
    department: str
    holder: str
    certificate: str
    granted_at: datetime
    came: Came
    followed: list[Followed]


def router(desk: Desk) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.post("/projects/{code}/special-handlings", summary="启动特殊处理程序", status_code=202)
    async def file(
        request: Request,
        caller: Filer,
        code: Annotated[ProjectCode, Path()],
        body: Filing,
        idempotency_key: IdempotencyKey,
    ) -> Response:
        async def act(work: Work, event_id: UUID) -> Made:
            event = await _granted(desk, work.connection, caller, code, body, event_id)
            return event, {"handling_id": str(event_id)}

        asked = ("special handling", code, body.model_dump_json())
        return await desk.write(request, caller, idempotency_key, asked, act)

    @routes.get("/special-handlings", summary="特殊处理清单")
    async def read_handlings(caller: Supervisor, most: Most = 200) -> list[HandlingView]:
        async with desk.database.reading() as connection:
            found = await kept.listed(connection, places_of(caller), most)
            wanted = [filed.item_id for _, filed in found if filed.item_id is not None]
            items = await rows.items_of(connection, wanted)
            causes = {filed.handling_id: handlings.causes(filed, _of(items, filed)) for _, filed in found}
            followed = await kept.consequences(connection, {one for some in causes.values() for one in some})
        return [
            _view(place, filed, [one for cause in causes[filed.handling_id] for one in followed.get(cause, ())], desk)
            for place, filed in found
        ]

    return routes


async def _granted(
    desk: Desk, connection: Connection, caller: Caller, code: ProjectCode, body: Filing, event_id: UUID
) -> SpecialHandlingGranted:
    """Return what was filed, held to its form, to the caller's authority, and to how things stand.

    Raises NotFound, the refusals of `procedure.special_handling` and `supervision.handlings`, NotYourStage or
    NotYourJurisdiction.
    """
    project = await rows.project(connection, code)
    if project is None:
        raise NotFound
    application_id = application_of(code, body.stage)
    item = await _item(connection, application_id, body)
    await _hold_to_authority(desk, connection, caller, project, application_id, item, body)
    hold_to_form(body, caller.role)
    if body.evidence is None or body.evidence_name is None:
        raise ReasonMissing
    now = desk.wallclock.now()
    filed = SpecialHandlingGranted(
        event_id=event_id,
        causation_id=event_id,
        occurred_at=now,
        project_code=code,
        application_id=application_id,
        stage=body.stage,
        handling_id=event_id,
        effect=body.effect,
        jurisdiction=JurisdictionCode(caller.jurisdiction or ""),
        department=DepartmentCode(caller.department or ""),
        item_code=body.item_code,
        item_id=None if item is None else item.item_id,
        reason=body.reason,
        evidence=body.evidence,
        evidence_name=body.evidence_name,
        actor=caller.actor,
        material=body.material,
        promised_on=body.promised_on,
        outcome=body.outcome,
        decided_on=body.decided_on,
        to_jurisdiction=body.to_jurisdiction,
    )
    declared = await rows.stage(connection, application_id) is not None
    catalogue = await desk.catalogue_of(connection, application_id)
    needed = catalogue.to_submit(body.stage, ProcessType(project["process_type"]))
    codes = [material.code for material in needed]
    handlings.hold_to_situation(filed, Situation(item, declared, codes, local_day(now)))
    return filed


async def _item(connection: Connection, application_id: UUID, body: Filing) -> ItemRow | None:
    """Return the newest attempt of the item that a filing is about. Raises NotFound where there is none of it."""
    if body.item_code is None or not EFFECTS[body.effect].about_item:
        return None
    found = await rows.newest_attempt(connection, application_id, body.item_code)
    if found is None:
        raise NotFound
    return found


async def _hold_to_authority(
    desk: Desk,
    connection: Connection,
    caller: Caller,
    project: Any,
    application_id: UUID,
    item: ItemRow | None,
    body: Filing,
) -> None:
    """A lead files for the stages that it leads, an officer for its own items or, about a stage, where it has any."""
    place = project["jurisdiction"]
    if item is not None:
        await desk.own_item(connection, caller, item)
    elif caller.role is Role.LEAD:
        await desk.own_stage(connection, caller, body.stage.value, application_id, place)
    else:
        catalogue = await desk.catalogue_of(connection, application_id)
        if not handles(caller.department or "", caller.jurisdiction or "", body.stage, place, catalogue):
            raise NotYourJurisdiction
    if body.to_jurisdiction not in (None, CITY, place):
        authority.own_territory(caller, body.to_jurisdiction)


def _of(items: dict[UUID, ItemRow], filed: SpecialHandlingGranted) -> ItemRow | None:
    return None if filed.item_id is None else items.get(filed.item_id)


def _view(place: str, filed: SpecialHandlingGranted, followed: list[Consequence], desk: Desk) -> HandlingView:
    facts = {name: str(getattr(filed, name)) for name in EFFECTS[filed.effect].needs}
    told = [Followed(event_id=one.event_id, what=one.what, at=one.at, detail=one.detail) for one in followed]
    return HandlingView(
        handling_id=filed.handling_id,
        project_code=filed.project_code,
        place=place,
        stage=filed.stage,
        effect=filed.effect,
        effect_name=label(filed.effect),
        what=EFFECTS[filed.effect].what,
        item_code=filed.item_code,
        item_id=filed.item_id,
        item_name=None if filed.item_code is None else desk.names.item(filed.item_code),
        facts=facts,
        reason=filed.reason,
        evidence=filed.evidence,
        evidence_name=filed.evidence_name,
        jurisdiction=filed.jurisdiction,
        department=filed.department,
        holder=filed.actor.holder,
        certificate=filed.actor.certificate,
        granted_at=filed.occurred_at,
        came=handlings.came(followed),
        followed=told,
    )
