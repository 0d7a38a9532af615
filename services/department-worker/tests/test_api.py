"""The desk over HTTP where time matters: late acts, and amendments of the calendar that are still on their way."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from chassis.database import unpacked
from chassis.http import create_app
from chassis.identity import Door
from chassis.standing import Standing
from contracts import topics
from contracts.terms import ItemStep
from department_worker import api
from department_worker.stepping_up import StepUp
from evidence import trust
from local.desk import MONDAY, OFFICE, PLACE, Room, dispatched
from local.rehearsal import HandClock
from local.standin import Callers
from procedure.calendar import start_of_day

LATE = start_of_day(date(2026, 3, 10)) + timedelta(seconds=1)
"""A second after five working days from MONDAY's acceptance."""


class Counter:
    """An officer's way to the desk; time stands still at `clock`."""

    def __init__(self, room: Room, folder: Path) -> None:
        self.room = room
        self.clock = HandClock(MONDAY)
        self._callers = Callers(folder)
        step_up = StepUp(room.database, trust.load(self._callers.trust), "http://desk")
        known = (room.database, room.marks, self.clock, room.calendars, room.roster, step_up)
        office = api.Office(*known, sealed=False)  # pyright: ignore[reportArgumentType]
        app = create_app("desk", lifespan=_nothing, wallclock=self.clock, door=_door(self._callers))
        app.include_router(api.router(office))
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk")
        self.item = dispatched()

    async def step(self, step: ItemStep, key: str, **more: Any) -> httpx.Response:
        token = self._callers.token("officer", "officer", jurisdiction=PLACE, department=OFFICE)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"step-{key}"}
        body = {"step": step.value, **more}
        return await self._http.post(f"/items/{self.item.item_id}/steps", json=body, headers=headers)

    async def said(self) -> list[str]:
        """The names of what was said over HTTP."""
        rows = await self.room.database.pool.fetch("SELECT messages FROM outbox ORDER BY id")
        return [one.kind for row in rows for one in unpacked(row["messages"])]


@asynccontextmanager
async def _nothing(app: FastAPI) -> AsyncGenerator[None, None]:
    yield


def _door(callers: Callers) -> Door:
    """A door that knows of no suspended certificate."""
    standing = Standing(60)
    standing.is_told((), 0)
    return Door(callers.trust, standing)


@pytest.fixture
async def counter(room: Room, tmp_path: Path) -> Counter:
    """A desk with one item, accepted on MONDAY."""
    made = Counter(room, tmp_path)
    await room.give(made.item)
    assert (await made.step(ItemStep.ACCEPT, "accept")).status_code == 200
    await room.database.pool.execute("TRUNCATE outbox")
    return made


async def test_a_late_act_is_refused_and_recorded_once(counter: Counter) -> None:
    counter.clock.at = LATE
    answers = [await counter.step(ItemStep.REVIEW, "late", opinion="同意") for _ in range(2)]
    assert {answer.status_code for answer in answers} == {409}
    assert answers[0].headers["content-type"] == "application/problem+json"
    assert (answers[0].json()["code"], answers[0].json()["article"]) == ("TOO_LATE", "第十四条")
    assert "2026-03-10 00:00" in answers[0].json()["detail"]
    assert answers[0].content == answers[1].content and await counter.said() == ["LateOpinionRecorded"]


async def test_an_act_that_seems_late_is_not_judged_while_an_amendment_may_be_on_its_way(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "PATIENCE_SECONDS", 0.2)
    counter.clock.at = LATE
    counter.room.marks.unread = {topics.CALENDAR.name}
    assert (await counter.step(ItemStep.REVIEW, "late")).status_code == 503
    assert await counter.said() == []
    counter.room.marks.unread = set()
    assert (await counter.step(ItemStep.REVIEW, "late")).json()["code"] == "TOO_LATE"


async def test_an_act_in_time_does_not_wait_for_the_calendar(counter: Counter) -> None:
    counter.room.marks.unread = {topics.CALENDAR.name}
    assert (await counter.step(ItemStep.REVIEW, "in-time")).status_code == 200
