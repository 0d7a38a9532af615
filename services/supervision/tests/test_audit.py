"""The audit chains on a real database: the same whatever the order of reading, closed, sealed, exported, judged."""

import asyncio
import json
import random
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from chassis import metrics
from chassis.bus import NotNow
from chassis.database import Database
from contracts import topics
from contracts.codes import ProjectCode
from contracts.dispatcher import StageDispatched
from contracts.envelope import Event, derived_id
from contracts.intake import PolicyPublished, ProjectAmended, ProjectRegistered, StageApplied
from contracts.signing import CertificateReinstated, CertificateSuspended, RosterListed
from contracts.supervision import AuditRootClosed
from contracts.terms import ItemStep as T
from contracts.terms import Ledger
from contracts.timer import CalendarAmended
from contracts.topics import Topic
from evidence import trust
from evidence.audit import Place, Record
from evidence.bundle import Trusts, judged
from evidence.certificates import Purpose
from evidence.seals import Holds
from evidence.testing import Authority, trust_folder
from local.samples import sample
from signing.domain import roots
from signing.domain.batches import Made
from supervision import auditing
from supervision.closing import Closer
from supervision.store import audit
from supervision.story import records

ISSUER = Authority("Issuing", Authority())
KEY = ec.generate_private_key(ec.SECP256R1())
LATER = timedelta(days=59)
"""From the day of these stories to the day of the test authority's revocation list."""
UPDATES = """
    SELECT pg_stat_get_xact_tuples_updated(oid), pg_stat_get_xact_tuples_hot_updated(oid)
    FROM pg_class WHERE relname = 'audit_heads'
"""
"""How many heads this transaction updated, and how many of them on their page, no index being touched (HOT)."""
AT_REST = """
    INSERT INTO audit_heads (project_code, topic, partition, entries, last, closed)
    SELECT n, 'approval.items.v1', 0, 7, '', 7 FROM generate_series(1, 20000) AS n;
    ANALYZE audit_heads
"""
SEALER = ISSUER.issue("联审平台", Purpose.SEAL, key=KEY.public_key(), not_before=datetime(2026, 1, 1))


@pytest.fixture
def told(begin: Any, applied: StageApplied, dispatched: StageDispatched) -> list[tuple[Topic, Event]]:
    """A stage with two items, as its services say it."""
    granted = begin("S1-05").do(T.RECEIVE).do(T.ACCEPT, 1).conclude(27)
    returned = begin("S1-03").do(T.RECEIVE).do(T.ACCEPT, 1).do(T.RETURN, 2)
    registered = sample(ProjectRegistered).model_copy(update={"project_code": applied.project_code})
    return [
        (topics.PROJECTS, registered),
        (topics.APPLICATIONS, applied),
        (topics.STAGES, dispatched),
        *((topics.ITEMS, step) for lived in (granted, returned) for step in lived.events),
    ]


@pytest.fixture
def holds(tmp_path: Path) -> Trusts:
    listed = trust.load(trust_folder(tmp_path / "trust", ISSUER))
    revocations = listed.revocations()

    def held_to(purpose: Purpose) -> Holds:
        return lambda certificate, at: listed.hold(certificate, purpose, at + LATER, revocations)

    return Trusts(held_to(Purpose.SEAL), held_to(Purpose.LOGIN))


async def heads(one: Any) -> list[tuple[Any, ...]]:
    async with one.database.reading() as connection:
        return [tuple(row) for row in await audit.heads(connection)]


def append(one: Any, told: list[tuple[Topic, Event]]) -> None:
    for topic, event in told:
        one.append(topic, event)


def closer(one: Any) -> Closer:
    return Closer(one.database, one.bus, one.clock, 60)


async def seal(one: Any) -> None:
    """Answer every root that was closed as signing does."""
    for record in one.broker.records[topics.AUDIT_ROOTS.name]:
        root = AuditRootClosed.model_validate_json(record.value or b"")
        [sound] = roots.sound([root])
        signature = KEY.sign(bytes.fromhex(root.root), ec.ECDSA(Prehashed(SHA256())))
        made = Made("ecdsa-p256-sha256", signature, SEALER.serial, SEALER.der)
        one.append(topics.AUDIT_SEALS, roots.sealed(sound, made, one.clock.now()))
    await one.read()


async def exported(one: Any, code: str) -> bytes:
    answer = await one.get(f"/audit/projects/{code}")
    assert answer.status_code == 200, answer.text
    return answer.content


async def test_every_record_is_an_entry_whatever_the_order_of_reading(supervise: Any, told: Any) -> None:
    async with supervise() as one:
        append(one, told)
        unread = one.member.reader.unread()
        await one.bus.consume(unread)
        whole = await heads(one)
        assert sum(row[3] for row in whole) == len(told) and len(whole) == 4
        for seed in range(8):
            await one.build_anew()
            chance = random.Random(seed)
            lanes = {record.topic: [r for r in unread if r.topic == record.topic] for record in unread}
            while any(lanes.values()):
                name = chance.choice([name for name, left in lanes.items() if left])
                taken, lanes[name] = lanes[name][:2], lanes[name][2:]
                await one.bus.consume(taken)
            assert await heads(one) == whole, seed


async def test_an_export_is_whole_and_raw(supervise: Any, told: Any, holds: Trusts) -> None:
    code = told[0][1].project_code
    async with supervise() as one:
        append(one, told)
        await one.read()
        assert (await one.get(f"/audit/projects/{code}")).status_code == 409
        assert await closer(one).close() == 1
        await one.read()
        await seal(one)
        file = await exported(one, code)
        verdict = judged(file, holds)
        assert (verdict.owner, verdict.records, verdict.findings) == (code, len(told), ())
        assert verdict.signer == f"联审平台 ({SEALER.serial})"
        raw = {record.value for name in lanes(told) for record in one.broker.records[name]}
        assert {json.loads(line)["value"].encode() for line in file.splitlines()[1:-1]} == raw
        _flips_are_found(file, holds)


def lanes(told: Any) -> set[str]:
    return {topic.name for topic, _ in told}


def _flips_are_found(file: bytes, holds: Trusts) -> None:
    chance = random.Random(9)
    for _ in range(200):
        flipped = bytearray(file)
        flipped[chance.randrange(len(file))] ^= 1 << chance.randrange(8)
        assert judged(bytes(flipped), holds).findings


async def test_only_what_moved_is_closed_again_and_roots_follow_one_another(supervise: Any, told: Any) -> None:
    async with supervise() as one:
        append(one, told[:-2])
        await one.read()
        assert [await closer(one).close(), await closer(one).close()] == [1, 0]
        append(one, told[-2:])
        await one.read()
        assert [await closer(one).close(), await closer(one).close()] == [1, 0]
        await one.read()
        first, second = (
            AuditRootClosed.model_validate_json(record.value) for record in one.broker.records[topics.AUDIT_ROOTS.name]
        )
        assert (first.number, second.number, second.previous) == (1, 2, first.root)
        assert sum(chain.entries for chain in second.projects[0].chains) == len(told)


async def test_what_moved_is_found_without_reading_what_is_at_rest(supervise: Any, told: Any) -> None:
    async with supervise() as one:
        await one.database.pool.execute(AT_REST)
        append(one, told)
        await one.read()
        plan = "\n".join(row[0] for row in await one.database.pool.fetch(f"EXPLAIN {audit.MOVED}", 400))
        assert "Scan using audit_heads_open" in plan and "Seq Scan on audit_heads" not in plan, plan
        assert await closer(one).close() == 1


async def test_a_head_that_moves_again_before_it_is_closed_touches_no_index(supervise: Any) -> None:
    place = Place(topics.ITEMS.name, 0)
    async with supervise() as one, one.database.work() as work:
        for offset in range(3):
            await audit.follow(work, {"a project": [Record(place, offset, "ItemReceived", str(offset), b"{}")]})
        assert (await work.fetch(UPDATES))[0][:] == (2, 2)


async def test_more_than_one_root_has_room_for_is_closed_root_by_root(
    supervise: Any, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervision.closing.MOST", 1)
    monkeypatch.setattr("supervision.closing.RETRY_SECONDS", 0.01)
    async with supervise() as one:
        append(one, told[:1])
        for number in (7, 8):
            other = ProjectCode(f"2018-210281-47-03-00000{number}")
            update = {"project_code": other, "event_id": UUID(int=number)}
            append(one, [(topics.PROJECTS, told[0][1].model_copy(update=update))])
        await one.read()
        async with asyncio.timeout(20), asyncio.TaskGroup() as both:
            closing = both.create_task(closer(one).close_all())
            while not closing.done():
                await one.read()
                await asyncio.sleep(0.01)
        assert len(one.broker.records[topics.AUDIT_ROOTS.name]) == 3


async def test_closing_that_dies_at_every_await_closes_once(supervise: Any, told: Any) -> None:
    async with supervise() as one:
        append(one, told)
        await one.read()
        _, deaths = await one.member.survives(lambda: closer(one).close())
        await one.read()
        assert len(one.broker.records[topics.AUDIT_ROOTS.name]) == 1 and deaths > 5
        assert await one.database.pool.fetchval("SELECT count(*) FROM audit_roots") == 1


async def closes_and_seals(one: Any, told: Any) -> None:
    """Read what is told, close its chains, and have the root sealed."""
    append(one, told)
    await one.read()
    await closer(one).close()
    await one.read()
    await seal(one)


async def test_a_read_model_built_anew_exports_the_same_file(supervise: Any, told: Any, holds: Trusts) -> None:
    code = told[0][1].project_code
    async with supervise() as one:
        await closes_and_seals(one, told)
        before, kept = await exported(one, code), await heads(one)
        await one.build_anew()
        assert await closer(one).close() == 0
        await one.read()
        assert (await exported(one, code), await heads(one)) == (before, kept)
        assert await closer(one).close() == 0
        assert judged(before, holds).findings == ()


async def test_nothing_is_closed_before_all_earlier_roots_are_known(
    supervise: Any, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervise() as one:
        append(one, told)
        await one.read()

        async def behind(*_: object) -> set[str]:
            return set()

        monkeypatch.setattr(one.bus, "has_read_to_end", behind)
        with pytest.raises(NotNow):
            await closer(one).close()


async def test_a_project_that_is_read_anew_is_not_closed_half(supervise: Any, told: Any) -> None:
    async with supervise() as one:
        append(one, told)
        await one.read()
        await closer(one).close()
        await one.read()
        root = one.broker.records[topics.AUDIT_ROOTS.name]
        unread = [record for name in lanes(told) for record in one.broker.records[name]]
        await one.build_anew()
        await one.bus.consume(root)
        await one.bus.consume([record for record in unread if record.topic != topics.ITEMS.name])
        assert await closer(one).close() == 0


async def test_what_came_after_the_seal_is_not_exported(supervise: Any, told: Any, holds: Trusts) -> None:
    code = told[0][1].project_code
    async with supervise() as one:
        append(one, told[:-2])
        await one.read()
        await closer(one).close()
        await one.read()
        await seal(one)
        before = await exported(one, code)
        append(one, told[-2:])
        await one.read()
        assert await exported(one, code) == before and judged(before, holds).records == len(told) - 2


async def test_a_changed_row_of_the_database_is_found_in_the_export(supervise: Any, told: Any, holds: Trusts) -> None:
    code = told[0][1].project_code
    async with supervise() as one:
        await closes_and_seals(one, told)
        changed = "UPDATE chapters SET events = replace(events, '示例住宅小区', '示例商业小区')"
        assert await one.database.pool.execute(changed) != "UPDATE 0"
        assert judged(await exported(one, code), holds).findings


# Gaps: what the topics no longer hold ---------------------------------------------------------------------------


async def test_what_is_chained_is_kept_for_ever(supervise: Any) -> None:
    async with supervise() as one:
        heard = {listen.topic for listen in one.member.service.table}
    chained = heard - {topics.AUDIT_ROOTS, topics.AUDIT_SEALS}
    assert chained == auditing.CHAINED
    assert [topic.name for topic in chained if topic.retention_ms != topics.FOREVER] == []


@pytest.fixture
def amended(told: Any) -> list[tuple[Topic, Event]]:
    """What is said of the project after its chains were closed, more than was said on that topic before."""
    code = told[0][1].project_code
    updates = [{"project_code": code, "event_id": derived_id("amended", number)} for number in range(2)]
    return [(topics.PROJECTS, sample(ProjectAmended).model_copy(update=one)) for one in updates]


def lose(one: Any) -> None:
    del one.broker.records[topics.PROJECTS.name][0]


def keep(one: Any) -> None:
    """Nothing happens to the topic."""


def forged(one: Any) -> None:
    """One record says something else than it said when it was closed."""
    [raw] = one.broker.records[topics.PROJECTS.name]
    fields = json.loads(raw.value) | {"name": "示例商业小区"}
    value = json.dumps(fields, ensure_ascii=False).encode()
    one.broker.records[topics.PROJECTS.name] = [raw._replace(value=value)]


@pytest.mark.parametrize(("happen", "gaps"), [(keep, 0), (lose, 1), (forged, 1)])
async def test_what_is_gone_from_a_topic_is_not_made_good_by_what_is_said_later(
    supervise: Any, told: Any, amended: Any, holds: Trusts, happen: Any, gaps: int
) -> None:
    code = told[0][1].project_code
    async with supervise() as one:
        await closes_and_seals(one, told)
        before = await exported(one, code)
        happen(one)
        await one.build_anew()
        append(one, amended)
        await one.read()
        await closer(one).close_all()
        assert len(one.broker.records[topics.AUDIT_ROOTS.name]) + await one.pass_on() == 2 - gaps
        assert metrics.held("lianshen_audit_gaps") == {"": gaps}
        assert bool(judged(await exported(one, code), holds).findings) == bool(gaps)
        assert gaps or await exported(one, code) == before


async def test_a_project_with_a_gap_keeps_no_other_from_being_closed(
    supervise: Any, told: Any, amended: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervision.closing.MOST", 1)
    other = {"project_code": ProjectCode("2018-210281-47-03-000999"), "event_id": UUID(int=7)}
    async with supervise() as one:
        append(one, told)
        await one.read()
        await closer(one).close()
        await one.read()
        lose(one)
        await one.build_anew()
        append(one, [*amended, (topics.PROJECTS, told[0][1].model_copy(update=other))])
        await one.read()
        await closer(one).close_all()
        await one.read()
        newest = AuditRootClosed.model_validate_json(one.broker.records[topics.AUDIT_ROOTS.name][-1].value)
        assert [project.project_code for project in newest.projects] == [other["project_code"]]


async def test_a_record_that_is_gone_is_told_though_nothing_is_said_after_it(supervise: Any, told: Any) -> None:
    async with supervise() as one:
        append(one, told)
        await one.read()
        await closer(one).close_all()
        await one.read()
        assert metrics.held("lianshen_audit_gaps") == {"": 0}
        lose(one)
        await one.build_anew()
        await one.read()
        await closer(one).close_all()
        assert metrics.held("lianshen_audit_gaps") == {"": 1}


async def test_chains_are_held_once_against_the_root_that_closed_them(supervise: Any, told: Any, amended: Any) -> None:
    async with supervise() as one:
        append(one, told)
        await one.read()
        await closer(one).close()
        await one.read()
        await one.build_anew()
        for event in amended:
            append(one, [event])
            await one.read()
            await closer(one).close()
            async with one.database.work() as work:
                assert await audit.unheld(work, [told[0][1].project_code]) == []


# Ledgers --------------------------------------------------------------------------------------------------------


@pytest.fixture
def ruled() -> list[tuple[Topic, Event]]:
    """What belongs to no project: a post on the roster, a key that was lost and found, a year's calendar, a policy."""
    certificates = (CertificateSuspended, CertificateReinstated)
    return [
        (topics.IDENTITY, sample(RosterListed)),
        *((topics.IDENTITY, sample(one).model_copy(update={"event_id": derived_id(one)})) for one in certificates),
        (topics.CALENDAR, sample(CalendarAmended)),
        (topics.POLICIES, sample(PolicyPublished)),
    ]


async def test_what_belongs_to_no_project_stands_in_the_ledger_of_its_topic(
    supervise: Any, told: Any, ruled: Any, holds: Trusts
) -> None:
    async with supervise() as one:
        append(one, told + ruled)
        await one.read()
        assert (await one.get("/audit/ledgers/identity")).status_code == 409
        assert await closer(one).close() == 1 + len(Ledger)
        await one.read()
        await seal(one)
        for ledger, topic in zip(Ledger, (topics.IDENTITY, topics.CALENDAR, topics.POLICIES), strict=True):
            file = await ledger_of(one, ledger)
            assert judged(file, holds)[:2] == (ledger, len(said := one.broker.records[topic.name]))
            assert judged(file, holds).findings == ()
            lines = [json.loads(line) for line in file.splitlines()[1:-1]]
            assert [line["value"].encode() for line in lines] == [record.value for record in said]
            assert all(line["certificate"] == "CA-0001" for line in lines if line["type"] != "RosterListed")
            _flips_are_found(file, holds)
        assert judged(await exported(one, told[0][1].project_code), holds).findings == ()


async def ledger_of(one: Any, ledger: Ledger) -> bytes:
    answer = await one.get(f"/audit/ledgers/{ledger}", role="admin")
    assert answer.status_code == 200, answer.text
    return answer.content


async def test_a_ledger_grows_from_its_first_record_however_often_the_model_is_built_anew(
    supervise: Any, ruled: Any, holds: Trusts
) -> None:
    async with supervise() as one:
        append(one, ruled[:1])
        await one.read()
        await closer(one).close()
        append(one, ruled[1:])
        await one.read()
        await closer(one).close()
        await one.read()
        await seal(one)
        before, kept = [await ledger_of(one, ledger) for ledger in Ledger], await heads(one)
        await one.build_anew()
        await one.read()
        assert ([await ledger_of(one, ledger) for ledger in Ledger], await heads(one)) == (before, kept)
        assert [judged(file, holds).records for file in before] == [3, 1, 1]


async def test_ledgers_in_which_every_place_stands_are_the_citys(supervise: Any, ruled: Any) -> None:
    async with supervise() as one:
        append(one, ruled)
        await one.read()
        await closer(one).close()
        await one.read()
        await seal(one)
        for role in ("supervisor", "admin"):
            answers = [await one.get(f"/audit/ledgers/{name}", role=role, jurisdiction="210281") for name in Ledger]
            assert [answer.status_code for answer in answers] == [403, 200, 200]
        assert (await one.get("/audit/ledgers/calendar", role="officer", department="GHJ")).status_code == 403
        assert (await one.get("/audit/ledgers/nothing")).status_code == 422


async def test_others_do_not_export(supervise: Any, told: Any) -> None:
    code = told[0][1].project_code
    async with supervise() as one:
        append(one, told)
        await one.read()
        assert (await one.get(f"/audit/projects/{code}", role="officer", department="GHJ")).status_code == 403
        assert (await one.get(f"/audit/projects/{code}", jurisdiction="210211")).status_code == 403
        assert (await one.get("/audit/projects/2018-210281-47-03-999999")).status_code == 404


def test_a_root_that_is_not_of_its_own_projects_is_not_sealed() -> None:
    event = sample(AuditRootClosed)
    assert isinstance(event, AuditRootClosed) and roots.sound([event]) == []


@pytest.mark.parametrize("space", ["", " ", "\n\t"])
def test_a_value_is_taken_out_of_its_chapter_byte_by_byte(space: str) -> None:
    values = [f'{space}{{"event_id":"1","a":"}}]","b":[{{}}]}}{space}', '{ "event_id" : "2", "名":"\\u540d" }']
    told = (
        f'{{"type":"A","topic":"t.v1","partition":{place},"offset":7,"event":{value}}}'
        for place, value in enumerate(values)
    )
    found = records([f"[{','.join(told)}]"])
    assert [one.value.decode() for one in found] == values
    assert [(one.type, one.place.partition, one.offset, one.event_id) for one in found] == [
        ("A", 0, 7, "1"),
        ("A", 1, 7, "2"),
    ]


async def test_what_moves_wakes_who_closes_when_it_has_committed(
    supervise: Any, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Woken before, it would look, find nothing, and sleep on until something else moves."""
    happened: list[str] = []
    monkeypatch.setattr(Closer, "wake", lambda _: happened.append("woken"))
    commit = Database._commit

    async def committing(*about: Any) -> None:
        await commit(*about)
        happened.append("committed")

    monkeypatch.setattr(Database, "_commit", committing)
    async with supervise() as one:
        happened.clear()
        append(one, told)
        await one.read()
        assert happened[0] == "committed" and "woken" in happened
        assert all(before == "committed" for before, now in pairwise(happened) if now == "woken")
