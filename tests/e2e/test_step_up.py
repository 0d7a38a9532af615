"""What binds the office is signed by the officer's own key, for one item, one decision and once (Art. 19, 20)."""

import asyncio
import base64
import json
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import pytest

from contracts.department_worker import ItemApproved, ItemDecided
from contracts.envelope import derived_id
from contracts.terms import ItemStep, ProcessType, Stage
from evidence import step_up, trust
from evidence.service_token import TOLD_ELSEWHERE
from local import judge
from local.audit import trusting
from local.builder import People, eventually
from local.people import Login
from local.suite import Suite

CODE: Final = "2018-210281-47-03-002200"
APPLICATION: Final = str(derived_id("application", CODE, 1))
PLACE, OFFICE, ITEM, OTHER = "210281", "WWJ", "S1-10", "S1-09"
CONCLUDE: Final[dict[str, Any]] = {"step": "CONCLUDE", "outcome": "GRANTED", "opinion": "无意见"}


class Office:
    """An officer with an item that is approved, and the way to conclude it."""

    def __init__(self, suite: Suite, items: dict[str, str]) -> None:
        self.suite, self.items = suite, items
        self.people = People(suite)
        self.login = suite.log_in("officer", jurisdiction=PLACE, department=OFFICE)

    def url(self, item: str = ITEM) -> str:
        return f"{self.suite.url('department-worker')}/items/{self.items[item]}/steps"

    def challenge(self, login: Login | None = None, item: str = ITEM, body: Any = CONCLUDE) -> dict[str, Any]:
        headers = (login or self.login).headers()
        return self.suite.http.post(f"{self.url(item)}/challenge", json=body, headers=headers).json()

    def signature(self, challenge: dict[str, Any], by: str | None = None) -> dict[str, str]:
        keyring = self.login.keyring
        made = keyring.step_up(by or self.login.who.serial, challenge["nonce"], challenge["facts"])
        return {"nonce": challenge["nonce"], **made}

    def conclude(self, signature: dict[str, str] | None, key: str | None = None, **more: Any) -> httpx.Response:
        body = {**CONCLUDE, **more, **({"signature": signature} if signature else {})}
        return self.suite.http.post(self.url(), json=body, headers=self.login.headers(key))


@pytest.fixture(scope="module")
def office(suite: Suite) -> Office:
    people = People(suite)
    people.push(CODE, ProcessType.SOCIAL_SMALL).raise_for_status()
    people.declare(CODE, Stage.LAND_USE, people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)).raise_for_status()

    def received() -> dict[str, str]:
        items = people.progress(APPLICATION)["items"]
        return {one["item_code"]: one["item_id"] for one in items if one["state"] == "RECEIVED"}

    made = Office(suite, eventually(received, lambda items: {ITEM, OTHER} <= items.keys()))
    for step in (ItemStep.ACCEPT, ItemStep.REVIEW, ItemStep.APPROVE):
        people.step(made.items[ITEM], {"step": step.value}, made.login.headers()).raise_for_status()
    return made


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_without_a_signature_nothing_that_binds_is_done(office: Office) -> None:
    assert refused(office.conclude(None)) == (422, "SIGNATURE_MISSING")


def test_a_signature_made_in_another_session_is_refused(office: Office) -> None:
    again = office.suite.log_in_anew(office.login.who)
    signature = office.signature(office.challenge(again))
    again.close()
    assert refused(office.conclude(signature)) == (409, "SIGNED_IN_ANOTHER_SESSION")


def test_a_signature_for_another_item_is_refused(office: Office) -> None:
    assert refused(office.conclude(office.signature(office.challenge(item=OTHER)))) == (409, "SIGNED_FOR_ANOTHER_ITEM")


def test_a_signature_over_another_decision_or_by_another_key_is_refused(office: Office) -> None:
    other = office.signature(office.challenge(body={**CONCLUDE, "outcome": "REFUSED", "opinion": "不同意"}))
    assert refused(office.conclude(other)) == (403, "SIGNATURE_WRONG")
    worded = office.signature(office.challenge())
    assert refused(office.conclude(worded, opinion="另一种意见")) == (403, "SIGNATURE_WRONG")
    stranger = office.suite.log_in("officer", jurisdiction=PLACE, department="RFB").who.serial
    assert refused(office.conclude(office.signature(office.challenge(), stranger))) == (403, "SIGNATURE_WRONG")
    spoilt = {**office.signature(office.challenge()), "signature": "签名"}
    assert refused(office.conclude(spoilt)) == (403, "SIGNATURE_WRONG")


def test_a_signature_that_is_too_old_is_refused(office: Office) -> None:
    signature = office.signature(office.challenge())
    older = "UPDATE step_nonces SET expires_at = expires_at - interval '301 seconds' WHERE nonce = $1"
    _query(office.suite, "department-worker", older, signature["nonce"])
    assert refused(office.conclude(signature)) == (409, "SIGNATURE_TOO_OLD")


def test_a_signature_concludes_once_and_is_kept_as_evidence_that_its_event_names(office: Office) -> None:
    signature = office.signature(office.challenge())
    first, again = (office.conclude(signature, "concluded-by-key") for _ in range(2))
    assert first.status_code == 200 and first.text == again.text
    assert refused(office.conclude(signature)) == (409, "NONCE_NOT_KNOWN")
    events = eventually(lambda: _decided(office), lambda found: len(found) == 1)
    kept = next(one for one in _signatures(office) if one["digest"] == events[0]["signature"])
    assert office.suite.authority is not None
    listed = trust.load(office.suite.authority.trust)
    certificate, value = (base64.b64decode(kept[name]) for name in ("certificate", "signature"))
    at = datetime.fromisoformat(kept["signed_at"])
    holder = step_up.prove(kept["text"], kept["algorithm"], certificate, value, listed, TOLD_ELSEWHERE, at)
    assert holder.serial == office.login.who.serial == events[0]["actor"]["certificate"]
    assert f"item: {office.items[ITEM]}" in kept["text"] and "decision: GRANTED" in kept["text"]
    own = events[0]["own_signature"]
    assert (own["text"], own["signature"]) == (kept["text"], kept["signature"])


def test_whoever_has_the_event_of_an_act_can_show_who_did_it(office: Office) -> None:
    """Of approval and conclusion alike, by the event and the trust folder; and signing put its seal on no less."""
    assert office.suite.authority is not None
    persons = trusting(office.suite.authority.trust).persons
    told = judge.read_topics(office.suite)
    for kind in (ItemApproved, ItemDecided):
        [said] = [one["event"] for one in told if one["type"] == kind.__name__ and _is_of(office, one["event"])]
        step_up.hold(kind.model_validate_json(json.dumps(said), extra="ignore"), persons)
    proof = "SELECT proof FROM decisions WHERE request_id = $1"
    [row] = _query(office.suite, "signing", proof, UUID(_decided(office)[0]["seal_request_id"]))
    assert row["proof"] == "OWN"


def _is_of(office: Office, event: dict[str, Any]) -> bool:
    return event["item_id"] == office.items[ITEM]


def _signatures(office: Office) -> list[dict[str, Any]]:
    """The signatures of the item, as whoever supervises reads them: of the approval and of the conclusion."""
    url = f"{office.suite.url('department-worker')}/items/{office.items[ITEM]}/signatures"
    told = office.people.http.get(url, headers=office.people.header("supervisor", jurisdiction=PLACE)).json()
    steps = [next(line for line in one["text"].splitlines() if line.startswith("step: ")) for one in told]
    assert steps == ["step: APPROVE", "step: CONCLUDE"]
    return told


def _decided(office: Office) -> list[dict[str, Any]]:
    told = judge.read_topics(office.suite)
    found = [one["event"] for one in told if one["type"] == "ItemDecided"]
    return [event for event in found if _is_of(office, event)]


def _query(suite: Suite, service: str, query: str, *told: object) -> list[asyncpg.Record]:
    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(suite.databases[service])
        try:
            return await connection.fetch(query, *told)
        finally:
            await connection.close()

    return asyncio.run(run())
