"""One service as a process: settings, logs, database, bus, relay, HTTP, health, and a stop that loses nothing.

A service's `app` hands over its handler table, its routes and what runs beside them; the order of starting and stopping
stands here once. Stop: readiness off, finish the batch, commit, flush what was said, leave the group, close.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any, Final

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
from faststream import FastStream

from chassis import kafka, logging, metrics, telemetry
from chassis.bus import Bus, Limits, Listen
from chassis.database import Database
from chassis.health import Health
from chassis.http import create_app
from chassis.identity import Door
from chassis.outbox import Relay
from chassis.settings import Settings
from chassis.standing import Standing
from chassis.wallclock import WallClock, wallclock_from
from contracts import asyncapi
from contracts.topics import Topic

BESIDE_STOPS_SECONDS: Final = 5.0

log = structlog.get_logger()

Beside = Callable[[], Awaitable[None]]


class Service:
    """The process of one service. `durable=False` only for a service whose tables are derived wholly from topics."""

    def __init__(self, title: str, settings: Settings, *, durable: bool = True) -> None:
        logging.configure(settings)
        telemetry.configure(settings)
        self.title = title
        self.settings = settings
        self.wallclock: WallClock = wallclock_from(settings)
        self.database = Database(settings.database_url, settings.service_name, settings.database_pool, durable=durable)
        self.health = Health(settings.service_name)
        limits = Limits(float(settings.park_limit_seconds), settings.poison_limit_per_minute)
        self.bus = Bus(self.database, self.wallclock, limits)
        self.standing = Standing(settings.identity_lag_seconds)
        self._door = Door(settings.trust_folder, self.standing)
        self._durable = durable
        self.table: Sequence[Listen] = ()
        self._speaks: Sequence[Topic] = ()
        self.running_beside: list[Beside] = []
        self._routers: list[APIRouter] = []

    def listens(self, *listens: Listen) -> None:
        """Set the handler table: within a batch topics are applied in its order."""
        self.table = listens
        self.bus.applies(listens)

    def speaks(self, *topics: Topic) -> None:
        """Name the topics that this service says something on."""
        self._speaks = topics

    def serves(self, *routers: APIRouter) -> None:
        """Add routes."""
        self._routers.extend(routers)

    def beside(self, *runs: Beside) -> None:
        """Add what runs for as long as the service does; its end, however it comes, ends the service."""
        self.running_beside.extend(runs)

    def http(self) -> FastAPI:
        """Return the ASGI application, whose lifespan is the service's."""
        app = create_app(self.title, lifespan=self._lifespan, wallclock=self.wallclock, door=self._door)
        app.include_router(self.health.router())
        app.include_router(metrics.router())
        app.include_router(self._asyncapi())
        for router in self._routers:
            app.include_router(router)
        return app

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        configuration = uvicorn.Config(
            self.http(),
            host=self.settings.http_host,
            port=self.settings.http_port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=self.settings.shutdown_seconds,
            server_header=False,
            timeout_keep_alive=75,
        )
        _collect_seldom()
        _CalmServer(configuration).run()

    def _asyncapi(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)
        listened = [listen.topic for listen in self.table]

        @router.get("/asyncapi.json")
        def read_asyncapi() -> dict[str, Any]:
            return asyncapi.document(self.settings.service_name, listened, self._speaks)

        return router

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncGenerator[None, None]:
        async with contextlib.AsyncExitStack() as stack:
            await self._open_database(stack)
            await self._start_relay(stack)
            self._start_standing(stack)
            await self._start_bus(stack)
            self._start_beside(stack)
            self.health.is_started()
            log.info("service.started", port=self.settings.http_port)
            yield
            self.health.is_stopping()
            log.info("service.stopping")
        await asyncio.to_thread(telemetry.flush)
        log.info("service.stopped")

    async def _open_database(self, stack: contextlib.AsyncExitStack) -> None:
        await self.database.open()
        stack.push_async_callback(self.database.close)
        while not await self.database.pool.fetchval("SELECT to_regclass('positions') IS NOT NULL"):
            log.warning("service.waits", reason="the database has no schema yet: run the migrations")
            await asyncio.sleep(0.5)
        self.health.check("database", self.database.answers)

    async def _start_relay(self, stack: contextlib.AsyncExitStack) -> None:
        if not self._durable and not self._speaks:
            return
        relay = Relay(self.database, lambda: kafka.make_producer(self.settings), self.settings.outbox_shards)
        await relay.start()
        stack.push_async_callback(relay.stop)

    def _start_standing(self, stack: contextlib.AsyncExitStack) -> None:
        self._spawn(stack, lambda: self.standing.follow(self.settings))
        self.health.check("standing", self.standing.is_known)

    async def _start_bus(self, stack: contextlib.AsyncExitStack) -> None:
        if not self.table:
            return
        bus = self.bus
        broker = kafka.make_broker(self.settings)
        topics = [listen.topic.name for listen in self.table]
        subscriber = kafka.subscribe(broker, bus, topics, self.settings, self.health.beat)
        ends = kafka.Ends(self.settings)
        stack.push_async_callback(ends.stop)
        bus.of(subscriber, ends)
        stream = FastStream(broker, logger=None)
        await stream.start()
        stack.push_async_callback(stream.stop)
        self._spawn(stack, bus.keep_retrying)
        self.health.check("assigned", bus.is_assigned)

    def _start_beside(self, stack: contextlib.AsyncExitStack) -> None:
        for run in self.running_beside:
            self._spawn(stack, run)

    def _spawn(self, stack: contextlib.AsyncExitStack, run: Beside) -> None:
        task = asyncio.ensure_future(run())
        task.add_done_callback(self._ended)
        stack.push_async_callback(_cancelled, task)

    def _ended(self, task: "asyncio.Future[None]") -> None:
        if not task.cancelled() and (trouble := task.exception()) is not None:
            log.critical("service.part_died", trouble=repr(trouble), exc_info=trouble)
            self.health.has_died(repr(trouble))


class _CalmServer(uvicorn.Server):
    """uvicorn as an orderly process: it wakes twice a second, not ten times, and at once for a stop, which exits 0."""

    def __init__(self, configuration: uvicorn.Config) -> None:
        super().__init__(configuration)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked = asyncio.Event()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop_asked.set)

    async def main_loop(self) -> None:
        self._loop, counter = asyncio.get_running_loop(), 0
        while not await self.on_tick(counter):
            counter = (counter + 5) % 864_000
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self._stop_asked.wait()


def _collect_seldom() -> None:
    """What stands now stays for good, and batches make no cycles: look for garbage a hundred times less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(70_000, 20, 50)


async def _cancelled(task: "asyncio.Future[None]") -> None:
    task.cancel()
    await asyncio.wait([task], timeout=BESIDE_STOPS_SECONDS)
