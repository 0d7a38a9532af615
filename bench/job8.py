"""JOB-8: one declaration over HTTP → eight items → departments accept, review, approve, conclude → stage concluded.

Everything durable, everything on this machine: services, Kafka, PostgreSQL, token, load. Departments are processes of
their own that speak only Kafka. Two phases: flat out (rate and CPU), then paced at 30/s (how soon every department can
read its item). Judged from outside: HTTP answers and raw topics.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench import page
from bench.http import Connection
from bench.machine import cpu_seconds, difference, machine
from contracts import topics
from contracts.codes import DepartmentCode, JurisdictionCode
from contracts.terms import ProcessType, Stage
from local.builder import FORM, USCC, People
from local.suite import Suite

SERVICES = ("intake", "dispatcher", "department-worker", "timer", "signing", "supervision")
PLACES = ("210281", "210283")
TYPE, STAGE = ProcessType.SOCIAL_GENERAL, Stage.LAND_USE
ITEMS = 8
CONNECTIONS = 24
OUTSTANDING = 256
PACED_PER_SECOND = 30
DEPARTMENTS_NICENESS = 5
"""Departments have computers of their own: the load that they are must not delay the watcher on this one."""
NO_SIGNALS = {
    "SIGNAL_MINUTES": "0",
    "SIGNAL_DOCUMENT_DATE": "false",
    "SIGNAL_UNVIEWED": "false",
    "SIGNAL_BURST_STEPS": "0",
}
"""Departments that decide within the second, unread and at night, are all that the signs of off-platform handling
(Art. 21) look for: each item of this load would raise several, and how many depends on the hour of the run."""
RESULT = Path(__file__).parent / "results" / "job-8.json"


@dataclass
class Observed:
    """What was seen from outside, by project code; instants are of this machine's clock."""

    accepted: dict[str, float] = field(default_factory=dict)
    concluded: dict[str, float] = field(default_factory=dict)
    readable: dict[str, list[float]] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)


def main(arguments: list[str]) -> int:
    """Measure, print and write the figures; exit 1 when an accepted declaration did not conclude."""
    parser = argparse.ArgumentParser(prog="./run bench job-8", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--warm-up", type=int, default=10)
    parser.add_argument("--seals", choices=("on", "off"), default="on")
    parser.add_argument("--signals", choices=("on", "off"), default="off", help="signs of off-platform handling")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lianshen-bench-") as folder:
        Path(folder).chmod(0o711)
        settings = {"SEAL_DECISIONS": "true" if options.seals == "on" else "false", "LOG_LEVEL": "WARNING"}
        settings["DOCUMENT_FORM"] = "digest"
        settings |= {} if options.signals == "on" else NO_SIGNALS
        suite = Suite(Path(folder) / "suite", jurisdictions=("210200", *PLACES), settings=settings)
        with suite:
            for place, codes in suite.departments().items():
                for code in codes:
                    command = [sys.executable, "-m", "local.department", suite.bootstrap, place, code]
                    if (place, code) in _needed(suite):
                        suite.add_process(f"department-{place}-{code}", command, {}, DEPARTMENTS_NICENESS)
            figures = uvloop.run(_measure(suite, options))
    figures = {"seals": options.seals, "signals": options.signals, **figures, "machine": machine()}
    print(json.dumps({name: value for name, value in figures.items() if name != "curves"}, indent=2))
    name = RESULT if options.seals == "on" else RESULT.with_name("job-8-without-seals.json")
    curves = figures.pop("curves")
    name.write_text(json.dumps(figures, indent=2) + "\n")
    _draw(name.with_suffix(".html"), figures, curves)
    return 0 if figures["accepted"] == figures["concluded"] else 1


def _draw(path: Path, figures: dict[str, Any], curves: dict[str, list[float]]) -> None:
    per_second = {name: curves[name] for name in ("accepted", "concluded")}
    spent = {name: value for name, value in figures["cpu_ms_per_application"].items() if name != "total"}
    charts = (
        page.lines("declarations a second, flat out", "seconds", per_second),
        page.bars("CPU-ms per application, by process", spent),
        page.lines("202 → readable in every department, ms, at 30/s", "percentile", {"dispatch": curves["dispatch"]}),
        page.lines("202 → stage concluded, ms, flat out", "percentile", {"conclude": curves["conclude"]}),
    )
    page.write(path, "JOB-8", figures, charts)


def _per_second(instants: Iterable[float], began: float, seconds: float) -> list[float]:
    counted = Counter(int(at - began) for at in instants)
    return [counted[second] for second in range(int(seconds))]


def _needed(suite: Suite) -> set[tuple[str, str]]:
    catalogue = suite.city.catalogue
    return {
        (catalogue.route(item, JurisdictionCode(place)), item.department)
        for item in catalogue.items_of(STAGE, TYPE)
        for place in PLACES
    }


async def _measure(suite: Suite, options: argparse.Namespace) -> dict[str, Any]:
    people = People(suite)
    observed = Observed()
    load = Load(suite, people, observed)
    watching = [asyncio.create_task(one) for one in (_watch_stages(suite, observed), _watch_items(suite, observed))]
    await load.prepare()
    await load.flat_out(options.warm_up)
    await load.settle()
    figures = await _flat_out(suite, load, observed, options.seconds)
    paced, figures["curves"]["dispatch"] = await _paced(load, observed)
    figures |= paced
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return figures


async def _flat_out(suite: Suite, load: "Load", observed: Observed, seconds: int) -> dict[str, Any]:
    before_cpu, before = cpu_seconds(suite), set(observed.accepted)
    transactions, messages = await _transactions(suite), await _messages(suite)
    batches = await asyncio.to_thread(_batches, suite)
    began = time.time()
    await load.flat_out(seconds)
    await load.settle()
    took = max(observed.concluded.values()) - began
    accepted = set(observed.accepted) - before
    concluded = accepted & set(observed.concluded)
    count = len(accepted)
    cpu = difference(cpu_seconds(suite), before_cpu)
    conclude = [1000 * (observed.concluded[code] - observed.accepted[code]) for code in concluded]
    per = {name: round(1000 * spent / count, 2) for name, spent in cpu.items()}
    return {
        "accepted": count,
        "concluded": len(concluded),
        "refused": dict(observed.refused),
        "seconds": round(took, 1),
        "applications_per_second": round(count / took, 1),
        "cpu_ms_per_application": {**per, "total": round(sum(per.values()), 2)},
        "conclude_ms": _percentiles(conclude),
        "curves": {
            "accepted": _per_second((observed.accepted[code] for code in accepted), began, took),
            "concluded": _per_second((observed.concluded[code] for code in concluded), began, took),
            "conclude": quantiles(conclude, n=100),
        },
        "messages_per_application": round((await _messages(suite) - messages) / count, 1),
        "records_per_batch": _difference(batches, await asyncio.to_thread(_batches, suite)),
        "transactions_per_application": round(float(await _transactions(suite) - transactions) / count, 2),
    }


async def _paced(load: "Load", observed: Observed) -> tuple[dict[str, Any], list[float]]:
    before = set(observed.accepted)
    await load.paced(PACED_PER_SECOND, 20)
    await load.settle()
    paced = set(observed.accepted) - before
    whole = [code for code in paced if len(observed.readable.get(code, ())) >= ITEMS]
    first = [1000 * (sorted(observed.readable[code])[ITEMS - 2] - observed.accepted[code]) for code in whole]
    figures = {
        "paced_accepted": len(paced),
        "paced_concluded": len(paced & set(observed.concluded)),
        "dispatch_ms": _percentiles(first),
    }
    return figures, quantiles(first, n=100)


def _percentiles(values: list[float]) -> dict[str, float]:
    cuts = quantiles(values, n=100)
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)}


def _batches(suite: Suite) -> dict[str, tuple[float, float]]:
    """Return how many records each service applied in how many batches, by its own metrics."""
    return {name: _counted(suite.http.get(f"{suite.url(name)}/metrics").text) for name in SERVICES}


def _counted(text: str) -> tuple[float, float]:
    found = dict(re.findall(r"^lianshen_(records|batches)_total (\S+)$", text, re.MULTILINE))
    return float(found["records"]), float(found["batches"])


def _difference(before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]) -> dict[str, float]:
    spent = {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}
    return {name: round(records / max(1, batches), 1) for name, (records, batches) in spent.items()}


def _departments(suite: Suite) -> tuple[topics.Topic, ...]:
    return topics.department_topics((JurisdictionCode(p), DepartmentCode(d)) for p, d in sorted(_needed(suite)))


async def _messages(suite: Suite) -> int:
    """Return how many messages stand on all topics, by their end offsets."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=suite.bootstrap)
    await consumer.start()
    try:
        every = (*topics.TOPICS, *_departments(suite))
        places = [TopicPartition(topic.name, number) for topic in every for number in range(topic.partitions)]
        return sum((await consumer.end_offsets(places)).values())
    finally:
        await consumer.stop()


async def _transactions(suite: Suite) -> int:
    connection = await asyncpg.connect(suite.admin_url)
    try:
        return await connection.fetchval("SELECT sum(xact_commit) FROM pg_stat_database WHERE datname <> 'postgres'")
    finally:
        await connection.close()


class Load:
    """Declares stages over HTTP: as fast as conclusions come back, or at a steady pace."""

    def __init__(self, suite: Suite, people: People, observed: Observed) -> None:
        self._suite, self._people, self._observed = suite, people, observed
        self._port = suite.ports["intake"]
        self._codes: asyncio.Queue[str] = asyncio.Queue()
        self._body = b""

    async def prepare(self) -> None:
        """Upload one set of materials, make the projects known."""
        materials = await asyncio.to_thread(self._people.materials, TYPE, STAGE)
        self._body = json.dumps({"form": FORM, "materials": materials, "truthful": True}, ensure_ascii=False).encode()
        async with asyncpg.create_pool(self._suite.databases["intake"], min_size=1, max_size=1) as pool:
            await self._seed(pool, 40_000)

    async def _seed(self, pool: Any, count: int) -> None:
        """Projects are no part of the job: they are put into intake's table at once instead of pushed one by one."""
        rows = [self._project(number) for number in range(count)]
        await pool.executemany(
            "INSERT INTO projects (code, version, name, process_type, jurisdiction, builder, builder_name)"
            " VALUES ($1, 1, $2, $3, $4, $5, $6)",
            rows,
        )
        await pool.execute("VACUUM ANALYZE projects")
        for row in rows:
            self._codes.put_nowait(row[0])

    def _project(self, number: int) -> tuple[Any, ...]:
        place = PLACES[number % 2]
        return (f"2018-{place}-47-03-{number:06d}", f"项目 {number}", TYPE.value, place, USCC, "示例建设有限公司")

    async def flat_out(self, seconds: float) -> None:
        """Declare as fast as the suite takes it, with a bounded number of declarations not yet concluded."""
        until = time.monotonic() + seconds
        telling = asyncio.create_task(self._tell())
        await asyncio.gather(*(self._keep_declaring(until) for _ in range(CONNECTIONS)))
        telling.cancel()

    async def _tell(self) -> None:
        """Show progress."""
        while True:
            accepted, concluded = len(self._observed.accepted), len(self._observed.concluded)
            print(f"· {accepted} accepted, {concluded} concluded", file=sys.stderr, flush=True)
            await asyncio.sleep(5)

    async def _keep_declaring(self, until: float) -> None:
        connection = Connection("127.0.0.1", self._port)
        while time.monotonic() < until:
            if len(self._observed.accepted) - len(self._observed.concluded) >= OUTSTANDING:
                await asyncio.sleep(0.005)
                continue
            await self._declare(connection)
        connection.close()

    async def paced(self, per_second: int, seconds: int) -> None:
        """Declare at a steady pace, whatever comes back."""
        connections: asyncio.Queue[Connection] = asyncio.Queue()
        for _ in range(CONNECTIONS):
            connections.put_nowait(Connection("127.0.0.1", self._port))
        loop = asyncio.get_running_loop()
        began = loop.time()
        tasks: list[asyncio.Task[None]] = []
        for number in range(per_second * seconds):
            await asyncio.sleep(max(0.0, began + number / per_second - loop.time()))
            tasks.append(asyncio.create_task(self._declare_with(connections)))
        await asyncio.gather(*tasks)

    async def _declare_with(self, connections: "asyncio.Queue[Connection]") -> None:
        connection = await connections.get()
        await self._declare(connection)
        connections.put_nowait(connection)

    async def _declare(self, connection: Connection) -> None:
        code = self._codes.get_nowait()
        path = f"/projects/{code}/stages/{STAGE.value}/applications"
        status, _ = await connection.post(path, self._headers(code), self._body)
        if status == 202:
            self._observed.accepted[code] = time.time()
        else:
            self._observed.refused[status] += 1

    def _headers(self, code: str) -> str:
        token = self._suite.log_in("builder", uscc=USCC).token
        return f"Authorization: Bearer {token}\r\nIdempotency-Key: bench-{code}\r\n"

    async def settle(self, seconds: float = 60) -> None:
        """Return when everything accepted has concluded, or after `seconds`."""
        until = time.monotonic() + seconds
        while set(self._observed.accepted) - set(self._observed.concluded) and time.monotonic() < until:
            await asyncio.sleep(0.02)


async def _watch_stages(suite: Suite, observed: Observed) -> None:
    """Read the raw topic of stages: when each one concluded."""
    async for record in _records(suite, [topics.STAGES.name], fetch_min_bytes=65_536, fetch_max_wait_ms=50):
        if dict(record.headers)["ce_type"] == b"StageConcluded":
            observed.concluded[record.key.decode()] = time.time()


async def _watch_items(suite: Suite, observed: Observed) -> None:
    """Read every department's items topic: when each item can be read."""
    names = [topic.name for topic in _departments(suite) if topic.speaker == "dispatcher"]
    async for record in _records(suite, names):
        observed.readable.setdefault(record.key.decode(), []).append(time.time())


async def _records(suite: Suite, names: list[str], **options: Any) -> Any:
    consumer: Any = AIOKafkaConsumer(*names, bootstrap_servers=suite.bootstrap, auto_offset_reset="earliest", **options)
    await consumer.start()
    try:
        while True:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    yield record
    finally:
        await consumer.stop()
