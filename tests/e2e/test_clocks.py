"""Every clock of the law on a real timer with real Kafka and PostgreSQL; dispatcher and departments are played by hand.

The timer's business clock is set by starting it anew, so what falls due while it is down is part of every test.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any, Final, TypeVar

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from chassis.outbox import send_all
from contracts import topics
from contracts.department_worker import ItemStepped
from contracts.envelope import Event, encode
from contracts.terms import ItemKind
from local import ports
from local.builder import USCC, eventually
from local.kafka import HELD_MS
from local.processes import PROCESSES
from local.said import ItemStory, StageStory, at
from local.suite import ROOT, Child, Suite

TIMER, SIGNING = (next(process for process in PROCESSES if process.name == name) for name in ("timer", "signing"))
CITY, WAFANGDIAN, ZHUANGHE = "210200", "210281", "210283"
Row = dict[str, Any]
T = TypeVar("T")


class Stand:
    """The timer with everything around it played by hand, over one loop, producer, consumer and connection."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.numbers = iter(range(100_000, 999_999))
        self._loop = asyncio.new_event_loop()
        self._told: list[Row] = []
        self._do(self._open())

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(coroutine)

    async def _open(self) -> None:
        servers = self.suite.bootstrap
        self._producer: Any = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
        self._consumer: Any = AIOKafkaConsumer(
            bootstrap_servers=servers, auto_offset_reset="earliest", fetch_max_wait_ms=HELD_MS
        )
        await self._producer.start()
        await self._consumer.start()
        spoken = (topics.CLOCKS, topics.CALENDAR)
        self._spoken = [TopicPartition(topic.name, number) for topic in spoken for number in range(topic.partitions)]
        self._consumer.assign(self._spoken)
        self._database = await asyncpg.connect(self.suite.databases["timer"])

    def close(self) -> None:
        for part in (self._producer.stop(), self._consumer.stop(), self._database.close()):
            self._do(part)
        self._loop.close()

    # The timer --------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self.suite.url("timer")

    def set(self, now: datetime, **settings: str) -> None:
        """Start the timer anew with its business clock at `now`."""
        self.suite.process("timer").stop()
        self.start(now, **settings)

    def now(self) -> datetime:
        """Return what time it is for the timer."""
        return self._began[1] + (datetime.now(UTC) - self._began[0])

    def start(self, now: datetime, **settings: str) -> None:
        self._began = datetime.now(UTC), now
        wallclock = f"affine:{datetime.now(UTC).isoformat()},{now.isoformat()},1"
        environment = {**self.suite.environment(TIMER), "WALLCLOCK": wallclock, "RECONCILE_MINUTES": "0", **settings}
        log = self.suite.folder / "logs" / "timer.log"
        child = self.suite.children["timer"] = Child("timer", TIMER.command, environment, log, self.url)
        child.start()
        child.wait_ready()

    def one_more(self, now: datetime) -> Child:
        """Start a second timer over the same database, in the same group."""
        port = ports.free()["timer"]
        wallclock = f"affine:{datetime.now(UTC).isoformat()},{now.isoformat()},1"
        own = {"WALLCLOCK": wallclock, "HTTP_PORT": str(port), "GROUP_INSTANCE": "timer-2", "RECONCILE_MINUTES": "0"}
        environment = {**self.suite.environment(TIMER), **own}
        log = self.suite.folder / "logs" / "timer-2.log"
        child = Child("timer-2", TIMER.command, environment, log, f"http://127.0.0.1:{port}")
        child.start()
        child.wait_ready()
        return child

    def kill(self) -> None:
        self.suite.process("timer").kill()

    def metric(self, name: str, url: str = "") -> float:
        text = httpx.get(f"{url or self.url}/metrics").text
        return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(name)))

    # Dispatcher and departments ---------------------------------------------------------------------------------

    def stage(self, **more: Any) -> StageStory:
        """Return a stage of a project of its own."""
        return StageStory(f"2018-210281-47-03-{next(self.numbers)}", **more)

    def say(self, *events: Event) -> None:
        """Append events to their topics, and return when the timer has applied them and said what follows."""
        self._do(self._say(events))

    async def _say(self, events: Sequence[Event]) -> None:
        for topic, together in groupby(events, _topic_of):
            await send_all(self._producer, [encode(event, topic, "played") for event in together])
        await self._settled()

    def settle(self) -> None:
        """Return when the timer has applied everything and said what follows."""
        self._do(self._settled())

    async def _settled(self, seconds: float = 30.0) -> None:
        names = (topics.STAGES, topics.ITEMS, topics.CALENDAR)
        wanted = [TopicPartition(topic.name, number) for topic in names for number in range(topic.partitions)]
        until = time.monotonic() + seconds
        ends = {(tp.topic, tp.partition): end for tp, end in (await self._consumer.end_offsets(wanted)).items()}
        while True:
            rows = await self._database.fetch("SELECT topic, partition, next_offset FROM positions")
            stand = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
            unsaid = await self._database.fetchval("SELECT count(*) FROM outbox")
            if not unsaid and all(stand.get(place, 0) >= end for place, end in ends.items()):
                return
            assert time.monotonic() < until, (ends, stand, unsaid)
            await asyncio.sleep(0.02)

    # What the timer said and keeps ------------------------------------------------------------------------------

    def said(self, *stages: StageStory) -> list[Row]:
        """Return every message about these stages (of all of them, without any) as they stand on the clocks topic."""
        codes = {stage.code for stage in stages}
        told = [one for one in self._do(self._hear()) if one["topic"] == topics.CLOCKS.name]
        return [one for one in told if not stages or one["event"]["project_code"] in codes]

    def amendments(self) -> list[Row]:
        """Return every amendment of the calendar that was said, each once."""
        told = [one["event"] for one in self._do(self._hear()) if one["topic"] == topics.CALENDAR.name]
        return _each_once(told)

    async def _hear(self) -> list[Row]:
        ends = await self._consumer.end_offsets(self._spoken)
        while any([await self._consumer.position(tp) < ends[tp] for tp in self._spoken]):
            for records in (await self._consumer.getmany(timeout_ms=200)).values():
                self._told += [_told(record) for record in records]
        return self._told

    def kinds(self, *stages: StageStory) -> list[str]:
        return [one["type"] for one in self.said(*stages)]

    def waits_for(self, stage: StageStory, kind: str, count: int = 1) -> list[Row]:
        """Return the events of `kind` once there are so many."""

        def of_kind() -> list[Row]:
            return [one["event"] for one in self.said(stage) if one["type"] == kind]

        return eventually(of_kind, lambda found: len(found) >= count)

    def rows(self, query: str = "SELECT * FROM clocks ORDER BY application_id, about", *arguments: Any) -> list[Row]:
        return [dict(row) for row in self._do(self._database.fetch(query, *arguments))]

    def row(self, item: ItemStory) -> Row:
        return self.rows("SELECT * FROM clocks WHERE about = $1", item.item_id)[0]

    def stage_row(self, stage: StageStory) -> Row:
        return self.rows("SELECT * FROM clocks WHERE about = $1", stage.application_id)[0]

    # The administrator ------------------------------------------------------------------------------------------

    def admin(self, jurisdiction: str = CITY, key: str | None = None, role: str = "admin") -> dict[str, str]:
        claims = {"uscc": USCC} if role == "builder" else {"jurisdiction": jurisdiction}
        return self.suite.log_in(role, **claims).headers(key)

    def post(self, path: str, body: Any, jurisdiction: str = CITY, key: str | None = None) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=body, headers=self.admin(jurisdiction, key), timeout=60)


def _told(record: Any) -> Row:
    kind = dict(record.headers)["ce_type"].decode()
    return {"topic": record.topic, "type": kind, "event": json.loads(record.value)}


def _topic_of(event: Event) -> str:
    return topics.ITEMS.name if isinstance(event, ItemStepped) else topics.STAGES.name


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("clocks")
    for path in (folder, *folder.parents[:3]):
        if path.stat().st_uid == 0 and str(path) != "/":
            path.chmod(path.stat().st_mode | 0o011)
    suite = Suite(folder / "suite", jurisdictions=(), processes=(TIMER, SIGNING))
    with suite:
        stand = Stand(suite)
        yield stand
        stand.close()


def begun(stand: Stand, *when: int, limit: int = 5, stage_limit: int = 20, **more: Any) -> tuple[StageStory, ItemStory]:
    """A stage of one item, received and accepted."""
    settings = {name: value for name, value in more.items() if name not in ("kind", "code")}
    stage = stand.stage(limit=stage_limit, **settings)
    item = stage.item(more.get("code", "S1-05"), limit=limit, kind=more.get("kind", ItemKind.PERMIT))
    stand.say(stage.dispatched(*when), item.received(*when), item.accepted(*when), stage.accepted(*when))
    return stage, item


# Readings and folds ---------------------------------------------------------------------------------------------


def test_each_clock_runs_under_the_readings_of_its_case(stand: Stand) -> None:
    stand.set(at(2026, 3, 2, 8))
    usual, _ = begun(stand, 2026, 3, 2, 9)
    closing, _ = begun(stand, 2026, 3, 2, 9, due_day_ends="office_close")
    counting, _ = begun(stand, 2026, 3, 2, 9, count_start_day=True)
    dues = [stand.waits_for(stage, "ClockStarted", 2)[0]["due_at"] for stage in (usual, closing, counting)]
    assert [datetime.fromisoformat(due) for due in dues] == [
        at(2026, 3, 10),
        at(2026, 3, 9, 17),
        at(2026, 3, 7),
    ]


@pytest.mark.parametrize(("policy", "due"), [("ANY", (2026, 4, 11)), ("ALL_OPEN", (2026, 4, 4))])
def test_s5_on_the_running_timer_under_both_readings_of_p1(stand: Stand, policy: str, due: tuple[int, ...]) -> None:
    stand.set(at(2026, 3, 2, 9))
    stage = stand.stage(**({} if policy == "ANY" else {"stage_pause_policy": policy}))
    first, beside = stage.item("S1-05", limit=10), stage.item("S1-07", limit=20)
    stand.say(stage.dispatched(2026, 3, 2, 9), beside.received(2026, 3, 2, 9), beside.accepted(2026, 3, 2, 9))
    stand.say(first.received(2026, 3, 2, 9), first.accepted(2026, 3, 2, 9), stage.accepted(2026, 3, 2, 9))
    stand.say(first.correction(2026, 3, 4, 10), first.supplemented(2026, 3, 9, 15), first.returned(2026, 3, 11, 9))
    second = stage.item("S1-05", attempt=2, limit=5)
    stand.say(second.received(2026, 3, 16, 9), second.accepted(2026, 3, 17, 9))
    assert stand.stage_row(stage)["due_at"] == at(*due)
    assert stand.row(second)["due_at"] == at(2026, 3, 25)
    of_first = [one["type"] for one in stand.said(stage) if one["event"].get("item_id") == str(first.item_id)]
    assert [kind for kind in of_first if kind != "LightChanged"] == [
        "ClockStarted",
        "ClockPaused",
        "ClockResumed",
        "ClockStopped",
    ]
    steps = [one["event"] for one in stand.said(stage) if one["event"].get("subject") == "STAGE"]
    assert [step["generation"] for step in steps] == list(range(1, len(steps) + 1))


def test_a_repeat_by_a_speaker_moves_nothing(stand: Stand) -> None:
    stand.set(at(2026, 3, 2, 8))
    stage = stand.stage()
    item = stage.item()
    events = [stage.dispatched(2026, 3, 2, 9), item.received(2026, 3, 2, 9), item.accepted(2026, 3, 2, 9)]
    events += [stage.accepted(2026, 3, 2, 9), item.correction(2026, 3, 2, 10), item.supplemented(2026, 3, 2, 11)]
    stand.say(*events)
    told, kept = stand.kinds(stage), stand.rows()
    stand.say(*events, *events[4:])
    assert (stand.kinds(stage), stand.rows()) == (told, kept)


# Acceptance -----------------------------------------------------------------------------------------------------


def test_the_time_for_acceptance_runs_out_once_and_the_item_can_still_be_accepted(stand: Stand) -> None:
    stand.set(at(2026, 3, 2, 8))
    stage = stand.stage()
    item = stage.item()
    stand.say(stage.dispatched(2026, 3, 2, 9), item.received(2026, 3, 2, 9))
    assert stand.kinds(stage) == []
    stand.set(at(2026, 3, 12, 9))
    (overdue,) = stand.waits_for(stage, "AcceptanceOverdue")
    assert (datetime.fromisoformat(overdue["due_at"]), overdue["deems"]) == (at(2026, 3, 10), False)
    assert datetime.fromisoformat(overdue["detected_at"]) >= at(2026, 3, 12, 9)
    stand.say(item.accepted(2026, 3, 12, 10), stage.accepted(2026, 3, 12, 10))
    assert sorted(stand.kinds(stage)) == ["AcceptanceOverdue", "ClockStarted", "ClockStarted"]
    assert stand.row(item)["due_at"] == at(2026, 3, 20)


def test_acceptance_may_be_deemed(stand: Stand) -> None:
    stand.set(at(2026, 3, 12, 9))
    stage = stand.stage(acceptance_expiry="deem_accepted", acceptance_days=2)
    item = stage.item()
    stand.say(stage.dispatched(2026, 3, 2, 9), item.received(2026, 3, 2, 9))
    (overdue,) = stand.waits_for(stage, "AcceptanceOverdue")
    assert (datetime.fromisoformat(overdue["due_at"]), overdue["deems"]) == (at(2026, 3, 5), True)


def test_a_correction_before_acceptance_stops_the_time_and_its_supplement_starts_it_anew(stand: Stand) -> None:
    stand.set(at(2026, 3, 2, 8))
    stage = stand.stage()
    item = stage.item()
    stand.say(stage.dispatched(2026, 3, 2, 9), item.received(2026, 3, 2, 9), item.correction(2026, 3, 4, early=True))
    stand.set(at(2026, 3, 12, 9))
    stand.say(item.supplemented(2026, 3, 12, 9, early=True))
    assert stand.row(item)["due_at"] == at(2026, 3, 20) and stand.kinds(stage) == []


def test_an_acceptance_after_an_outage_still_tells_that_it_was_late(stand: Stand) -> None:
    stand.set(at(2026, 3, 16, 9), LOOK_MS="60000")
    stage = stand.stage()
    item = stage.item()
    stand.say(stage.dispatched(2026, 3, 2, 9), item.received(2026, 3, 2, 9), item.accepted(2026, 3, 13, 9))
    assert stand.kinds(stage).count("AcceptanceOverdue") == 1


# Reminders ------------------------------------------------------------------------------------------------------


def test_a_correction_that_nobody_answers_is_reminded_of_once(stand: Stand) -> None:
    stand.set(at(2026, 3, 2, 8))
    stage, item = begun(stand, 2026, 3, 2, 9)
    early = stage.item("S1-07")
    stand.say(item.correction(2026, 3, 4, 23), early.received(2026, 3, 2, 9), early.correction(2026, 3, 4, early=True))
    stand.set(at(2026, 4, 3, 23))
    assert "ReminderDue" not in stand.kinds(stage)
    stand.set(at(2026, 4, 4, 1))
    reminders = stand.waits_for(stage, "ReminderDue", 2)
    stand.set(at(2026, 4, 5))
    stand.settle()
    assert stand.kinds(stage).count("ReminderDue") == 2
    assert {one["item_code"]: (one["kind"], datetime.fromisoformat(one["due_at"])) for one in reminders} == {
        "S1-05": ("CORRECTION_UNANSWERED", at(2026, 4, 4)),
        "S1-07": ("CORRECTION_UNANSWERED", at(2026, 4, 4)),
    }


def test_a_special_procedure_past_its_day_turns_yellow_and_stays_paused(stand: Stand) -> None:
    stand.set(at(2026, 3, 4, 8))
    stage, item = begun(stand, 2026, 3, 2, 9)
    stand.say(item.special(2026, 3, 4, 10, due_on=date(2026, 3, 10)))
    stand.set(at(2026, 3, 11, 1))
    (reminder,) = stand.waits_for(stage, "ReminderDue")
    lights = [one["light"] for one in stand.waits_for(stage, "LightChanged", 3) if one["item_id"]]
    assert (reminder["kind"], lights) == ("SPECIAL_OVERDUE", ["GREY", "YELLOW"])
    assert (stand.row(item)["due_at"], stand.row(item)["light"]) == (None, "YELLOW")
    stand.say(item.special_ended(2026, 3, 12, 9))
    assert stand.row(item)["due_at"] is not None and stand.row(item)["act_at"] is not None


def test_a_returned_item_is_reminded_of_unless_it_was_declared_again(stand: Stand) -> None:
    stand.set(at(2026, 3, 4, 8))
    forgotten, first = begun(stand, 2026, 3, 2, 9, redeclare_days=2)
    answered, second = begun(stand, 2026, 3, 2, 9, redeclare_days=2)
    stand.say(first.returned(2026, 3, 4, 9), second.returned(2026, 3, 4, 9))
    stand.say(answered.item("S1-05", attempt=2).received(2026, 3, 5, 9))
    stand.set(at(2026, 3, 7, 1))
    (reminder,) = stand.waits_for(forgotten, "ReminderDue")
    assert (reminder["kind"], datetime.fromisoformat(reminder["due_at"])) == ("NOT_DECLARED_AGAIN", at(2026, 3, 7))
    eventually(lambda: stand.row(second)["act_at"], lambda act_at: act_at is None)
    assert "ReminderDue" not in stand.kinds(answered)


# Longer and other limits ----------------------------------------------------------------------------------------


def test_more_time_and_another_limit_change_the_due_only_while_the_clock_runs(stand: Stand) -> None:
    stand.set(at(2026, 3, 3, 8))
    stage, item = begun(stand, 2026, 3, 2, 9)
    stand.say(item.extended(2026, 3, 3, 9), item.special(2026, 3, 4, 9), item.amended(2026, 3, 4, 10, limit=7))
    stand.say(item.special_ended(2026, 3, 4, 11), item.amended(2026, 3, 4, 12, limit=6))
    changed = [
        (one["cause"], datetime.fromisoformat(one["former_due_at"]), datetime.fromisoformat(one["due_at"]))
        for one in stand.waits_for(stage, "DueChanged", 2)
    ]
    assert changed == [
        ("EXTENSION", at(2026, 3, 10), at(2026, 3, 24)),
        ("LIMIT", at(2026, 3, 26), at(2026, 3, 25)),
    ]


def test_more_time_turns_a_yellow_light_green_again(stand: Stand) -> None:
    stand.set(at(2026, 3, 6, 1))
    _, item = begun(stand, 2026, 3, 2, 9)
    eventually(lambda: stand.row(item)["light"], lambda light: light == "YELLOW")
    stand.say(item.extended(2026, 3, 6, 9))
    assert stand.row(item)["light"] == "GREEN"


# Firing ---------------------------------------------------------------------------------------------------------


def test_never_early_and_once_over_a_kill_at_the_due_instant(stand: Stand) -> None:
    stand.set(at(2026, 3, 9, 23, 59, 55))
    stage, item = begun(stand, 2026, 3, 2, 9)
    assert "ItemOverdue" not in stand.kinds(stage)
    stand.waits_for(stage, "ItemOverdue")
    stand.kill()
    stand.start(at(2026, 3, 10, 0, 0, 30))
    stand.settle()
    (overdue,) = _each_once(stand.waits_for(stage, "ItemOverdue"))
    assert len(_each_once(stand.waits_for(stage, "ItemAutoRecall"))) == 1
    assert at(2026, 3, 10) == datetime.fromisoformat(overdue["due_at"])
    assert at(2026, 3, 10) <= datetime.fromisoformat(overdue["detected_at"]) < at(2026, 3, 10, 0, 0, 30)
    assert stand.row(item)["light"] == "RED"
    assert stand.metric("lianshen_oldest_unfired_deadline_seconds") == 0.0


def _each_once(events: Iterable[Row]) -> list[Row]:
    """The events, each once: what was sent just before the kill may be sent again, and is the same event."""
    once: dict[str, Row] = {}
    for event in events:
        assert once.setdefault(event["event_id"], event) == event
    return list(once.values())


def test_two_timers_share_the_work_and_nothing_fires_twice(stand: Stand) -> None:
    stand.set(at(2026, 3, 9, 12))
    stages = [begun(stand, 2026, 3, 2, 9)[0] for _ in range(12)]
    stand.set(at(2026, 3, 9, 23, 59, 46))
    second = stand.one_more(stand.now())
    try:
        kinds = eventually(lambda: stand.kinds(*stages), lambda found: found.count("ItemAutoRecall") >= 12)
        fired = [stand.metric("lianshen_clocks_fired_total", url) for url in (stand.url, second.url)]
        assert (kinds.count("ItemOverdue"), kinds.count("ItemAutoRecall")) == (12, 12)
        assert min(fired) > 0 and sum(fired) >= 12, fired
    finally:
        second.stop()


def test_what_fell_due_while_the_timer_was_down_is_told_with_its_true_instant(stand: Stand) -> None:
    stand.set(at(2026, 3, 2, 10))
    stage, item = begun(stand, 2026, 3, 2, 9, stage_limit=5)
    beside = stage.item("S1-07", limit=30)
    stand.say(beside.received(2026, 3, 2, 9), beside.accepted(2026, 3, 2, 9))
    stand.suite.process("timer").stop()
    stand.start(at(2026, 3, 13, 9))
    stand.waits_for(stage, "ItemOverdue")
    stand.say(item.recalled(2026, 3, 10))
    (overdue,) = stand.waits_for(stage, "StageOverdue")
    assert datetime.fromisoformat(overdue["due_at"]) == at(2026, 3, 10)
    assert datetime.fromisoformat(overdue["detected_at"]) >= at(2026, 3, 13, 9)


def test_a_stage_that_stands_still_after_its_due_instant_is_overdue_all_the_same(stand: Stand) -> None:
    stand.set(at(2026, 3, 2, 10))
    stage, item = begun(stand, 2026, 3, 2, 9, limit=30, stage_limit=5)
    stand.suite.process("timer").stop()
    stand.start(at(2026, 3, 13, 9))
    stand.say(item.correction(2026, 3, 12, 9))
    (overdue,) = stand.waits_for(stage, "StageOverdue")
    assert datetime.fromisoformat(overdue["due_at"]) == at(2026, 3, 10)
    row = eventually(lambda: stand.stage_row(stage), lambda row: row["light"] == "RED")
    assert row["due_at"] == at(2026, 3, 10)


def test_a_recall_at_the_stages_own_due_instant_concludes_it_in_time(stand: Stand) -> None:
    stand.set(at(2026, 3, 10, 0, 0, 1))
    concluded, consult = begun(stand, 2026, 3, 2, 9, stage_limit=5, kind=ItemKind.CONSULT)
    open_still, permit = begun(stand, 2026, 3, 2, 9, stage_limit=5)
    for stage in (concluded, open_still):
        stand.waits_for(stage, "ItemAutoRecall")
        assert "StageOverdue" not in stand.kinds(stage)
    stand.say(permit.recalled(2026, 3, 10), consult.recalled(2026, 3, 10))
    stand.waits_for(open_still, "StageOverdue")
    assert "StageOverdue" not in stand.kinds(concluded)
    stand.say(concluded.concluded(2026, 3, 10))
    stopped = stand.waits_for(concluded, "ClockStopped", 2)
    assert {one["used_days"] for one in stopped} == {5}
    assert "StageOverdue" not in stand.kinds(concluded)


def test_after_an_outage_too_a_recall_comes_before_its_stage_is_overdue(stand: Stand) -> None:
    stand.set(at(2026, 3, 9, 12))
    stage, consult = begun(stand, 2026, 3, 2, 9, stage_limit=5, kind=ItemKind.CONSULT)
    stand.set(at(2026, 3, 13, 9))
    stand.waits_for(stage, "ItemAutoRecall")
    stand.say(consult.recalled(2026, 3, 10), stage.concluded(2026, 3, 10))
    stopped = [one for one in stand.waits_for(stage, "ClockStopped", 2) if one["subject"] == "STAGE"]
    assert [one["used_days"] for one in stopped] == [5]
    assert "StageOverdue" not in stand.kinds(stage)


def test_a_decision_in_time_holds_the_expiry_and_a_failed_seal_lets_it_come(stand: Stand) -> None:
    stand.set(at(2026, 3, 10, 0, 0, 1))
    stage = stand.stage()
    item = stage.item()
    stand.say(stage.dispatched(2026, 3, 2, 9), item.received(2026, 3, 2, 9), item.accepted(2026, 3, 2, 9))
    stand.say(item.decided(2026, 3, 9, 23))
    overtaken = stand.kinds(stage).count("ItemOverdue")
    stand.settle()
    assert stand.kinds(stage).count("ItemOverdue") == overtaken
    stand.say(item.seal_failed(2026, 3, 10, 0, 0, 5))
    recalls = stand.waits_for(stage, "ItemAutoRecall", overtaken + 1)
    assert {datetime.fromisoformat(one["due_at"]) for one in recalls} == {at(2026, 3, 10)}
    assert len({one["event_id"] for one in recalls}) == 1
    assert stand.kinds(stage).count("ItemOverdue") == 1


def test_a_herd_is_taken_oldest_first_and_every_department_has_its_share(stand: Stand) -> None:
    stand.set(at(2026, 3, 5, 9))
    stage = stand.stage(limit=60)
    many = [stage.item(f"S1-{number:02}", limit=5, department="GHJ") for number in range(10, 50)]
    few = [stage.item(f"S2-{number:02}", limit=5, department="RFB") for number in range(10, 14)]
    older = [stage.item(f"S3-{number:02}", limit=4, department="JW") for number in range(10, 13)]
    steps = [
        step for one in (*many, *few, *older) for step in (one.received(2026, 3, 2, 9), one.accepted(2026, 3, 2, 9))
    ]
    stand.say(stage.dispatched(2026, 3, 2, 9), *steps)
    stand.set(at(2026, 3, 12, 9), FIRE_BATCH="10")
    fired = [one["department"] for one in stand.waits_for(stage, "ItemOverdue", 47)]
    assert fired[:3] == ["JW"] * 3
    assert Counter(fired[3:12])["RFB"] >= 3
    assert Counter(fired) == {"JW": 3, "RFB": 4, "GHJ": 40}
    assert stand.metric("lianshen_clocks_fired_total") == 47.0
    assert stand.metric("lianshen_fired_latest_seconds") > 86_400


def test_an_item_whose_records_are_parked_does_not_expire_before_they_are_applied(stand: Stand) -> None:
    stand.set(at(2026, 3, 9, 12))
    stage, item = begun(stand, 2026, 3, 2, 9)
    other = StageStory(stage.code, stage=stage.stage.__class__(2))
    early = other.item("S2-01")
    stand.say(early.received(2026, 3, 9, 13), item.concluded(2026, 3, 9, 14))
    stand.set(at(2026, 3, 10, 0, 0, 1))
    stand.settle()
    assert "ItemOverdue" not in stand.kinds(stage)
    stand.say(other.dispatched(2026, 3, 9, 12))
    stopped = eventually(lambda: stand.row(item)["ended"], lambda ended: ended is not None)
    assert stopped == "CONCLUDED" and "ItemOverdue" not in stand.kinds(stage)


def test_a_waived_item_neither_expires_nor_stops_its_stage(stand: Stand) -> None:
    stand.set(at(2026, 3, 9, 12))
    stage, item = begun(stand, 2026, 3, 2, 9)
    stand.say(item.special(2026, 3, 4, 9), item.closed(2026, 3, 5, 9))
    stand.set(at(2026, 3, 12, 12))
    stand.settle()
    assert (stand.row(item)["ended"], stand.row(item)["act_at"]) == ("WITHDRAWN", None)
    assert stand.stage_row(stage)["due_at"] is not None
    assert "ItemOverdue" not in stand.kinds(stage)


# Against the topics ---------------------------------------------------------------------------------------------


def reconciled(stand: Stand, *, repair: bool = False) -> Row:
    answer = stand.post("/reconciliation", {"repair": repair})
    assert answer.status_code == 200, answer.text
    return answer.json()


def counts(report: Row) -> tuple[int, int, int, int]:
    return report["missing"], report["extra"], report["wrong"], report["repaired"]


def test_after_all_that_every_row_is_as_the_topics_have_it(stand: Stand) -> None:
    stand.set(at(2026, 4, 6, 9))
    report = reconciled(stand)
    assert [(one["kind"], one["item_code"], one["what"]) for one in report["differences"]] == []
    assert report["clocks"] == len(stand.rows()) > 50


BREAKS: Final = {
    "DELETE FROM clocks WHERE about = $1": "missing",
    "UPDATE clocks SET started_at = started_at - interval '9 days' WHERE about = $1": "facts",
    "UPDATE clocks SET due_at = due_at + interval '1 day' WHERE about = $1": "due",
    "UPDATE clocks SET expires_at = expires_at + interval '1 day' WHERE about = $1": "expires",
    "UPDATE clocks SET act_at = NULL WHERE about = $1": "armed",
    "UPDATE clocks SET act_at = act_at + interval '9 days' WHERE about = $1": "armed",
    "UPDATE clocks SET told = due_at WHERE about = $1": "told",
    "UPDATE clocks SET light = 'RED' WHERE about = $1": "light",
    "UPDATE clocks SET generation = generation + 1 WHERE about = $1": "generation",
    "UPDATE clocks SET generation = generation - 1 WHERE about = $1": "generation",
    "UPDATE clocks SET jurisdiction = '210283' WHERE about = $1": "whose",
    "UPDATE clocks SET held = true WHERE about = $1": "facts",
}


def test_rows_broken_by_hand_are_found_and_made_anew(stand: Stand) -> None:
    stand.set(at(2026, 4, 13, 9, 30))
    stage, item = begun(stand, 2026, 4, 13, 9)
    stand.say(item.correction(2026, 4, 13, 10), item.supplemented(2026, 4, 13, 11))
    whole = stand.rows("SELECT * FROM clocks WHERE application_id = $1 ORDER BY about", stage.application_id)
    said = stand.kinds(stage)
    for statement, what in BREAKS.items():
        stand.rows(statement, item.item_id)
        report = reconciled(stand, repair=True)
        (found,) = report["differences"]
        assert (found["about"], what in (found["kind"], *found["what"])) == (str(item.item_id), True), (what, found)
        assert report["repaired"] == 1
        kept = stand.rows("SELECT * FROM clocks WHERE application_id = $1 ORDER BY about", stage.application_id)
        assert kept == whole, what
    assert stand.kinds(stage) == said
    assert counts(reconciled(stand)) == (0, 0, 0, 0)


def test_a_row_that_nothing_stands_for_is_found_and_removed(stand: Stand) -> None:
    stage, item = begun(stand, 2026, 4, 13, 9)
    columns = [name for name in stand.row(item) if name != "about"]
    copy = (
        f"INSERT INTO clocks (about, {', '.join(columns)}) SELECT gen_random_uuid(), {', '.join(columns)} FROM clocks"
    )
    stand.rows(f"{copy} WHERE about = $1", item.item_id)
    assert counts(reconciled(stand)) == (0, 1, 0, 0)
    assert counts(reconciled(stand, repair=True)) == (0, 1, 0, 1)
    assert counts(reconciled(stand)) == (0, 0, 0, 0)
    assert len(stand.rows("SELECT * FROM clocks WHERE application_id = $1", stage.application_id)) == 2


def test_a_repaired_clock_expires(stand: Stand) -> None:
    stand.set(at(2026, 4, 20, 12))
    stage, item = begun(stand, 2026, 4, 13, 9)
    stand.rows("DELETE FROM clocks WHERE about = $1", item.item_id)
    stand.set(at(2026, 4, 21, 1))
    stand.settle()
    assert "ItemOverdue" not in stand.kinds(stage)
    report = reconciled(stand, repair=True)
    assert [one["about"] for one in report["differences"]] == [str(item.item_id)], report["differences"]
    stand.waits_for(stage, "ItemOverdue")


def test_the_command_tells_what_differs_and_repairs_it(stand: Stand) -> None:
    stand.set(at(2026, 4, 22, 10))
    _, item = begun(stand, 2026, 4, 22, 9)
    token = stand.suite.log_in("admin", jurisdiction=CITY).token
    environment = {"PATH": "/usr/bin:/bin", "TIMER_URL": stand.url, "TIMER_TOKEN": token}

    def reconcile(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local", "reconcile", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)

    assert reconcile().returncode == 0
    stand.rows("UPDATE clocks SET seen = 99, limit_days = 7 WHERE about = $1", item.item_id)
    found = reconcile()
    assert found.returncode == 1 and str(item.item_id) in found.stdout and "1 wrong" in found.stdout
    assert stand.metric('lianshen_reconciliation_differences{kind="wrong"}') == 1.0
    assert reconcile("--repair").returncode == 0 and reconcile().returncode == 0


def quiet(stand: Stand) -> None:
    """Return when nothing is left to be acted on by now, and all that follows is said."""
    eventually(lambda: stand.rows("SELECT about FROM clocks WHERE act_at <= $1", stand.now()), lambda due: due == [])
    stand.settle()


def lost(stand: Stand, now: datetime) -> None:
    """The timer's database is lost, and an empty one takes its place."""
    stand.suite.process("timer").stop()
    names = stand.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'")
    stand.rows(f"TRUNCATE {', '.join(row['tablename'] for row in names)} RESTART IDENTITY")
    stand.start(now)
    stand.settle()


def everything(stand: Stand) -> list[Row]:
    """Every row; of when it is acted on next only whether it is (a recall without an answer is proposed again)."""
    return [{**row, "act_at": row["act_at"] is None} for row in stand.rows()]


def of(codes: set[str], stand: Stand) -> list[Row]:
    """The rows of some projects, whole."""
    return [row for row in stand.rows() if row["project_code"] in codes]


def test_a_timer_that_lost_its_database_says_nothing_twice(stand: Stand) -> None:
    stand.set(at(2026, 4, 23, 9))
    quiet(stand)
    rows, events = everything(stand), {one["event"]["event_id"] for one in stand.said()}
    lost(stand, at(2026, 4, 23, 9, 10))
    eventually(lambda: everything(stand), lambda again: again == rows)
    assert {one["event"]["event_id"] for one in stand.said()} == events
    assert reconciled(stand)["differences"] == []
    later, item = begun(stand, 2026, 4, 23, 9)
    assert stand.row(item)["generation"] == 1 and "ClockStarted" in stand.kinds(later)


# The calendar ---------------------------------------------------------------------------------------------------


def typhoon(*days: str, jurisdiction: str = CITY, works: bool = False) -> Row:
    ordered = [{"day": day, "works": works} for day in days]
    return {"jurisdiction": jurisdiction, "days": ordered, "document": "大政办明电〔2026〕5号 台风停工"}


def test_a_preview_touches_nothing_and_an_overlay_moves_what_it_named(stand: Stand) -> None:
    stand.set(at(2026, 7, 6, 8))
    quiet(stand)
    here, item = begun(stand, 2026, 7, 6, 9)
    zone, of_zone = begun(stand, 2026, 7, 6, 9, place="210281-CXD")
    away, elsewhere = begun(stand, 2026, 7, 6, 9, place=ZHUANGHE)
    paused, standing = begun(stand, 2026, 7, 6, 9)
    stand.say(standing.correction(2026, 7, 6, 10))
    mine = {here.code, zone.code, away.code, paused.code}
    before, own = everything(stand), of(mine, stand)
    order = typhoon("2026-07-08", jurisdiction=WAFANGDIAN)
    preview = stand.post("/calendar/preview", order).json()
    assert (everything(stand), of(mine, stand)) == (before, own)
    named = {(one["project_code"], one["subject"]) for one in preview["clocks"] if one["project_code"] in mine}
    assert named == {(here.code, "ITEM"), (here.code, "STAGE"), (zone.code, "ITEM"), (zone.code, "STAGE")}
    answer = stand.post("/calendar/amendments", order)
    assert (answer.status_code, answer.json()["affected"]) == (202, preview["affected"])
    changed = stand.waits_for(here, "DueChanged", 2)
    assert {one["cause"] for one in changed} == {"OVERLAY"}
    assert stand.row(item)["due_at"] == stand.row(of_zone)["due_at"] == at(2026, 7, 15)
    assert stand.row(elsewhere)["due_at"] == at(2026, 7, 14)
    stand.say(standing.supplemented(2026, 7, 6, 11))
    assert stand.row(standing)["due_at"] == at(2026, 7, 15)
    assert "DueChanged" not in stand.kinds(paused) + stand.kinds(away)
    (said,) = stand.amendments()
    assert (said["affected"], said["jurisdiction"], said["sequence"]) == (preview["affected"], WAFANGDIAN, 1)
    year = httpx.get(f"{stand.url}/calendar/2026?jurisdiction=210281", headers=stand.admin(role="builder")).json()
    day = next(one for one in year["days"] if one["day"] == "2026-07-08")
    assert (day["works"], "台风停工" in day["why"]) == (False, True)
    assert [one["sequence"] for one in year["amendments"]] == [1]
    assert counts(reconciled(stand)) == (0, 0, 0, 0)


def test_the_same_order_twice_is_one_amendment(stand: Stand) -> None:
    order = typhoon("2026-08-03", jurisdiction=ZHUANGHE)
    first = stand.post("/calendar/amendments", order, key="the-same-order-1")
    again = stand.post("/calendar/amendments", order, key="the-same-order-1")
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (202, first.json())
    other = stand.post("/calendar/amendments", typhoon("2026-08-04"), key="the-same-order-1")
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_a_kill_in_the_middle_of_recounting_loses_nothing_and_repeats_nothing(stand: Stand) -> None:
    stand.set(at(2026, 9, 7, 8), RECOUNT_BATCH="1")
    stages = [begun(stand, 2026, 9, 7, 9)[0] for _ in range(12)]
    assert stand.post("/calendar/amendments", typhoon("2026-09-09")).status_code == 202
    stand.kill()
    stand.start(at(2026, 9, 7, 8, 10), RECOUNT_BATCH="1")
    changed = eventually(
        lambda: [one["event"] for one in stand.said(*stages) if one["type"] == "DueChanged"],
        lambda found: len({one["event_id"] for one in found}) == 24,
    )
    assert {datetime.fromisoformat(one["due_at"]) for one in changed} == {at(2026, 9, 16), at(2026, 10, 13)}
    assert counts(reconciled(stand)) == (0, 0, 0, 0)


def test_a_recall_that_the_calendar_made_void_is_armed_again(stand: Stand) -> None:
    stand.set(at(2026, 11, 6, 23, 59, 58))
    stage, item = begun(stand, 2026, 10, 30, 9)
    stand.waits_for(stage, "ItemAutoRecall")
    assert stand.row(item)["told"] == at(2026, 11, 7)
    stand.set(at(2026, 11, 6, 12))
    stand.post("/calendar/amendments", typhoon("2026-11-06")).raise_for_status()
    eventually(lambda: stand.row(item), lambda row: row["due_at"] == at(2026, 11, 10))
    assert (stand.row(item)["light"], stand.row(item)["act_at"]) == ("YELLOW", at(2026, 11, 10))
    stand.set(at(2026, 11, 10, 0, 0, 1))
    recalls = stand.waits_for(stage, "ItemAutoRecall", 2)
    assert [datetime.fromisoformat(one["due_at"]) for one in recalls[-1:]] == [at(2026, 11, 10)]


def test_a_past_recall_stays(stand: Stand) -> None:
    stand.set(at(2026, 11, 16, 9))
    stage, item = begun(stand, 2026, 11, 9, 9)
    stand.set(at(2026, 11, 17, 9))
    stand.waits_for(stage, "ItemAutoRecall")
    stand.say(item.recalled(2026, 11, 17))
    before = stand.row(item)
    stand.post("/calendar/amendments", typhoon("2026-11-17")).raise_for_status()
    stand.settle()
    assert stand.row(item) == before


NOTICE_2027: Final = {
    "released_year": 2027,
    "document": "国办发明电〔2026〕7号",
    "days": [
        {"day": "2027-01-01", "works": False, "name": "元旦"},
        {"day": "2027-01-02", "works": True, "name": "元旦"},
    ],
}
NOTICE_2028: Final = {
    "released_year": 2028,
    "document": "国办发明电〔2027〕7号",
    "days": [{"day": "2028-01-03", "works": False, "name": "元旦"}],
}


def test_a_provisional_date_does_not_fire_and_its_release_does(stand: Stand) -> None:
    stand.set(at(2027, 1, 12, 9))
    stage, item = begun(stand, 2026, 12, 31, 9)
    sealing, decided = begun(stand, 2026, 12, 31, 9)
    strict, _ = begun(stand, 2026, 12, 31, 9, fire_on_provisional=True)
    started = [one for one in stand.waits_for(stage, "ClockStarted", 2) if one["subject"] == "ITEM"]
    assert started[0]["provisional"] and datetime.fromisoformat(started[0]["due_at"]) == at(2027, 1, 9)
    stand.waits_for(strict, "ItemAutoRecall")
    stand.say(decided.decided(2027, 1, 12, 9))
    assert "ItemOverdue" not in stand.kinds(stage)
    assert stand.row(item)["expires_at"] is None
    preview = stand.post("/calendar/preview", NOTICE_2027).json()
    assert stage.code in {one["project_code"] for one in preview["clocks"]}
    stand.post("/calendar/amendments", NOTICE_2027).raise_for_status()
    (overdue,) = stand.waits_for(stage, "ItemOverdue")
    assert datetime.fromisoformat(overdue["due_at"]) == at(2027, 1, 8)
    assert datetime.fromisoformat(overdue["detected_at"]) >= at(2027, 1, 12, 9)
    stand.settle()
    assert "ItemOverdue" not in stand.kinds(sealing)
    assert [one["cause"] for one in stand.waits_for(sealing, "DueChanged", 2)] == ["CALENDAR", "CALENDAR"]


REFUSED: Final[list[tuple[Row, str, int, str]]] = [
    (typhoon("2027-01-11"), CITY, 422, "DAY_ALREADY_BEGUN"),
    (typhoon("2027-02-01", "2027-02-01"), CITY, 422, "DAY_TWICE"),
    (typhoon("2031-02-01"), CITY, 422, "YEAR_UNKNOWN"),
    (typhoon("2027-02-01", jurisdiction=ZHUANGHE), WAFANGDIAN, 403, "NOT_YOUR_JURISDICTION"),
    (typhoon("2027-02-01"), WAFANGDIAN, 403, "NOT_YOUR_JURISDICTION"),
    ({**NOTICE_2027, "jurisdiction": WAFANGDIAN}, WAFANGDIAN, 403, "RELEASE_IS_THE_CITYS"),
    (NOTICE_2027, CITY, 409, "YEAR_ALREADY_RELEASED"),
    ({**NOTICE_2027, "released_year": 2030}, CITY, 422, "YEAR_UNKNOWN"),
    ({**NOTICE_2027, "released_year": 2028}, CITY, 422, "DAY_OUTSIDE_YEAR"),
    ({**NOTICE_2027, "days": []}, CITY, 422, "INVALID_REQUEST"),
    ({**NOTICE_2027, "released_year": 1999}, CITY, 422, "INVALID_REQUEST"),
    ({**typhoon("2027-02-01"), "document": ""}, CITY, 422, "INVALID_REQUEST"),
    ({**typhoon("2027-02-01"), "jurisdiction": "210299"}, CITY, 422, "INVALID_REQUEST"),
    ({**typhoon("2027-02-30")}, CITY, 422, "INVALID_REQUEST"),
    ({**typhoon("2027-02-01"), "surprise": 1}, CITY, 422, "INVALID_REQUEST"),
]


@pytest.fixture(scope="module")
def in_2027(stand: Stand) -> Stand:
    """It is the second week of 2027, and that year's notice is out."""
    stand.set(at(2027, 1, 13, 9))
    assert stand.post("/calendar/amendments", NOTICE_2027).status_code in (202, 409)
    return stand


@pytest.mark.parametrize("path", ["/calendar/preview", "/calendar/amendments"])
@pytest.mark.parametrize(("order", "caller", "status", "code"), REFUSED, ids=lambda value: str(value)[:24])
def test_what_may_not_be_ordered_is_refused_in_chinese(
    in_2027: Stand, path: str, order: Row, caller: str, status: int, code: str
) -> None:
    answer = in_2027.post(path, order, caller)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert any("一" <= letter <= "龥" for letter in answer.json()["detail"])
    if code != "INVALID_REQUEST":
        assert "大政办发〔2018〕178号" in answer.json()["detail"]


def test_refused_orders_leave_nothing_behind(in_2027: Stand) -> None:
    stand = in_2027
    kept = stand.rows("SELECT sequence FROM calendar_amendments ORDER BY sequence")
    said = [one["sequence"] for one in stand.amendments()]
    assert [row["sequence"] for row in kept] == said == list(range(1, len(kept) + 1))


def test_a_correction_of_a_released_year_has_to_say_so(in_2027: Stand) -> None:
    stand, corrected = in_2027, {**NOTICE_2027, "corrects": True, "document": "国办发明电〔2027〕1号 更正"}
    assert stand.post("/calendar/amendments", corrected).status_code == 202
    shown = httpx.get(f"{stand.url}/calendar/2027", headers=stand.admin()).json()
    assert shown["released"] and [one["document"] for one in shown["amendments"]][-1].endswith("更正")


def test_a_year_that_the_calendar_does_not_know_is_not_shown(stand: Stand) -> None:
    answer = httpx.get(f"{stand.url}/calendar/2040", headers=stand.admin())
    assert (answer.status_code, answer.json()["code"]) == (422, "CALENDAR_DOES_NOT_REACH")


def test_an_order_that_pushes_a_deadline_off_the_calendar_is_refused(stand: Stand) -> None:
    stand.set(at(2027, 12, 1, 9))
    begun(stand, 2027, 12, 1, 9, limit=22, stage_limit=22)
    answer = stand.post("/calendar/amendments", typhoon("2027-12-20"))
    assert (answer.status_code, answer.json()["code"]) == (422, "CALENDAR_DOES_NOT_REACH")
    assert "第十三条" in answer.json()["detail"]


def test_a_database_lost_after_amendments_counts_by_them_again(stand: Stand) -> None:
    stand.set(at(2027, 12, 1, 9, 30))
    quiet(stand)
    rows, events = everything(stand), {one["event"]["event_id"] for one in stand.said()}
    amendments = stand.rows("SELECT * FROM calendar_amendments ORDER BY sequence")
    lost(stand, at(2027, 12, 1, 9, 30))
    eventually(lambda: everything(stand), lambda again: again == rows)
    assert stand.rows("SELECT * FROM calendar_amendments ORDER BY sequence") == amendments
    assert {one["event"]["event_id"] for one in stand.said()} == events


def test_a_due_day_in_a_year_without_any_table_waits_for_its_notice(stand: Stand) -> None:
    stand.set(at(2027, 12, 20, 9))
    within, _ = begun(stand, 2027, 12, 20, 9, limit=3, stage_limit=3)
    stage, item = begun(stand, 2027, 12, 20, 9, limit=15)
    stand.waits_for(within, "ClockStarted", 2)
    waiting = "SELECT DISTINCT why FROM parked WHERE key = $1"
    eventually(lambda: stand.rows(waiting, stage.code), lambda rows: rows == [{"why": "failed"}])
    assert stand.kinds(stage) == []
    stand.post("/calendar/amendments", NOTICE_2028).raise_for_status()
    started = {one["subject"]: one for one in stand.waits_for(stage, "ClockStarted", 2)}
    assert (started["ITEM"]["provisional"], started["STAGE"]["provisional"]) == (False, False)
    assert (stand.row(item)["due_at"], stand.rows(waiting, stage.code)) == (at(2028, 1, 12), [])
