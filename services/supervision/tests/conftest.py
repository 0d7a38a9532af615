"""Items that live through acts under the real law, so that what supervision makes of their steps is held against it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest

from chassis.bus import Bus
from chassis.catalogue import City, load
from chassis.database import Database, unpacked
from contracts.codes import CreditCode, ItemCode, JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.department_worker import ItemStepped
from contracts.dispatcher import StageDispatched
from contracts.envelope import Event, derived_id, encode
from contracts.intake import MaterialViewed, StageApplied, StageForm
from contracts.parts import Actor, Builder, DispatchedItem, Policies, Special
from contracts.terms import ItemStep, Outcome, ProcessType, SpecialKind, Stage, Submission
from contracts.topics import Topic
from local.postgres import Postgres, create_databases
from local.rehearsal import HandClock, Lists, Member
from local.standin import Callers
from local.suite import CATALOGUE, migrate
from procedure.calendar import Calendar
from procedure.items import Act, Item, advance, expires
from procedure.refusals import Refusal
from supervision.app import create
from supervision.settings import Settings

CODE = ProjectCode("2018-210281-47-03-000123")
APPLICATION = derived_id("application", CODE, 1)
OPENS = datetime(2026, 3, 2, 1, tzinfo=UTC)
USCC = CreditCode("91210281MA0ABC123K")
DOCUMENT = Sha256("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")


class Lived:
    """One item and everything that happened to it. Days are working days apart from `OPENS`, hours real ones."""

    def __init__(self, city: City, code: str, attempt: int, jurisdiction: str, policies: Policies) -> None:
        self.calendar: Calendar = city.calendar
        rule = city.catalogue.items[ItemCode(code)]
        self.events: list[ItemStepped] = []
        self.item = Item(
            item_id=derived_id("item", APPLICATION, code, attempt),
            project_code=CODE,
            application_id=APPLICATION,
            stage=rule.stage,
            item_code=rule.code,
            attempt=attempt,
            department=rule.department,
            jurisdiction=JurisdictionCode(jurisdiction),
            kind=rule.kind,
            limit_days=rule.limit_days,
            on_expiry=rule.on_expiry,
            builder=USCC,
            versions=policies,
            applied_at=OPENS,
        )

    def do(self, step: ItemStep, hours: float = 0, certificate: str = "KEY-1", **facts: Any) -> "Lived":
        """Take a step so many hours after `OPENS`, as the law allows it."""
        act = Act(step, Actor(holder="张三", certificate=certificate), OPENS + timedelta(hours=hours), UUID(int=9))
        self.item, happened = advance(self.item, _filled(act._replace(**facts)), self.calendar)
        self.events += [one for one in happened if isinstance(one, ItemStepped)]
        return self

    def attempt(self, step: ItemStep, hours: float) -> None:
        """Take a step if the law allows it now."""
        try:
            self.do(step, hours)
        except Refusal:
            return

    def recall(self) -> "Lived":
        """Let the item expire."""
        due = expires(self.item, self.calendar)
        assert due is not None
        return self.do(ItemStep.RECALL, (due.at - OPENS) / timedelta(hours=1))

    def conclude(self, hours: float, outcome: Outcome = Outcome.GRANTED, **facts: Any) -> "Lived":
        """From acceptance to a sealed decision, within the same hour."""
        for step in (ItemStep.REVIEW, ItemStep.APPROVE):
            self.do(step, hours)
        self.do(ItemStep.CONCLUDE, hours, outcome=outcome, **facts)
        return self.do(ItemStep.SEAL, hours, document=DOCUMENT)


def _filled(act: Act) -> Act:
    """Give an act what its form asks for."""
    special = Special(kind=SpecialKind.HEARING, reason="听证", due_on=date(2026, 3, 12))
    filled = act._replace(opinion=act.opinion or "意见", approved_by=act.approved_by or "局长")
    if act.step is ItemStep.START_SPECIAL and act.special is None:
        filled = filled._replace(special=special)
    if act.step is ItemStep.AMEND_LIMIT and not act.limit_days:
        filled = filled._replace(limit_days=30)
    if act.step in (ItemStep.CONCLUDE, ItemStep.ENTER_DECISION) and act.outcome is None:
        filled = filled._replace(outcome=Outcome.GRANTED)
    return filled


@pytest.fixture(scope="session")
def city() -> City:
    return load(CATALOGUE)


@pytest.fixture(scope="session")
def versions(city: City) -> Policies:
    return city.catalogue.versions


Begin = Callable[..., Lived]


@pytest.fixture(scope="session")
def begin(city: City, versions: Policies) -> Begin:
    """Begins an item: `begin("S1-10")`."""

    def begun(
        code: str = "S1-10", attempt: int = 1, jurisdiction: str = "210281", policies: Policies = versions
    ) -> Lived:
        return Lived(city, code, attempt, jurisdiction, policies)

    return begun


@pytest.fixture
def applied(versions: Policies) -> StageApplied:
    """A builder declared stage 1."""
    return StageApplied(
        event_id=derived_id(APPLICATION, "StageApplied"),
        causation_id=UUID(int=1),
        occurred_at=OPENS,
        project_code=CODE,
        application_id=APPLICATION,
        stage=Stage.LAND_USE,
        version=1,
        project_name="示例住宅小区",
        process_type=ProcessType.SOCIAL_SMALL,
        jurisdiction=JurisdictionCode("210281"),
        builder=Builder(uscc=USCC, name="示例建设有限公司"),
        submission=Submission.ONLINE,
        form=StageForm(contact_name="王工", contact_phone="0411-85600000", summary="一期", floor_area=48_000.5),
        materials=(),
        policies=versions,
        actor=Actor(holder="王工", certificate="B-1"),
    )


@pytest.fixture
def dispatched(city: City, versions: Policies) -> StageDispatched:
    """The dispatcher split it."""
    catalogue = city.catalogue
    items = tuple(
        DispatchedItem(
            item_id=derived_id("item", APPLICATION, rule.code, 1),
            item_code=rule.code,
            name=rule.name,
            attempt=1,
            department=rule.department,
            jurisdiction=JurisdictionCode("210281"),
            kind=rule.kind,
            limit_days=rule.limit_days,
            on_expiry=rule.on_expiry,
        )
        for rule in catalogue.items_of(Stage.LAND_USE, ProcessType.SOCIAL_SMALL)
    )
    return StageDispatched(
        event_id=derived_id(APPLICATION, "StageDispatched"),
        causation_id=UUID(int=1),
        occurred_at=OPENS,
        project_code=CODE,
        application_id=APPLICATION,
        stage=Stage.LAND_USE,
        version=1,
        applied_at=OPENS,
        jurisdiction=JurisdictionCode("210281"),
        process_type=ProcessType.SOCIAL_SMALL,
        limit_days=15,
        items=items,
        window="窗口",
        originals=(),
        policies=versions,
    )


@pytest.fixture
def viewed() -> Callable[[Lived, float], MaterialViewed]:
    """Somebody opened a material of an item, so many hours after `OPENS`."""

    def view(lived: Lived, hours: float) -> MaterialViewed:
        at = OPENS + timedelta(hours=hours)
        item = lived.item
        return MaterialViewed(
            event_id=derived_id("viewed", item.item_id, hours),
            causation_id=UUID(int=1),
            occurred_at=at,
            project_code=CODE,
            application_id=APPLICATION,
            stage=item.stage,
            item_id=item.item_id,
            item_code=item.item_code,
            material=MaterialCode("M07"),
            sha256=DOCUMENT,
            at=at,
            actor=Actor(holder="张三", certificate="KEY-1"),
        )

    return view


# A supervision of its own ---------------------------------------------------------------------------------------


class Supervised:
    """Supervision on a real database, over topics made of lists: records are applied when, and as, a test says."""

    def __init__(self, url: str, folder: Path, **settings: Any) -> None:
        self.clock = HandClock(OPENS + timedelta(days=1))
        self.broker = Lists(self.clock)
        self.callers = Callers(folder / "keys")
        self._settings = Settings(
            service_name="supervision",
            environment="development",
            kafka_bootstrap_servers="nowhere:0",
            database_url=url,
            catalogue_path=CATALOGUE,
            trust_folder=self.callers.trust,
            shutdown_seconds=1,
            **settings,
        )
        self.member = self._made()

    def _made(self) -> Member:
        with patch("chassis.service.wallclock_from", lambda _: self.clock), patch("chassis.service.logging.configure"):
            return Member(create(self._settings), self.broker)

    @property
    def database(self) -> Database:
        return self.member.service.database

    @property
    def bus(self) -> Bus:
        return self.member.service.bus

    def append(self, topic: Topic, *events: Event) -> None:
        """Put events on a topic."""
        for event in events:
            self.broker.append(encode(event, topic.name, topic.speaker))

    async def read(self) -> None:
        """Apply what was appended, and what supervision itself said because of it."""
        while (unread := self.member.reader.unread()) or await self.pass_on():
            if unread:
                await self.bus.consume(unread)

    async def pass_on(self) -> int:
        """Put what supervision said on its topic; returns how many units of work said something."""
        query = "SELECT id, messages FROM outbox WHERE id > $1 ORDER BY id"
        said = await self.database.pool.fetch(query, self.member.relayed)
        for row in said:
            self.member.relayed = row["id"]
            for message in unpacked(row["messages"]):
                self.broker.append(message)
        return len(said)

    async def begin(self) -> None:
        """Begin as a new process with empty tables, over the same topics."""
        self.member = self._made()
        await self.database.open()
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        names = [row["tablename"] for row in await self.database.pool.fetch(query)]
        await self.database.pool.execute(f"TRUNCATE {', '.join(names)} RESTART IDENTITY")
        await self.bus.take_over(sorted(self.member.reader.position))

    async def end(self) -> None:
        await self.member.http.aclose()
        await self.database.close()

    async def build_anew(self) -> None:
        """Wipe what was built; nothing has been read yet."""
        await self.end()
        await self.begin()

    def headers(self, role: str, name: str = "", **claims: str) -> dict[str, str]:
        token = self.callers.token(role, name or role, **claims)
        return {"Authorization": f"Bearer {token}", "Idempotency-Key": f"key-{uuid4().hex}"}

    async def get(self, path: str, role: str = "supervisor", jurisdiction: str = "210200", **claims: str) -> Any:
        headers = self.headers(role, jurisdiction=jurisdiction, **claims)
        return await self.member.http.get(path, headers=headers)

    async def post(self, path: str, body: Any, role: str, jurisdiction: str = "210281", **claims: str) -> Any:
        headers = self.headers(role, jurisdiction=jurisdiction, **claims)
        return await self.member.http.post(path, json=body, headers=headers)


@pytest.fixture(scope="session")
def url(postgres: Postgres) -> str:
    made = create_databases(postgres.admin_url, ["supervision-alone"], "test")["supervision-alone"]
    migrate([f"supervision={made}"])
    return made


Supervise = Callable[..., AbstractAsyncContextManager[Supervised]]


@pytest.fixture
def supervise(url: str, tmp_path: Path) -> Supervise:
    """Begins a supervision on an empty database."""

    @asynccontextmanager
    async def begun(**settings: Any) -> AsyncGenerator[Supervised, None]:
        one = Supervised(url, tmp_path, **settings)
        await one.begin()
        try:
            yield one
        finally:
            await one.end()

    return begun
