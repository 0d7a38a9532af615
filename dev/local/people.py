"""Logging in as people do: a challenge, the agent's signature with the person's own key, a session, tokens of a minute.

Programs and pages take the same path; the suite has no other. A person's certificate is issued when it first comes.
"""

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx

from contracts.codes import CITY
from contracts.terms import Role
from evidence.certificates import Purpose
from local.authority import PERSONS, Authority, Wanted
from local.posts import Person, person
from local.trouble import Trouble

FRESH_SECONDS: Final = 40.0
"""A service token lasts a minute; it is changed for a new one well before."""
STANDING: Final = (person(Role.PLATFORM), person(Role.SUPERVISOR, jurisdiction=CITY))
"""Who comes to every suite: its certificate is issued with the authority's own."""


class Refused(Trouble):
    """The suite did not let somebody in; `answer` is what it said."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(f"{answer.status_code}: {answer.text[:300]}")
        self.answer = answer


def wanted_person(who: Person) -> Wanted:
    """Return the certificate of a person, in a token of its own that is labelled by its serial."""
    place = f"{who.jurisdiction} {who.department}".strip() or None
    return Wanted(who.serial, PERSONS, who.holder, Purpose.LOGIN, place, who.uscc or None, who.serial)


def agents_command(authority: Authority, port: int, origin: str) -> Sequence[str]:
    """Return the command of the agent that has the keys of every person of `authority`."""
    store = authority.environment(PERSONS)
    needed = [f"--set={name}={value}" for name, value in store.items()]
    where = ["--port", str(port), "--origin", origin, "--pins", str(authority.pins(PERSONS))]
    return (sys.executable, "-m", "local.agent", *where, "--unattended", *needed)


class Keyring:
    """Everybody's keys, behind the agent at `agent`; they are for the site at `origin`, which is signing's."""

    def __init__(self, authority: Authority, agent: str, origin: str) -> None:
        self.authority = authority
        self.origin = origin
        self._agent = agent
        self._http = httpx.Client(timeout=30, verify=False)
        self._issuing = threading.Lock()

    def has(self, *people: Person) -> None:
        """See to it that each of `people` has a certificate."""
        with self._issuing:
            self.authority.ensure(*map(wanted_person, people))

    def answer(self, serial: str, nonce: str) -> dict[str, str]:
        """Return the authentication token with which a certificate answers a challenge."""
        return self._signed("login", {"certificate": serial, "nonce": nonce})

    def step_up(self, serial: str, nonce: str, facts: Mapping[str, str]) -> dict[str, str]:
        """Return the signature with which a certificate answers for an act."""
        return self._signed("step-up", {"certificate": serial, "nonce": nonce, "facts": dict(facts)})

    def close(self) -> None:
        """Let go of the agent."""
        self._http.close()

    def _signed(self, what: str, body: Any) -> dict[str, str]:
        answer = self._http.post(f"{self._agent}/{what}", json=body, headers={"Origin": self.origin})
        if answer.status_code != 200:
            raise Refused(answer)
        return answer.json()


class Login:
    """One session of one person; its service token is kept fresh."""

    def __init__(self, keyring: Keyring, who: Person) -> None:
        self.who = who
        self.keyring = keyring
        self._http = httpx.Client(base_url=f"{keyring.origin}/login", timeout=30, verify=False)
        self._token = ""
        self._made = 0.0
        keyring.has(who)
        try:
            self.secret = self._begun()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection; the session goes on until it ends."""
        self._http.close()

    def _begun(self) -> str:
        nonce = self._post("/challenge").json()["nonce"]
        token = self.keyring.answer(self.who.serial, nonce)
        return self._post("/session", {"token": token, "as": self._wanted()}).json()["session"]

    def _wanted(self) -> dict[str, str]:
        held = {"jurisdiction": self.who.jurisdiction, "department": self.who.department}
        return {"role": self.who.role.value, **{name: value for name, value in held.items() if value}}

    def _post(self, path: str, body: Any = None) -> httpx.Response:
        answer = self._http.post(path, json=body)
        if answer.status_code >= 400:
            raise Refused(answer)
        return answer

    @property
    def token(self) -> str:
        """A service token that lasts for some time yet. Raises Refused."""
        if not self._token or time.monotonic() - self._made > FRESH_SECONDS:
            self._token = self._changed()
            self._made = time.monotonic()
        return self._token

    def _changed(self) -> str:
        """Change the session for a token; one that has ended is begun anew, as a person would."""
        try:
            return self._post("/token").json()["token"]
        except Refused as refused:
            if refused.answer.json()["code"] != "NO_SESSION":
                raise
            self.secret = self._begun()
            return self._post("/token").json()["token"]

    def headers(self, key: str | None = None) -> dict[str, str]:
        """Return the headers of one request; `key` is its idempotency key."""
        return {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key or f"key-{uuid4().hex}"}


def of_suite(folder: Path, numbers: Mapping[str, int]) -> Keyring:
    """Return the keys of the suite that is up in `folder`. Raises Trouble when none is."""
    if not (folder / "authority" / "trust").exists():
        raise Trouble("no suite is up here: ./run up starts one")
    urls = {name: f"http://127.0.0.1:{numbers[name]}" for name in ("authority", "ca-agent", "signing")}
    return Keyring(Authority(folder / "authority", urls["authority"]), urls["ca-agent"], urls["signing"])
