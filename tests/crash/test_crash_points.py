"""Every handler of every service, and every write over HTTP, killed at every await: the story comes out the same."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest

from chassis.catalogue import load
from contracts import topics
from contracts.codes import CITY, JurisdictionCode, Sha256
from contracts.department import ItemReport
from contracts.dispatcher import ItemDispatched, ItemSupplemented
from contracts.envelope import Event, derived_id
from contracts.parts import Actor, DayOrdered, Special
from contracts.supervision import SpecialHandlingGranted
from contracts.terms import DueCause, ItemStep, Outcome, ProcessType, SpecialEffect, SpecialKind, Stage
from contracts.timer import CalendarAmended
from local.builder import BUILDER, FORM, SIGNED, USCC, scan
from local.department import ROUTINE, report, routine
from local.rehearsal import Rehearsal, rehearsing
from local.suite import CATALOGUE

CODE: Final = "2018-210281-47-03-000123"
OPENS: Final = datetime(2026, 3, 2, 1, tzinfo=UTC)
TYPE, STAGE = ProcessType.GOV_BUILDING, Stage.LAND_USE
CORRECTED, RETURNED, SILENT, REFUSED, WITHDRAWN, SPECIAL, BY_HAND = (
    "S1-10",
    "S1-08",
    "S1-09",
    "S1-07",
    "S1-11",
    "S1-06",
    "S1-02",
)
ENTERED: Final = "S1-05"
LEAD: Final = Actor(holder="牵头部门", certificate="CA-LEAD")
ACCEPTED: Final = (ItemStep.ACCEPT,)
Story = dict[str, list[tuple[str, Any]]]
Told = tuple[Story, Story, Counter[str]]
Do = Callable[[str, Callable[[], Any]], Awaitable[Any]]


class Departments:
    """Answers at once: every turn the law knows, one item each."""

    def __init__(self) -> None:
        self.items: dict[str, ItemDispatched] = {}
        self.waiting: list[ItemReport] | None = []
        """What is reported once the window has received the originals."""

    def __call__(self, event: Event) -> Sequence[ItemReport]:
        if isinstance(event, ItemDispatched):
            self.items[event.item_code] = event
            if self.waiting is None:
                return self._opening(event)
            self.waiting.extend(self._opening(event))
            return []
        if isinstance(event, ItemSupplemented):
            return [one for one in routine(self.items[event.item_code]) if one.step is not ItemStep.ACCEPT]
        return []

    def received(self) -> list[ItemReport]:
        """The window received the originals: return what waited for it."""
        waited, self.waiting = self.waiting or [], None
        return waited

    def _opening(self, item: ItemDispatched) -> Sequence[ItemReport]:
        accepted = report(item, ItemStep.ACCEPT)
        if item.item_code in (SILENT, WITHDRAWN, ENTERED):
            return [accepted]
        if item.item_code == BY_HAND:
            return []
        if item.item_code == CORRECTED:
            return [accepted, report(item, ItemStep.START_CORRECTION, opinion="请补充范围图")]
        if item.item_code == RETURNED and item.attempt == 1:
            return [accepted, report(item, ItemStep.RETURN, opinion="方案不符，退回")]
        if item.item_code == SPECIAL:
            special = Special(kind=SpecialKind.EXPERT_REVIEW, reason="专家评审")
            begun = report(item, ItemStep.START_SPECIAL, special=special)
            return [accepted, begun, report(item, ItemStep.END_SPECIAL), *routine(item)[1:]]
        if item.item_code == REFUSED:
            refused = report(item, ItemStep.CONCLUDE, outcome=Outcome.REFUSED, opinion="不予批准")
            return [*routine(item)[: len(ROUTINE) - 1], refused]
        return routine(item)


@pytest.fixture(scope="module")
def told(urls: dict[str, str], seals: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The story lived through once without a death, and once with all of them; and how often each part died."""
    folder = tmp_path_factory.mktemp("rehearsal")

    async def both() -> Told:
        deaths: Counter[str] = Counter()
        departments = Departments()
        async with rehearsing(urls, seals, folder, OPENS, departments) as rehearsal:
            whole = await Teller(rehearsal, departments, None).tell()
        departments = Departments()
        async with rehearsing(urls, seals, folder, OPENS, departments) as rehearsal:
            survived = await Teller(rehearsal, departments, deaths).tell()
        return whole, survived, deaths

    return asyncio.run(both())


class Teller:
    """Lives through the story; with `deaths` every step dies at each of its awaits before it lives."""

    def __init__(self, rehearsal: Rehearsal, departments: Departments, deaths: Counter[str] | None) -> None:
        self._r = rehearsal
        self._departments = departments
        self._deaths = deaths

    async def tell(self) -> Story:
        await self._write("intake", "push", "PUT", f"/projects/{CODE}", self._platform(), self._project())
        materials = [await self._upload(one.code, one.name) for one in self._catalogue().to_submit(STAGE, TYPE)]
        body = {"form": FORM, "materials": materials, "truthful": True, "submission": "WINDOW"}
        path = f"/projects/{CODE}/stages/{STAGE.value}/applications"
        answer = await self._write("intake", "declare", "POST", path, self._builder(), body)
        application = f"/applications/{answer.json()['application_id']}"
        await self._settle()
        await self._write("intake", "receive", "POST", f"{application}/receipt", self._window(), None)
        await self._settle()
        self._r.report(self._departments.received())
        await self._settle()
        await self._turns(application, materials)
        await self._by_hand(application)
        await self._ordered()
        await self._silence(application)
        return self._story()

    async def _turns(self, application: str, materials: list[dict[str, str]]) -> None:
        given = {"materials": materials[:1], "explanation": "已补充"}
        items = f"{application}/items"
        await self._write("intake", "supplement", "POST", f"{items}/{CORRECTED}/supplements", self._builder(), given)
        again = {"form": FORM, "materials": materials[:1], "truthful": True}
        await self._write("intake", "reapply", "POST", f"{items}/{RETURNED}/reapplications", self._builder(), again)
        gone = {"reason": "项目调整"}
        await self._write("intake", "withdraw", "POST", f"{items}/{WITHDRAWN}/withdrawals", self._window(), gone)
        await self._settle()

    async def _by_hand(self, application: str) -> None:
        progress = (await self._get("intake", application, self._builder())).json()
        item = next(one for one in progress["items"] if one["item_code"] == BY_HAND)
        officer = self._header("officer", jurisdiction=item["jurisdiction"], department=item["department"])
        urge = {"message": "请抓紧办理"}
        path = f"/items/{item['item_id']}"
        await self._write("supervision", "urge", "POST", f"{path}/urges", self._supervisor(), urge)
        for step in ROUTINE:
            granted = {"outcome": "GRANTED", "opinion": "准予"} if step is ItemStep.CONCLUDE else {}
            body: dict[str, Any] = {"step": step.value, **granted}
            if step in SIGNED:
                challenge = f"{path}/steps/challenge"
                asked = await self._write("department-worker", f"ask-{step.value}", "POST", challenge, officer, body)
                body["signature"] = self._r.callers.signature(officer, asked.json())
            await self._write("department-worker", f"step-{step.value}", "POST", f"{path}/steps", officer, body)
            await self._settle()
            if step is ItemStep.ACCEPT:
                longer = {"limit_days": 12, "opinion": "案情复杂"}
                await self._write("department-worker", "limit", "POST", f"{path}/limit", self._admin(), longer)
                await self._settle()
        path = f"{application}/items/{BY_HAND}/issues"
        await self._write("intake", "issue", "POST", path, self._window(), {"recipient": "王工"})

    async def _ordered(self) -> None:
        """The calendar is amended where nobody of the story is, and a decision is entered after an outage."""
        self._r.say(topics.CALENDAR, _typhoon(self._r.clock.at))
        await self._settle()
        self._r.say(topics.SUPERVISION, _entry(self._departments.items[ENTERED], self._r.clock.at))
        await self._settle()

    async def _silence(self, application: str) -> None:
        progress = (await self._get("intake", application, self._builder())).json()
        due = next(one["due_at"] for one in progress["items"] if one["item_code"] == SILENT)
        self._r.clock.at = datetime.fromisoformat(due) + timedelta(seconds=1)
        firing = self._r.members["timer"].service.running_beside[0].__self__  # pyright: ignore[reportFunctionMemberAccess]
        firing.wake(self._r.clock.at)
        await self._do("timer", firing.fire)
        await self._settle()

    async def _do(self, name: str, act: Callable[[], Any]) -> Any:
        if self._deaths is None:
            return await act()
        answer, deaths = await self._r.survives(name, act)
        self._deaths[f"{name}: {act.__qualname__}"] += deaths
        return answer

    async def _settle(self) -> None:
        await self._r.settle(None if self._deaths is None else self._turn_dying)

    async def _turn_dying(self, name: str) -> int:
        assert self._deaths is not None
        topics = self._unread_topics(name)
        count, deaths = await self._r.turn_dying(name)
        for topic in topics:
            self._deaths[f"{name} ← {topic}"] += deaths
        return count

    def _unread_topics(self, name: str) -> set[str]:
        reader = self._r.members[name].reader
        records = self._r.broker.records
        return {tp.topic for tp, position in reader.position.items() if len(records[tp.topic]) > position}

    async def _write(
        self, name: str, key: str, method: str, path: str, headers: dict[str, str], body: Any
    ) -> httpx.Response:
        headers = {**headers, "Idempotency-Key": f"story-{key}"}

        async def write() -> httpx.Response:
            return await self._r.members[name].http.request(method, path, headers=headers, json=body)

        write.__qualname__ = key
        answer = await self._do(name, write)
        assert answer.status_code < 300, answer.text
        await self._r.pass_on(name)
        return answer

    async def _get(self, name: str, path: str, headers: dict[str, str]) -> httpx.Response:
        return await self._r.members[name].http.get(path, headers=headers)

    async def _upload(self, code: str, name: str) -> dict[str, str]:
        headers = {**self._builder(), "Content-Type": "application/pdf"}
        answer = await self._r.members["intake"].http.post("/materials", content=scan(name), headers=headers)
        return {"code": code, "name": f"{name}.pdf", "sha256": answer.json()["sha256"]}

    def _header(self, role: str, **claims: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._r.callers.token(role, role, **claims)}"}

    def _platform(self) -> dict[str, str]:
        return self._header("platform")

    def _builder(self) -> dict[str, str]:
        return self._header("builder", uscc=USCC)

    def _window(self) -> dict[str, str]:
        return self._header("window", jurisdiction="210281")

    def _supervisor(self) -> dict[str, str]:
        return self._header("supervisor", jurisdiction="210200")

    def _admin(self) -> dict[str, str]:
        return self._header("admin", jurisdiction="210200")

    def _project(self) -> dict[str, Any]:
        return {"name": "示例项目", "process_type": TYPE.value, "jurisdiction": "210281", "builder": BUILDER}

    def _catalogue(self) -> Any:

        return load(CATALOGUE).catalogue

    def _story(self) -> Story:
        """Every topic's events with all they say, but for signatures (made anew) and a report's own time."""
        return {
            topic: [_fact(raw.value or b"") for raw in records] for topic, records in self._r.broker.records.items()
        }


def _typhoon(at: datetime) -> CalendarAmended:
    made = derived_id("typhoon")
    return CalendarAmended(
        event_id=made,
        causation_id=made,
        occurred_at=at,
        authority=JurisdictionCode(CITY),
        sequence=1,
        calendar_version="2026+1",
        cause=DueCause.OVERLAY,
        released_year=None,
        jurisdiction=JurisdictionCode("210224"),
        days=(DayOrdered(day=date(2026, 3, 4), works=False, name="台风"),),
        document="长政办〔2026〕1号",
        ordered_at=at,
        affected=0,
        actor=LEAD,
    )


def _entry(item: ItemDispatched, at: datetime) -> SpecialHandlingGranted:
    made = derived_id("entry", item.item_id)
    return SpecialHandlingGranted(
        event_id=made,
        causation_id=made,
        occurred_at=at,
        project_code=item.project_code,
        application_id=item.application_id,
        stage=item.stage,
        handling_id=made,
        effect=SpecialEffect.ENTER_DECISION,
        jurisdiction=item.jurisdiction,
        department=item.department,
        item_code=item.item_code,
        item_id=item.item_id,
        reason="系统故障期间作出",
        evidence=Sha256("0" * 64),
        evidence_name="说明.pdf",
        actor=LEAD,
        outcome=Outcome.GRANTED,
        decided_on=at.date(),
    )


def _fact(value: bytes) -> tuple[str, Any]:
    event = orjson.loads(value)
    for made_anew in ("signature", "own_signature"):
        event.pop(made_anew, None)
    if "step" in event and "version" not in event:
        del event["occurred_at"]
    return event["event_id"], event


def test_the_story_is_whole(told: Told) -> None:
    whole, _, _ = told
    kinds = {event["event_id"]: event for events in whole.values() for _, event in events}
    concluded = [event for event in kinds.values() if "result" in event and "concluded_at" in event]
    assert [event["result"] for event in concluded] == ["PARTLY_REFUSED"]
    assert len([event for event in kinds.values() if "detected_at" in event]) == 1
    assert [event["item_code"] for event in kinds.values() if event.get("special_handling")] == [ENTERED, ENTERED]
    assert "approval.dead-letters.v1" not in whole


def test_dying_at_every_await_changes_nothing(told: Told) -> None:
    whole, survived, _ = told
    assert survived.keys() == whole.keys()
    for topic in whole:
        assert survived[topic] == whole[topic], topic


def test_no_handler_was_spared(told: Told) -> None:
    _, _, deaths = told
    assert min(deaths.values()) >= 1, deaths
    listened = {key for key in deaths if "←" in key and ".dept." not in key}
    assert listened >= {
        "intake ← approval.stages.v1",
        "intake ← approval.items.v1",
        "intake ← approval.clocks.v1",
        "dispatcher ← approval.applications.v1",
        "dispatcher ← approval.items.v1",
        "department-worker ← approval.applications.v1",
        "department-worker ← approval.seals.v1",
        "department-worker ← approval.clocks.v1",
        "department-worker ← approval.calendar.v1",
        "department-worker ← approval.supervision.v1",
        "timer ← approval.stages.v1",
        "timer ← approval.items.v1",
        "signing ← approval.seal-requests.v1",
        "supervision ← approval.supervision.v1",
    }
    assert sum(deaths.values()) > 500
