"""What one key did is found by its certificate, on a real database, without reading what others did (Art. 20)."""

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts import topics
from contracts.dispatcher import StageDispatched
from contracts.envelope import Event
from contracts.intake import PolicyPublished, StageApplied
from contracts.parts import Actor
from contracts.signing import RosterListed, SealCompleted
from contracts.terms import ItemStep as T
from contracts.terms import Ledger
from contracts.timer import CalendarAmended
from contracts.topics import Topic
from local.samples import sample
from local.suite import migrate
from supervision.store import story

KEY, SEAL_KEY = "KEY-7", "KEY-8"
BEFORE_DEEDS = """
    DROP TABLE deeds;
    ALTER TABLE audit_heads DROP COLUMN is_open, DROP COLUMN held;
    DROP TABLE audit_gaps;
    UPDATE alembic_version SET version_num = '0004'
"""
OTHERS = """
    INSERT INTO deeds SELECT 'KEY-' || n, now(), n FROM generate_series(100, 20000) AS n;
    INSERT INTO chapters (project_code, events) SELECT n, '[]' FROM generate_series(1, 20000) AS n;
    ANALYZE deeds, chapters
"""


@pytest.fixture
def told(begin: Any, applied: StageApplied, dispatched: StageDispatched) -> list[tuple[Topic, Event]]:
    """A stage with one item: KEY-7 accepted it, a working day later another key brought it to its end."""
    item = begin("S1-10").do(T.RECEIVE).do(T.ACCEPT, 1, KEY).do(T.START_CORRECTION, 2, KEY).do(T.SUPPLEMENT, 30, KEY)
    steps = item.conclude(31).events
    seal = sample(SealCompleted).model_copy(update={"project_code": applied.project_code, "certificate": SEAL_KEY})
    said = ((topics.ITEMS, one) for one in steps)
    return [(topics.APPLICATIONS, applied), (topics.STAGES, dispatched), *said, (topics.SEALS, seal)]


async def acts(supervision: Any, since: datetime | None = None, key: str = KEY) -> list[dict[str, Any]]:
    asked = "" if since is None else f"?since={since:%Y-%m-%dT%H:%M:%SZ}"
    answer = await supervision.get(f"/certificates/{key}/acts{asked}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def of_key(told: Sequence[tuple[Topic, Event]], since: datetime | None = None) -> list[str]:
    events = [event for _, event in told if _is_by_key(event)]
    return [str(one.event_id) for one in events if since is None or one.occurred_at >= since]


def _is_by_key(event: Event) -> bool:
    actor = getattr(event, "actor", None)
    return actor is not None and actor.certificate == KEY


async def test_a_keys_acts_are_listed_one_by_one_also_when_built_anew(supervise: Any, told: Any) -> None:
    async with supervise() as supervision:
        for topic, event in told:
            supervision.append(topic, event)
            await supervision.read()
        slowly = await acts(supervision)
        assert [one["event_id"] for one in slowly] == of_key(told) and len(slowly) > 2
        await supervision.build_anew()
        await supervision.read()
        assert await acts(supervision) == slowly


async def test_what_a_seals_key_sealed_is_listed(supervise: Any, told: Any) -> None:
    async with supervise() as supervision:
        for topic, event in told:
            supervision.append(topic, event)
        await supervision.read()
        (sealed,) = await acts(supervision, key=SEAL_KEY)
        assert (sealed["event_id"], sealed["what"]) == (str(told[-1][1].event_id), "SealCompleted")
        assert await acts(supervision, told[-1][1].occurred_at + timedelta(seconds=1), SEAL_KEY) == []


async def test_what_was_done_before_the_instant_is_left_out(supervise: Any, told: Any) -> None:
    async with supervise() as supervision:
        for topic, event in told:
            supervision.append(topic, event)
        await supervision.read()
        since = told[-2][1].occurred_at - timedelta(hours=2)
        assert 0 < len(of_key(told, since)) < len(of_key(told))
        assert [one["event_id"] for one in await acts(supervision, since)] == of_key(told, since)
        later = told[-2][1].occurred_at + timedelta(days=1)
        assert await acts(supervision, later) == []


async def test_what_an_administrators_key_did_to_roster_calendar_and_policies_is_among_them(supervise: Any) -> None:
    key = Actor(holder="管理员", certificate=KEY)
    did = {
        topics.IDENTITY: sample(RosterListed).model_copy(update={"approved_by": key}),
        topics.CALENDAR: sample(CalendarAmended).model_copy(update={"actor": key}),
        topics.POLICIES: sample(PolicyPublished).model_copy(update={"actor": key}),
    }
    async with supervise() as supervision:
        for topic, event in did.items():
            supervision.append(topic, event)
        await supervision.read()
        listed = await acts(supervision)
        elsewhere = await supervision.get(f"/certificates/{KEY}/acts", jurisdiction="210281")
    assert {one["event_id"] for one in listed} == {str(event.event_id) for event in did.values()}
    assert {(one["project_code"], one["holder"]) for one in listed} == {(one.value, "管理员") for one in Ledger}
    assert elsewhere.json() == []


async def test_no_chapter_of_others_is_read_to_find_them(supervise: Any, told: Any) -> None:
    """Both steps are index scans: by certificate and instant, then by chapter."""
    async with supervise() as supervision:
        for topic, event in told:
            supervision.append(topic, event)
        await supervision.read()
        pool = supervision.database.pool
        await pool.execute(OTHERS)
        plan = "\n".join(row[0] for row in await pool.fetch(f"EXPLAIN {story.NAMING}", KEY, None))
    assert re.search(r"Index (Only )?Scan using deeds_pkey", plan) and "Index Scan using chapters_pkey" in plan, plan
    assert "Seq Scan" not in plan, plan


async def test_what_was_told_before_this_table_stands_in_it_after_the_migration(
    supervise: Any, told: Any, url: str
) -> None:
    async with supervise() as supervision:
        for topic, event in told:
            supervision.append(topic, event)
        await supervision.read()
        pool = supervision.database.pool
        asked = "SELECT certificate, last_at, chapter FROM deeds ORDER BY 1, 2, 3"
        before = await pool.fetch(asked)
        assert before
        await pool.execute(BEFORE_DEEDS)
        await asyncio.to_thread(migrate, [f"supervision={url}"])
        assert await pool.fetch(asked) == before
