"""One service's own PostgreSQL: connections, and the unit of work in which a change and what is said of it are one.

A service decides, writes rows and says events inside one `Work`; either all of it stands after the commit or none.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol
from zlib import crc32

import asyncpg
import orjson
import structlog

from contracts.envelope import Encoded, Event, encode
from contracts.topics import Topic

Connection = asyncpg.Connection
Pool = asyncpg.Pool

log = structlog.get_logger()

TRANSIENT: Final[tuple[type[BaseException], ...]] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    OSError,
    TimeoutError,
)
"""Trouble that passes by itself: try again, lose nothing, tell the operator."""


class Outbox(Protocol):
    """What a unit of work needs of the relay (see `chassis.outbox`)."""

    shards: int
    owner: str

    def reserve(self, row: int, shard: int, messages: Sequence[Encoded], *, foreign: bool) -> None: ...
    def release(self, row: int) -> None: ...
    def discard(self, row: int) -> None: ...


class Work:
    """One unit of work: a connection inside a transaction, and what will be said and called when it commits."""

    __slots__ = ("_said", "_woken", "connection", "held", "service", "traceparent")

    def __init__(self, connection: Connection, service: str, traceparent: str = "") -> None:
        self.connection = connection
        self.service = service
        self.traceparent = traceparent
        self.held: list[Any] = []
        self._said: list[Encoded] = []
        self._woken: list[Callable[[], object]] = []

    def say(self, topic: Topic, *events: Event, traceparent: str = "") -> None:
        """Say `events` on `topic` when, and only when, this unit of work commits."""
        traced = traceparent or self.traceparent
        self._said.extend(encode(event, topic.name, self.service, traced) for event in events)

    def wake(self, somebody: Callable[[], object]) -> None:
        """Call `somebody` once this unit of work has committed: woken before, it would look, find nothing, and sleep
        on."""
        self._woken.append(somebody)

    def committed(self) -> None:
        """Call whoever waits for this unit of work."""
        for somebody in self._woken:
            somebody()

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Return the rows of `query`."""
        return await self.connection.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: object) -> asyncpg.Record | None:
        """Return the first row of `query`, or None."""
        return await self.connection.fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: object) -> Any:
        """Return the first column of the first row of `query`, or None."""
        return await self.connection.fetchval(query, *arguments)

    async def execute(self, query: str, *arguments: object) -> str:
        """Run `query` and return PostgreSQL's command tag."""
        return await self.connection.execute(query, *arguments)

    def say_encoded(self, messages: Iterable[Encoded]) -> None:
        """Say what stands encoded already, as `say` does."""
        self._said.extend(messages)

    def said(self) -> tuple[Encoded, ...]:
        """What this unit of work is going to say, in order."""
        return tuple(self._said)

    def unsay(self, count: int) -> None:
        """Forget what was said after the first `count` messages (a savepoint was rolled back)."""
        del self._said[count:]


def shard_of(key: str, shards: int) -> int:
    """Return the outbox shard of a key: one key, one shard, so its order holds."""
    return crc32(key.encode()) % shards


def packed(messages: Iterable[Encoded]) -> str:
    """Return messages as the one text that an outbox row keeps."""
    return orjson.dumps([tuple(message) for message in messages]).decode()


def unpacked(text: str) -> list[Encoded]:
    """Return the messages of an outbox row."""
    return [Encoded(*fields) for fields in orjson.loads(text)]


_INSERT_OUTBOX = """
    INSERT INTO outbox (shard, owner, messages)
    SELECT s, $3, m FROM unnest($1::int[], $2::text[]) AS said (s, m)
    RETURNING id, shard, EXISTS (SELECT FROM outbox o WHERE o.shard = outbox.shard AND o.owner <> $3) AS foreign_row
"""


class Database:
    """A pool of connections to one service's database; `service` is the name it speaks under."""

    def __init__(self, url: str, service: str, pool_size: int = 8, *, durable: bool = True) -> None:
        self._url = url
        self._pool_size = pool_size
        self._settings = {"application_name": service, "jit": "off", "random_page_cost": "1.1"}
        if not durable:
            self._settings["synchronous_commit"] = "off"
        self._pool: Pool | None = None
        self.service = service
        self.outbox: Outbox | None = None

    async def open(self) -> None:
        """Open the pool, waiting for PostgreSQL to answer with back-off."""
        delay = 0.05
        while self._pool is None:
            try:
                self._pool = await self._create_pool()
            except TRANSIENT as trouble:
                log.warning("database.waits", trouble=repr(trouble), seconds=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)

    async def _create_pool(self) -> Pool:
        return await asyncpg.create_pool(
            self._url,
            min_size=1,
            max_size=self._pool_size,
            server_settings=self._settings,
            command_timeout=60,
            timeout=5,
            reset=_keep_session,
        )

    async def close(self) -> None:
        """Close every connection, waiting a moment for those in use."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    @property
    def pool(self) -> Pool:
        """The open pool. Raises RuntimeError before `open`."""
        if self._pool is None:
            raise RuntimeError("the database is not open")
        return self._pool

    async def connect(self) -> Connection:
        """Return a connection of its own, outside the pool (advisory locks, LISTEN)."""
        return await asyncpg.connect(self._url, server_settings=self._settings, timeout=5)

    async def answers(self) -> bool:
        """Whether the database answers now."""
        try:
            async with asyncio.timeout(2):
                return bool(await self.pool.fetchval("SELECT true"))
        except (*TRANSIENT, RuntimeError):
            return False

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Connection, None]:
        """A connection for queries that change nothing."""
        async with self.pool.acquire() as connection:
            yield connection  # pyright: ignore[reportReturnType]

    @asynccontextmanager
    async def work(self, traceparent: str = "") -> AsyncGenerator[Work, None]:
        """One unit of work: commits on a clean exit and hands what was said to the relay; otherwise nothing stands."""
        async with self.pool.acquire() as acquired:
            connection: Connection = acquired  # pyright: ignore[reportAssignmentType]
            transaction = connection.transaction()
            await transaction.start()
            work = Work(connection, self.service, traceparent)
            try:
                yield work
                rows = await self._keep(work)
            except BaseException:
                await _rolled_back(transaction)
                raise
            await self._commit(transaction, rows)
            work.committed()

    async def _keep(self, work: Work) -> list[int]:
        said = work.said()
        if not said:
            return []
        outbox = self.outbox
        if outbox is None:
            raise RuntimeError("this database has no relay: nothing may be said in its units of work")
        by_shard: defaultdict[int, list[Encoded]] = defaultdict(list)
        for message in said:
            by_shard[shard_of(message.key, outbox.shards)].append(message)
        texts = [packed(messages) for messages in by_shard.values()]
        rows = await work.fetch(_INSERT_OUTBOX, list(by_shard), texts, outbox.owner)
        for row in rows:
            outbox.reserve(row["id"], row["shard"], by_shard[row["shard"]], foreign=row["foreign_row"])
        return [row["id"] for row in rows]

    async def _commit(self, transaction: Any, rows: Sequence[int]) -> None:
        try:
            await transaction.commit()
        except BaseException:
            self._settle(rows, committed=False)
            raise
        self._settle(rows, committed=True)

    def _settle(self, rows: Sequence[int], *, committed: bool) -> None:
        if self.outbox is not None:
            settle = self.outbox.release if committed else self.outbox.discard
            for row in rows:
                settle(row)


async def _keep_session(connection: Any) -> None:
    """Skip asyncpg's RESET ALL on release: nothing here changes session state, and it costs a round trip per use."""


async def _rolled_back(transaction: Any) -> None:
    with contextlib.suppress(*TRANSIENT):  # the connection is gone then, and the transaction with it
        await transaction.rollback()
