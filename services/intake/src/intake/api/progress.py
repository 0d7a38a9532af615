"""How stages and items stand, and what builders were told (Art. 9, 11, 15)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from chassis import shown
from chassis.database import Connection
from contracts.codes import DepartmentCode
from contracts.terms import ClockState, ItemState, Light, Outcome, PauseReason, Stage
from intake import store
from intake.api.office import CodeInPath, Office, OnlyBuilder, Reader
from intake.domain.given import Promise
from intake.domain.progress import Progress
from intake.domain.withdrawals import WITHDRAWABLE
from intake.store.applications import Application
from procedure import clock
from procedure.calendar import Calendar, YearNotCovered
from procedure.catalogue import Catalogue
from procedure.lights import Shown
from procedure.policies import Policies, policies_of


class ItemProgress(BaseModel):
    """One item: where it stands, in whose hands, and its days now. `used_days` and `remaining_days` are working days by
    the calendar in force; empty before its clock started. `withdrawal_waits`: a request waits for the window."""

    item_id: UUID
    item_code: str
    name: str
    attempt: int
    department: str
    department_name: str
    jurisdiction: str
    state: ItemState
    outcome: Outcome | None
    opinion: str
    limit_days: int
    clock: ClockState
    used_days: int | None
    remaining_days: int | None
    due_at: datetime | None
    light: Light | None
    paused_by: list[PauseReason]
    withdrawal_waits: bool


class PausedBy(BaseModel):
    """An item for which the stage's clock may stand still, and why (Art. 13)."""

    item_code: str
    reason: PauseReason


class DeferredMaterialView(BaseModel):
    """容缺: what was promised for a day, when it came, and whether the promise was broken (Art. 17)."""

    code: str
    name: str
    promised_on: date
    given_at: datetime | None
    broken: bool


class StageProgress(BaseModel):
    """One stage application, with the versions that it runs under for good (Art. 1)."""

    application_id: UUID
    project_code: str
    stage: Stage
    state: str
    result: str | None
    limit_days: int | None
    clock: ClockState
    used_days: int | None
    remaining_days: int | None
    due_at: datetime | None
    light: Light | None
    paused_by: list[PausedBy]
    catalogue_version: str
    policy_version: str
    settings: dict[str, bool | int | str]
    calendar_version: str
    deferred: list[DeferredMaterialView]
    items: list[ItemProgress]


class Notice(BaseModel):
    notice_id: UUID
    project_code: str
    kind: str
    title: str
    body: str
    article: str
    sent_at: datetime


def router(office: Office) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/applications/{application_id}", summary="阶段和事项进度")
    async def read_application(caller: Reader, application_id: UUID) -> StageProgress:
        async with office.database.reading() as connection:
            application = await office.application(connection, caller, application_id, lock=False)
            return (await _told(office, connection, [application]))[0]

    @routes.get("/projects/{code}/stages", summary="项目各阶段进度")
    async def read_stages(caller: Reader, code: CodeInPath) -> list[StageProgress]:
        async with office.database.reading() as connection:
            await office.project(connection, code, caller)
            return await _told(office, connection, await store.applications.of_project(connection, code))

    @routes.get("/notices", summary="通知")
    async def read_notices(caller: OnlyBuilder, most: Annotated[int, Query(ge=1, le=500)] = 100) -> list[Notice]:
        async with office.database.reading() as connection:
            rows = await store.notices.newest(connection, caller.uscc or "", most)
        return [Notice(**{name: row[name] for name in Notice.model_fields}) for row in rows]

    return routes


@dataclass(frozen=True, slots=True)
class _Now:
    """What progress is told by: the instant, the calendar in force, clocks, promises, and requests that wait."""

    at: datetime
    calendar: Calendar
    clocks: Mapping[UUID, Shown]
    promises: Mapping[UUID, list[Promise]]
    withdrawals: Mapping[UUID, str]


class _Days(BaseModel):
    """The part of an answer that tells a clock."""

    clock: ClockState
    used_days: int | None
    remaining_days: int | None
    due_at: datetime | None
    light: Light | None


async def _told(office: Office, connection: Connection, applications: list[Application]) -> list[StageProgress]:
    ids = [one.application_id for one in applications]
    items = list((await store.progress.load(connection, ids)).values())
    now = _Now(
        at=office.now(),
        calendar=await office.calendars.current(connection),
        clocks=await shown.of(connection, [*ids, *(item.item_id for item in items)]),
        promises=await store.given.promises(connection, ids),
        withdrawals=await store.withdrawals.reasons(connection, ids),
    )
    return [
        _stage(one, [item for item in items if item.application_id == one.application_id], office.under(one), now)
        for one in applications
    ]


def _stage(a: Application, items: list[Progress], catalogue: Catalogue, now: _Now) -> StageProgress:
    readings = policies_of(a.policies)
    days = _days(now.clocks.get(a.application_id, Shown()), a.limit_days, a.jurisdiction, readings, now)
    return StageProgress(
        application_id=a.application_id,
        project_code=a.project_code,
        stage=a.stage,
        state=a.state,
        result=a.result,
        limit_days=a.limit_days,
        **days.model_dump(),
        paused_by=list(_paused_by(items)) if days.clock is ClockState.PAUSED else [],
        **a.policies.model_dump(),
        calendar_version=now.calendar.version,
        deferred=[_deferred(one, catalogue, now.at) for one in now.promises.get(a.application_id, [])],
        items=[_item(one, catalogue, readings, now) for one in items],
    )


def _paused_by(items: Iterable[Progress]) -> Iterable[PausedBy]:
    for item in items:
        returned = (PauseReason.RETURNED,) if item.state is ItemState.RETURNED else ()
        for reason in (*item.pauses, *returned):
            yield PausedBy(item_code=item.item_code, reason=reason)


def _item(row: Progress, catalogue: Catalogue, readings: Policies, now: _Now) -> ItemProgress:
    days = _days(now.clocks.get(row.item_id, Shown()), row.limit_days, row.jurisdiction, readings, now)
    return ItemProgress(
        item_id=row.item_id,
        item_code=row.item_code,
        name=catalogue.items[row.item_code].name,
        attempt=row.attempt,
        department=row.department,
        department_name=catalogue.departments[DepartmentCode(row.department)],
        jurisdiction=row.jurisdiction,
        state=row.state,
        outcome=row.outcome,
        opinion=row.opinion,
        limit_days=row.limit_days,
        **days.model_dump(),
        paused_by=list(row.pauses),
        withdrawal_waits=row.item_id in now.withdrawals and row.state in WITHDRAWABLE,
    )


def _days(told: Shown, limit: int | None, jurisdiction: str, readings: Policies, now: _Now) -> _Days:
    used = _used(told, jurisdiction, readings, now)
    left = None if used is None or limit is None else limit - used
    state = clock.state(told.clock)
    return _Days(clock=state, used_days=used, remaining_days=left, due_at=told.due_at, light=told.light)


def _used(told: Shown, jurisdiction: str, readings: Policies, now: _Now) -> int | None:
    """The days used now; untold where the calendar does not reach, which is the timer's trouble and not the asker's."""
    try:
        return told.used_days(now.at, now.calendar, jurisdiction, readings)
    except YearNotCovered:
        return None


def _deferred(promise: Promise, catalogue: Catalogue, at: datetime) -> DeferredMaterialView:
    return DeferredMaterialView(
        code=promise.material,
        name=catalogue.materials[promise.material].name,
        promised_on=promise.promised_on,
        given_at=promise.given_at,
        broken=promise.is_broken(at),
    )
