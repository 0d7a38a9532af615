"""JOB-T: a million pending deadlines; lone ones, and herds of a hundred thousand at one midnight.

The timer as it runs in the suite, with real Kafka and PostgreSQL; each expiry is durable with its events on Kafka
before it counts. Business time is compressed, so that a midnight comes every quarter of a second. The rows are what the
timer itself keeps of accepted items, made by its own functions, and put into its table at once; one in ten was paused
and resumed. Judged from outside: what stands on the topic, and when the broker appended it.

Lone deadlines, one a midnight: how late. A herd for one timer: how fast. A herd for two that share, one killed in the
middle: whether anything is missing, twice or early.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import murmur2

from bench.machine import cpu_seconds, difference, machine
from chassis.wallclock import AffineClock, parsed
from contracts import topics
from contracts.codes import ProjectCode
from contracts.envelope import derived_id
from contracts.terms import DueCause, ItemKind
from local import ports
from local.processes import PROCESSES
from local.said import StageStory
from local.suite import Child, Suite
from procedure import item_clock
from procedure.item_clock import Attempt
from timer import columns, domain, tracked
from timer.columns import KEPT, PLACE, SPLIT, WHOSE
from timer.tracked import Cause, Reckoning, Tracked

RESULT = Path(__file__).parent / "results" / "job-t.json"
DAYS_PER_SECOND = 4
BEGIN, LATER, FAR = date(2021, 1, 4), date(2023, 3, 1), date(2024, 1, 2)
"""When the lone deadlines' items were accepted, the second herd's, and those that stay pending all the time."""
AFTERWARDS = timedelta(days=14)
"""How long after the last lone deadline the first herd's items were accepted."""
DEPARTMENTS = ("FGW", "GHJ", "JW", "HBJ", "SWJ", "RFB", "QXJ", "WWJ")
KINDS = (ItemKind.PERMIT, ItemKind.CONSULT)
WARM_UP = 2
"""So many lone deadlines are not counted among the late ones: the first of a process finds everything cold."""
LIMIT, LONGEST_LIMIT = 5, 366
MESSAGES = 3
"""What one expiry of an item says."""
PATIENCE = timedelta(days=DAYS_PER_SECOND * 60)
COLUMNS = (*PLACE, *WHOSE, *SPLIT, *KEPT)
TIMER = next(process for process in PROCESSES if process.name == "timer")


def main(arguments: list[str]) -> int:
    """Measure, print and write the figures; exit 1 when a deadline was missed, told twice or told early."""
    parser = argparse.ArgumentParser(prog="./run bench job-t", description=__doc__)
    parser.add_argument("--pending", type=int, default=1_000_000)
    parser.add_argument("--herd", type=int, default=100_000)
    parser.add_argument("--lone", type=int, default=120)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lianshen-bench-") as folder:
        Path(folder).chmod(0o711)
        settings = {"LOG_LEVEL": "WARNING", "RECONCILE_MINUTES": "0"}
        with Suite(Path(folder) / "suite", settings=settings, processes=(TIMER,)) as suite:
            figures = asyncio.run(_measure(suite, options))
    figures |= {"machine": machine()}
    print(json.dumps(figures, indent=2))
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    wrong = figures["missing"] + figures["duplicates"] + figures["early"]
    return 1 if wrong else 0


# The rows -------------------------------------------------------------------------------------------------------


class Rows:
    """Rows of accepted items by the timer's own functions, under the city's calendar; each is another project's."""

    def __init__(self, suite: Suite) -> None:
        calendar = suite.city.calendar
        name = f"{calendar.version} {calendar.version}"
        self._reckoning = Reckoning(calendar, name, DueCause.CALENDAR, derived_id("calendar", name))
        self._number = 0

    def made(self, day: date, limit: int, number: int, *, paused: bool = False) -> Tracked:
        """Return the row of an item accepted on `day`, as it stands when only its expiry is left to come."""
        item = StageStory().item(
            f"S1-{number % 8 + 1:02}", limit=limit, kind=KINDS[number % 2], department=DEPARTMENTS[number % 8]
        )
        steps = [item.received(*_nine(day)), item.accepted(*_nine(day))]
        if paused:
            one, two = (day + timedelta(days=days) for days in (1, 2))
            steps += [item.correction(*_nine(one)), item.supplemented(*_nine(two))]
        kept = item_clock.felt(None, steps[0])
        assert kept is not None
        row = tracked.opened(steps[0], kept, 0)
        for step in steps:
            felt = item_clock.felt(row.kept, step) if step is not steps[0] else kept
            assert isinstance(felt, Attempt)
            row, _ = domain.turned(row, felt, tracked.because(step, step.at), self._reckoning)
        return self._waiting_for_expiry(row)

    def _waiting_for_expiry(self, row: Tracked) -> Tracked:
        assert row.expires_at is not None
        while (at := self.acts_at(row)) is not None and at < row.expires_at:
            row, _ = domain.relit(row, at, Cause(derived_id(at), at, at), self._reckoning)
        return row

    def acts_at(self, row: Tracked) -> datetime | None:
        return domain.acts_at(row, row.clock.started_at, self._reckoning, PATIENCE)

    def expiring(self, due: datetime, limit: int, number: int, *, paused: bool = False) -> Tracked:
        """Return a row that expires at `due`: the day of acceptance is looked for backwards."""
        day = due.date() - timedelta(days=limit)
        while (row := self.made(day, limit, number, paused=paused)).expires_at != due:
            day -= timedelta(days=1)
        return row

    def kinds(self, make: Callable[..., Tracked], *which: Any) -> list[Tracked]:
        """Return twenty kinds of rows, two of which were paused and resumed."""
        return [make(*which, number, paused=number >= 18) for number in range(20)]

    def records(self, kinds: Sequence[Tracked], count: int) -> Iterator[tuple[Any, ...]]:
        """Yield `count` records, one kind after the other, each with a project and ids of its own."""
        shapes = [(one.whose, columns.kept(one), self.acts_at(one)) for one in kinds]
        for turn in range(count):
            whose, kept, act_at = shapes[turn % len(shapes)]
            self._number += 1
            number = self._number
            code = f"2018-210281-{number // 1_000_000:02}-{number // 10_000 % 100:02}-{number % 10_000:06}"
            mine = whose._replace(
                application_id=UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128),
                about=UUID(int=(number * 0xD1B54A32D192ED03AEF17A6C2B1F5E97 + 1) % 2**128),
                project_code=ProjectCode(code),
                partition=(murmur2(code.encode()) & 0x7FFFFFFF) % topics.PARTITIONS,
            )
            yield (*columns.whose(mine), columns.lane_of(mine), None, *kept, act_at)


def _nine(day: date) -> tuple[int, ...]:
    return (day.year, day.month, day.day, 9)


async def _fill(suite: Suite, records: Iterator[tuple[Any, ...]]) -> None:
    connection = await asyncpg.connect(suite.databases["timer"])
    try:
        await connection.copy_records_to_table("clocks", records=records, columns=COLUMNS)
    finally:
        await connection.close()


async def _settled(suite: Suite, *statements: str) -> None:
    """Run statements and leave the database as it is after a calm while, not as after a flood."""
    for url, said in ((suite.databases["timer"], (*statements, "VACUUM ANALYZE clocks")), (suite.admin_url, CALM)):
        connection = await asyncpg.connect(url)
        try:
            for statement in said:
                await connection.execute(statement)
        finally:
            await connection.close()


CALM = ("CHECKPOINT",)


# The run --------------------------------------------------------------------------------------------------------


async def _measure(suite: Suite, options: argparse.Namespace) -> dict[str, Any]:
    rows = Rows(suite)
    _tell("filling the timer's table")
    suite.stop_services()
    lone = _midnights(rows, BEGIN, options.lone)
    herd, shared = (_midnights(rows, day, 1)[0] for day in (lone[-1].date() + AFTERWARDS, LATER))
    far = rows.kinds(rows.made, FAR, LONGEST_LIMIT)
    await _fill(suite, rows.records(far, options.pending - 2 * options.herd - len(lone)))
    await _fill(suite, rows.records(rows.kinds(rows.expiring, herd, LIMIT), options.herd))
    await _fill(suite, rows.records(rows.kinds(rows.expiring, shared, LIMIT), options.herd))
    await _fill(suite, (record for due in lone for record in rows.records([rows.expiring(due, LIMIT, 0)], 1)))
    await _settled(suite)
    figures: dict[str, Any] = {"pending": await _pending(suite)}
    first = await _one_timer(suite, lone, herd, options.herd)
    await _settled(suite, "DELETE FROM clocks WHERE told IS NOT NULL")
    second = await _two_timers(suite, shared, options.herd)
    wrong = {name: first.pop(name) + second.pop(name) for name in ("missing", "duplicates", "early")}
    return {**figures, **first, **wrong, "two_timers_one_killed": second}


def _midnights(rows: Rows, day: date, count: int) -> list[datetime]:
    """Return the instants at which deadlines of items accepted from `day` on expire, one a working day."""
    found: list[datetime] = []
    while len(found) < count:
        expires = rows.made(day, LIMIT, 0).expires_at
        assert expires is not None
        if not found or expires > found[-1]:
            found.append(expires)
        day += timedelta(days=1)
    return found


async def _one_timer(suite: Suite, lone: list[datetime], herd: datetime, size: int) -> dict[str, Any]:
    _tell("lone deadlines, then a herd, for one timer")
    clock = _clock_from(lone[0], seconds=12)
    _start(suite, clock)
    await _until(lambda: clock.now() > herd, 180)
    before = cpu_seconds(suite)
    await _told(suite, len(lone) + size)
    spent = difference(cpu_seconds(suite), before)
    suite.stop_services()
    recalls = await _recalls(suite)
    alone = [one for one in recalls if one.due_at != herd]
    flock = sorted(one.appended_ms for one in recalls if one.due_at == herd)
    late = [one.appended_ms - clock.epoch_ms(one.due_at) for one in alone if one.due_at not in lone[:WARM_UP]]
    seconds = (flock[-1] - clock.epoch_ms(herd)) / 1000
    return {
        "fires_per_second": round(1000 * len(flock) / (flock[-1] - flock[0])),
        "herd_seconds": round(seconds, 2),
        "cpu_ms_per_fire": {name: round(1000 * one / size, 4) for name, one in spent.items()},
        "lateness_ms": _percentiles(late),
        **_judged(recalls, clock, len(lone) + size),
    }


async def _two_timers(suite: Suite, herd: datetime, size: int) -> dict[str, Any]:
    _tell("a herd for two timers, one of which is killed in the middle")
    already = await _standing(suite)
    clock = _clock_from(herd, seconds=25)
    _start(suite, clock)
    other = _second(suite)
    other.start()
    other.wait_ready()
    await _until(lambda: clock.now() > herd, 60)
    await _until(lambda: _fired(suite, other) >= size // 5, 60)
    fired = _fired(suite, other)
    other.kill()
    await _told(suite, size, already)
    recalls = [one for one in await _recalls(suite) if one.due_at == herd]
    seconds = (max(one.appended_ms for one in recalls) - clock.epoch_ms(herd)) / 1000
    return {"herd_seconds": round(seconds, 2), "killed_after_firing": fired, **_judged(recalls, clock, size)}


def _fired(suite: Suite, child: Child) -> int:
    """Return how many deadlines a timer has fired, by its own metrics."""
    found = re.search(r"^lianshen_clocks_fired_total (\S+)$", suite.http.get(f"{child.url}/metrics").text, re.MULTILINE)
    return 0 if found is None else int(float(found[1]))


def _second(suite: Suite) -> Child:
    port = ports.free()["timer"]
    environment = suite.environment(TIMER) | {"GROUP_INSTANCE": "timer-2", "HTTP_PORT": str(port)}
    child = Child(
        "timer-2", TIMER.command, environment, suite.folder / "logs" / "timer-2.log", f"http://127.0.0.1:{port}"
    )
    suite.children["timer-2"] = child
    return child


def _clock_from(first: datetime, seconds: float) -> AffineClock:
    """Return the clock by which `first` comes in so many seconds."""
    now = datetime.now(UTC)
    factor = DAYS_PER_SECOND * 86_400
    return AffineClock(now, first - timedelta(seconds=seconds) * factor, factor)


def _start(suite: Suite, clock: AffineClock) -> None:
    text = f"affine:{clock.real_epoch.isoformat()},{clock.business_epoch.isoformat()},{clock.factor}"
    assert parsed(text) == clock
    suite.restart_services({"WALLCLOCK": text})


async def _until(holds: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError
        await asyncio.sleep(0.02)


def _tell(what: str) -> None:
    print(f"· {what} …", file=sys.stderr, flush=True)


# Judged from outside --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recall:
    """One ItemAutoRecall as it stands on the topic."""

    clock_id: str
    event_id: str
    due_at: datetime
    appended_ms: int


def _judged(recalls: Sequence[Recall], clock: AffineClock, expected: int) -> dict[str, int]:
    """A clock told by two events is told twice; the same event once more is a repeat that readers pass over."""
    told: dict[str, set[str]] = {}
    for one in recalls:
        told.setdefault(one.clock_id, set()).add(one.event_id)
    return {
        "missing": expected - len(told),
        "duplicates": sum(len(events) - 1 for events in told.values()),
        "early": sum(one.appended_ms < clock.epoch_ms(one.due_at) for one in recalls),
        "repeated_records": len(recalls) - sum(map(len, told.values())),
    }


async def _pending(suite: Suite) -> int:
    connection = await asyncpg.connect(suite.databases["timer"])
    try:
        return await connection.fetchval("SELECT count(*) FROM clocks WHERE act_at IS NOT NULL")
    finally:
        await connection.close()


PLACES = [TopicPartition(topics.CLOCKS.name, number) for number in range(topics.CLOCKS.partitions)]


async def _standing(suite: Suite) -> int:
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=suite.bootstrap)
    await consumer.start()
    try:
        return sum((await consumer.end_offsets(PLACES)).values())
    finally:
        await consumer.stop()


async def _told(suite: Suite, expiries: int, already: int = 0) -> None:
    """Return when what so many expiries say stands on the topic; asked by its end, which costs the measured nothing."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=suite.bootstrap)
    await consumer.start()
    try:
        until = time.monotonic() + 120
        while sum((await consumer.end_offsets(PLACES)).values()) - already < expiries * MESSAGES:
            if time.monotonic() > until:
                raise TimeoutError
            await asyncio.sleep(0.05)
    finally:
        await consumer.stop()


async def _recalls(suite: Suite) -> list[Recall]:
    """Read the whole topic."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=suite.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[Recall] = []
    try:
        consumer.assign(PLACES)
        ends = await consumer.end_offsets(PLACES)
        while any([await consumer.position(place) < ends[place] for place in PLACES]):
            for records in (await consumer.getmany(timeout_ms=1000, max_records=20_000)).values():
                found += [_recall(one) for one in records if dict(one.headers)["ce_type"] == b"ItemAutoRecall"]
        return found
    finally:
        await consumer.stop()


def _recall(record: Any) -> Recall:
    said = json.loads(record.value)
    return Recall(said["clock_id"], said["event_id"], datetime.fromisoformat(said["due_at"]), record.timestamp)


def _percentiles(values: list[int]) -> dict[str, float]:
    cuts = quantiles(values, n=100)
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "max": max(values)}
