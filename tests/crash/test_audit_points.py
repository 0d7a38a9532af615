"""The audit chains where processes die at any await: a root is closed once, sealed once, and its export is whole."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from chassis.catalogue import load
from contracts import topics
from contracts.signing import AuditRootSealed
from contracts.supervision import AuditRootClosed
from contracts.terms import Ledger
from evidence.bundle import judged
from evidence.seals import Holds
from local import audit
from local.authority import SEALS, Authority
from local.authority.seals import prepare_seals
from local.builder import BUILDER
from local.rehearsal import HOSTED, Rehearsal, fetch_lists, rehearsing, trusting
from local.suite import CATALOGUE

CODES: Final = ("2018-210281-47-03-000123", "2018-210281-47-03-000124")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = prepare_seals(tmp_path_factory.mktemp("authority"), load(CATALOGUE), HOSTED)
    os.environ.update(made.environment(SEALS))
    return made


@pytest.fixture(scope="module")
def holds(made: Authority) -> Holds:
    return audit.trusting(made.trust)


def header(r: Rehearsal, role: str, **claims: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {r.callers.token(role, role, **claims)}"}


async def push(r: Rehearsal, code: str) -> None:
    """A project is pushed, and everybody has read of it."""
    body = {"name": "示例项目", "process_type": 4, "jurisdiction": "210281", "builder": BUILDER}
    headers = {**header(r, "platform"), "Idempotency-Key": f"push-{code}"}
    (await r.members["intake"].http.put(f"/projects/{code}", headers=headers, json=body)).raise_for_status()
    await r.pass_on("intake")
    await r.settle()


async def close(r: Rehearsal) -> int:
    """Supervision closes what moved, and dies at every await of it; returns how often."""
    closer: Any = r.members["supervision"].service.running_beside[0].__self__  # pyright: ignore[reportFunctionMemberAccess]
    _, deaths = await r.survives("supervision", closer.close)
    await r.pass_on("supervision")
    return deaths


async def dying_turn(r: Rehearsal, name: str) -> int:
    """A service reads what is left for it, one topic only, and dies at every await; returns how often."""
    count, deaths = await r.turn_dying(name)
    await r.pass_on(name)
    assert count == 1
    return deaths


def said(r: Rehearsal) -> tuple[list[AuditRootClosed], list[AuditRootSealed]]:
    """The roots and the seals over them, as they stand on their topics."""
    closed, sealed = (r.broker.records[topic.name] for topic in (topics.AUDIT_ROOTS, topics.AUDIT_SEALS))
    return (
        [AuditRootClosed.model_validate_json(raw.value or b"") for raw in closed],
        [AuditRootSealed.model_validate_json(raw.value or b"") for raw in sealed],
    )


async def exported(r: Rehearsal, owner: str) -> bytes:
    headers = header(r, "supervisor", jurisdiction="210200")
    answer = await r.members["supervision"].http.get(f"/audit/{owner}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_dying_at_every_await_closes_seals_and_takes_in_each_root_once(
    urls: dict[str, str], made: Authority, holds: Holds, tmp_path: Path
) -> None:
    async def tale() -> None:
        opens = datetime.now(UTC) + timedelta(seconds=1)
        settings = {"trust_folder": trusting(made, tmp_path / "trust")}
        async with rehearsing(urls, made.pins(SEALS), tmp_path, opens, lambda _: (), settings) as r:
            await fetch_lists(r)
            for number, code in enumerate(CODES, 1):
                await push(r, code)
                assert await close(r) > 5
                assert await dying_turn(r, "signing") > 5
                closed, sealed = said(r)
                assert [one.number for one in closed] == list(range(1, number + 1))
                assert [one.root for one in sealed] == [one.root for one in closed]
                await r.turn_dying("supervision")
            first, second = said(r)[0]
            assert second.previous == first.root and {one.ledger for one in first.ledgers} == {Ledger.IDENTITY}
            for owner in (*(f"projects/{code}" for code in CODES), "ledgers/identity"):
                assert judged(await exported(r, owner), holds).findings == ()

    asyncio.run(tale())
