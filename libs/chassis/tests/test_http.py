"""What the HTTP side of every service takes in from anybody, before it asks who comes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel

from chassis import http
from chassis.http import LARGEST_BODY, STREAMED, create_app, streamed
from chassis.identity import Door
from chassis.standing import Standing
from chassis.wallclock import RealClock

PART = bytes(64 * 1024)
MOST_PARTS = 100


class Given(BaseModel):
    name: str


@asynccontextmanager
async def nothing(app: FastAPI) -> AsyncGenerator[None, None]:
    yield


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("test", lifespan=nothing, wallclock=RealClock(), door=Door(None, Standing(10)))
    routes = APIRouter(prefix="/inner")

    @routes.post("/json")
    async def take(body: Given) -> str:
        return body.name

    @routes.post("/file")
    async def receive(request: Request) -> int:
        return sum([len(part) async for part in streamed(request)])

    app.include_router(routes)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as made:
        yield made


class Endless:
    """A body that is far larger than any; how much of it was taken."""

    taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(MOST_PARTS):
            self.taken += len(PART)
            yield PART


@pytest.mark.parametrize("kind", [*STREAMED, "application/json", "text/plain"])
async def test_a_body_of_whatever_kind_is_taken_in_no_further_than_its_bound(
    client: httpx.AsyncClient, kind: str
) -> None:
    body = Endless()
    told = await client.post("/inner/json", content=body, headers={"Content-Type": kind})
    assert told.status_code == 413 and body.taken <= LARGEST_BODY + 2 * len(PART)


@pytest.mark.parametrize("kind", STREAMED)
async def test_a_file_goes_through_to_the_route_that_streams_it(client: httpx.AsyncClient, kind: str) -> None:
    told = await client.post("/inner/file", content=Endless(), headers={"Content-Type": kind + "; boundary=b"})
    assert (told.status_code, told.json()) == (200, MOST_PARTS * len(PART))


async def test_a_body_that_does_not_come_is_not_waited_for(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SECONDS_TO_SEND", 0.01)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        told = await client.post("/inner/json", content=never(), headers={"Content-Type": "application/json"})
    assert (told.status_code, told.json()["code"]) == (408, "TOO_SLOW")
