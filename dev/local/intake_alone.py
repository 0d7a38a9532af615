"""Intake alone over real tables, for its tests: its own HTTP, its own bus, a broker made of lists, time set by hand."""

import itertools
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch
from uuid import UUID

import httpx
import orjson

from chassis.catalogue import City
from chassis.database import unpacked
from contracts import department_worker as items
from contracts.codes import ItemCode, MaterialCode, Sha256
from contracts.department_worker import MaterialsRecorded
from contracts.dispatcher import StageDispatched
from contracts.envelope import Encoded, Event, derived_id, encode
from contracts.parts import AboutStage, Actor, DispatchedItem, MaterialRef
from contracts.supervision import SpecialHandlingGranted
from contracts.terms import ClockSubject, ItemKind, OnExpiry, ProcessType, SpecialEffect, Stage
from contracts.topics import Topic
from intake.app import create
from intake.settings import Settings
from local.builder import BUILDER, FORM, USCC, scan
from local.rehearsal import HandClock, Lists, Member
from local.samples import sample
from local.standin import Callers
from local.suite import CATALOGUE

LATER: Final = "later.1"
OPENS: Final = datetime(2026, 3, 2, 1, tzinfo=UTC)
"""Monday, 2 March 2026, 9 o'clock in Shanghai."""
A, B = "S1-09", "S1-10"
"""Two items of the stage; A is the officer's of CLAIMS."""
CODE: Final = "2018-210281-47-03-000123"
TYPE: Final = ProcessType.SOCIAL_SMALL
CLAIMS: Final[dict[str, dict[str, str]]] = {
    "platform": {},
    "builder": {"uscc": USCC},
    "window": {"jurisdiction": "210281"},
    "officer": {"jurisdiction": "210281", "department": "RFB"},
    "supervisor": {"jurisdiction": "210281"},
    "admin": {"jurisdiction": "210200"},
}


def two_versions(folder: Path) -> Path:
    """Make a city in `folder`: Dalian's tables, and `later.1` from 2020-11-01 on with shorter limits for stage 1."""
    made = folder / "dalian"
    shutil.copytree(CATALOGUE, made, ignore=shutil.ignore_patterns("versions"))
    later = made / "versions" / LATER
    later.mkdir(parents=True)
    _changed(made, later, "catalogue.csv", ("version,2018.1", f"version,{LATER}"), ("2018-12-12", "2020-11-01"))
    _changed(made, later, "limits.csv", ("4,小型社会投资,15,", "4,小型社会投资,14,"))
    _changed(made, later, "items.csv", ("意见,1,RFB,CONSULT,3,", "意见,1,RFB,CONSULT,2,"))
    return made


def _changed(made: Path, later: Path, name: str, *changes: tuple[str, str]) -> None:
    text = (made / name).read_text()
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    (later / name).write_text(text)


class House:
    """Intake as a process without its process: what it is asked, what it hears, what it says."""

    def __init__(self, url: str, catalogue: Path, folder: Path) -> None:
        self.clock = HandClock(OPENS)
        self.broker = Lists(self.clock)
        self._callers = Callers(folder / "keys")
        settings = Settings(
            service_name="intake",
            environment="development",
            kafka_bootstrap_servers="nowhere:0",
            database_url=url,
            catalogue_path=catalogue,
            trust_folder=self._callers.trust,
            materials_url=(folder / "materials").resolve().as_uri(),
            documents_url=(folder / "documents").resolve().as_uri(),
        )
        with patch("chassis.service.wallclock_from", lambda _: self.clock), patch("chassis.service.logging.configure"):
            self.member = Member(create(settings), self.broker)
        self._numbers = itertools.count(1)

    # Asking -----------------------------------------------------------------------------------------------------

    async def ask(
        self, role: str, method: str, path: str, body: Any = None, key: str = "", **claims: str
    ) -> httpx.Response:
        """Send a request in a role, under its own idempotency key unless `key` names one."""
        token = self._callers.token(role, claims.pop("name", role), **{**CLAIMS[role], **claims})
        given = key or f"key-{next(self._numbers):08d}"
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": given}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/pdf"
            return await self.member.http.request(method, path, headers=headers, content=body)
        return await self.member.http.request(method, path, headers=headers, json=body)

    async def get(self, role: str, path: str, **claims: str) -> Any:
        answer = await self.ask(role, "GET", path, **claims)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def push(self, code: str = CODE) -> None:
        body = {"name": "示例", "process_type": TYPE.value, "jurisdiction": "210281", "builder": BUILDER}
        assert (await self.ask("platform", "PUT", f"/projects/{code}", body)).status_code == 201

    async def scanned(self, code: str, content: str = "") -> dict[str, str]:
        """Upload a scan, and return the material as a declaration names it."""
        answer = await self.ask("builder", "POST", "/materials", scan(content or code))
        return {"code": code, "name": f"{code}.pdf", "sha256": answer.json()["sha256"]}

    async def set_of(self, city: City, stage: Stage = Stage.LAND_USE, *without: str) -> list[dict[str, str]]:
        """Upload everything that a stage needs, without some of it."""
        needed = [one.code for one in city.catalogue.to_submit(stage, TYPE)]
        return [await self.scanned(code) for code in needed if code not in without]

    async def declare(
        self, materials: list[dict[str, str]], stage: Stage = Stage.LAND_USE, code: str = CODE, **more: Any
    ) -> httpx.Response:
        body = {"form": FORM, "materials": materials, "truthful": True, **more}
        return await self.ask("builder", "POST", f"/projects/{code}/stages/{stage.value}/applications", body)

    # Hearing and saying -----------------------------------------------------------------------------------------

    async def hear(self, topic: Topic, *events: Event) -> None:
        """Apply events as one batch."""
        self.append(topic, *events)
        await self.read_on()

    def append(self, topic: Topic, *events: Event) -> None:
        """Append events that nobody has read yet."""
        for event in events:
            self.broker.append(encode(event, topic.name, topic.speaker))

    async def read_on(self) -> None:
        """Apply what was appended since, as one batch."""
        unread = self.member.reader.unread()
        if unread:
            await self.member.service.bus.consume(unread)

    async def everything_said(self) -> list[tuple[str, dict[str, Any]]]:
        """Return every event that intake has said so far, with its kind."""
        rows = await self.member.service.database.pool.fetch("SELECT messages FROM outbox ORDER BY id")
        messages = [message for row in rows for message in unpacked(row["messages"])]
        return [(_kind(message), orjson.loads(message.value)) for message in messages]

    async def said(self, kind: str) -> list[dict[str, Any]]:
        """Return every event of a kind that intake has said so far."""
        return [event for name, event in await self.everything_said() if name == kind]


def _kind(message: Encoded) -> str:
    return message.kind


def application_id(stage: Stage = Stage.LAND_USE, code: str = CODE) -> UUID:
    return derived_id("application", code, stage.value)


def item_id(code: str, stage: Stage = Stage.LAND_USE, attempt: int = 1) -> UUID:
    return derived_id("item", application_id(stage), code, attempt)


def about(model: type[AboutStage], stage: Stage = Stage.LAND_USE, **facts: Any) -> Any:
    """An event about the project's stage, or about one of its items (`item_code`)."""
    filled = {"project_code": CODE, "application_id": application_id(stage), "stage": stage, "attempt": 1, **facts}
    if "item_code" in facts:
        filled["item_id"] = item_id(facts["item_code"], stage, filled["attempt"])
    event = sample(model)
    known = {name: value for name, value in filled.items() if name in model.model_fields}
    made = event.model_copy(update=known)
    return made.model_copy(update={"event_id": derived_id(model.__name__, sorted(known.items(), key=str))})


@asynccontextmanager
async def alone(url: str, catalogue: Path, folder: Path) -> AsyncGenerator[House, None]:
    """Intake on empty tables, on Monday morning."""
    house = House(url, catalogue, folder)
    await house.member.service.database.open()
    pool = house.member.service.database.pool
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    names = [row["tablename"] for row in await pool.fetch(query)]
    await pool.execute(f"TRUNCATE {', '.join(names)} RESTART IDENTITY")
    await house.member.start()
    try:
        yield house
    finally:
        await house.member.http.aclose()
        await house.member.service.database.close()


# What the others say --------------------------------------------------------------------------------------------


def on(day: int, hour: int = 1) -> datetime:
    """An instant of March 2026, UTC."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def split(stage: Stage = Stage.LAND_USE, *codes: str) -> StageDispatched:
    dispatched = tuple(
        DispatchedItem(
            item_id=item_id(code, stage),
            item_code=ItemCode(code),
            name=code,
            attempt=1,
            department="RFB" if code == A else "WWJ",  # pyright: ignore[reportArgumentType]
            jurisdiction="210281",  # pyright: ignore[reportArgumentType]
            kind=ItemKind.CONSULT,
            limit_days=5,
            on_expiry=OnExpiry.DEEM_NO_OBJECTION,
        )
        for code in codes or (A, B)
    )
    return about(StageDispatched, stage, items=dispatched, version=1, limit_days=15)


def step(kind: type[items.ItemStepped], version: int, code: str = A, **facts: Any) -> Any:
    place = {"department": "RFB" if code == A else "WWJ", "jurisdiction": "210281"}
    given = {"limit_days": 5, "before_acceptance": False, **place, **facts}
    return about(kind, item_code=ItemCode(code), version=version, **given)


def clocked(kind: Any, generation: int, at: datetime, code: str | None = A, **facts: Any) -> Any:
    subject = ClockSubject.STAGE if code is None else ClockSubject.ITEM
    named = {"item_id": None, "item_code": None} if code is None else {"item_code": ItemCode(code)}
    told = {"subject": subject, "generation": generation, "at": at, **named, **facts}
    return about(kind, jurisdiction="210281", **told)


def granted(effect: SpecialEffect, stage: Stage, **facts: Any) -> SpecialHandlingGranted:
    made = about(SpecialHandlingGranted, stage, effect=effect, **{"material": None, "promised_on": None, **facts})
    return made.model_copy(update={"handling_id": made.event_id})


def recorded(code: str, material: dict[str, str], holder: str) -> MaterialsRecorded:
    given = MaterialRef(
        code=MaterialCode(material["code"]), sha256=Sha256(material["sha256"]), name=material["name"], size=10
    )
    actor = Actor(holder=holder, certificate="CA-1")
    return about(
        MaterialsRecorded,
        item_code=ItemCode(code),
        materials=(given,),
        actor=actor,
        jurisdiction="210281",
        department="RFB" if code == A else "WWJ",
    )
