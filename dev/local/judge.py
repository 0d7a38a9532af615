"""The judge: what must hold, read from HTTP answers and raw topics alone, never from a service's tables."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from contracts import topics
from local.kafka import HELD_MS
from local.suite import Suite

Record = dict[str, Any]
NO_STEPS: Final = (
    "ItemActRefused",
    "LateOpinionRecorded",
    "MaterialsRecorded",
    "DocumentIssued",
    "WindowDocumentIssued",
)
"""What is said of items without being a step of them: it has no version of its own."""


def read_topics(suite: Suite) -> list[Record]:
    """Return every message on every topic of the suite, as (topic, partition, offset, type, event)."""
    return asyncio.run(_read(suite.bootstrap, [topic.name for topic in suite.topics()]))


async def _read(bootstrap: str, names: list[str]) -> list[Record]:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=HELD_MS
    )
    await consumer.start()
    try:
        await consumer._client.set_topics(names)
        numbers = {name: consumer._client.cluster.partitions_for_topic(name) or () for name in names}
        partitions = [TopicPartition(name, number) for name in names for number in numbers[name]]
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        read: list[Record] = []
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                read.extend(one for one in map(_record, records) if one is not None)
        return read
    finally:
        await consumer.stop()


def _record(record: Any) -> Record | None:
    """What stands in a record; None for poison, which tells nothing about anybody."""
    try:
        event = json.loads(record.value or b"")
    except ValueError:
        return None
    kind = dict(record.headers).get("ce_type", b"?").decode()
    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    return {**place, "type": kind, "event": event}


def complaints(records: Iterable[Record], accepted: Iterable[str]) -> list[str]:
    """Return what does not hold of the declarations that were accepted (project codes); nothing when all is well."""
    by_project: defaultdict[str, list[Record]] = defaultdict(list)
    found: list[str] = []
    for record in records:
        if record["type"] == "DeadLetter":
            found.append(f"dead letter: {record['event']['reason']} {record['event']['detail']}")
        by_project[record["event"].get("project_code", "")].append(record)
    for code in accepted:
        found.extend(f"{code}: {complaint}" for complaint in _complaints_of(by_project[code]))
    return found


def _complaints_of(records: list[Record]) -> Iterable[str]:
    once = first_of_each(records)
    concluded = [record for record in once if record["type"] == "StageConcluded"]
    if len(concluded) != 1:
        yield f"{len(concluded)} conclusions"
    dispatched: defaultdict[str, int] = defaultdict(int)
    for record in once:
        if record["type"] == "ItemDispatched":
            dispatched[record["event"]["item_id"]] += 1
    yield from (f"item {item_id} dispatched {count} times" for item_id, count in dispatched.items() if count != 1)
    yield from _broken_order(once)
    recalled = {record["event"]["item_id"] for record in once if record["type"] == "ItemRecalled"}
    decided = {record["event"]["item_id"] for record in once if record["type"] == "ItemConcluded"}
    yield from (f"item {item_id} was decided and recalled" for item_id in recalled & decided)


def first_of_each(records: list[Record]) -> list[Record]:
    """A repeat by a speaker is the same event: count it once, at its first place."""
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(record["event"]["event_id"], record)
    return list(first.values())


def _broken_order(records: list[Record]) -> Iterable[str]:
    """Versions of each item, and generations of each clock, must appear as 1, 2, 3 … on their topic."""
    steps: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for record in records:
        event = record["event"]
        if record["topic"] == topics.ITEMS.name and record["type"] not in NO_STEPS:
            steps["item", event["item_id"]].append(event["version"])
        if record["topic"] == topics.CLOCKS.name and "subject" in event:
            steps["clock", event["clock_id"]].append(event["generation"])
    for (what, name), numbers in steps.items():
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"{what} {name} went {numbers}"
