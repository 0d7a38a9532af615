"""The roster where processes die and topics lag: one change whatever died, and no recall overtakes a late reader."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest

from chassis.catalogue import load
from contracts.department import ItemReport
from contracts.dispatcher import ItemDispatched
from contracts.envelope import Event, derived_id
from contracts.parts import Actor
from contracts.terms import ItemStep, Outcome, ProcessType, Stage
from contracts.topics import IDENTITY
from local.builder import BUILDER, FORM, USCC, scan
from local.department import report
from local.rehearsal import Rehearsal, rehearsing
from local.suite import CATALOGUE

CODE: Final = "2018-210281-47-03-000180"
OPENS: Final = datetime(2026, 3, 2, 1, tzinfo=UTC)
ITEM, NEW = "S1-09", Actor(holder="新任经办人", certificate="CA-NEW")
Tale = Callable[[Rehearsal], Awaitable[None]]


class Departments:
    """Nobody answers by itself; what was given is remembered by item code."""

    def __init__(self) -> None:
        self.given: dict[str, ItemDispatched] = {}

    def __call__(self, event: Event) -> Sequence[ItemReport]:
        if isinstance(event, ItemDispatched):
            self.given[event.item_code] = event
        return ()


def headers(r: Rehearsal, role: str, name: str, key: str = "", **claims: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {r.callers.token(role, name, **claims)}", "Idempotency-Key": f"roster-{key}"}


async def post(r: Rehearsal, path: str, name: str, key: str, body: Any = None) -> httpx.Response:
    asker = headers(r, "admin", name, key, jurisdiction="210281")
    return await r.members["signing"].http.post(f"/roster/requests{path}", headers=asker, json=body)


def wanted(effective_at: datetime) -> dict[str, Any]:
    where = {"role": "officer", "jurisdiction": "210281", "department": "RFB"}
    who = {"change": "ENTER", "serial": NEW.certificate, "holder": NEW.holder, "document": "名单变更单"}
    return {**who, **where, "effective_at": effective_at.isoformat()}


def said(r: Rehearsal, topic: str) -> list[dict[str, Any]]:
    return [orjson.loads(raw.value or b"") for raw in r.broker.records[topic]]


def test_dying_at_every_await_of_a_change_leaves_one_change(urls: dict[str, str], seals: Path, tmp_path: Path) -> None:
    async def tale() -> None:
        async with rehearsing(urls, seals, tmp_path, OPENS, Departments()) as r:
            before = len(said(r, IDENTITY.name))
            asked, deaths = await r.survives("signing", lambda: post(r, "", "first", "asked-once", wanted(OPENS)))
            path = f"/{asked.json()['request_id']}/approval"
            own, more = await r.survives("signing", lambda: post(r, path, "first", "own-attempt"))
            assert own.status_code == 403
            approved, most = await r.survives("signing", lambda: post(r, path, "second", "approved"))
            assert approved.status_code == 200 and min(deaths, more, most) > 5
            await r.pass_on("signing")
            refused, changed = said(r, IDENTITY.name)[before:]
            assert refused["code"] == "OWN_REQUEST" and changed["serial"] == NEW.certificate
            pool = r.members["signing"].service.database.pool
            counts = "SELECT (SELECT count(*) FROM roster_requests), (SELECT count(*) FROM roster_attempts)"
            assert tuple(await pool.fetchrow(counts)) == (1, 1)

    asyncio.run(tale())


def test_a_decision_in_time_by_who_is_not_read_yet_waits_and_is_not_recalled(
    urls: dict[str, str], seals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has not read that somebody was listed; it holds the decision back, and the recall behind it."""

    async def tale() -> None:
        departments = Departments()
        async with rehearsing(urls, seals, tmp_path, OPENS, departments) as r:
            due = await _accepted(r, departments)
            asked = await post(r, "", "first", "asked-once", wanted(OPENS + timedelta(hours=1)))
            await post(r, f"/{asked.json()['request_id']}/approval", "second", "approved")
            await r.pass_on("signing")
            worker, unread = r.members["department-worker"], r.members["department-worker"].reader.unread
            blind = {tp: position for tp, position in worker.reader.position.items() if tp.topic == IDENTITY.name}
            monkeypatch.setattr(
                worker.reader, "unread", lambda: [raw for raw in unread() if raw.topic != IDENTITY.name]
            )
            r.clock.at = due - timedelta(seconds=1)
            r.report(_decision(departments.given[ITEM]))
            await r.settle()
            r.clock.at = due + timedelta(seconds=1)
            await _fire(r)
            parked = await worker.service.database.pool.fetch("SELECT topic FROM parked ORDER BY id")
            assert len({row["topic"] for row in parked}) == 2 and await _state(r) == "ACCEPTED"
            monkeypatch.undo()
            worker.reader.position.update(blind)
            await r.settle()
            await _until_nothing_waits(r)
            assert await _state(r) == "CONCLUDED"

    asyncio.run(tale())


async def _accepted(r: Rehearsal, departments: Departments) -> datetime:
    """Declare; the department's own officer accepts the item; return when it is due."""
    body = {"name": "示例项目", "process_type": 4, "jurisdiction": "210281", "builder": BUILDER}
    intake = r.members["intake"].http
    (
        await intake.put(f"/projects/{CODE}", headers=headers(r, "platform", "p", "push-it"), json=body)
    ).raise_for_status()
    await r.pass_on("intake")
    builder = headers(r, "builder", "b", "declare-it", uscc=USCC)
    given = {"form": FORM, "materials": [await _uploaded(r, one) for one in _needed()], "truthful": True}
    answer = await intake.post(f"/projects/{CODE}/stages/1/applications", headers=builder, json=given)
    answer.raise_for_status()
    await r.pass_on("intake")
    await r.settle()
    r.report([report(departments.given[ITEM], ItemStep.ACCEPT)])
    await r.settle()
    return datetime.fromisoformat(next(one["due_at"] for one in await _items(r) if one["item_code"] == ITEM))


def _needed() -> Any:

    return load(CATALOGUE).catalogue.to_submit(Stage.LAND_USE, ProcessType.SOCIAL_SMALL)


async def _uploaded(r: Rehearsal, material: Any) -> dict[str, str]:
    kept = {**headers(r, "builder", "b", "upload", uscc=USCC), "Content-Type": "application/pdf"}
    answer = await r.members["intake"].http.post("/materials", content=scan(material.name), headers=kept)
    return {"code": material.code, "name": f"{material.name}.pdf", "sha256": answer.json()["sha256"]}


def _decision(item: ItemDispatched) -> list[ItemReport]:
    steps = [report(item, ItemStep.REVIEW), report(item, ItemStep.APPROVE)]
    steps.append(report(item, ItemStep.CONCLUDE, outcome=Outcome.GRANTED, opinion="无意见"))
    return [one.model_copy(update={"actor": NEW}) for one in steps]


async def _items(r: Rehearsal) -> list[dict[str, Any]]:
    path = f"/applications/{derived_id('application', CODE, 1)}"
    answer = await r.members["intake"].http.get(path, headers=headers(r, "builder", "b", uscc=USCC))
    return answer.json()["items"]


async def _state(r: Rehearsal) -> str:
    return next(one["state"] for one in await _items(r) if one["item_code"] == ITEM)


async def _fire(r: Rehearsal) -> None:
    firing = r.members["timer"].service.running_beside[0].__self__  # pyright: ignore[reportFunctionMemberAccess]
    firing.wake(r.clock.at)
    await firing.fire()
    await r.settle()


async def _until_nothing_waits(r: Rehearsal) -> None:
    """Try the waiting lanes until none is left."""
    bus = r.members["department-worker"].service.bus
    async with asyncio.timeout(20):
        while await r.members["department-worker"].service.database.pool.fetchval("SELECT count(*) FROM parked"):
            await bus.retry_parked()
            await asyncio.sleep(0.05)
    await r.settle()
