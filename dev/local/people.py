"""Logging in as people do: a challenge, the agent's signature with the person's own key, a session, tokens of a minute.

Programs and pages take the same path; the suite has no other.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import httpx

from evidence import login
from evidence.certificates import Certificate
from local.posts import Person

FRESH_SECONDS: Final = 40.0
"""A service token lasts a minute; it is changed for a new one well before."""
BROWSER: Final = "lianshen_browser"


class Refused(Exception):
    """The suite did not let somebody in; `answer` is what it said."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(f"{answer.status_code}: {answer.text[:300]}")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Key:
    """A person's certificate, and its key wherever that is; `sign` signs a message with SHA-256 (ECDSA: DER)."""

    certificate: Certificate
    sign: Callable[[bytes], bytes] = field(repr=False)


class Login:
    """One session of one person at the signing service of `url`; its service token is kept fresh."""

    def __init__(self, http: httpx.Client, url: str, key: Key, person: Person) -> None:
        self._http = http
        self._url = f"{url}/login"
        self.key = key
        self.person = person
        self.secret = self._begun()
        self._token = ""
        self._made = 0.0

    def _begun(self) -> str:
        challenge = self._post("challenge")
        told = challenge.json()
        body = {"token": login.make(self.key.certificate, told["origin"], told["nonce"], self.key.sign)}
        browser = {"Cookie": f"{BROWSER}={challenge.cookies[BROWSER]}"}
        return self._post("session", {**body, "as": self._post_wanted()}, browser).json()["session"]

    def _post_wanted(self) -> dict[str, str]:
        held = {"jurisdiction": self.person.jurisdiction, "department": self.person.department}
        return {"role": self.person.role.value, **{name: value for name, value in held.items() if value}}

    def _post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        answer = self._http.post(f"{self._url}/{path}", json=body, headers=headers or {})
        if answer.status_code >= 400:
            raise Refused(answer)
        return answer

    @property
    def token(self) -> str:
        """A service token that lasts for some time yet. Raises Refused."""
        if time.monotonic() - self._made > FRESH_SECONDS:
            self._token = self._post("token", None, self.session).json()["token"]
            self._made = time.monotonic()
        return self._token

    @property
    def session(self) -> dict[str, str]:
        """What a program shows signing itself."""
        return {"Authorization": f"Session {self.secret}"}

    def headers(self, key: str | None = None) -> dict[str, str]:
        """Return the headers of one request; `key` is its idempotency key."""
        return {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key or f"key-{uuid4().hex}"}
