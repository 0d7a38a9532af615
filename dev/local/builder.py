"""A builder and the people around it, as clients of the suite's HTTP interfaces; for demo, bench and tests."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import jwt

from contracts.terms import ItemStep, ProcessType, Stage
from local.suite import Suite

T = TypeVar("T")
SIGNED = (ItemStep.APPROVE, ItemStep.CONCLUDE)
USCC = "91210281MA0ABC123K"
BUILDER = {"uscc": USCC, "name": "瓦房店市示例建设有限公司"}
FORM = {"contact_name": "王工", "contact_phone": "0411-85600000", "summary": "示例住宅小区一期", "floor_area": 48000.0}


def scan(text: str) -> bytes:
    """Return a small PDF-like scan whose content is `text`."""
    return b"%PDF-1.7\n% " + text.encode() + b"\n%%EOF\n"


class People:
    """Calls the suite as platform, builder, window, officer, supervisor, lead or administrator."""

    def __init__(self, suite: Suite, uscc: str = USCC) -> None:
        self.suite = suite
        self.uscc = uscc
        self.http = suite.http

    def header(self, role: str, key: str | None = None, **claims: str) -> dict[str, str]:
        """Return the headers of whoever holds a post, logged in with its key."""
        return self.suite.log_in(role, claims.pop("name", ""), **claims).headers(key)

    def builder(self, key: str | None = None) -> dict[str, str]:
        return self.header("builder", key, uscc=self.uscc)

    def officer(self, jurisdiction: str, department: str, key: str | None = None, **claims: str) -> dict[str, str]:
        """The officer whom the development roster lists for a department, unless `claims` name another certificate."""
        return self.header("officer", key, jurisdiction=jurisdiction, department=department, **claims)

    def lead(self, jurisdiction: str, department: str, key: str | None = None) -> dict[str, str]:
        return self.header("lead", key, jurisdiction=jurisdiction, department=department)

    def admin(self, jurisdiction: str, name: str = "admin", key: str | None = None) -> dict[str, str]:
        """An administrator; another `name` is another person with another certificate."""
        return self.header("admin", key, jurisdiction=jurisdiction, name=name)

    def step(self, item: str, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        """Take a step of an item (its id) as the officer of `headers`, who signs with its key what has to be signed."""
        url = f"{self.suite.url('department-worker')}/items/{item}/steps"
        if body["step"] in SIGNED:
            asked = self.http.post(f"{url}/challenge", json=body, headers=headers)
            if asked.status_code != 200:
                return asked
            body = {**body, "signature": self.signature(asked.json(), headers)}
        return self.http.post(url, json=body, headers=headers)

    def signature(self, challenge: dict[str, Any], headers: dict[str, str]) -> dict[str, str]:
        """Return what the agent of the officer of `headers` answers to a challenge."""
        assert self.suite.keyring is not None
        claims = jwt.decode(headers["Authorization"].split()[1], options={"verify_signature": False})
        made = self.suite.keyring.step_up(claims["certificate"], challenge["nonce"], challenge["facts"])
        return {"nonce": challenge["nonce"], **made}

    def push(
        self, code: str, process_type: ProcessType, jurisdiction: str = "210281", *, key: str | None = None
    ) -> httpx.Response:
        """Push a project as the 多规合一 platform does."""
        body = {
            "name": f"项目 {code}",
            "process_type": process_type.value,
            "jurisdiction": jurisdiction,
            "builder": {**BUILDER, "uscc": self.uscc},
        }
        return self.http.put(
            f"{self.suite.url('intake')}/projects/{code}", json=body, headers=self.header("platform", key)
        )

    def upload(self, content: bytes, kind: str = "application/pdf") -> dict[str, Any]:
        headers = {**self.builder(), "Content-Type": kind}
        answer = self.http.post(f"{self.suite.url('intake')}/materials", content=content, headers=headers)
        answer.raise_for_status()
        return answer.json()

    def materials(self, process_type: ProcessType, stage: Stage) -> list[dict[str, str]]:
        """Upload what a stage needs, and return the set."""
        needed = self.suite.city.catalogue.to_submit(stage, process_type)
        return [self._material(one.code, one.name) for one in needed]

    def _material(self, code: str, name: str) -> dict[str, str]:
        return {"code": code, "name": f"{name}.pdf", "sha256": self.upload(scan(name))["sha256"]}

    def declare(
        self, code: str, stage: Stage, materials: list[dict[str, str]], *, key: str | None = None, **more: Any
    ) -> httpx.Response:
        """Declare a stage."""
        body = {"form": FORM, "materials": materials, "truthful": True, **more}
        url = f"{self.suite.url('intake')}/projects/{code}/stages/{stage.value}/applications"
        return self.http.post(url, json=body, headers=self.builder(key))

    def progress(self, application_id: str) -> dict[str, Any]:
        url = f"{self.suite.url('intake')}/applications/{application_id}"
        return self.http.get(url, headers=self.builder()).json()

    def notices(self) -> list[dict[str, Any]]:
        return self.http.get(f"{self.suite.url('intake')}/notices", headers=self.builder()).json()

    def inquiry(self, code: str) -> dict[str, Any]:
        return self.http.get(f"{self.suite.url('intake')}/projects/{code}/inquiry", headers=self.builder()).json()

    def supervise(self, path: str, jurisdiction: str = "210200") -> Any:
        headers = self.header("supervisor", jurisdiction=jurisdiction)
        return self.http.get(f"{self.suite.url('supervision')}{path}", headers=headers).json()


def eventually(ask: Callable[[], T], holds: Callable[[T], bool], seconds: float = 30.0) -> T:
    """Return what `ask` answers once it `holds`. Raises AssertionError with the last answer when it never does."""
    until = time.monotonic() + seconds
    while True:
        told = ask()
        if holds(told):
            return told
        if time.monotonic() > until:
            raise AssertionError(f"still not so after {seconds:.0f} s: {told!r}"[:4000])
        time.sleep(0.05)
