"""Under which name, and how closely, a browser keeps what opens a session (Art. 19)."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from chassis import problems
from signing.api.logins import Challenge, Logins, router
from signing.rates import Rates


class Doors(Logins):
    """Doors that know one session and give one nonce."""

    def __init__(self, origin: str) -> None:
        self.origin, self.lasts = origin, timedelta(hours=8)
        self.ended: list[str] = []

    async def challenge(self, browser: str) -> Challenge:
        return Challenge(nonce="n", origin=self.origin, expires_at=datetime.now(UTC))

    async def end(self, secret: str) -> None:
        self.ended.append(secret)


@pytest.mark.parametrize(("origin", "host"), [("https://lianshen.example", "__Host-"), ("http://127.0.0.1", "")])
async def test_a_neighbour_in_the_domain_can_put_no_session_under_anybody(origin: str, host: str) -> None:
    doors, app = Doors(origin), FastAPI()
    app.include_router(router(doors, Rates(100)))
    problems.install(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=origin) as client:
        told = (await client.post("/login/challenge")).headers["set-cookie"]
        assert told.startswith(f"{host}lianshen_browser=")
        assert "HttpOnly" in told and "SameSite=strict" in told and "Path=/" in told and "Domain" not in told
        assert ("Secure" in told) == bool(host)
        for name in {"lianshen_session", f"{host}lianshen_session"}:
            client.cookies = {name: name}  # pyright: ignore[reportAttributeAccessIssue]
            await client.delete("/login/session")
    assert doors.ended == [f"{host}lianshen_session"]
