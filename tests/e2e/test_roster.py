"""Who may handle what where changes by request, by another's approval, and from its effective time on (Art. 18)."""

import asyncio
import json
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaProducer

from contracts.department import ItemReport
from contracts.dispatcher import ItemDispatched
from contracts.envelope import derived_id
from contracts.parts import Actor
from contracts.terms import ItemStep, ProcessType, Stage
from local import judge
from local.builder import People, eventually
from local.department import report, send
from local.people import Refused
from local.posts import officers_certificate, serial_of
from local.suite import Suite

CODE: Final = "2018-210281-47-03-001800"
PLACE, DEPARTMENT, ITEM = "210281", "FGW", "S1-03"
SOON: Final = timedelta(seconds=3)


class Roster:
    """Two administrators of the city, and whoever they list."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.url = f"{people.suite.url('signing')}/roster"

    def post(self, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        return self.people.http.post(f"{self.url}{path}", json=body, headers=headers)

    def admin(self, name: str, key: str | None = None) -> dict[str, str]:
        return self.people.admin("210200", name, key)

    def ask(self, serial: str, change: str = "ENTER", key: str | None = None, **more: Any) -> httpx.Response:
        """Ask for a change for whoever holds `serial`; names of the tests stand for serials."""
        effective_at = more.pop("effective_at", datetime.now(UTC) + SOON)
        body = {
            "change": change,
            "serial": serial,
            "holder": f"{serial}持有人",
            "role": "officer",
            "jurisdiction": PLACE,
            "department": DEPARTMENT,
            "effective_at": effective_at.isoformat(),
            "document": "瓦发改〔2026〕18号",
            **more,
        }
        return self.post("/requests", body, self.admin("first", key))

    def decide(self, request: httpx.Response, by: str = "second", how: str = "approval") -> httpx.Response:
        body = {"reason": "材料不全"} if how == "rejection" else None
        return self.post(f"/requests/{request.json()['request_id']}/{how}", body, self.admin(by))

    def change(self, serial: str, change: str = "ENTER", **more: Any) -> datetime:
        """Ask and approve; return the instant from which it holds."""
        asked = self.ask(serial, change, **more)
        approved = self.decide(asked)
        assert (asked.status_code, approved.status_code) == (201, 200), (asked.text, approved.text)
        assert approved.json()["stand"] == "APPROVED"
        return datetime.fromisoformat(approved.json()["effective_at"])

    def request(self, request: httpx.Response) -> dict[str, Any]:
        told = self.people.http.get(f"{self.url}/requests?jurisdiction={PLACE}", headers=self.admin("first")).json()
        return next(one for one in told if one["request_id"] == request.json()["request_id"])

    def at(self, at: datetime, **more: str) -> dict[str, dict[str, Any]]:
        query = {"at": at.isoformat(), "jurisdiction": PLACE, **more}
        told = self.people.http.get(self.url, params=query, headers=self.admin("first"))
        return {one["serial"]: one for one in told.json()}


@pytest.fixture(scope="module")
def people(suite: Suite) -> People:
    return People(suite)


@pytest.fixture(scope="module")
def roster(people: People) -> Roster:
    return Roster(people)


@pytest.fixture(scope="module")
def item(suite: Suite, people: People) -> dict[str, Any]:
    """An item that its department has accepted; nobody concludes it."""
    people.push(CODE, ProcessType.SOCIAL_SMALL).raise_for_status()
    people.declare(CODE, Stage.LAND_USE, people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)).raise_for_status()
    application = str(derived_id("application", CODE, 1))
    found = eventually(lambda: _received(people, application), lambda items: len(items) == 1)[0]
    assert act(people, found, people.officer(PLACE, DEPARTMENT), ItemStep.ACCEPT).status_code == 200
    return found


def _received(people: People, application: str) -> list[dict[str, Any]]:
    items = people.progress(application)["items"]
    return [one for one in items if one["item_code"] == ITEM and one["state"] == "RECEIVED"]


def act(people: People, item: dict[str, Any], headers: dict[str, str], step: ItemStep) -> httpx.Response:
    url = f"{people.suite.url('department-worker')}/items/{item['item_id']}/steps"
    return people.http.post(url, json={"step": step.value}, headers=headers)


def knock(people: People, item: dict[str, Any], serial: str) -> tuple[int, str]:
    """Log in with a key as the department's officer and accept once more: 409 for whoever may handle the item, 403 for
    whoever may not; the item stays as it is."""

    def once() -> tuple[int, str]:
        try:
            headers = people.officer(PLACE, DEPARTMENT, certificate=serial, holder=f"{serial}持有人")
        except Refused as refused:
            return refused.answer.status_code, refused.answer.json()["code"]
        told = act(people, item, headers, ItemStep.ACCEPT)
        return told.status_code, told.json()["code"]

    return eventually(once, lambda told: told[0] != 503)


MAY: Final = (409, "STEP_OUT_OF_ORDER")
MAY_NOT: Final = (403, "NOT_ON_ROSTER")


def turns(ask: Callable[[], tuple[int, str]], before: tuple[int, str], after: tuple[int, str], at: datetime) -> None:
    """Hold `ask` to answer `before` until the instant `at`, and `after` from it on."""

    def once() -> tuple[int, str]:
        began = datetime.now(UTC)
        told = ask()
        ended = datetime.now(UTC)
        assert told == (before if ended < at else after if began >= at else told), (told, began, at)
        return told

    assert once() == before
    eventually(once, lambda told: told == after)
    assert datetime.now(UTC) >= at


# Entering and leaving -------------------------------------------------------------------------------------------


def test_who_is_entered_acts_from_the_effective_time_and_who_left_no_longer(
    people: People, roster: Roster, item: dict[str, Any]
) -> None:
    serial = serial_of("COMES-AND-GOES")
    assert knock(people, item, serial) == MAY_NOT
    comes = roster.change(serial)
    turns(lambda: knock(people, item, serial), MAY_NOT, MAY, comes)
    goes = roster.change(serial, "LEAVE")
    turns(lambda: knock(people, item, serial), MAY, MAY_NOT, goes)
    told = roster.request(roster.ask(serial))
    assert told["stand"] == "REQUESTED" and knock(people, item, serial) == MAY_NOT


def test_the_requester_is_refused_and_the_attempt_stays_with_the_request(
    people: People, roster: Roster, item: dict[str, Any]
) -> None:
    asked = roster.ask(serial_of("OWN"))
    for how, attempted in (("approval", "APPROVED"), ("rejection", "REJECTED")):
        told = roster.decide(asked, by="first", how=how)
        assert (told.status_code, told.json()["code"], told.json()["article"]) == (403, "OWN_REQUEST", "第十八条")
        assert told.headers["content-type"] == "application/problem+json"
        last = roster.request(asked)["attempts"][-1]
        assert last["attempted"] == attempted and last["by"]["holder"] == "first"
    told = roster.request(asked)
    assert told["stand"] == "REQUESTED" and len(told["attempts"]) == 2
    assert roster.decide(asked, how="rejection").status_code == 200
    told = roster.request(asked)
    assert (told["stand"], told["reason"], told["decided_by"]["holder"]) == ("REJECTED", "材料不全", "second")
    assert roster.decide(asked).json()["code"] == "ALREADY_DECIDED"
    assert knock(people, item, serial_of("OWN")) == MAY_NOT

    def said() -> list[tuple[str, str, str]]:
        events = [one["event"] for one in judge.read_topics(people.suite) if one["type"] == "RosterChangeRefused"]
        about = [one for one in events if one["request_id"] == asked.json()["request_id"]]
        return [(one["code"], one["requested_by"]["holder"], one["actor"]["holder"]) for one in about]

    told = eventually(said, lambda found: len(found) == 2)
    assert told == [("OWN_REQUEST", "first", "first"), ("REJECTED", "first", "second")]


def test_the_same_write_again_is_one_act(roster: Roster) -> None:
    effective_at = datetime.now(UTC) + timedelta(days=1)
    first, again = (roster.ask(serial_of("TWICE"), key="roster-twice-1", effective_at=effective_at) for _ in range(2))
    assert first.json() == again.json()
    own = [
        roster.post(f"/requests/{first.json()['request_id']}/approval", None, roster.admin("first", "roster-twice-2"))
        for _ in range(2)
    ]
    assert [one.status_code for one in own] == [403, 403] and own[0].json() == own[1].json()
    assert len(roster.request(first)["attempts"]) == 1
    path, headers = f"/requests/{first.json()['request_id']}/approval", roster.admin("second", "roster-twice-3")
    assert roster.post(path, None, headers).json() == roster.post(path, None, headers).json()


def test_an_approval_that_comes_too_late_is_refused(roster: Roster) -> None:
    past = roster.ask(serial_of("LATE"), effective_at=datetime.now(UTC) - timedelta(seconds=1))
    assert (past.status_code, past.json()["code"]) == (422, "EFFECTIVE_IN_THE_PAST")
    effective_at = datetime.now(UTC) + timedelta(seconds=0.5)
    asked = roster.ask(serial_of("LATE"), effective_at=effective_at)
    eventually(lambda: datetime.now(UTC), lambda now: now > effective_at)
    told = roster.decide(asked)
    assert (told.status_code, told.json()["code"]) == (422, "EFFECTIVE_IN_THE_PAST")
    assert roster.request(asked)["stand"] == "REQUESTED"


def test_the_roster_can_be_asked_as_of_any_date(roster: Roster) -> None:
    now = datetime.now(UTC)
    comes = roster.change(serial_of("HISTORY"), effective_at=now + timedelta(days=10))
    goes = roster.change(serial_of("HISTORY"), "LEAVE", effective_at=now + timedelta(days=20))
    moment = timedelta(microseconds=1)
    held = [serial_of("HISTORY") in roster.at(at) for at in (now, comes - moment, comes, goes - moment, goes)]
    assert held == [False, False, True, True, False]
    told = roster.at(comes, department=DEPARTMENT)[serial_of("HISTORY")]
    assert told["requested_by"] != told["approved_by"] and told["document"] == "瓦发改〔2026〕18号"
    assert serial_of("HISTORY") not in roster.at(comes, department="GHJ")
    assert officers_certificate(PLACE, DEPARTMENT) in roster.at(datetime(2018, 12, 12, tzinfo=UTC))


# What an entry lets its holder do -------------------------------------------------------------------------------


def test_an_entry_holds_for_its_place_its_department_and_its_items_only(
    people: People, roster: Roster, item: dict[str, Any]
) -> None:
    elsewhere = {
        serial_of("COUNTY"): {"jurisdiction": "210283"},
        serial_of("ZONE"): {"jurisdiction": "210281-CXD"},
        serial_of("CITY"): {"jurisdiction": "210200"},
        serial_of("DEPARTMENT"): {"department": "RFB"},
        serial_of("ITEMS"): {"items": ["S1-01", "S1-06"]},
        serial_of("LEAD"): {"role": "lead", "department": "GHJ"},
    }
    for serial, more in elsewhere.items():
        roster.change(serial, **more)
    from_then = roster.change(serial_of("THIS-ITEM"), items=["S1-01", ITEM])
    eventually(lambda: knock(people, item, serial_of("THIS-ITEM")), lambda told: told == MAY)
    assert datetime.now(UTC) >= from_then
    assert {serial: knock(people, item, serial) for serial in elsewhere} == dict.fromkeys(elsewhere, MAY_NOT)


def test_a_report_by_somebody_off_the_roster_is_a_recorded_refusal(
    suite: Suite, people: People, roster: Roster, item: dict[str, Any]
) -> None:
    dispatched = _dispatched(suite, item["item_id"])
    stranger = Actor(holder="外人", certificate="CA-STRANGER")
    sent = [report(dispatched, ItemStep.REVIEW, repeat=number) for number in (1, 2)]
    sent[0] = sent[0].model_copy(update={"actor": stranger})
    _send(suite, sent)
    found = eventually(lambda: _said_of(suite, item["item_id"]), lambda told: "ItemReviewed" in told)
    assert found["ItemReviewed"]["actor"]["certificate"] == officers_certificate(PLACE, DEPARTMENT)
    refused = found["ItemActRefused"]
    assert (refused["code"], refused["article"]) == ("NOT_ON_ROSTER", "第十八条")
    assert refused["actor"]["certificate"] == "CA-STRANGER" and refused["step"] == "REVIEW"


def _dispatched(suite: Suite, item_id: str) -> ItemDispatched:
    return ItemDispatched.model_validate_json(json.dumps(_said_of(suite, item_id)["ItemDispatched"]), extra="ignore")


def _said_of(suite: Suite, item_id: str) -> dict[str, dict[str, Any]]:
    """The last event of each type about an item."""
    read = judge.read_topics(suite)
    return {one["type"]: one["event"] for one in read if one["event"].get("item_id") == item_id}


def _send(suite: Suite, reports: Sequence[ItemReport]) -> None:
    async def all_at_once() -> None:
        producer: Any = AIOKafkaProducer(bootstrap_servers=suite.bootstrap, acks="all")
        await producer.start()
        try:
            await send(producer, reports)
        finally:
            await producer.stop()

    asyncio.run(all_at_once())


# Restarts -------------------------------------------------------------------------------------------------------


def test_what_changed_while_the_worker_was_away_holds_when_it_is_back(
    suite: Suite, people: People, roster: Roster, item: dict[str, Any]
) -> None:
    roster.change(serial_of("STAYS"))
    eventually(lambda: knock(people, item, serial_of("STAYS")), lambda told: told == MAY)
    roster.change(serial_of("LEAVES"))
    eventually(lambda: knock(people, item, serial_of("LEAVES")), lambda told: told == MAY)
    worker = suite.process("department-worker")
    worker.signal(signal.SIGTERM)
    eventually(lambda: worker.alive, lambda alive: not alive)
    goes = roster.change(serial_of("LEAVES"), "LEAVE", effective_at=datetime.now(UTC) + timedelta(seconds=0.5))
    comes = roster.change(serial_of("COMES"), effective_at=datetime.now(UTC) + timedelta(seconds=0.5))
    eventually(lambda: datetime.now(UTC), lambda now: now > max(goes, comes))
    worker.start()
    worker.wait_ready()
    expected = {serial_of("LEAVES"): MAY_NOT, serial_of("COMES"): MAY, serial_of("STAYS"): MAY}
    assert {serial: knock(people, item, serial) for serial in expected} == expected


def test_the_initial_list_is_entered_and_said_once_whatever_the_starts(suite: Suite, roster: Roster) -> None:
    """Nor does a start bring back what a change has ended since."""
    someday = datetime.now(UTC) + timedelta(days=300)
    gone = officers_certificate(PLACE, "DAG")
    listed = {"holder": "DAG经办人", "department": "DAG"}
    roster.change(gone, "LEAVE", effective_at=someday, **listed)
    before, said = roster.at(datetime.now(UTC)), _said(suite)
    signing = suite.process("signing")
    signing.signal(signal.SIGTERM)
    eventually(lambda: signing.alive, lambda alive: not alive)
    signing.start()
    signing.wait_ready()
    assert _said(suite) == said
    assert roster.at(datetime.now(UTC)).keys() >= before.keys()
    assert gone in before and gone not in roster.at(someday)
    entered = [json.loads(line) for line in signing.log.read_text().splitlines() if "roster.entered" in line]
    assert len(entered) >= 2 and entered[0]["entries"] > 0 and entered[-1]["entries"] == 0


def _said(suite: Suite) -> int:
    """How often the entry of one listed officer was said on the bus."""
    read = judge.read_topics(suite)
    return sum(
        one["event"].get("serial") == officers_certificate(PLACE, DEPARTMENT)
        for one in read
        if one["type"] == "RosterListed"
    )


def test_the_outbox_and_the_roster_are_one_unit_of_work(suite: Suite, roster: Roster) -> None:
    """What the bus said last of a holder is what the database has."""
    roster.change(serial_of("ONE-UNIT"), effective_at=datetime.now(UTC) + timedelta(days=1))
    roster.change(serial_of("ONE-UNIT"), "LEAVE", effective_at=datetime.now(UTC) + timedelta(days=2))

    def said() -> list[dict[str, Any]]:
        read = judge.read_topics(suite)
        return [
            one["event"]["entries"]
            for one in read
            if one["type"] == "RosterListed" and one["event"]["serial"] == serial_of("ONE-UNIT")
        ]

    told = eventually(said, lambda found: len(found) == 2)[-1]

    async def kept() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(suite.databases["signing"])
        try:
            return await connection.fetch(
                "SELECT effective_at, until FROM roster_entries WHERE serial = $1", serial_of("ONE-UNIT")
            )
        finally:
            await connection.close()

    (row,) = asyncio.run(kept())
    (entry,) = told
    assert datetime.fromisoformat(entry["effective_at"]) == row["effective_at"]
    assert datetime.fromisoformat(entry["until"]) == row["until"]
