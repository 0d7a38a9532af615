"""What leaders and supervisors ask: overview, lit items, a project's timeline; and the urge (Art. 21, 22)."""

import csv
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date as Date
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from chassis import idempotency
from chassis.database import Database
from chassis.http import traceparent_of
from chassis.idempotency import Key
from chassis.identity import requires
from chassis.wallclock import WallClock
from contracts import labels, topics
from contracts.codes import CITY, PILOT_ZONES, DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.envelope import Event, Instant, Text, derived_id
from contracts.supervision import Urged
from contracts.terms import ClockState, ClockSubject, Light, Role, Stage, UrgeLevel
from procedure import authority
from procedure.authority import Caller, NotFound
from procedure.calendar import Calendar, Overlay, YearNotCovered
from procedure.catalogue import Catalogue
from procedure.explain import as_text, due_text, with_overlays
from procedure.policies import DEFAULT, Policies
from procedure.refusals import CalendarDoesNotReach
from supervision import domain, store
from supervision.domain import Explained

Supervisor = Annotated[Caller, Depends(requires(Role.SUPERVISOR))]
IdempotencyKey = Annotated[str, Depends(idempotency.key_of)]


class OverviewRow(BaseModel):
    """How many items of a stage and department stand under which light."""

    stage: int
    stage_name: str
    department: str
    department_name: str
    items: int
    green: int
    yellow: int
    red: int
    grey: int
    concluded: int
    recalled: int


class LitItem(BaseModel):
    """An item whose light is red or yellow."""

    item_id: UUID
    project_code: str
    item_code: str
    name: str
    department: str
    jurisdiction: str
    state: str
    light: Light
    due_at: datetime | None


class StoryEvent(BaseModel):
    """One event of a project's story, with the place of the very message."""

    type: str
    topic: str
    partition: int
    offset: int
    event: dict[str, Any]


class LedgerDay(BaseModel):
    """One day of a clock: whether it counts, and why."""

    date: Date
    weekday: str
    counted: bool
    used: int
    why: str


class LedgerEvent(BaseModel):
    """An event that the clock rests on."""

    event_id: UUID
    type: str
    at: datetime
    item_code: str
    holder: str


class ClockTold(BaseModel):
    """One clock explained. `used_by_policy`: a stage's counted days under either reading of P1."""

    subject: ClockSubject
    about: UUID
    stage: Stage
    item_code: str
    attempt: int
    state: ClockState
    at: datetime
    limit_days: int
    extended_days: int
    started_at: datetime
    ended_at: datetime | None
    used_days: int
    remaining_days: int
    due_at: datetime | None
    due: str | None
    provisional: bool
    jurisdiction: str
    calendar_version: str
    policy_version: str
    used_by_policy: dict[str, int]
    days: list[LedgerDay]
    events: list[LedgerEvent]


class WhatIf(BaseModel):
    """Which clocks, at which instant, in which form; and, for a question of what would be, what to suppose."""

    model_config = ConfigDict(extra="forbid")

    at: Instant | None = Field(None, description="时点；缺省为现在")
    about: UUID | None = Field(None, description="只看一个事项（item_id）或阶段（application_id）")
    form: Literal["json", "csv", "text"] = Field("json", description="格式")
    limit_days: int | None = Field(None, ge=1, le=366, description="假设的时限（工作日）")
    count_start_day: bool | None = Field(None, description="P6：假设起算日计入")
    due_day_ends: Literal["midnight", "office_close"] | None = Field(None, description="P7：假设到期日的终点")
    stage_pause_policy: Literal["ANY", "ALL_OPEN"] | None = Field(None, description="P1：假设阶段暂停的口径")
    day_off: list[Date] = Field([], max_length=31, description="P25：假设停止办公的日期")
    day_on: list[Date] = Field([], max_length=31, description="P25：假设上班的日期")

    def policies(self) -> Policies:
        """The policies in force, with what is supposed put in."""
        supposed = {
            "count_start_day": self.count_start_day,
            "due_day_ends": self.due_day_ends,
            "stage_pause_policy": self.stage_pause_policy,
        }
        return replace(DEFAULT, **{name: value for name, value in supposed.items() if value is not None})

    def calendar(self, calendar: Calendar) -> Calendar:
        """The calendar in force, with the days supposed to be off or on."""
        days = [*((day, False) for day in self.day_off), *((day, True) for day in self.day_on)]
        supposed = [Overlay(day, CITY, works, "假设") for day, works in days]
        return with_overlays(calendar, supposed) if supposed else calendar


class UrgeText(BaseModel):
    model_config = ConfigDict(extra="forbid")

    level: UrgeLevel = UrgeLevel.LOW
    message: Text


class Fingerprint(BaseModel):
    """What two read models are compared by: the digest of all rows and of every project's events."""

    items_and_stages: str
    stories: str
    events: int


def router(database: Database, wallclock: WallClock, catalogue: Catalogue, calendar: Calendar) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/overview", summary="各阶段各部门总览")
    async def read_overview(caller: Supervisor) -> list[OverviewRow]:
        async with database.reading() as connection:
            rows = await store.overview(connection, _places(caller))
        return [_overview_row(dict(row), catalogue) for row in rows]

    @routes.get("/lights", summary="亮灯事项")
    async def read_lights(caller: Supervisor, most: Annotated[int, Query(ge=1, le=1000)] = 200) -> list[LitItem]:
        async with database.reading() as connection:
            rows = await store.lit(connection, _places(caller), most)
        return [_lit_item(dict(row), catalogue) for row in rows]

    @routes.get("/projects/{code}/timeline", summary="一个项目的全部经过")
    async def read_timeline(caller: Supervisor, code: Annotated[ProjectCode, Path()]) -> list[StoryEvent]:
        events = await _story(database, caller, code)
        return sorted(events, key=lambda one: (one.event["occurred_at"], one.topic, one.offset))

    @routes.get("/projects/{code}/clocks", summary="逐日说明每个时限", response_model=list[ClockTold])
    async def read_clocks(
        caller: Supervisor, code: Annotated[ProjectCode, Path()], ask: Annotated[WhatIf, Query()]
    ) -> Any:
        events, at = _clock_events(await _story(database, caller, code)), ask.at or wallclock.now()
        try:
            found = domain.explained(events, at, ask.calendar(calendar), ask.policies(), ask.limit_days)
        except YearNotCovered as trouble:
            raise CalendarDoesNotReach(year=trouble.year) from trouble
        wanted = [one for one in found if ask.about in (None, one.about)]
        if ask.form == "json":
            return [_clock_told(one) for one in wanted]
        return PlainTextResponse(_as_csv(wanted) if ask.form == "csv" else _as_text(wanted))

    @routes.get("/read-model/fingerprint", summary="读模型指纹")
    async def read_fingerprint(caller: Supervisor) -> Fingerprint:
        authority.own_territory(caller, CITY)
        async with database.reading() as connection:
            rows = [tuple(row) for row in await store.everything(connection)]
            chapters = await store.stories(connection)
        told: defaultdict[str, set[str]] = defaultdict(set)
        for row in chapters:
            told[row["project_code"]].update(one["event"]["event_id"] for one in json.loads(row["events"]))
        stories = sorted((code, sorted(events)) for code, events in told.items())
        count = sum(len(events) for _, events in stories)
        return Fingerprint(items_and_stages=_digest(rows), stories=_digest(stories), events=count)

    @routes.post("/items/{item_id}/urges", summary="催办", status_code=202)
    async def urge(
        request: Request, caller: Supervisor, item_id: UUID, body: UrgeText, idempotency_key: IdempotencyKey
    ) -> Response:
        key = Key(caller.subject, idempotency_key, idempotency.digest("urge", item_id, body.model_dump_json()))
        async with database.work(traceparent_of(request)) as work:
            answer = await idempotency.claim(work, key)
            if answer is None:
                event = await _urged(work.connection, caller, item_id, body, key, wallclock.now())
                work.say(topics.SUPERVISION, event)
                answer = await idempotency.remember(work, key, 202, {"urge_id": str(event.urge_id)})
        return Response(answer.body, answer.status, media_type="application/json")

    return routes


async def _urged(connection: Any, caller: Caller, item_id: UUID, body: UrgeText, key: Key, at: datetime) -> Urged:
    item = await store.item(connection, item_id)
    if item is None:
        raise NotFound
    authority.own_territory(caller, item.jurisdiction)
    urge_id = derived_id("urge", key.caller, key.key)
    return Urged(
        event_id=urge_id,
        causation_id=urge_id,
        occurred_at=at,
        project_code=ProjectCode(item.project_code),
        application_id=item.application_id,
        stage=Stage(item.stage),
        item_id=item.item_id,
        item_code=ItemCode(item.item_code),
        attempt=item.attempt,
        department=DepartmentCode(item.department),
        jurisdiction=JurisdictionCode(item.jurisdiction),
        urge_id=urge_id,
        level=body.level,
        message=body.message,
        actor=caller.actor,
    )


def _places(caller: Caller) -> list[str] | None:
    """The jurisdictions a supervisor sees: all for the city's, its own and the pilot zones it hosts else (Art. 21)."""
    if caller.jurisdiction == CITY:
        return None
    own = caller.jurisdiction or ""
    return [own, *(zone for zone, host in PILOT_ZONES.items() if host == own)]


async def _story(database: Database, caller: Caller, code: ProjectCode) -> list[StoryEvent]:
    """Return a project's events, each once. Raises NotFound, or Forbidden outside the caller's territory."""
    async with database.reading() as connection:
        place = await store.place_of(connection, code)
        chapters = await store.story(connection, code)
    if place is None and not chapters:
        raise NotFound
    authority.own_territory(caller, place or CITY)
    return list({event.event["event_id"]: event for text in chapters for event in _events(text)}.values())


CLOCK_TOPICS: Final = {topic.name: topic.known for topic in (topics.STAGES, topics.ITEMS)}


def _clock_events(story: Iterable[StoryEvent]) -> list[Event]:
    """Return what the clocks of a project rest on, in topic order."""
    told = sorted((one for one in story if one.topic in CLOCK_TOPICS), key=lambda one: (one.topic, one.offset))
    return [_event(one) for one in told]


def _event(one: StoryEvent) -> Event:
    return CLOCK_TOPICS[one.topic][one.type].model_validate_json(json.dumps(one.event), extra="ignore")


def _clock_told(one: Explained) -> ClockTold:
    told = one.told
    return ClockTold(
        subject=one.subject,
        about=one.about,
        stage=one.stage,
        item_code=one.item_code,
        attempt=one.attempt,
        state=told.state,
        at=told.at,
        limit_days=told.limit_days,
        extended_days=told.extended_days,
        started_at=told.started_at,
        ended_at=told.ended_at,
        used_days=told.used_days,
        remaining_days=told.remaining_days,
        due_at=told.due and told.due.at,
        due=told.due and due_text(told.due),
        provisional=told.due is not None and told.due.provisional,
        jurisdiction=told.jurisdiction,
        calendar_version=told.calendar_version,
        policy_version=told.policy_version,
        used_by_policy=dict(one.used_by_policy),
        days=[LedgerDay(date=d.on, weekday=d.weekday, counted=d.counted, used=d.used, why=d.why) for d in told.days],
        events=[LedgerEvent(**mark._asdict()) for mark in told.marks],
    )


def _title(one: Explained) -> str:
    stage = labels.label(one.stage)
    return f"{stage}·{one.item_code} 第 {one.attempt} 次" if one.item_code else f"{stage}（阶段）"


def _as_text(clocks: Iterable[Explained]) -> str:
    return "\n".join(f"【{_title(one)}】\n{as_text(one.told)}" for one in clocks)


def _as_csv(clocks: Iterable[Explained]) -> str:
    held = io.StringIO()
    rows = csv.writer(held, lineterminator="\n")
    rows.writerow(("subject", "about", "item_code", "attempt", "date", "weekday", "counted", "used", "why"))
    for one in clocks:
        about = (one.subject.value, one.about, one.item_code, one.attempt)
        rows.writerows((*about, day.on, day.weekday, day.counted, day.used, day.why) for day in one.told.days)
    return held.getvalue()


def _events(text: str) -> list[StoryEvent]:
    return [StoryEvent(**one) for one in json.loads(text)]


def _digest(rows: object) -> str:
    return hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()


def _overview_row(row: dict[str, Any], catalogue: Catalogue) -> OverviewRow:
    stage = labels.label(Stage(row["stage"]))
    return OverviewRow(
        **row, stage_name=stage, department_name=catalogue.departments[DepartmentCode(row["department"])]
    )


def _lit_item(row: dict[str, Any], catalogue: Catalogue) -> LitItem:
    names = {name: row[name] for name in LitItem.model_fields if name != "name"}
    return LitItem(**names, name=catalogue.items[ItemCode(row["item_code"])].name)
