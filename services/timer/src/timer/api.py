"""The platform's administrator over HTTP: the working calendar, and the clocks held against the topics."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import calendars, idempotency
from chassis.bus import Bus
from chassis.database import Connection, Database, Work
from chassis.http import traceparent_of
from chassis.idempotency import Answer, Key
from chassis.identity import requires
from chassis.wallclock import WallClock
from contracts import topics
from contracts.codes import CITY, ItemCode, JurisdictionCode
from contracts.envelope import Line, derived_id
from contracts.parts import DayOrdered
from contracts.terms import ClockSubject, DueCause, Role
from contracts.timer import CalendarAmended
from procedure.authority import Caller
from procedure.calendar import Calendar, YearNotCovered, local_day
from procedure.refusals import CalendarDoesNotReach
from timer import amending, store
from timer.amending import CalendarNotYetKnown, Change, Order
from timer.reckoning import Reckonings
from timer.reconciling import Reconciler, Report
from timer.recounting import Recounting
from timer.store import FIRST_PLACE

Admin = Annotated[Caller, Depends(requires(Role.ADMIN))]
Anybody = Annotated[Caller, Depends(requires())]
IdempotencyKey = Annotated[str, Depends(idempotency.key_of)]
JSON: Final = "application/json"
ROWS_AT_A_TIME: Final = 5_000
CHANGES_SHOWN: Final = 1_000
WHOLE_CITY: Final = JurisdictionCode(CITY)


class Given(BaseModel):
    """What callers send: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class DayGiven(Given):
    """A day that is not what its weekday says; without a name it bears the document's."""

    day: date
    works: bool
    name: Line | None = None


class OrderGiven(Given):
    """The release of a year with its exceptions (`released_year`), or days ordered otherwise in a jurisdiction."""

    jurisdiction: JurisdictionCode = Field(WHOLE_CITY, description="属地；年度放假安排为全市")
    released_year: Annotated[int, Field(ge=2018, le=2199)] | None = Field(None, description="发布哪一年的放假安排")
    corrects: bool = Field(False, description="更正已发布的年度安排")
    days: Annotated[list[DayGiven], Field(min_length=1, max_length=200)]
    document: Line = Field(description="依据的文件（文号或名称）")

    @property
    def order(self) -> Order:
        days = [DayOrdered(day=one.day, works=one.works, name=one.name or self.document) for one in self.days]
        return Order(self.jurisdiction, tuple(days), self.document, self.released_year, self.corrects)


class ClockChange(BaseModel):
    """A running clock whose due instant changes."""

    clock_id: UUID
    subject: ClockSubject
    project_code: str
    item_code: ItemCode | None
    department: str | None
    jurisdiction: str
    former_due_at: datetime
    due_at: datetime


class Preview(BaseModel):
    """What an order would change: how many clocks, and the first thousand of them; nothing is touched."""

    affected: int
    clocks: list[ClockChange]


class Amended(BaseModel):
    """The amendment stands; clocks are counted anew in batches, each real change is said."""

    sequence: int
    calendar_version: str
    affected: int


class DayShown(BaseModel):
    """One day: whether it is worked, and why."""

    day: date
    works: bool
    why: str


class AmendmentShown(BaseModel):
    """One amendment that touches a year."""

    sequence: int
    cause: DueCause
    released_year: int | None
    jurisdiction: str
    days: list[DayShown]
    document: str
    ordered_at: datetime
    ordered_by: str
    affected: int


class YearShown(BaseModel):
    """A year's working days in a jurisdiction; `released` is false while its notice is not out (P24)."""

    year: int
    jurisdiction: str
    released: bool
    calendar_version: str
    working_days: int
    days: list[DayShown]
    amendments: list[AmendmentShown]


class ReconciliationAsked(Given):
    """Whether rows that differ are rewritten."""

    repair: bool = False


class CalendarDesk:
    """What the calendar's routes do."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        wallclock: WallClock,
        reckonings: Reckonings,
    ) -> None:
        self._database = database
        self._bus = bus
        self._wallclock = wallclock
        self._reckonings = reckonings

    async def preview(self, caller: Caller, order: Order) -> Preview:
        """Tell what an order would change."""
        now = self._wallclock.now()
        async with self._database.reading() as connection:
            calendar = (await self._reckonings.current(connection)).calendar
            amending.admit(order, caller, local_day(now), calendar)
            event = amending.said(order, UUID(int=0), 1, caller, now, calendar)
            found = await self._changes(connection, order, event, calendar)
        shown = [_change(one) for one in found[:CHANGES_SHOWN]]
        return Preview(affected=len(found), clocks=shown)

    async def amend(self, work: Work, key: Key, caller: Caller, order: Order) -> Answer:
        """Amend the calendar: kept and said in one unit of work, so that it counts from its commit on."""
        await store.amend_alone(work)
        await self._hold_until_known(work)
        now = self._wallclock.now()
        calendar = (await self._reckonings.current(work.connection)).calendar
        amending.admit(order, caller, local_day(now), calendar)
        sequence = 1 + max((one.sequence for one in await store.amendments(work.connection)), default=0)
        event_id = derived_id("calendar", key.caller, key.key)
        event = amending.said(order, event_id, sequence, caller, now, calendar)
        affected = len(await self._changes(work.connection, order, event, calendar))
        event = event.model_copy(update={"affected": affected})
        await calendars.keep(work, [event])
        work.say(topics.CALENDAR, event)
        view = Amended(sequence=sequence, calendar_version=event.calendar_version, affected=affected)
        return await idempotency.remember(work, key, 202, view.model_dump())

    async def _hold_until_known(self, work: Work) -> None:
        """A database that was lost learns its own amendments from the topic first, or one number would be two."""
        known = await store.amendments(work.connection)
        if not known and topics.CALENDAR.name not in await self._bus.has_read_to_end([topics.CALENDAR.name], work):
            raise CalendarNotYetKnown

    async def _changes(
        self, connection: Connection, order: Order, event: CalendarAmended, calendar: Calendar
    ) -> list[Change]:
        """Return every change, page by page. Raises CalendarDoesNotReach when a due day would fall off its end."""
        reckoning, since, place = amending.reckoned(event, calendar), amending.affected_from(order), FIRST_PLACE
        found: list[Change] = []
        try:
            while rows := await store.due_from(connection, since, place, ROWS_AT_A_TIME):
                found += amending.changes(rows, reckoning)
                place = (rows[-1].whose.application_id, rows[-1].whose.about)
        except YearNotCovered as trouble:
            raise CalendarDoesNotReach(year=trouble.year) from trouble
        return found

    async def show(self, year: int, place: str) -> YearShown:
        """Tell every day of a year, and what amended it."""
        async with self._database.reading() as connection:
            calendar = (await self._reckonings.current(connection)).calendar
            amended = await store.amendments(connection)
        try:
            days = [_day(day, calendar, place) for day in _days_of(year)]
        except YearNotCovered as trouble:
            raise CalendarDoesNotReach(year=trouble.year) from trouble
        return YearShown(
            year=year,
            jurisdiction=place,
            released=year in calendar.released,
            calendar_version=calendar.version,
            working_days=sum(one.works for one in days),
            days=days,
            amendments=[_amendment(one) for one in amended if _touches(one, year)],
        )


def _change(one: Change) -> ClockChange:
    whose = one.row.whose
    return ClockChange(
        clock_id=one.row.clock_id,
        subject=one.row.subject,
        project_code=whose.project_code,
        item_code=whose.item_code,
        department=whose.department,
        jurisdiction=whose.jurisdiction,
        former_due_at=one.row.due_at,
        due_at=one.due_at,
    )


def _days_of(year: int) -> list[date]:
    first, last = date(year, 1, 1), date(year, 12, 31)
    return [first + timedelta(days=after) for after in range((last - first).days + 1)]


def _day(day: date, calendar: Calendar, place: str) -> DayShown:
    return DayShown(day=day, works=calendar.is_working_day(day, place), why=calendar.why(day, place))


def _touches(one: CalendarAmended, year: int) -> bool:
    return one.released_year == year or any(day.day.year == year for day in one.days)


def _amendment(one: CalendarAmended) -> AmendmentShown:
    return AmendmentShown(
        sequence=one.sequence,
        cause=one.cause,
        released_year=one.released_year,
        jurisdiction=one.jurisdiction,
        days=[DayShown(day=day.day, works=day.works, why=day.name) for day in one.days],
        document=one.document,
        ordered_at=one.ordered_at,
        ordered_by=one.actor.holder,
        affected=one.affected,
    )


def router(
    database: Database,
    bus: Bus,
    wallclock: WallClock,
    reckonings: Reckonings,
    recounting: Recounting,
    reconciler: Reconciler,
) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    calendar = CalendarDesk(database, bus, wallclock, reckonings)

    @routes.post("/calendar/preview", summary="日历调整预览", response_model=Preview)
    async def preview_amendment(caller: Admin, body: OrderGiven) -> Any:
        return await calendar.preview(caller, body.order)

    @routes.post("/calendar/amendments", summary="日历调整", status_code=202, response_model=Amended)
    async def amend_calendar(request: Request, caller: Admin, body: OrderGiven, given: IdempotencyKey) -> Response:
        what = idempotency.digest("calendar", body.model_dump_json())
        key = Key(caller.subject, given, what)
        async with database.work(traceparent_of(request)) as work:
            answer = await idempotency.claim(work, key) or await calendar.amend(work, key, caller, body.order)
        recounting.wake()
        return Response(answer.body, answer.status, media_type=JSON)

    @routes.get("/calendar/{year}", summary="一年的工作日和调整", response_model=YearShown)
    async def read_year(
        caller: Anybody,
        year: Annotated[int, Path(ge=2018, le=2199)],
        jurisdiction: Annotated[JurisdictionCode, Query(description="属地")] = WHOLE_CITY,
    ) -> Any:
        return await calendar.show(year, jurisdiction)

    @routes.get("/reconciliation", summary="最近一次计时核对", response_model=Report)
    async def read_reconciliation(caller: Admin) -> Any:
        return await reconciler.last()

    @routes.post("/reconciliation", summary="核对全部计时，需要时修复", response_model=Report)
    async def reconcile(request: Request, caller: Admin, body: ReconciliationAsked, given: IdempotencyKey) -> Response:
        key = Key(caller.subject, given, idempotency.digest("reconciliation", body.model_dump_json()))
        async with database.work(traceparent_of(request)) as work:
            answer = await idempotency.claim(work, key)
        if answer is None:
            report = await reconciler.reconcile(repair=body.repair)
            async with database.work(traceparent_of(request)) as work:
                answer = await idempotency.remember(work, key, 200, report.model_dump(mode="json"))
        return Response(answer.body, answer.status, media_type=JSON)

    return routes
