"""A key is lost (Art. 20): refused by every service within two seconds, under load, and nothing accepted afterwards."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from contracts.codes import CITY
from contracts.envelope import derived_id
from contracts.terms import ItemStep, ProcessType, Stage
from evidence import confined
from evidence.documents import Finding
from local import judge
from local.authority import SEALS
from local.builder import People, eventually
from local.people import Refused
from local.suite import Suite
from procedure.notices import WINDOW

CODE: Final = "2018-210281-47-03-002000"
LOAD: Final = "2018-210281-47-03-0021{:02d}"
PLACE, OFFICE, ITEM = "210281", "WWJ", "S1-10"
SECONDS: Final = 2.0
KNOCKS_ON: Final = 4.0
"""How long somebody goes on trying after the report."""
REFUSED: Final = (403, "CERTIFICATE_IS_SUSPENDED")
DOORS: Final = {
    "intake": "/policies",
    "department-worker": "/desk",
    "timer": "/calendar/2026",
    "supervision": "/urges",
    "signing": "/roster",
}
"""What somebody with the lost key asks of each service; signing refuses it either way, by another reason."""


@pytest.fixture(scope="module")
def people(suite: Suite) -> People:
    return People(suite)


@pytest.fixture(scope="module")
def item_id(people: People) -> str:
    """An item that the officer has accepted with the key that gets lost."""
    people.push(CODE, ProcessType.SOCIAL_SMALL).raise_for_status()
    people.declare(CODE, Stage.LAND_USE, people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)).raise_for_status()
    application = str(derived_id("application", CODE, 1))

    def received() -> list[str]:
        items = people.progress(application)["items"]
        return [one["item_id"] for one in items if (one["item_code"], one["state"]) == (ITEM, "RECEIVED")]

    found = eventually(received, lambda items: len(items) == 1)[0]
    assert step(people, found, people.officer(PLACE, OFFICE), ItemStep.ACCEPT).status_code == 200
    return found


def step(people: People, item_id: str, headers: dict[str, str], what: ItemStep) -> httpx.Response:
    url = f"{people.suite.url('department-worker')}/items/{item_id}/steps"
    return httpx.post(url, json={"step": what.value, "opinion": "同意"}, headers=headers, timeout=30)


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "") if answer.status_code >= 400 else ""


class Knocking:
    """Somebody with the lost key, trying every door without a pause; `answers` are (instant, answer) by door."""

    def __init__(self, people: People, item_id: str) -> None:
        self.answers: defaultdict[str, list[tuple[float, tuple[int, str]]]] = defaultdict(list)
        self._token = people.officer(PLACE, OFFICE)["Authorization"]
        self._people, self._item_id = people, item_id
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._knock, args=(door,)) for door in (*DOORS, "act")]

    def __enter__(self) -> "Knocking":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _knock(self, door: str) -> None:
        number = 0
        with httpx.Client(timeout=30, verify=False) as client:
            while not self._over.is_set():
                number += 1
                asked = time.monotonic()
                self.answers[door].append((asked, told(self._ask(client, door, f"knock-{door}-{number:06d}"))))

    def _ask(self, client: httpx.Client, door: str, key: str) -> httpx.Response:
        headers = {"Authorization": self._token, "Idempotency-Key": key}
        if door != "act":
            return client.get(f"{self._people.suite.url(door)}{DOORS[door]}", headers=headers)
        url = f"{self._people.suite.url('department-worker')}/items/{self._item_id}/steps"
        return client.post(url, json={"step": "REVIEW", "opinion": "同意"}, headers=headers)


@contextmanager
def load(people: People) -> Iterator[None]:
    """Declarations without a pause, so that every service is at work."""
    over = threading.Event()
    materials = people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)

    def declare() -> None:
        for number in range(100):
            if over.is_set():
                return
            code = LOAD.format(number)
            people.push(code, ProcessType.SOCIAL_SMALL).raise_for_status()
            people.declare(code, Stage.LAND_USE, materials).raise_for_status()

    thread = threading.Thread(target=declare)
    thread.start()
    yield
    over.set()
    thread.join()


def test_a_lost_key_opens_no_door_two_seconds_after_the_report(suite: Suite, people: People, item_id: str) -> None:
    lost = suite.log_in("officer", jurisdiction=PLACE, department=OFFICE)
    serial = lost.who.serial
    admin = people.admin(PLACE)
    with load(people), Knocking(people, item_id) as knocking:
        eventually(lambda: {door: len(found) for door, found in knocking.answers.items()}, _many)
        body = {"reason": "CA 锁遗失", "invalid_since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
        url = f"{suite.url('signing')}/certificates/{serial}/loss"
        reported = httpx.post(url, json=body, headers=admin, timeout=30)
        at = time.monotonic()
        assert (reported.status_code, reported.json()["holder"]) == (201, lost.who.holder)
        eventually(time.monotonic, lambda now: now > at + KNOCKS_ON)
    for door, found in knocking.answers.items():
        assert found[0][1] != REFUSED and found[-1][1] == REFUSED, (door, found[0], found[-1])
        let_in = [asked - at for asked, answer in found if answer != REFUSED]
        assert max(let_in) < SECONDS, (door, max(let_in))
        first = next(place for place, (_, answer) in enumerate(found) if answer == REFUSED)
        assert {answer for _, answer in found[first:]} == {REFUSED}, door
    _nothing_was_done_later(suite, serial, reported.json()["suspended_at"])
    with pytest.raises(Refused) as dead:
        lost._post("/token")  # pyright: ignore[reportPrivateUsage] (its session, not the token that it keeps)
    assert told(dead.value.answer) == (401, "NO_SESSION")
    with pytest.raises(Refused) as shut:
        suite.log_in_anew(lost.who)
    assert told(shut.value.answer) == REFUSED


def _many(counted: dict[str, int]) -> bool:
    return len(counted) == len(DOORS) + 1 and min(counted.values()) > 5


def _nothing_was_done_later(suite: Suite, serial: str, suspended_at: str) -> None:
    """On the topics no event of that holder is later than the bound after the report."""
    latest = datetime.fromisoformat(suspended_at) + timedelta(seconds=SECONDS)
    done = [one["event"] for one in judge.read_topics(suite) if _certificate(one["event"]) == serial]
    assert done and max(datetime.fromisoformat(one["occurred_at"]) for one in done) < latest


def _certificate(event: dict[str, Any]) -> str:
    return (event.get("actor") or {}).get("certificate", "")


def test_what_the_key_did_and_what_its_holder_left_is_listed(suite: Suite, people: People, item_id: str) -> None:
    serial = suite.log_in("officer", jurisdiction=PLACE, department=OFFICE).who.serial
    acts = people.supervise(f"/certificates/{serial}/acts")
    assert "ItemAccepted" in [one["what"] for one in acts] and {one["holder"] for one in acts} == {f"{OFFICE}经办人"}
    since = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert people.supervise(f"/certificates/{serial}/acts?since={since}") == []
    headers = people.header("supervisor", jurisdiction=PLACE)
    url = f"{suite.url('supervision')}/certificates/{serial}"
    table = suite.http.get(f"{url}/acts?form=csv", headers=headers).text.splitlines()
    assert table[0].startswith("at,project_code,what,item_code") and len(table) == len(acts) + 1
    assert item_id in [one["item_id"] for one in suite.http.get(f"{url}/open-items", headers=headers).json()]
    elsewhere = people.header("supervisor", jurisdiction="210283")
    assert suite.http.get(f"{url}/acts", headers=elsewhere).json() == []


def test_who_may_report_a_loss(suite: Suite, people: People) -> None:
    """The holder, somebody of its department, an administrator of its place; a report again changes nothing."""
    ours = suite.log_in("officer", jurisdiction=PLACE, department="RFB").who.serial
    url = f"{suite.url('signing')}/certificates/{ours}/loss"

    def report(headers: dict[str, str], **more: str) -> httpx.Response:
        return suite.http.post(url, json={"reason": "遗失", **more}, headers=headers)

    for stranger in (people.officer(PLACE, "GHJ"), people.admin("210283"), people.builder()):
        assert told(report(stranger)) == (403, "NOT_YOURS_TO_REPORT")
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert told(report(people.officer(PLACE, "RFB"), invalid_since=later)) == (422, "LOSS_IN_THE_FUTURE")
    first = report(people.officer(PLACE, "RFB"))
    again = report(people.admin(PLACE))
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    _reinstate(suite, people, ours)


def _reinstate(suite: Suite, people: People, serial: str) -> None:
    url = f"{suite.url('signing')}/certificates/{serial}/reinstatements"
    asked = suite.http.post(url, json={"reason": "已找回"}, headers=people.admin(CITY, "first"))
    assert asked.status_code == 201, asked.text
    approval = f"{url}/{asked.json()['request_id']}/approval"
    own = suite.http.post(approval, headers=people.admin(CITY, "first"))
    assert told(own) == (403, "OWN_REQUEST")
    approved = suite.http.post(approval, headers=people.admin(CITY, "second"))
    assert (approved.status_code, approved.json()["stand"]) == (200, "APPROVED")
    assert told(suite.http.post(approval, headers=people.admin(CITY, "second"))) == (409, "ALREADY_DECIDED")


def test_a_suspension_is_lifted_by_two_persons_and_everywhere(suite: Suite, people: People, item_id: str) -> None:
    who = suite.log_in("officer", jurisdiction=PLACE, department=OFFICE).who
    listed = suite.http.get(f"{suite.url('signing')}/certificates/suspended", headers=people.admin(CITY)).json()
    assert who.serial in [one["serial"] for one in listed]
    _reinstate(suite, people, who.serial)
    anew = suite.log_in_anew(who)

    def answers() -> set[tuple[int, str]]:
        headers = anew.headers()
        return {told(suite.http.get(f"{suite.url(door)}{path}", headers=headers)) for door, path in DOORS.items()}

    eventually(answers, lambda found: REFUSED not in found)
    anew.close()


def test_a_lost_seal_seals_nothing_and_who_asks_again_later_has_the_document(
    suite: Suite, people: People, item_id: str
) -> None:
    """The window's seal is reported as lost: its receipt is refused, and made anew once the seal counts again."""
    assert suite.authority is not None
    serial = suite.authority.token(f"{PLACE}.{WINDOW}", SEALS).certificate.serial
    receipt = f"{suite.url('intake')}/applications/{derived_id('application', CODE, 1)}/documents/RECEIPT"

    def read() -> httpx.Response:
        return suite.http.get(receipt, headers=people.builder())

    loss = f"{suite.url('signing')}/certificates/{serial}/loss"
    lost = suite.http.post(loss, json={"reason": "印章遗失"}, headers=people.admin(CITY))
    assert lost.status_code == 201, lost.text
    suite.http.post(receipt, headers=people.builder()).raise_for_status()
    refused = eventually(read, lambda answer: answer.json()["code"] != "DOCUMENT_NOT_ISSUED")
    assert told(refused) == (409, "DOCUMENT_REFUSED") and "已挂失" in refused.json()["detail"]
    _reinstate(suite, people, serial)
    suite.http.post(receipt, headers=people.builder()).raise_for_status()
    made = eventually(read, lambda answer: answer.status_code == 200)
    assert confined.judge(made.content, suite.authority.trust).finding is Finding.VALID
    said = [one["event"] for one in judge.read_topics(suite)]
    seals = [one for one in said if (one.get("seal"), one.get("project_code")) == (f"{PLACE}.{WINDOW}", CODE)]
    assert len({one["request_id"] for one in seals}) == 2
