"""A project's story, and each of its deadlines explained day by day: as it is, stood, or would be (Art. 13)."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date as Date
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from contracts import labels, topics
from contracts.codes import CITY, ProjectCode
from contracts.envelope import Instant
from contracts.terms import ClockState, ClockSubject, Stage
from contracts.timer import CalendarAmended
from procedure import authority
from procedure.authority import Caller, NotFound
from procedure.calendar import Calendar, Overlay, YearNotCovered, amended
from procedure.explain import as_text, due_text, with_overlays
from procedure.policies import Policies
from procedure.refusals import CalendarDoesNotReach
from supervision import explained
from supervision.api.desk import Desk, Supervisor
from supervision.explained import Explained, Question
from supervision.store import rows, rules
from supervision.store import story as chapters
from supervision.story import Line, events, lines


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
    subject: ClockSubject | None = Field(None, description="只看一种计时：阶段、事项、受理")
    form: Literal["json", "csv", "text"] = Field("json", description="格式")
    limit_days: int | None = Field(None, ge=1, le=366, description="假设的时限（工作日）")
    count_start_day: bool | None = Field(None, description="P6：假设起算日计入")
    due_day_ends: Literal["midnight", "office_close"] | None = Field(None, description="P7：假设到期日的终点")
    stage_pause_policy: Literal["ANY", "ALL_OPEN"] | None = Field(None, description="P1：假设阶段暂停的口径")
    day_off: list[Date] = Field([], max_length=31, description="P25：假设停止办公的日期")
    day_on: list[Date] = Field([], max_length=31, description="P25：假设上班的日期")

    def policies(self, pinned: Policies) -> Policies:
        """The policies that a case was admitted under, with what is supposed put in."""
        supposed = {
            "count_start_day": self.count_start_day,
            "due_day_ends": self.due_day_ends,
            "stage_pause_policy": self.stage_pause_policy,
        }
        return replace(pinned, **{name: value for name, value in supposed.items() if value is not None})

    def calendar(self, calendar: Calendar) -> Calendar:
        """The calendar in force, with the days supposed to be off or on."""
        days = [*((day, False) for day in self.day_off), *((day, True) for day in self.day_on)]
        supposed = [Overlay(day, CITY, works, "假设") for day, works in days]
        return with_overlays(calendar, supposed) if supposed else calendar


def router(desk: Desk) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/projects/{code}/timeline", summary="一个项目的全部经过")
    async def read_timeline(caller: Supervisor, code: Annotated[ProjectCode, Path()]) -> list[StoryEvent]:
        told = sorted(
            await _story(desk, caller, code), key=lambda one: (one.event["occurred_at"], one.topic, one.offset)
        )
        return [StoryEvent(**one._asdict()) for one in told]

    @routes.get("/projects/{code}/clocks", summary="逐日说明每个时限", response_model=list[ClockTold])
    async def read_clocks(
        caller: Supervisor, code: Annotated[ProjectCode, Path()], ask: Annotated[WhatIf, Query()]
    ) -> Any:
        told = events(await _story(desk, caller, code), (topics.STAGES, topics.ITEMS))
        async with desk.database.reading() as connection:
            calendars = Calendars(desk.city.calendar, await rules.amendments(connection), ask)
        question = Question(ask.at or desk.wallclock.now(), calendars.in_force, ask.policies, ask.limit_days)
        try:
            found = explained.explained(told, question)
        except YearNotCovered as trouble:
            raise CalendarDoesNotReach(year=trouble.year) from trouble
        wanted = [one for one in found if ask.about in (None, one.about) and ask.subject in (None, one.subject)]
        if ask.form == "json":
            return [_clock_told(one) for one in wanted]
        return PlainTextResponse(_as_csv(wanted) if ask.form == "csv" else _as_text(wanted))

    return routes


class Calendars:
    """The calendar as it stood at any instant, with what a question supposes; each made once for one question."""

    def __init__(self, base: Calendar, amendments: Sequence[CalendarAmended], ask: WhatIf) -> None:
        self._base = base
        self._amendments = amendments
        self._ask = ask
        self._made: dict[tuple[int, ...], Calendar] = {}

    def in_force(self, at: datetime) -> Calendar:
        """Return the calendar with every amendment that had been ordered at `at`."""
        ordered = [one for one in self._amendments if one.ordered_at <= at]
        key = tuple(one.sequence for one in ordered)
        if key not in self._made:
            self._made[key] = self._ask.calendar(amended(self._base, ordered))
        return self._made[key]


async def _story(desk: Desk, caller: Caller, code: ProjectCode) -> list[Line]:
    """Return a project's events, each once. Raises NotFound, or NotYourJurisdiction outside the caller's territory."""
    async with desk.database.reading() as connection:
        project = await rows.project(connection, code)
        told = await chapters.of_project(connection, code)
    if project is None and not told:
        raise NotFound
    authority.own_territory(caller, CITY if project is None else project["jurisdiction"])
    return lines(told)


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
    if not one.item_code:
        return f"{stage}（阶段）"
    what = "" if one.subject is ClockSubject.ITEM else f" {labels.label(one.subject)}"
    return f"{stage}·{one.item_code} 第 {one.attempt} 次{what}"


def _as_text(clocks: Iterable[Explained]) -> str:
    return "\n".join(f"【{_title(one)}】\n{as_text(one.told)}" for one in clocks)


def _as_csv(clocks: Iterable[Explained]) -> str:
    held = io.StringIO()
    table = csv.writer(held, lineterminator="\n")
    table.writerow(("subject", "about", "item_code", "attempt", "date", "weekday", "counted", "used", "why"))
    for one in clocks:
        about = (one.subject.value, one.about, one.item_code, one.attempt)
        table.writerows((*about, day.on, day.weekday, day.counted, day.used, day.why) for day in one.told.days)
    return held.getvalue()
