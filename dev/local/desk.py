"""A department's desk on a real database, for tests: events come one unit of work at a time, time is set by hand."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any
from uuid import UUID

from chassis import rostered
from chassis.bus import Received
from chassis.calendars import Calendars
from chassis.catalogue import load
from chassis.database import Connection, Database, Work
from chassis.parking import Held, Lane, Raw
from chassis.rostered import Roster
from chassis.standing import Standing
from contracts import topics
from contracts.codes import CreditCode, DepartmentCode, ItemCode, JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.department import ItemReport
from contracts.dispatcher import ItemDispatched
from contracts.envelope import Encoded, Event, decode, derived_id, encode
from contracts.parts import MaterialRef, Policies, Setting
from contracts.signing import RosterEntry, RosterListed
from contracts.terms import ItemKind, ItemStep, OnExpiry, Role, Stage, Submission
from contracts.topics import Topic, department_items, department_reports
from department_worker import store
from department_worker.handlers import Handlers
from local.department import report
from local.posts import officers_certificate
from local.suite import CATALOGUE
from procedure.items import Item

CITY = load(CATALOGUE)
PLACE, OFFICE = JurisdictionCode("210281"), DepartmentCode("WWJ")
CODE = ProjectCode("2018-210281-47-03-000123")
MONDAY = datetime(2026, 3, 2, 1, tzinfo=UTC)
"""Monday, 2 March 2026, 9 o'clock in Shanghai."""


def material(code: str, content: str = "") -> MaterialRef:
    """A material whose bytes are told apart by `content`."""
    digest = Sha256((derived_id(code, content).hex * 2)[:64])
    return MaterialRef(code=MaterialCode(code), sha256=digest, name=f"{code}.pdf", size=1000)


def dispatched(
    code: str = "S1-10", *, settings: dict[str, Setting] | None = None, department: str = OFFICE, **more: Any
) -> ItemDispatched:
    """An item as a department is given it, online, with a limit of five working days and two materials."""
    item_id = derived_id("item", code, more.get("attempt", 1))
    given: dict[str, Any] = {
        "event_id": derived_id("dispatched", item_id),
        "causation_id": UUID(int=1),
        "occurred_at": MONDAY,
        "project_code": CODE,
        "application_id": UUID(int=2),
        "stage": Stage.LAND_USE,
        "item_id": item_id,
        "item_code": ItemCode(code),
        "attempt": 1,
        "department": DepartmentCode(department),
        "jurisdiction": PLACE,
        "applied_at": MONDAY,
        "name": "文物保护意见",
        "kind": ItemKind.CONSULT,
        "limit_days": 5,
        "on_expiry": OnExpiry.DEEM_NO_OBJECTION,
        "submission": Submission.ONLINE,
        "project_name": "示例项目",
        "builder": CreditCode("91210281MA0ABC123K"),
        "materials": (material("M07"), material("M08")),
        "policies": Policies(catalogue_version="1", policy_version="t" if settings else "1", settings=settings or {}),
        **more,
    }
    return ItemDispatched(**given)


class Watermarks:
    """In place of the bus: which topics are read to their end is said by the test."""

    def __init__(self) -> None:
        self.unread: set[str] = set()

    async def has_read_to_end(self, names: Iterable[str], work: Work) -> set[str]:
        return set(names) - self.unread

    async def waiting(self, lanes: Collection[Lane], work: Work) -> set[Lane]:
        return set()


def _listed(department: str, certificate: str, place: JurisdictionCode) -> RosterListed:
    entry = RosterEntry(
        role=Role.OFFICER,
        jurisdiction=place,
        department=DepartmentCode(department),
        effective_at=datetime(2000, 1, 1, tzinfo=UTC),
        requested_by="主管部门",
        approved_by="主管部门",
        document="名单",
    )
    return RosterListed(
        event_id=derived_id("listed", certificate),
        causation_id=UUID(int=1),
        occurred_at=MONDAY,
        subject=f"roster:{certificate}",
        serial=certificate,
        holder=f"{department}经办人",
        entries=(entry,),
    )


class Net:
    """In place of the relay."""

    shards = 1
    owner = "test"

    def reserve(self, row: int, shard: int, messages: Sequence[Encoded], *, foreign: bool) -> None: ...
    def release(self, row: int) -> None: ...
    def discard(self, row: int) -> None: ...


class Room:
    """Handlers over one database. `said` and `held` are of the last unit of work, `queries` what it asked for."""

    def __init__(self, database: Database, *, sealed: bool) -> None:
        self.database = database
        self.marks = Watermarks()
        self.calendars = Calendars(CITY.calendar)
        self.standing = Standing(lag_seconds=0)
        self.standing.is_told((), -inf)
        self.roster = Roster(self.marks, self.standing)  # pyright: ignore[reportArgumentType]
        self.handlers = Handlers(self.calendars, self.marks, self.roster, sealed=sealed)  # pyright: ignore[reportArgumentType]
        self.said: list[Event] = []
        self.held: list[Held] = []
        self.queries: list[str] = []
        self._offset = 0

    async def list_officers(self, *departments: str, certificate: str = "", place: JurisdictionCode = PLACE) -> None:
        """Each department's officer stands on the roster, from ever on (Art. 18): its first one, or this one."""
        listed = [_listed(code, certificate or officers_certificate(place, code), place) for code in departments]
        await self._apply(rostered.on_identity, [self.received(topics.IDENTITY, one) for one in listed])

    async def hear(self, *events: Event) -> list[Event]:
        """What signing says of persons arrives on the bus."""
        return await self._apply(rostered.on_identity, [self.received(topics.IDENTITY, one) for one in events])

    async def _apply(self, handler: Callable[..., Awaitable[None]], received: Sequence[Received[Any]]) -> list[Event]:
        self.queries = []
        async with self.database.work() as work:
            connection: Any = work.connection
            connection.add_query_logger(self._log)
            await handler(received, work)
            connection.remove_query_logger(self._log)
            self.held = list(work.held)
            self.said = [_decoded(message) for message in work.said()]
        return self.said

    def _log(self, record: Any) -> None:
        self.queries.append(record.query)

    def received(self, topic: Topic, event: Event, at: datetime = MONDAY) -> Received[Any]:
        """Return an event as it comes from its topic, appended at `at`."""
        self._offset += 1
        message = encode(event, topic.name, "test")
        headers = message.headers
        raw = Raw(topic.name, 0, self._offset, 0, message.key.encode(), message.value.encode(), headers)
        return Received(event, raw, at)

    async def give(self, *events: Any, at: datetime = MONDAY) -> list[Event]:
        """What the dispatcher says to the department arrives."""
        received = [self.received(department_items(one.jurisdiction, one.department), one, at) for one in events]
        return await self._apply(self.handlers.on_dispatched, received)

    async def tell(self, *reports: ItemReport, at: datetime = MONDAY) -> list[Event]:
        """Reports arrive that the broker appended at `at`."""
        return await self.tell_each(*((one, at) for one in reports))

    async def tell_each(self, *reports: tuple[ItemReport, datetime]) -> list[Event]:
        """Reports arrive together, each with the instant at which the broker appended it."""
        received = [self.received(department_reports(one.jurisdiction, one.department), one, at) for one, at in reports]
        return await self._apply(self.handlers.on_reports, received)

    async def step(self, item: ItemDispatched, *steps: ItemStep, at: datetime = MONDAY, **more: Any) -> list[Event]:
        """The department reports steps of one item."""
        return await self.tell(*(report(item, step, repeat=self._offset, **more) for step in steps), at=at)

    async def supervise(self, *events: Event, at: datetime = MONDAY) -> list[Event]:
        received = [self.received(topics.SUPERVISION, one, at) for one in events]
        return await self._apply(self.handlers.on_supervision, received)

    async def strike(self, *events: Event, at: datetime) -> list[Event]:
        """The timer says something."""
        return await self._apply(self.handlers.on_clocks, [self.received(topics.CLOCKS, one, at) for one in events])

    async def amend(self, *events: Event) -> list[Event]:
        """The calendar is amended."""
        received = [self.received(topics.CALENDAR, one, MONDAY) for one in events]
        return await self._apply(self.handlers.on_calendar, received)

    async def together(self, *turns: tuple[Callable[..., Awaitable[None]], Topic, Event, datetime]) -> list[Event]:
        """Several things arrive in one unit of work, each for its handler, in this order."""

        async def apply(received: Sequence[Received[Any]], work: Work) -> None:
            for (handler, *_), one in zip(turns, received, strict=True):
                await handler([one], work)

        return await self._apply(apply, [self.received(topic, event, at) for _, topic, event, at in turns])

    async def item(self, item: ItemDispatched) -> Item:
        async with self.database.reading() as connection:
            found = await store.find(connection, item.item_id)
        assert found is not None
        return found

    async def ask(self, query: Callable[[Connection], Awaitable[Any]]) -> Any:
        """Return what one of the store's questions answers."""
        async with self.database.reading() as connection:
            return await query(connection)


def _decoded(message: Encoded) -> Event:
    known = {name: model for topic in topics.TOPICS for name, model in topic.known.items()}
    headers = message.headers
    event = decode(message.value.encode(), headers, message.key.encode(), known)
    assert event is not None
    return event


def names(events: Iterable[Event]) -> list[str]:
    """What happened, by name."""
    return [type(event).__name__ for event in events]
