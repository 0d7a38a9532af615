"""Logging in with the key, end to end: the agent, its token, signing, and every service behind them (Art. 19)."""

import base64
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from contracts.codes import CITY
from evidence.certificates import Purpose
from local.authority import PERSONS, SEALS, Wanted
from local.builder import USCC, eventually
from local.people import Keyring, Refused
from local.posts import person
from local.suite import Suite

SUPERVISOR: Final = person("supervisor", jurisdiction=CITY)
WINDOW: Final = person("window", jurisdiction="210281")


class Browser(httpx.Client):
    """A browser at signing's pages."""

    def __init__(self, suite: Suite) -> None:
        super().__init__(base_url=f"{suite.url('signing')}/login", timeout=30, verify=False)
        assert suite.keyring is not None
        self.keyring = suite.keyring

    def nonce(self) -> str:
        return self.post("/challenge").json()["nonce"]

    def answer(self, token: Any, **wanted: str) -> httpx.Response:
        return self.post("/session", json={"token": token, **({"as": wanted} if wanted else {})})


@pytest.fixture
def browser(suite: Suite) -> Iterator[Browser]:
    with Browser(suite) as made:
        made.keyring.has(SUPERVISOR, WINDOW)
        yield made


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_key_opens_a_session_and_the_session_every_service(suite: Suite, browser: Browser) -> None:
    begun = browser.answer(browser.keyring.answer(SUPERVISOR.serial, browser.nonce()))
    assert begun.status_code == 201 and begun.json()["holder"] == SUPERVISOR.holder
    cookie = next(one for one in begun.headers.get_list("set-cookie") if one.startswith("lianshen_session="))
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    shown = browser.get("/session").json()
    assert (shown["certificate"], shown["role"]) == (SUPERVISOR.serial, "supervisor")
    token = browser.post("/token").json()["token"]
    overview = suite.http.get(f"{suite.url('supervision')}/overview", headers={"Authorization": f"Bearer {token}"})
    assert overview.status_code == 200
    assert browser.delete("/session").status_code == 204
    assert refused(browser.post("/token")) == (401, "NO_SESSION")
    assert refused(browser.get("/session", headers={"Authorization": f"Session {begun.json()['session']}"}))[0] == 401


def test_a_nonce_is_taken_once_whatever_comes_of_its_answer(browser: Browser) -> None:
    nonce = browser.nonce()
    token = browser.keyring.answer(SUPERVISOR.serial, nonce)
    assert refused(browser.answer({**token, "signature": base64.b64encode(b"0" * 64).decode()}))[1] == "SIGNATURE_WRONG"
    assert refused(browser.answer(token)) == (401, "NO_CHALLENGE")
    token = browser.keyring.answer(SUPERVISOR.serial, browser.nonce())
    assert browser.answer(token).status_code == 201
    assert refused(browser.answer(token)) == (401, "NO_CHALLENGE")


def test_a_nonce_is_for_the_browser_that_asked_for_it(suite: Suite, browser: Browser) -> None:
    token = browser.keyring.answer(SUPERVISOR.serial, browser.nonce())
    with Browser(suite) as other:
        assert refused(other.answer(token)) == (401, "NO_CHALLENGE")
        other.nonce()
        assert refused(other.answer(token)) == (401, "SIGNATURE_WRONG")


def test_the_agent_hears_pinned_pages_alone(suite: Suite) -> None:
    url = suite.url("ca-agent")
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": suite.url("signing"), "Host": "evil.example"}):
        assert suite.http.get(f"{url}/certificates", headers=headers).status_code == 403
        asked = {"certificate": SUPERVISOR.serial, "nonce": "n" * 43}
        assert suite.http.post(f"{url}/login", json=asked, headers=headers).status_code == 403
    page = {"Origin": suite.url("signing"), "Access-Control-Request-Private-Network": "true"}
    asked = suite.http.options(f"{url}/login", headers=page)
    assert asked.headers["access-control-allow-origin"] == suite.url("signing")
    assert asked.headers["access-control-allow-private-network"] == "true"


def _issued(keyring: Keyring, label: str, purpose: Purpose = Purpose.LOGIN, **more: Any) -> str:
    wanted = Wanted(label, PERSONS, "测试人员", purpose, **more)
    return keyring.authority.ensure(wanted)[0].certificate.serial


NOW: Final = datetime.now(UTC)
BAD: Final[dict[str, Callable[[Keyring], str]]] = {
    "CERTIFICATE_EXPIRED": lambda keyring: _issued(
        keyring, "expired", not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=1)
    ),
    "CERTIFICATE_NOT_YET_VALID": lambda keyring: _issued(keyring, "early", not_before=NOW + timedelta(days=1)),
    "NOT_ON_ROSTER": lambda keyring: _issued(keyring, "nobody"),
}


@pytest.mark.parametrize("code", BAD)
def test_a_key_that_counts_for_nothing_here_is_refused_by_its_own_reason(browser: Browser, code: str) -> None:
    serial = BAD[code](browser.keyring)
    assert refused(browser.answer(browser.keyring.answer(serial, browser.nonce())))[1] == code


def test_a_seals_certificate_logs_nobody_in(browser: Browser) -> None:
    """The agent finds no such key; a token that names the certificate all the same is refused before its signature."""
    seal = browser.keyring.authority.token("210281.GHJ", SEALS).certificate
    with pytest.raises(Refused):
        browser.keyring.answer(seal.serial, browser.nonce())
    token = browser.keyring.answer(SUPERVISOR.serial, browser.nonce())
    token["unverifiedCertificate"] = base64.b64encode(seal.der).decode()
    assert refused(browser.answer(token)) == (401, "WRONG_PURPOSE")


def test_hostile_tokens_are_refused_and_bounded(browser: Browser) -> None:
    good = browser.keyring.answer(SUPERVISOR.serial, browser.nonce())
    for field in ("unverifiedCertificate", "signature"):
        for value in ("", "AAAA", "A" * 4 * 60_000, good[field][:-8]):
            browser.nonce()
            status, code = refused(browser.answer({**good, field: value}))
            assert status == 401 and code in ("TOKEN_MALFORMED", "SIGNATURE_WRONG"), (field, len(value), code)
    assert browser.answer({"a": {"b": 1}}).status_code == 401
    assert browser.answer("text").status_code == 422


def test_an_administrator_reads_refused_logins_of_its_own_list_and_the_citys_all(
    suite: Suite, browser: Browser
) -> None:
    """Evidence that nobody can read is none: newest first, page by page."""
    stranger = _issued(browser.keyring, "nobody")
    for serial in (stranger, WINDOW.serial):
        nonce = browser.nonce()
        spoilt = {**browser.keyring.answer(serial, nonce), "signature": base64.b64encode(b"0" * 64).decode()}
        assert refused(browser.answer(spoilt)) == (401, "SIGNATURE_WRONG")

    def read(place: str, **asked: Any) -> list[dict[str, Any]]:
        headers = suite.log_in("admin", jurisdiction=place).headers()
        return suite.http.get(f"{suite.url('signing')}/login/refusals", params=asked, headers=headers).json()

    newest, before = read(CITY, most=2)
    assert (newest["serial"], before["serial"]) == (WINDOW.serial, stranger)
    assert {one["code"] for one in (newest, before)} == {"SIGNATURE_WRONG"} and newest["address"]
    assert read(CITY, most=1, before=newest["at"]) == [before]
    own = read("210281")
    assert own[0] == newest and stranger not in {one["serial"] for one in own}
    assert not {stranger, WINDOW.serial} & {one["serial"] for one in read("210283")}


def test_who_has_two_posts_says_as_which(suite: Suite, browser: Browser) -> None:
    """The window's holder becomes a supervisor as well: one asks for it, another approves."""
    two = person("window", jurisdiction="210283")
    roster = f"{suite.url('signing')}/roster/requests"
    first, second = (suite.log_in("admin", name, jurisdiction=CITY).headers() for name in ("first", "second"))
    body = {
        "change": "ENTER",
        "serial": two.serial,
        "holder": two.holder,
        "role": "supervisor",
        "jurisdiction": "210283",
        "effective_at": (datetime.now(UTC) + timedelta(seconds=1)).isoformat(),
        "document": "名单变更单",
    }
    asked = suite.http.post(roster, json=body, headers=first)
    suite.http.post(f"{roster}/{asked.json()['request_id']}/approval", headers=second)
    browser.keyring.has(two)

    def log_in(**wanted: str) -> httpx.Response:
        return browser.answer(browser.keyring.answer(two.serial, browser.nonce()), **wanted)

    told = eventually(log_in, lambda answer: answer.status_code == 409)
    assert told.json()["code"] == "CHOOSE_YOUR_POST" and "监察人员" in told.json()["detail"]
    assert log_in(role="supervisor").json()["role"] == "supervisor"
    assert log_in(role="window", jurisdiction="210283").json()["role"] == "window"
    assert refused(log_in(role="admin")) == (403, "NOT_ON_ROSTER")


def test_a_builder_is_known_by_the_credit_code_in_its_certificate(suite: Suite) -> None:
    shown = suite.log_in("builder", uscc=USCC)
    headers = {"Authorization": f"Session {shown.secret}"}
    told = httpx.get(f"{suite.url('signing')}/login/session", headers=headers).json()
    assert (told["role"], told["uscc"]) == ("builder", USCC)


def test_a_revoked_certificate_ends_its_sessions(suite: Suite) -> None:
    keyring = suite.keyring
    assert keyring is not None
    login = suite.log_in("builder", uscc="91210281MA0XRT0018")
    assert login.token
    keyring.authority.revoke(login.who.serial)
    post = {"Authorization": f"Session {login.secret}"}
    url = f"{suite.url('signing')}/login/token"
    told = eventually(lambda: httpx.post(url, headers=post), lambda answer: answer.status_code == 401)
    assert told.json()["code"] == "CERTIFICATE_REVOKED"


def test_a_certificate_that_the_responder_alone_knows_to_be_revoked_is_refused(browser: Browser) -> None:
    serial = _issued(browser.keyring, "revoked-since")
    browser.keyring.authority.revoke(serial, lists=False)
    assert refused(browser.answer(browser.keyring.answer(serial, browser.nonce()))) == (401, "CERTIFICATE_REVOKED")


def test_no_secret_stands_in_any_log_or_argument(suite: Suite) -> None:
    keyring = suite.keyring
    assert keyring is not None
    login = suite.log_in("supervisor", jurisdiction=CITY)
    pins = [file.read_text() for file in keyring.authority.pins(PERSONS).iterdir()]
    pins += [file.read_text() for file in keyring.authority.pins(SEALS).iterdir()]
    logs = "".join(file.read_text(errors="replace") for file in (suite.folder / "logs").iterdir())
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    for secret in (*pins, login.secret, login.token):
        assert secret not in logs and secret not in listed
