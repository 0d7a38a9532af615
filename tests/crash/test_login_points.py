"""Login and loss where the process dies at any await: an answer opens one session, a loss is said once (Art. 19, 20).

A nonce is gone for good at its first reading: whoever dies after that begins anew, with another challenge.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import orjson
import pytest

from contracts.topics import IDENTITY
from evidence import login
from evidence.certificates import Purpose
from local.posts import person
from local.rehearsal import Rehearsal, rehearsing
from local.standin import Holder, authority

OPENS: Final = datetime(2026, 3, 2, 1, tzinfo=UTC)
ORIGIN: Final = "http://rehearsal"
OFFICER: Final = person("officer", jurisdiction="210281", department="RFB")
LOST: Final = f"/certificates/{OFFICER.serial}"
Tale = Callable[["Desk"], Awaitable[None]]
Live = Callable[[Tale], None]


@pytest.fixture(scope="module")
def key() -> Holder:
    """The key of an officer who is on the roster."""
    return authority().issue(OFFICER.holder, Purpose.LOGIN, serial=OFFICER.serial)


@pytest.fixture
def live(urls: dict[str, str], seals: Path, key: Holder, tmp_path: Path) -> Live:
    """Live through a tale, with signing knowing what is revoked."""

    async def through(tale: Tale) -> None:
        async with rehearsing(urls, seals, tmp_path, OPENS, lambda _: ()) as r:
            revoked = r.members["signing"].service.running_beside[1].__self__  # pyright: ignore[reportFunctionMemberAccess]
            await revoked.fetch()
            await tale(Desk(r, key))

    return lambda tale: asyncio.run(through(tale))


class Tried(NamedTuple):
    """An answer to a challenge, and the browser that it came from."""

    browser: str
    token: dict[str, str]


class Desk:
    """An officer's browser, and administrators, before a signing service that dies."""

    def __init__(self, r: Rehearsal, key: Holder) -> None:
        self.r = r
        self._key = key
        self._member = r.members["signing"]
        self.tried: list[Tried] = []

    async def survives(self, act: Callable[[], Any]) -> tuple[httpx.Response, int]:
        return await self.r.survives("signing", act)

    async def challenge(self) -> httpx.Response:
        self._member.http.cookies.clear()
        return await self._member.http.post("/login/challenge")

    async def log_in(self, *, spoilt: bool = False) -> httpx.Response:
        """From the challenge to the session: what a person does again when the service died under it."""
        asked = await self.challenge()
        nonce = "another" if spoilt else asked.json()["nonce"]
        token = login.make(self._key.certificate, ORIGIN, nonce, self._key.sign)
        self.tried.append(Tried(asked.cookies["lianshen_browser"], token))
        return await self.answer(self.tried[-1])

    async def answer(self, tried: Tried) -> httpx.Response:
        self._member.http.cookies.clear()
        cookie = {"Cookie": f"lianshen_browser={tried.browser}"}
        return await self._member.http.post("/login/session", json={"token": tried.token}, headers=cookie)

    async def post(self, path: str, name: str, asked: str, body: Any = None) -> httpx.Response:
        """What an administrator asks for, once by its idempotency key."""
        bearer = self.r.callers.token("admin", name, jurisdiction="210281")
        headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": f"login-{asked}"}
        return await self._member.http.post(path, json=body, headers=headers)

    async def is_in(self, session: str) -> bool:
        self._member.http.cookies.clear()
        headers = {"Authorization": f"Session {session}"}
        return (await self._member.http.get("/login/session", headers=headers)).status_code == 200

    async def count(self, table: str, service: str = "signing") -> int:
        return await self.r.members[service].service.database.pool.fetchval(f"SELECT count(*) FROM {table}")

    def said(self, kind: str) -> list[dict[str, Any]]:
        found = [raw for raw in self.r.broker.records[IDENTITY.name] if (b"ce_type", kind.encode()) in _headers(raw)]
        return [orjson.loads(raw.value or b"") for raw in found]


def _headers(raw: Any) -> set[tuple[bytes, bytes]]:
    return {(name.encode() if isinstance(name, str) else name, value) for name, value in raw.headers}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_dying_at_every_await_of_a_challenge_leaves_one_that_counts(live: Live, key: Holder) -> None:
    async def tale(desk: Desk) -> None:
        asked, deaths = await desk.survives(desk.challenge)
        assert deaths > 3
        assert 1 <= await desk.count("login_nonces") <= deaths + 1
        told = asked.json()
        token = login.make(key.certificate, told["origin"], told["nonce"], key.sign)
        answered = Tried(asked.cookies["lianshen_browser"], token)
        assert (await desk.answer(answered)).status_code == 201
        assert code(await desk.answer(answered)) == (401, "NO_CHALLENGE")

    live(tale)


def test_dying_at_every_await_of_a_login_opens_at_most_one_session_for_each_answer(
    live: Live,
) -> None:
    async def tale(desk: Desk) -> None:
        begun, deaths = await desk.survives(desk.log_in)
        assert begun.status_code == 201 and deaths > 10
        assert await desk.is_in(begun.json()["session"])
        answers = list(desk.tried)
        assert len(answers) > 5 and 1 <= await desk.count("login_sessions") <= len(answers)
        for one in answers:
            assert (await desk.answer(one)).status_code in (201, 401)
        for one in answers:
            assert code(await desk.answer(one)) == (401, "NO_CHALLENGE")
        assert await desk.count("login_sessions") <= len(answers)
        assert await desk.is_in(begun.json()["session"])

    live(tale)


def test_dying_at_every_await_of_a_refusal_no_refusal_is_told_that_is_not_recorded(
    live: Live,
) -> None:
    async def tale(desk: Desk) -> None:
        refused, deaths = await desk.survives(lambda: desk.log_in(spoilt=True))
        assert code(refused) == (401, "SIGNATURE_WRONG") and deaths > 10
        assert 1 <= await desk.count(f"login_attempts WHERE serial = '{OFFICER.serial}'") <= len(desk.tried)
        assert await desk.count("login_sessions") == 0

    live(tale)


def test_dying_at_every_await_of_a_loss_suspends_once_and_ends_every_session(live: Live) -> None:
    async def tale(desk: Desk) -> None:
        sessions = [(await desk.log_in()).json()["session"] for _ in range(2)]
        told, deaths = await desk.survives(lambda: desk.post(f"{LOST}/loss", "first", "lost", {"reason": "遗失"}))
        assert told.status_code == 201 and deaths > 5
        assert [await desk.is_in(one) for one in sessions] == [False, False]
        assert await desk.count("login_sessions") == 0 and await desk.count("suspensions") == 1
        await desk.r.settle()
        (said,) = desk.said("CertificateSuspended")
        assert said["serial"] == OFFICER.serial
        assert await desk.count("suspensions WHERE until IS NULL", "department-worker") == 1
        assert code(await desk.log_in()) == (403, "CERTIFICATE_IS_SUSPENDED")

    live(tale)


def test_dying_at_every_await_of_a_reinstatement_lifts_it_once_and_by_two_persons(live: Live) -> None:
    async def tale(desk: Desk) -> None:
        await desk.post(f"{LOST}/loss", "first", "lost", {"reason": "遗失"})
        body = {"reason": "找到了"}
        asked, deaths = await desk.survives(lambda: desk.post(f"{LOST}/reinstatements", "first", "wish", body))
        assert asked.status_code == 201 and await desk.count("reinstatements") == 1
        path = f"{LOST}/reinstatements/{asked.json()['request_id']}/approval"
        own, more = await desk.survives(lambda: desk.post(path, "first", "own"))
        assert code(own) == (403, "OWN_REQUEST") and await desk.count("suspensions") == 1
        lifted, most = await desk.survives(lambda: desk.post(path, "second", "lifted"))
        assert lifted.status_code == 200 and min(deaths, more, most) > 5
        await desk.r.settle()
        ((lost,), (back,)) = desk.said("CertificateSuspended"), desk.said("CertificateReinstated")
        assert back["earlier"] == [{"since": lost["suspended_at"], "until": back["reinstated_at"]}]
        assert await desk.count("suspensions") == 0
        assert await desk.count("suspensions WHERE until IS NULL", "department-worker") == 0
        assert (await desk.log_in()).status_code == 201

    live(tale)
