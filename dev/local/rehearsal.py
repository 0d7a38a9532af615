"""The whole suite in one process: the real services on real PostgreSQL, a broker made of lists, time set by hand.

Every step is taken when it is asked for, so a test can let any of them die at any await and look at what stands. What
is proven about delivery is proven elsewhere, with a real broker.
"""

import asyncio
import contextlib
import importlib
import shutil
from collections import defaultdict
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import httpx
from aiokafka import TopicPartition
from cryptography.hazmat.primitives.serialization import Encoding

from chassis.catalogue import load
from chassis.database import unpacked
from chassis.parking import Raw
from chassis.service import Service
from contracts.department import ItemReport
from contracts.envelope import Encoded, Event, decode, encode
from contracts.topics import Topic, department_reports, department_topics
from local import tokens
from local.authority import Authority as SealAuthority
from local.posts import development_roster
from local.processes import PROCESSES, Process
from local.standin import Callers, authority
from local.suite import CATALOGUE

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
HOSTED: Final = ("210200", "210281")
Answers = Callable[[Event], Sequence[ItemReport]]


class HandClock:
    """Business time stands still until somebody moves it."""

    factor = 1.0

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def business(self, epoch_ms: int) -> datetime:
        return EPOCH + timedelta(milliseconds=epoch_ms)

    def epoch_ms(self, at: datetime) -> int:
        return (at - EPOCH) // timedelta(milliseconds=1)

    def seconds_until(self, at: datetime) -> float:
        return (at - self.at).total_seconds()


class Lists:
    """A broker made of lists: one partition a topic, every record where it was appended."""

    def __init__(self, clock: HandClock) -> None:
        self.records: defaultdict[str, list[Raw]] = defaultdict(list)
        self._clock = clock

    def append(self, message: Encoded) -> None:
        lane = self.records[message.topic]
        headers = message.headers
        at = int((self._clock.at - EPOCH).total_seconds() * 1000)
        lane.append(Raw(message.topic, 0, len(lane), at, message.key.encode(), message.value.encode(), headers))


class Reader:
    """What a bus needs of its consumer, over `Lists`."""

    def __init__(self, broker: Lists, topics: Collection[str]) -> None:
        self._broker = broker
        self.position = {TopicPartition(topic, 0): 0 for topic in topics}

    def assignment(self) -> set[TopicPartition]:
        return set(self.position)

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0} if TopicPartition(topic, 0) in self.position else set()

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: len(self._broker.records[tp.topic]) for tp in partitions}

    async def offsets_for_times(self, timestamps: Mapping[TopicPartition, int]) -> dict[TopicPartition, Any]:
        """Nothing is appended while somebody asks: no record is later than the instant."""
        return dict.fromkeys(timestamps)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.position[partition] = offset

    def pause(self, *partitions: TopicPartition) -> None:
        """Nothing is fetched unasked."""

    def resume(self, *partitions: TopicPartition) -> None:
        """Nothing is fetched unasked."""

    async def getmany(self, timeout_ms: int = 0) -> dict[TopicPartition, list[Raw]]:
        await asyncio.sleep(0)
        return {}

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """The positions that count stand in the database."""

    def unread(self) -> list[Raw]:
        """Return what was appended since, and move past it."""
        found: list[Raw] = []
        for tp, position in self.position.items():
            found.extend(self._broker.records[tp.topic][position:])
            self.position[tp] = len(self._broker.records[tp.topic])
        return found


class _Net:
    """In place of the relay: outbox rows stay in the table, where the rehearsal reads them."""

    shards = 1
    owner = "rehearsal"

    def reserve(self, row: int, shard: int, messages: Sequence[Encoded], *, foreign: bool) -> None: ...
    def release(self, row: int) -> None: ...
    def discard(self, row: int) -> None: ...


class Member:
    """One service of the rehearsal, with its reader and its HTTP interface."""

    def __init__(self, service: Service, broker: Lists) -> None:
        self.service = service
        self.reader = Reader(broker, [listen.topic.name for listen in service.table])
        self.consumer = self.reader
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(service.http()), base_url="http://rehearsal")
        self.relayed = 0
        service.standing.is_told((), -inf)
        service.bus.of(self)  # pyright: ignore[reportArgumentType]
        service.database.outbox = _Net()

    async def start(self) -> None:
        """Open the database and read on where it stands."""
        await self.service.database.open()
        await self.service.bus.take_over(sorted(self.reader.position))

    async def die(self) -> None:
        """Lose every connection at once, as a killed process does, and start again."""
        self.service.database.pool.terminate()
        await self.service.database.close()
        await self.start()

    async def survives(self, act: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, int]:
        """Run `act`, killed at its first await, its second, … until it lives to its end.

        Returns what it returned then, and at how many points it died before.
        """
        deaths = 0
        while True:
            mortal = Mortal(act(), deaths + 1, self.service.database.pool.terminate)
            task = asyncio.ensure_future(mortal)
            await asyncio.wait([task])
            if not mortal.dead:
                return task.result(), deaths
            with contextlib.suppress(asyncio.CancelledError, Exception):
                task.result()
            deaths += 1
            await self.die()


class Rehearsal:
    """Services, broker, departments and clock; see `rehearsing`."""

    def __init__(
        self,
        urls: Mapping[str, str],
        seals: Path,
        folder: Path,
        at: datetime,
        answers: Answers,
        settings: Mapping[str, Any],
    ) -> None:
        self.clock = HandClock(at)
        self.broker = Lists(self.clock)
        self.callers = Callers(folder / "keys")
        self._answers = answers
        self._folder = folder
        self._seals = seals
        self._settings = settings
        self.members = {process.name: self._member(process, urls[process.name]) for process in PROCESSES}
        self._departments = self._topics()

    def _member(self, process: Process, url: str) -> Member:
        own: dict[str, Any] = {
            "service_name": process.name,
            "environment": "development",
            "kafka_bootstrap_servers": "nowhere:0",
            "database_url": url,
            "catalogue_path": CATALOGUE,
            "trust_folder": self.callers.trust,
            "materials_url": (self._folder / "materials").resolve().as_uri(),
            "documents_url": (self._folder / "documents").resolve().as_uri(),
            "document_form": "digest",
            "worker_departments": ",".join(f"{place}.*" for place in HOSTED),
            "roster_seed_file": self._roster(),
            "pkcs11_module": tokens.proxy(),
            "pkcs11_pin_folder": self._seals,
            "platform_certificate_file": self._platform(),
            "login_origin": "http://rehearsal",
            "shutdown_seconds": 1,
        }
        settings = importlib.import_module(f"{process.package}.settings").Settings(**own | self._settings)
        with patch("chassis.service.wallclock_from", lambda _: self.clock), patch("chassis.service.logging.configure"):
            return Member(importlib.import_module(f"{process.package}.app").create(settings), self.broker)

    def _roster(self) -> Path:
        """The initial list."""
        listed = self._folder / "roster.csv"
        listed.write_text(development_roster(load(CATALOGUE).catalogue))
        return listed

    def _platform(self) -> Path:
        """The certificate that services know each other's callers by."""
        kept = self._folder / "platform.pem"
        kept.write_bytes(authority().platform.read.public_bytes(Encoding.PEM))
        return kept

    def _topics(self) -> dict[str, Topic]:
        worker = self.members["department-worker"].service
        pairs = {tuple(listen.topic.name.split(".")[2:4]) for listen in worker.table if ".dept." in listen.topic.name}
        return {topic.name: topic for topic in department_topics(sorted(pairs)) if topic.name.endswith(".items.v1")}  # pyright: ignore[reportArgumentType]

    async def list_everybody(self) -> None:
        """Let signing enter its initial list, as it does when it starts, before anybody acts."""
        enter, *_ = self.members["signing"].service.running_beside
        await enter()
        await self.pass_on("signing")

    # Steps ------------------------------------------------------------------------------------------------------

    async def turn(self, name: str) -> int:
        """Let one service apply what it has not read, and pass on what it said; returns how many records."""
        member = self.members[name]
        unread = member.reader.unread()
        if unread:
            await member.service.bus.consume(unread)
        return len(unread)

    async def pass_on(self, name: str) -> int:
        """Append what a service said since, as its relay would; departments answer at once."""
        member = self.members[name]
        rows = await member.service.database.pool.fetch(
            "SELECT id, messages FROM outbox WHERE id > $1 ORDER BY id", member.relayed
        )
        for row in rows:
            member.relayed = row["id"]
            for message in unpacked(row["messages"]):
                self.broker.append(message)
                self._tell_department(message)
        return len(rows)

    def _tell_department(self, message: Encoded) -> None:
        topic = self._departments.get(message.topic)
        if topic is None:
            return
        headers = message.headers
        event = decode(message.value.encode(), headers, message.key.encode(), topic.known)
        self.report(() if event is None else self._answers(event))

    def report(self, reports: Iterable[ItemReport]) -> None:
        """Append what departments' own systems report."""
        for one in reports:
            self.broker.append(encode(one, department_reports(one.jurisdiction, one.department).name, "department"))

    def say(self, topic: Topic, *events: Event) -> None:
        """Append what somebody says who has no part here: a calendar amended, a roster, a handling granted."""
        for event in events:
            self.broker.append(encode(event, topic.name, topic.speaker))

    async def settle(self, turn: Callable[[str], Awaitable[int]] | None = None) -> None:
        """Let everybody read and speak until nobody has anything left."""
        take = turn or self.turn
        while True:
            moved = 0
            for name in self.members:
                moved += await take(name) + await self.pass_on(name)
            if not moved:
                return

    # Dying ------------------------------------------------------------------------------------------------------

    async def survives(self, name: str, act: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, int]:
        """Run `act` of a service, killed at every await until it lives; returns its result, and how often it died."""
        return await self.members[name].survives(act)

    async def turn_dying(self, name: str) -> tuple[int, int]:
        """As `turn`, killed at every await; returns how many records were read, and how often it died."""
        member = self.members[name]
        if not member.reader.unread():
            return 0, 0
        await member.service.bus.take_over(sorted(member.reader.position))
        before = dict(member.reader.position)
        _, deaths = await self.survives(name, lambda: self.turn(name))
        return sum(member.reader.position[tp] - before[tp] for tp in before), deaths


class Mortal:
    """Awaits a coroutine and kills it when it suspends for the `last` time."""

    def __init__(self, body: Coroutine[Any, Any, Any], last: int, kill: Callable[[], None]) -> None:
        self._body = body
        self._last = last
        self._kill = kill
        self.dead = False

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self._body.__await__()
        count = 0
        try:
            waited_for = inner.send(None)
            while True:
                count += 1
                if count == self._last:
                    self.dead = True
                    self._kill()
                    task = asyncio.current_task()
                    assert task is not None
                    asyncio.get_running_loop().call_soon(task.cancel)
                try:
                    got = yield waited_for
                except BaseException as trouble:
                    waited_for = inner.throw(trouble)
                else:
                    waited_for = inner.send(got)
        except StopIteration as stop:
            return stop.value


@asynccontextmanager
async def rehearsing(
    urls: Mapping[str, str],
    seals: Path,
    folder: Path,
    at: datetime,
    answers: Answers,
    settings: Mapping[str, Any] | None = None,
) -> AsyncGenerator[Rehearsal, None]:
    """A rehearsal that begins at `at` on empty databases whose migrations have run, with `settings` in place of its
    own."""
    rehearsal = Rehearsal(urls, seals, folder, at, answers, settings or {})
    for member in rehearsal.members.values():
        await member.service.database.open()
        await _empty(member.service)
        await member.start()
    await rehearsal.list_everybody()
    try:
        yield rehearsal
    finally:
        for member in rehearsal.members.values():
            await member.http.aclose()
            await member.service.database.close()


async def _empty(service: Service) -> None:
    pool = service.database.pool
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    names = await pool.fetch(query)
    await pool.execute(f"TRUNCATE {', '.join(row['tablename'] for row in names)} RESTART IDENTITY")


# Seals ------------------------------------------------------------------------------------------------------------

TRUSTED: Final = """
[[issuer]]
certificate = "seals-issuing.pem"
root = "seals-root.pem"
purposes = ["seal", "timestamp"]
algorithms = ["ecdsa-p256-sha256"]
crl = "seals-issuing.crl"
grace_hours = 24
"""


def trusting(sealing: SealAuthority, folder: Path) -> Path:
    """Return a trust folder that knows callers by the stand-in and seals by the development authority."""
    authority().trust(folder)
    for name in ("issuing.pem", "root.pem", "issuing.crl"):
        shutil.copy(sealing.trust / name, folder / f"seals-{name}")
    with (folder / "trust.toml").open("a") as file:
        file.write(TRUSTED)
    return folder


async def fetch_lists(rehearsal: Rehearsal) -> None:
    """Signing fetches what issuers say is revoked, as it does beside its bus: without it nothing is sealed."""
    revoked: Any = rehearsal.members["signing"].service.running_beside[1]
    await revoked.__self__.fetch()
