"""Nobody is judged by a roster of which something stands unread, on a real database and a broker made of lists."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from math import inf
from uuid import uuid4

import pytest

from chassis import parking, rostered
from chassis.bus import Bus, Listen, NotNow
from chassis.database import Database
from chassis.parking import Held, Raw, Why
from chassis.rostered import Roster, RosterNotRead
from chassis.standing import Standing
from chassis.tables import DDL
from contracts import topics
from contracts.codes import DepartmentCode, JurisdictionCode
from contracts.envelope import derived_id, encode
from contracts.parts import Actor
from contracts.signing import CertificateReinstated, CertificateSuspended, RosterEntry, RosterListed, SuspendedSpan
from contracts.terms import Role
from local.postgres import Postgres, create_databases
from local.rehearsal import HandClock, Lists, Reader
from procedure.roster import CertificateIsSuspended, NotOnRoster

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
PLACE, RFB = JurisdictionCode("210281"), DepartmentCode("RFB")
ITEM = "S1-09"


Spans = tuple[SuspendedSpan, ...]


class Desk:
    """A service that listens to the roster, as far as it has read."""

    def __init__(self, database: Database) -> None:
        self.broker = Lists(HandClock(NOW))
        self.reader = Reader(self.broker, [topics.IDENTITY.name])
        self.consumer = self.reader
        self.database = database
        self.bus = Bus(database, HandClock(NOW))
        self.bus.applies([Listen(topics.IDENTITY, rostered.on_identity, only=rostered.SAYS)])
        self.bus.of(self)  # pyright: ignore[reportArgumentType]
        self.standing = Standing(lag_seconds=0)
        self.standing.is_told((), -inf)
        self.roster = Roster(self.bus, self.standing)

    def say(self, serial: str, until: datetime | None = None) -> None:
        entry = RosterEntry(
            role=Role.OFFICER,
            jurisdiction=PLACE,
            department=RFB,
            effective_at=NOW,
            until=until,
            requested_by="A",
            approved_by="B",
            document="名单",
        )
        event = RosterListed(
            event_id=derived_id(serial, until),
            causation_id=derived_id(serial),
            occurred_at=NOW,
            subject=f"roster:{serial}",
            serial=serial,
            holder="丙",
            entries=(entry,),
        )
        self.broker.append(encode(event, topics.IDENTITY.name, "signing"))

    def lose(self, serial: str, at: datetime, earlier: Spans = ()) -> None:
        said = {"event_id": derived_id("lost", at), "causation_id": derived_id(serial), "occurred_at": at}
        event = CertificateSuspended(
            **said, subject=f"certificate:{serial}", serial=serial, suspended_at=at, reason="遗失", earlier=earlier
        )
        self.broker.append(encode(event, topics.IDENTITY.name, "signing"))

    def find(self, serial: str, at: datetime, earlier: Spans = ()) -> None:
        said = {"event_id": derived_id("found", at), "causation_id": derived_id(serial), "occurred_at": at}
        two = {name: Actor(holder=name, certificate=name) for name in ("requested_by", "approved_by")}
        said |= {"subject": f"certificate:{serial}", "serial": serial, "reason": "找到", **two, "earlier": earlier}
        event = CertificateReinstated(**said, holder="丙", reinstated_at=at)
        self.broker.append(encode(event, topics.IDENTITY.name, "signing"))

    def compact(self) -> None:
        """Keep the last word on each subject alone, as the broker does in the end."""
        told = self.broker.records[topics.IDENTITY.name]
        last = {record.key: record for record in told}
        told[:] = [record._replace(offset=place) for place, record in enumerate(last.values())]

    async def read(self) -> None:
        await self.bus.consume(self.reader.unread())

    async def act(self, serial: str, at: datetime = NOW) -> None:
        async with self.database.work() as work:
            await self.roster.hold(work, serial, at, PLACE, RFB, ITEM)  # pyright: ignore[reportArgumentType]


@pytest.fixture
async def desk(postgres: Postgres) -> AsyncIterator[Desk]:
    name = f"rostered-{uuid4().hex[:8]}"
    url = (await asyncio.to_thread(create_databases, postgres.admin_url, [name], "test"))[name]
    database = Database(url, "test")
    await database.open()
    await database.pool.execute(DDL + rostered.DDL + rostered.SUSPENSIONS)
    yield Desk(database)
    await database.close()


async def test_who_is_listed_may_act_and_who_is_not_may_not(desk: Desk) -> None:
    desk.say("CA-1")
    await desk.read()
    await desk.act("CA-1")
    with pytest.raises(NotOnRoster):
        await desk.act("CA-1", NOW - timedelta(microseconds=1))
    with pytest.raises(NotOnRoster):
        await desk.act("CA-2")


async def test_nobody_is_refused_while_the_roster_stands_unread(desk: Desk) -> None:
    desk.say("CA-1")
    await desk.read()
    await desk.act("CA-1")
    desk.say("CA-2")
    with pytest.raises(RosterNotRead):
        await desk.act("CA-2")
    await desk.act("CA-1")
    await desk.read()
    await desk.act("CA-2")


async def test_at_start_nobody_is_let_in_either_before_the_roster_is_read(desk: Desk) -> None:
    """What the database remembers from before may have ended meanwhile."""
    desk.say("CA-1")
    await desk.read()
    desk.say("CA-1", until=NOW)
    desk.roster = Roster(desk.bus, desk.standing)
    with pytest.raises(RosterNotRead):
        await desk.act("CA-1")
    await desk.read()
    with pytest.raises(NotOnRoster):
        await desk.act("CA-1")


async def test_read_to_its_end_means_by_whichever_member_reads_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitions of other members count: their positions stand in the same database."""
    monkeypatch.setattr(desk.reader, "assignment", set)
    desk.say("CA-1")
    with pytest.raises(RosterNotRead):
        await desk.act("CA-1")
    await desk.read()
    await desk.act("CA-1")


async def test_when_kafka_does_not_answer_a_person_is_asked_to_come_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object) -> set[str]:
        raise NotNow("no broker")

    monkeypatch.setattr(desk.bus, "has_read_to_end", silent)
    with pytest.raises(RosterNotRead) as refused:
        await desk.act("CA-1")
    assert refused.value.status == 503


async def test_the_same_word_again_changes_nothing_and_the_last_word_counts(desk: Desk) -> None:
    desk.say("CA-1")
    desk.say("CA-1", until=NOW + timedelta(days=1))
    await desk.read()
    rows = await desk.database.pool.fetch("SELECT serial, entries FROM roster")
    assert len(rows) == 1
    await desk.act("CA-1", NOW + timedelta(hours=23))
    with pytest.raises(NotOnRoster):
        await desk.act("CA-1", NOW + timedelta(days=1))


async def test_an_act_counts_by_its_instant_before_a_loss_and_after_it(desk: Desk) -> None:
    lost, found, again = (NOW + timedelta(hours=hours) for hours in (1, 2, 3))
    desk.say("CA-1")
    desk.lose("CA-1", lost)
    desk.find("CA-1", found)
    desk.lose("CA-1", again)
    await desk.read()
    for at in (lost, found - timedelta(microseconds=1), again, again + timedelta(days=9)):
        with pytest.raises(CertificateIsSuspended):
            await desk.act("CA-1", at)
    for at in (NOW, lost - timedelta(microseconds=1), found, again - timedelta(microseconds=1)):
        await desk.act("CA-1", at)


async def test_compaction_takes_no_history_away(desk: Desk) -> None:
    """Who reads what the broker kept judges every instant as who heard it all: entries that ended, suspensions that
    were lifted (Art. 18)."""
    lost, found, again = (NOW + timedelta(hours=hours) for hours in (1, 2, 3))
    past = (SuspendedSpan(since=lost, until=found),)
    for serial, ends in (("CA-1", None), ("CA-2", again)):
        desk.say(serial)
        desk.say(serial, until=ends)
        desk.lose(serial, lost)
        desk.find(serial, found, past)
    desk.lose("CA-1", again, past)
    desk.compact()
    assert len(desk.broker.records[topics.IDENTITY.name]) == 4
    await desk.read()
    for serial in ("CA-1", "CA-2"):
        for at in (NOW, lost - timedelta(microseconds=1), found, again - timedelta(microseconds=1)):
            await desk.act(serial, at)
        with pytest.raises(CertificateIsSuspended):
            await desk.act(serial, found - timedelta(microseconds=1))
    with pytest.raises(CertificateIsSuspended):
        await desk.act("CA-1", again)
    with pytest.raises(NotOnRoster):
        await desk.act("CA-2", again)


async def test_the_same_losses_said_again_change_nothing(desk: Desk) -> None:
    desk.say("CA-1")
    for _ in range(2):
        desk.lose("CA-1", NOW)
        desk.find("CA-1", NOW + timedelta(hours=1))
        desk.lose("CA-1", NOW + timedelta(hours=2))
        await desk.read()
    rows = await desk.database.pool.fetch("SELECT since, until FROM suspensions ORDER BY since")
    hours = timedelta(hours=1)
    assert [tuple(row) for row in rows] == [(NOW, NOW + hours), (NOW + 2 * hours, None)]


async def test_a_loss_that_was_heard_of_beside_the_bus_is_waited_for_on_it(desk: Desk) -> None:
    """Whoever hears that a key is lost knows not since when: only the topic tells whether this act came before."""
    desk.say("CA-1")
    await desk.read()
    await desk.act("CA-1")
    desk.lose("CA-1", NOW + timedelta(hours=1))
    desk.standing.is_told(["CA-1"], -inf)
    with pytest.raises(RosterNotRead):
        await desk.act("CA-1")
    await desk.read()
    await desk.act("CA-1")
    with pytest.raises(CertificateIsSuspended):
        await desk.act("CA-1", NOW + timedelta(hours=1))


async def test_a_view_of_losses_that_lags_makes_the_topic_be_read_to_its_end(desk: Desk) -> None:
    desk.say("CA-1")
    await desk.read()
    await desk.act("CA-1")
    desk.standing.is_told((), 3600)
    await desk.act("CA-1")
    desk.lose("CA-1", NOW)
    with pytest.raises(RosterNotRead):
        await desk.act("CA-1")


def parked(key: str) -> Raw:
    return Raw("reports", 0, 0, 0, key.encode(), b"{}", [])


async def test_a_lane_waits_while_its_first_record_came_early_not_when_it_is_broken(desk: Desk) -> None:
    lanes = {("reports", key) for key in ("early", "broken", "late", "none")}
    async with desk.database.work() as work:
        work.held.append(Held(parked("early"), Why.EARLY))
        assert await desk.bus.waiting(lanes, work) == {("reports", "early")}
    async with desk.database.work() as work:
        held = [Held(parked("early"), Why.EARLY), Held(parked("broken"), Why.FAILED, "x")]
        held += [Held(parked("broken"), Why.EARLY, "behind"), Held(parked("late"), Why.EARLY)]
        await parking.put(work.connection, held)
    async with desk.database.work() as work:
        assert await desk.bus.waiting(lanes, work) == {("reports", "early"), ("reports", "late")}
