"""One stage application as its events tell it, minute by minute; and the dispatcher over real tables."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch
from uuid import UUID

import orjson
import pytest

from chassis.catalogue import City, load
from chassis.database import unpacked
from contracts import topics
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, ProjectCode, Sha256
from contracts.department_worker import (
    ItemAccepted,
    ItemConcluded,
    ItemNotAccepted,
    ItemRecalled,
    ItemReceived,
    ItemReturned,
    ItemRevoked,
    ItemStepped,
    ItemTakenBack,
)
from contracts.envelope import Event, derived_id, encode
from contracts.intake import (
    ApplicationReceived,
    DeferredMaterialsSubmitted,
    ItemReapplied,
    StageApplied,
    SupplementSubmitted,
    WithdrawalRequested,
)
from contracts.parts import Actor, Builder, DeferredMaterial, MaterialRef, Policies
from contracts.supervision import ExpiryDecided, SpecialHandlingGranted
from contracts.terms import ExpiryDecision, Outcome, ProcessType, SpecialEffect, Stage, Submission
from dispatcher import decisions, domain, folding
from dispatcher.app import create
from dispatcher.domain import StageProcess
from dispatcher.settings import Settings
from local.postgres import Postgres, create_databases
from local.rehearsal import HandClock, Lists, Member, Mortal
from local.suite import CATALOGUE, migrate
from procedure.catalogue import Catalogue

AT: Final = datetime(2026, 3, 2, 1, tzinfo=UTC)
OFFICER: Final = Actor(holder="经办人", certificate="CA-1")
LEAD: Final = Actor(holder="牵头部门", certificate="CA-9")
DOCUMENT: Final = Sha256("d" * 64)
FORM: Final = {"contact_name": "王工", "contact_phone": "0411-85600000", "summary": "一期"}
CITY: Final[City] = load(CATALOGUE)


def with_milestones(catalogue: Catalogue, codes: Sequence[str]) -> Catalogue:
    marked = {code: replace(rule, milestone=code in codes) for code, rule in catalogue.items.items()}
    return replace(catalogue, items=marked)


def material(code: str) -> MaterialRef:
    return MaterialRef(code=code, sha256=Sha256("a" * 64), name=f"{code}.pdf", size=100)  # type: ignore[arg-type]


class Story:
    """Makes the events of one stage application of one project, each a minute after the other."""

    def __init__(
        self,
        process_type: ProcessType = ProcessType.SOCIAL_GENERAL,
        stage: Stage = Stage.LAND_USE,
        code: str = "2018-210281-47-03-000123",
        version: str = "",
        submission: Submission = Submission.ONLINE,
        deferred: Sequence[DeferredMaterial] = (),
        materials: Sequence[str] = ("M01", "M02"),
        jurisdiction: str = "210281",
        **settings: Any,
    ) -> None:
        self.code = ProjectCode(code)
        self.stage = stage
        self.application_id = derived_id("application", code, stage.value)
        self.policies = Policies(
            catalogue_version=version or CITY.catalogue.version, policy_version="T", settings=settings
        )
        self._minutes = 0
        self._versions: dict[UUID, int] = {}
        self._attempts: dict[str, int] = {}
        self._places: dict[str, str] = {}
        self._jurisdiction = jurisdiction
        self.applied = StageApplied(
            **self._about("StageApplied"),
            version=1,
            project_name="示例项目",
            process_type=process_type,
            jurisdiction=JurisdictionCode(jurisdiction),
            builder=Builder(uscc="91210281MA0ABC123K", name="示例公司"),  # type: ignore[arg-type]
            submission=submission,
            form=FORM,  # type: ignore[arg-type]
            materials=tuple(map(material, materials)),
            policies=self.policies,
            actor=OFFICER,
            deferred=tuple(deferred),
        )

    def now(self) -> datetime:
        self._minutes += 1
        return AT + timedelta(minutes=self._minutes)

    def _about(self, *parts: object) -> dict[str, Any]:
        at = self.now()
        event_id = derived_id("test", self.application_id, *parts, at)
        shared = {"project_code": self.code, "application_id": self.application_id, "stage": self.stage}
        return {"event_id": event_id, "causation_id": event_id, "occurred_at": at, **shared}

    def item_id(self, code: str) -> UUID:
        return domain.item_id_of(self.application_id, ItemCode(code), self._attempts.get(code, 1))

    def again(self, code: str, jurisdiction: str | None = None) -> None:
        """From now on speak of the next attempt of an item."""
        self._attempts[code] = self._attempts.get(code, 1) + 1
        self._places |= {code: jurisdiction} if jurisdiction else {}

    def _item(self, code: str) -> dict[str, Any]:
        rule = CITY.catalogue.items[ItemCode(code)]
        place = CITY.catalogue.route(rule, JurisdictionCode(self._places.get(code, self._jurisdiction)))
        where = {"department": DepartmentCode(rule.department), "jurisdiction": place}
        return {"item_id": self.item_id(code), "item_code": code, "attempt": self._attempts.get(code, 1), **where}

    def step(self, kind: type[ItemStepped], code: str, /, *, at: datetime | None = None, **more: Any) -> ItemStepped:
        about, item = self._about(kind.__name__, code), self._item(code)
        version = self._versions[item["item_id"]] = self._versions.get(item["item_id"], 0) + 1
        known = {"version": version, "at": at or about["occurred_at"], "actor": OFFICER, "policies": self.policies}
        return kind(**about, **item, **known, **more)

    def _limit(self, code: str) -> dict[str, Any]:
        rule = CITY.catalogue.items[ItemCode(code)]
        return {"kind": rule.kind, "limit_days": rule.limit_days, "on_expiry": rule.on_expiry}

    def received(self, code: str) -> ItemStepped:
        more = {"applied_at": AT, "builder": self.applied.builder.uscc}
        return self.step(ItemReceived, code, **self._limit(code), **more)

    def accepted(self, code: str) -> ItemStepped:
        return self.step(ItemAccepted, code, **self._limit(code))

    def concluded(self, code: str, outcome: Outcome = Outcome.GRANTED, **more: Any) -> ItemStepped:
        return self.step(ItemConcluded, code, outcome=outcome, opinion="意见", document=DOCUMENT, **more)

    def refused(self, code: str) -> ItemStepped:
        return self.concluded(code, Outcome.REFUSED)

    def not_accepted(self, code: str) -> ItemStepped:
        return self.step(ItemNotAccepted, code, opinion="不属于本部门")

    def returned(self, code: str) -> ItemStepped:
        return self.step(ItemReturned, code, opinion="退回")

    def withdrawn(self, code: str) -> ItemStepped:
        return self.step(ItemTakenBack, code, opinion="撤件")

    def revoked(self, code: str) -> ItemStepped:
        return self.step(ItemRevoked, code, opinion="依法撤销")

    def expired(self, code: str, due_at: datetime | None = None) -> ItemStepped:
        outcome = Outcome.EXPIRED_NO_OPINION
        return self.step(ItemRecalled, code, outcome=outcome, due_at=due_at or self.now())

    def deemed(self, code: str, due_at: datetime | None = None) -> ItemStepped:
        return self.step(ItemRecalled, code, outcome=Outcome.DEEMED_NO_OPINION, due_at=due_at or self.now())

    def reapplied(self, code: str, *materials: str) -> ItemReapplied:
        return ItemReapplied(
            **self._about("ItemReapplied", code),
            version=2,
            item_code=ItemCode(code),
            former_item_id=self.item_id(code),
            form=FORM,  # type: ignore[arg-type]
            materials=tuple(map(material, materials)),
            actor=OFFICER,
        )

    def supplemented(self, code: str, *materials: str) -> SupplementSubmitted:
        about = self._about("SupplementSubmitted", code)
        item = {"item_id": self.item_id(code), "item_code": ItemCode(code)}
        return SupplementSubmitted(**about, **item, version=2, materials=tuple(map(material, materials)), actor=OFFICER)

    def handed_in(self, *materials: str) -> DeferredMaterialsSubmitted:
        about = self._about("DeferredMaterialsSubmitted", *materials)
        return DeferredMaterialsSubmitted(**about, version=2, materials=tuple(map(material, materials)), actor=OFFICER)

    def withdrawal(self, code: str) -> WithdrawalRequested:
        about = self._about("WithdrawalRequested", code)
        item = {"item_id": self.item_id(code), "item_code": ItemCode(code)}
        return WithdrawalRequested(**about, **item, version=2, reason="不办了", confirmed=True, actor=OFFICER)

    def receipt(self) -> ApplicationReceived:
        return ApplicationReceived(**self._about("ApplicationReceived"), version=2, window="综合窗口", actor=OFFICER)

    def lead(self, decision: ExpiryDecision, code: str, reason: str = "部门未反馈") -> ExpiryDecided:
        about = self._about(decision, code)
        return ExpiryDecided(**about, **self._item(code), decision=decision, reason=reason, actor=LEAD)

    def special(
        self, effect: SpecialEffect, code: str, reason: str = "系统故障", **more: Any
    ) -> SpecialHandlingGranted:
        about = self._about(effect, code)
        return SpecialHandlingGranted(
            **about,
            handling_id=derived_id("handling", about["event_id"]),
            effect=effect,
            jurisdiction=JurisdictionCode(self._jurisdiction),
            department=DepartmentCode("GHJ"),
            item_code=ItemCode(code),
            item_id=self.item_id(code),
            reason=reason,
            evidence=Sha256("e" * 64),
            evidence_name="情况说明.pdf",
            actor=LEAD,
            **more,
        )


class Case(Story):
    """A story that the dispatcher's rules are told event by event; `said` is everything they said of it."""

    process: StageProcess

    def __init__(self, *arguments: Any, milestones: Sequence[str] | None = None, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.catalogue = CITY.under(self.policies)
        if milestones is not None:
            self.catalogue = with_milestones(self.catalogue, milestones)
        self.process, said = domain.split(self.applied, self.catalogue)
        self.said: list[Event] = list(said)

    def tell(self, *events: Any) -> list[Any]:
        """Return what is said of `events`, told in this order."""
        before = len(self.said)
        for event in events:
            self.process, said = self._decided(event)
            self.said.extend(said)
        return self.said[before:]

    def _decided(self, event: Any) -> tuple[StageProcess, Sequence[Event]]:
        match event:
            case ItemStepped():
                return folding.fold(self.process, [event], self.catalogue)
            case ItemReapplied():
                return domain.reapply(self.process, event, self.catalogue)
            case SupplementSubmitted():
                return domain.supplement(self.process, event)
            case DeferredMaterialsSubmitted():
                return domain.take_deferred(self.process, event, self.catalogue)
            case WithdrawalRequested():
                return domain.withdraw(self.process, event, self.catalogue)
            case ApplicationReceived():
                return domain.receive(self.process, event)
            case _:
                return decisions.decide(self.process, event, self.catalogue)

    def of(self, kind: type[Event]) -> list[Any]:
        """Return what was said of one kind, in order."""
        return [event for event in self.said if isinstance(event, kind)]

    def codes(self) -> list[str]:
        return [str(code) for code in self.process.lines]


class AtWork:
    """The dispatcher over real tables: it reads what is appended when it is told to, and speaks into its outbox."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = HandClock(AT + timedelta(days=1))
        self.broker = Lists(self.clock)  # type: ignore[arg-type]
        settings = Settings(
            service_name="dispatcher",
            environment="development",
            kafka_bootstrap_servers="nowhere:0",
            database_url=url,
            catalogue_path=Path(CATALOGUE),
        )
        with patch("chassis.service.wallclock_from", lambda _: self.clock), patch("chassis.service.logging.configure"):
            self.member = Member(create(settings), self.broker)
        self.bus = self.member.service.bus
        self.deaths = 0
        self.database = self.member.service.database

    def append(self, *events: Event) -> None:
        for event in events:
            self.broker.append(encode(event, _topic_of(event).name, "test"))

    async def turn(self, *only: topics.Topic) -> None:
        """Apply what was appended since; of the topics in `only` alone, when any are named."""
        names = {topic.name for topic in only}
        skipped = {tp: at for tp, at in self.member.reader.position.items() if names and tp.topic not in names}
        unread = [raw for raw in self.member.reader.unread() if not names or raw.topic in names]
        self.member.reader.position |= skipped
        await self.bus.consume(unread)

    async def turn_dying(self) -> None:
        """As `turn`, killed at its first await, then at its second, … until it lives to its end."""
        for last in itertools.count(1):
            await self.bus.take_over(sorted(self.member.reader.position))
            mortal = Mortal(self.turn(), last, self.database.pool.terminate)
            task = asyncio.ensure_future(mortal)
            await asyncio.wait([task])
            if not mortal.dead:
                return task.result()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                task.result()
            self.deaths += 1
            await self.member.die()
        return None

    async def forget(self) -> None:
        """Begin anew on empty tables and empty topics."""
        tables = "processes, lines, results, decisions, outbox, parked, positions"
        await self.database.pool.execute(f"TRUNCATE {tables} RESTART IDENTITY")
        self.broker.records.clear()
        await self.bus.take_over(sorted(self.member.reader.position))

    async def tell(self, *events: Event) -> None:
        self.append(*events)
        await self.turn()

    async def said(self) -> list[tuple[str, str, Any]]:
        """Return everything said so far: topic, type and content."""
        rows = await self.database.pool.fetch("SELECT messages FROM outbox ORDER BY id")
        messages = [message for row in rows for message in unpacked(row["messages"])]
        return [(one.topic, one.kind, orjson.loads(one.value)) for one in messages]

    async def told(self, kind: str) -> list[Any]:
        """Return what was said of one type."""
        return [event for _, name, event in await self.said() if name == kind]

    async def parked(self) -> list[tuple[str, str]]:
        """Return the lanes that wait: topic and why."""
        rows = await self.database.pool.fetch("SELECT topic, why FROM parked ORDER BY id")
        return [(row["topic"], row["why"]) for row in rows]


def _topic_of(event: Event) -> topics.Topic:
    return next(topic for topic in topics.TOPICS if type(event) in topic.says)


@pytest.fixture(scope="session")
def dispatcher_url(postgres: Postgres) -> str:
    url = create_databases(postgres.admin_url, ["dispatcher-tests"], "test")["dispatcher-tests"]
    migrate([f"dispatcher={url}"])
    return url


@pytest.fixture
async def at_work(dispatcher_url: str) -> AsyncIterator[AtWork]:
    """The dispatcher on empty tables."""
    made = AtWork(dispatcher_url)
    await made.database.open()
    await made.forget()
    yield made
    await made.member.http.aclose()
    await asyncio.wait_for(made.database.close(), 10)


@pytest.fixture
def case() -> type[Case]:
    """Begins cases: `case(process_type, stage, stage_accepted_when=…)`."""
    return Case


@pytest.fixture
def story() -> type[Story]:
    """Makes stories that are told to the dispatcher at work."""
    return Story
