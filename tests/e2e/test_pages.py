"""Signing's pages in a real browser: the way in with the key, and the verification of a document (Art. 16, 19, 20)."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from contracts.codes import CITY
from evidence.testing import Authority as Issuer
from evidence.testing_documents import office, prepared
from local.builder import eventually
from local.posts import Person, person
from local.suite import Suite

SUPERVISOR: Final = person("supervisor", jurisdiction=CITY)
NARROW: Final = {"width": 390, "height": 844}
WAIT_MS: Final = 15_000
expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def page(suite: Suite, chromium: Browser) -> Iterator[Page]:
    """A new browser at the login page; it may have asked nobody but signing and the agent, and nothing went wrong."""
    assert suite.keyring is not None
    suite.keyring.has(SUPERVISOR)
    context = chromium.new_context(locale="zh-CN", timezone_id="Asia/Shanghai")
    made = context.new_page()
    asked: set[str] = set()
    broken: list[str] = []
    made.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    made.on("pageerror", lambda error: broken.append(str(error)))
    made.goto(f"{suite.url('signing')}/login")
    yield made
    assert asked <= {urlsplit(suite.url(name)).netloc for name in ("signing", "ca-agent")}
    assert broken == []
    context.close()


def choose(page: Page, who: Person) -> None:
    page.get_by_role("radio", name=who.serial).check()


def enter(page: Page, who: Person) -> None:
    choose(page, who)
    page.get_by_role("button", name="登录", exact=True).click()


def test_one_comes_in_and_goes_with_the_keyboard_alone(page: Page) -> None:
    choose(page, SUPERVISOR)
    page.keyboard.press("Enter")
    expect(page.locator("#me")).to_contain_text(SUPERVISOR.holder)
    expect(page.locator("#post")).to_have_text("监察人员（大连市）")
    expect(page.get_by_role("button", name="退出登录")).to_be_focused()
    [cookie] = [one for one in page.context.cookies() if one["name"] == "lianshen_session"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert page.evaluate("document.cookie") == ""
    page.reload()
    expect(page.locator("#me")).to_contain_text(SUPERVISOR.serial)
    page.get_by_role("button", name="退出登录").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name=SUPERVISOR.serial)).to_be_visible()
    assert [one for one in page.context.cookies() if one["name"] == "lianshen_session"] == []


def test_who_is_refused_reads_why_with_the_article(page: Page, suite: Suite) -> None:
    stranger = person("supervisor", jurisdiction=CITY, certificate="5EED0001", holder="无名氏")
    assert suite.keyring is not None
    suite.keyring.has(stranger)
    page.get_by_role("button", name="重新查找 CA 锁").click()
    enter(page, stranger)
    expect(page.get_by_role("alert")).to_contain_text("第十八条")
    expect(page.locator("#me")).to_be_hidden()


def test_who_has_several_posts_chooses_one(page: Page, suite: Suite) -> None:
    two = person("window", jurisdiction="210213")
    _becomes_a_supervisor(suite, two)

    def told() -> str:
        page.goto(page.url)
        enter(page, two)
        page.locator("#me:visible, #result:visible").first.wait_for()
        if page.locator("#me").is_visible():
            page.get_by_role("button", name="退出登录").click()
            page.locator("#form").wait_for()
        return page.locator("#result").inner_text()

    eventually(told, lambda sentence: "请选择其一" in sentence)
    page.get_by_role("radio", name="监察人员（金州区）").check()
    page.get_by_role("button", name="登录", exact=True).click()
    expect(page.locator("#post")).to_have_text("监察人员（金州区）")


def _becomes_a_supervisor(suite: Suite, who: Person) -> None:
    """One asks for it, another approves (Art. 18)."""
    assert suite.keyring is not None
    suite.keyring.has(who)
    first, second = (suite.log_in("admin", name, jurisdiction=CITY) for name in ("first", "second"))
    roster = f"{suite.url('signing')}/roster/requests"
    body = {
        "change": "ENTER",
        "serial": who.serial,
        "holder": who.holder,
        "role": "supervisor",
        "jurisdiction": who.jurisdiction,
        "effective_at": (datetime.now(UTC) + timedelta(seconds=1)).isoformat(),
        "document": "名单变更单",
    }
    asked = suite.http.post(roster, json=body, headers=first.headers()).raise_for_status().json()["request_id"]
    suite.http.post(f"{roster}/{asked}/approval", headers=second.headers()).raise_for_status()


def test_without_an_agent_the_page_says_what_to_do(page: Page, suite: Suite) -> None:
    agent = next(one for one in suite.offices if one.name == "ca-agent")
    agent.stop()
    try:
        page.get_by_role("button", name="重新查找 CA 锁").click()
        expect(page.get_by_role("alert")).to_contain_text("没有找到 CA 锁助手")
    finally:
        agent.start()
        agent.wait_ready()
    page.get_by_role("button", name="重新查找 CA 锁").click()
    enter(page, SUPERVISOR)
    expect(page.locator("#me")).to_be_visible()


class Elsewhere(BaseHTTPRequestHandler):
    """A page of somebody else."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title>")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing of this is worth a line."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


TRIES: Final = "([url, options]) => fetch(url, options).then((answer) => answer.status, () => 'kept out')"


def test_a_page_of_somebody_else_reaches_neither_the_key_nor_the_session(
    page: Page, suite: Suite, elsewhere: str, chromium: Browser
) -> None:
    enter(page, SUPERVISOR)
    expect(page.locator("#me")).to_be_visible()
    other = chromium.new_context(storage_state=page.context.storage_state()).new_page()
    agent, signing = suite.url("ca-agent"), suite.url("signing")
    body = {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": "{}"}
    other.goto(elsewhere)
    for url, options in (
        (f"{agent}/certificates", {}),
        (f"{agent}/login", body),
        (f"{signing}/login/session", {"credentials": "include"}),
        (f"{signing}/login/token", {"credentials": "include", "method": "POST"}),
    ):
        assert other.evaluate(TRIES, [url, options]) == "kept out"
    other.goto(f"{signing}/login")
    assert other.evaluate(TRIES, [f"{agent}/certificates", {}]) == 200
    other.context.close()


def test_the_pages_fit_a_telephone(page: Page, suite: Suite) -> None:
    page.set_viewport_size(NARROW)
    page.get_by_role("radio", name=SUPERVISOR.serial).wait_for()
    for path in ("login", "verify"):
        page.goto(f"{suite.url('signing')}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_a_document_of_a_foreign_authority_is_not_believed(page: Page, suite: Suite) -> None:
    """One that the platform sealed is judged in the same page by `test_documents`."""
    foreign = {"name": "批复.pdf", "mimeType": "application/pdf", "buffer": office(Issuer()).seals(prepared())}
    page.goto(f"{suite.url('signing')}/verify")
    page.get_by_label("选择文书文件").set_input_files(foreign)  # pyright: ignore[reportArgumentType]
    page.get_by_role("button", name="核验").click()
    expect(page.get_by_role("status")).to_contain_text("不是由受信任的电子认证服务机构")
