"""Documents where everybody may die at any await: each is printed, sealed, filed and told of once (Art. 9, 10, 13, 16).

A decision, two notices and what the window is asked for go the whole way, and one notice whose seal is
refused: with seals in real tokens, timestamps of the development authority and the worker's own press.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import pytest

from chassis.catalogue import load
from chassis.filing import Filing
from contracts.codes import JurisdictionCode, Sha256
from contracts.department import ItemReport
from contracts.dispatcher import ItemDispatched
from contracts.envelope import Event
from contracts.terms import ItemStep, Outcome, ProcessType, Stage
from evidence import documents, trust
from evidence.documents import Finding
from local import authority, fonts, ports
from local.authority import SEALS, Authority
from local.authority.seals import wanted_seals
from local.builder import BUILDER, FORM, USCC, scan
from local.department import ROUTINE, report
from local.rehearsal import HOSTED, Rehearsal, fetch_lists, rehearsing, trusting
from local.suite import CATALOGUE, Child, development_grants

CODE: Final = "2018-210281-47-03-000124"
OPENS: Final = datetime(2026, 3, 2, 1, tzinfo=UTC)
TYPE, STAGE = ProcessType.GOV_BUILDING, Stage.LAND_USE
DECIDED, CORRECTED, TURNED_AWAY = "S1-04", "S1-07", "S1-08"
KINDS: Final = {"DECISION", "ACCEPTANCE", "CORRECTION", "RECEIPT", "WINDOW_NOTICE"}
REFUSED: Final = "NOT_ACCEPTED"
"""No seal is granted for it here."""
HANDS: Final = {
    "department-worker ← approval.applications.v1",
    "department-worker ← approval.dept.210281.HBJ.reports.v1",
    "department-worker ← approval.seals.v1",
    "signing ← approval.applications.v1",
    "signing ← approval.items.v1",
    "signing ← approval.seal-requests.v1",
    "intake ← approval.items.v1",
}
"""Who has a hand on a document when it hears what; every other handler dies in `test_crash_points`."""


class House(NamedTuple):
    """What the story needs: databases, PINs of the seals, settings with which documents are sealed."""

    urls: dict[str, str]
    pins: Path
    settings: dict[str, Any]


class Told(NamedTuple):
    """What was said of documents, without what is made anew each time; their files; what still waits for a seal."""

    said: list[tuple[str, dict[str, Any]]]
    files: dict[str, bytes]
    waiting: list[str]
    deaths: Counter[str]


@pytest.fixture(scope="module")
def sealing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """The development authority with its seals, answering for timestamps."""
    folder, url = tmp_path_factory.mktemp("authority"), f"http://127.0.0.1:{ports.free()['authority']}"
    made = authority.prepare(folder, url, *wanted_seals(load(CATALOGUE), map(JurisdictionCode, HOSTED)))
    os.environ.update(made.environment(SEALS))
    office = Child("authority", made.command, dict(os.environ), folder / "authority.log", url)
    office.start()
    office.wait_ready()
    yield made
    office.stop()


@pytest.fixture(scope="module")
def house(urls: dict[str, str], sealing: Authority, tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("papers")
    settings = {
        "document_form": "pdf",
        "document_processes": 1,
        "fonts_folder": fonts.prepare(),
        "trust_folder": trusting(sealing, folder / "trust"),
        "tsa_url": f"{sealing.url}/tsa",
        "seal_grants_file": folder / "grants.csv",
    }
    pairs = [pair for place in HOSTED for pair in load(CATALOGUE).catalogue.departments_of(JurisdictionCode(place))]
    settings["seal_grants_file"].write_text(development_grants(pairs, HOSTED).replace(REFUSED, ""))
    return House(urls, sealing.pins(SEALS), settings)


def departments(event: Event) -> Sequence[ItemReport]:
    """Three offices answer, each in a way of its own, so that every series has one number."""
    if not isinstance(event, ItemDispatched):
        return []
    match event.item_code:
        case "S1-04":
            granted = report(event, ItemStep.CONCLUDE, outcome=Outcome.GRANTED, opinion="准予")
            return [*(report(event, step) for step in ROUTINE[:-1]), granted]
        case "S1-07":
            return [report(event, ItemStep.START_CORRECTION, opinion="请补充监测数据")]
        case "S1-08":
            return [report(event, ItemStep.NOT_ACCEPT, opinion="不属于本机关职权范围")]
        case _:
            return []


class Teller:
    """Lives through the story; with `dies` every step dies at each of its awaits before it lives."""

    def __init__(self, rehearsal: Rehearsal, *, dies: bool) -> None:
        self._r = rehearsal
        self._dies = dies
        self.deaths = Counter[str]()
        worker = rehearsal.members["department-worker"].service
        self.press: Any = worker.running_beside[0].__self__  # pyright: ignore[reportFunctionMemberAccess]

    async def tell(self) -> None:
        await fetch_lists(self._r)
        platform = self._header("platform")
        project = {"name": "示例项目", "process_type": TYPE.value, "jurisdiction": "210281", "builder": BUILDER}
        await self._write("PUT", f"/projects/{CODE}", platform, project)
        materials = [await self._upload(one.code) for one in load(CATALOGUE).catalogue.to_submit(STAGE, TYPE)]
        body = {"form": FORM, "materials": materials, "truthful": True}
        path = f"/projects/{CODE}/stages/{STAGE.value}/applications"
        answer = await self._write("POST", path, self._builder(), body)
        await self._settle()
        for kind in ("RECEIPT", "WINDOW_NOTICE"):
            path = f"/applications/{answer.json()['application_id']}/documents/{kind}"
            await self._do("intake", partial(self._write, "POST", path, self._builder(), None), kind)
        await self._settle()
        for some in (self.press.print_some, self.press.seal_some):
            await self._do("department-worker", some)
            await self._settle()

    async def _do(self, name: str, act: Callable[[], Awaitable[Any]], of: str = "") -> Any:
        if not self._dies:
            return await act()
        answer, deaths = await self._r.survives(name, act)  # pyright: ignore[reportArgumentType]
        self.deaths[of or f"{name}: {act.__name__}"] += deaths
        return answer

    async def _settle(self) -> None:
        await self._r.settle(self._turn_dying if self._dies else None)

    async def _turn_dying(self, name: str) -> int:
        reader, records = self._r.members[name].reader, self._r.broker.records
        unread = {tp.topic for tp, position in reader.position.items() if len(records[tp.topic]) > position}
        hands = HANDS & {f"{name} ← {topic}" for topic in unread}
        if not hands:
            return await self._r.turn(name)
        count, deaths = await self._r.turn_dying(name)
        self.deaths.update(dict.fromkeys(hands, deaths))
        return count

    async def _write(self, method: str, path: str, headers: dict[str, str], body: Any) -> Any:
        headers = {**headers, "Idempotency-Key": path.replace("/", ":")[-80:]}
        answer = await self._r.members["intake"].http.request(method, path, headers=headers, json=body)
        assert answer.status_code < 300, answer.text
        await self._r.pass_on("intake")
        return answer

    async def _upload(self, code: str) -> dict[str, str]:
        headers = {**self._builder(), "Content-Type": "application/pdf"}
        answer = await self._r.members["intake"].http.post("/materials", content=scan(code), headers=headers)
        return {"code": code, "name": f"{code}.pdf", "sha256": answer.json()["sha256"]}

    def _header(self, role: str, **claims: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._r.callers.token(role, role, **claims)}"}

    def _builder(self) -> dict[str, str]:
        return self._header("builder", uscc=USCC)


SPOKEN: Final = ("approval.seal-requests.v1", "approval.seals.v1", "approval.items.v1", "approval.applications.v1")


def facts(rehearsal: Rehearsal) -> list[tuple[str, dict[str, Any]]]:
    """What was said, in no order, without signatures, which are made anew, and the files that hold them."""
    values = [raw.value or b"" for topic in SPOKEN for raw in rehearsal.broker.records[topic]]
    events = [{**orjson.loads(value), "signature": None, "own_signature": None, "document": None} for value in values]
    return sorted((event["event_id"], event) for event in events)


def said(told: Told, field: str) -> list[dict[str, Any]]:
    """What was said that has this field."""
    return [event for _, event in told.said if event.get(field) is not None]


@pytest.fixture(scope="module")
def told(house: House, tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Told]:
    """The story lived through once without a death, and once with all of them."""

    async def lived(*, dies: bool) -> Told:
        folder = tmp_path_factory.mktemp("story")
        async with rehearsing(house.urls, house.pins, folder, OPENS, departments, house.settings) as r:
            teller = Teller(r, dies=dies)
            try:
                await teller.tell()
            finally:
                teller.press._workshop.close()
            return Told(facts(r), await files(r, folder), waiting(folder), teller.deaths)

    async def both() -> tuple[Told, Told]:
        return await lived(dies=False), await lived(dies=True)

    return asyncio.run(both())


async def files(rehearsal: Rehearsal, folder: Path) -> dict[str, bytes]:
    """The file of each document that left the house, by what it is."""
    filing = Filing((folder / "documents").resolve().as_uri())
    events = [orjson.loads(raw.value or b"") for raw in rehearsal.broker.records["approval.items.v1"]]
    issued = {event.get("kind", "DECISION"): event["document"] for event in events if event.get("document")}
    return {kind: await filing.read(Sha256(document)) for kind, document in issued.items()}


def waiting(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "documents" / "waiting").glob("*"))


def test_the_story_is_whole(told: tuple[Told, Told]) -> None:
    whole, _ = told
    asked = {one["document_kind"]: one for one in said(whole, "document_kind")}
    assert asked.keys() == KINDS | {REFUSED}
    assert whole.files.keys() == KINDS
    assert [one["code"] for one in said(whole, "code")] == ["SEAL_NOT_GRANTED"]
    assert whole.waiting == []


def test_dying_at_every_await_every_document_is_asked_for_sealed_and_told_of_once(told: tuple[Told, Told]) -> None:
    whole, survived = told
    assert survived.said == whole.said


def test_what_is_filed_in_the_end_is_valid(told: tuple[Told, Told], house: House) -> None:
    trusted = trust.load(house.settings["trust_folder"])
    for lived in told:
        for kind, file in lived.files.items():
            assert documents.judge(file, trusted, trusted.revocations()).finding is Finding.VALID, kind


def test_nothing_waits_for_a_seal_that_was_refused_whoever_died(told: tuple[Told, Told]) -> None:
    _, survived = told
    refused = next(one for one in said(survived, "document_kind") if one["document_kind"] == REFUSED)
    assert f"{refused['digest']}.pdf" not in survived.waiting


def test_no_hand_on_a_document_was_spared(told: tuple[Told, Told]) -> None:
    _, survived = told
    asked, press = {"RECEIPT", "WINDOW_NOTICE"}, {"department-worker: print_some", "department-worker: seal_some"}
    assert survived.deaths.keys() == HANDS | asked | press
    assert min(survived.deaths.values()) >= 10, survived.deaths
