"""A department's own system, as small as it can be: it consumes its items topic and reports on its reports topic.

It speaks nothing but Kafka, as a real one would; the demo, the bench and the tests run it as a process of its own:
`python -m local.department BOOTSTRAP JURISDICTION DEPARTMENT [DEPARTMENT …]`.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from chassis.outbox import send_all
from contracts import topics
from contracts.codes import DepartmentCode, JurisdictionCode
from contracts.department import ItemReport
from contracts.dispatcher import ItemDispatched
from contracts.envelope import Event, decode, derived_id, encode
from contracts.parts import Actor, Special
from contracts.terms import ItemKind, ItemStep, Outcome
from local.posts import officers_certificate

ROUTINE = (ItemStep.ACCEPT, ItemStep.REVIEW, ItemStep.APPROVE, ItemStep.CONCLUDE)
COMMIT_SECONDS = 2.0
Answers = Callable[[Event], Sequence[ItemReport]]


def _officer(item: ItemDispatched) -> Actor:
    serial = officers_certificate(item.jurisdiction, item.department)
    return Actor(holder=f"{item.department}经办人", certificate=serial)


def report(
    item: ItemDispatched,
    step: ItemStep,
    *,
    outcome: Outcome | None = None,
    opinion: str = "",
    special: Special | None = None,
    document_dated_on: date | None = None,
    approved_by: str | None = None,
    repeat: int = 0,
) -> ItemReport:
    """Return a report of one step of `item` by the department's officer."""
    return ItemReport(
        event_id=derived_id("report", item.item_id, step.value, repeat),
        causation_id=item.event_id,
        occurred_at=datetime.now(UTC),
        project_code=item.project_code,
        item_id=item.item_id,
        item_code=item.item_code,
        department=item.department,
        jurisdiction=item.jurisdiction,
        step=step,
        actor=_officer(item),
        outcome=outcome,
        opinion=opinion,
        special=special,
        document_dated_on=document_dated_on,
        approved_by=approved_by,
    )


def routine(event: Event) -> list[ItemReport]:
    """Accept, review, approve and conclude every item at once: the job that the bench measures."""
    if not isinstance(event, ItemDispatched):
        return []
    opinion = "无意见" if event.kind is ItemKind.CONSULT else "符合要求，准予"
    return [
        report(event, step, **({"outcome": Outcome.GRANTED, "opinion": opinion} if step is ItemStep.CONCLUDE else {}))
        for step in ROUTINE
    ]


async def serve(
    bootstrap: str,
    jurisdiction: str,
    departments: Iterable[str],
    answers: Answers,
    stop: asyncio.Event,
    later: "asyncio.Queue[ItemReport] | None" = None,
) -> None:
    """Consume the items of `departments` and report what `answers` says, and what comes by `later`, until `stop`."""
    place = JurisdictionCode(jurisdiction)
    reading = {t.name: t for t in (topics.department_items(place, DepartmentCode(code)) for code in departments)}
    consumer: Any = AIOKafkaConsumer(
        *reading,
        bootstrap_servers=bootstrap,
        group_id=f"department-{'-'.join(sorted(reading))}"[:200],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_min_bytes=65_536,
        fetch_max_wait_ms=100,
    )
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=900_000
    )
    await _started(consumer)
    await _started(producer)
    sending = asyncio.create_task(_send_later(producer, later)) if later is not None else None
    committed_at = time.monotonic()
    try:
        while not stop.is_set():
            fetched = await consumer.getmany(timeout_ms=200, max_records=500)
            events = [_event(record, reading[tp.topic]) for tp, records in fetched.items() for record in records]
            await send(producer, [one for event in events for one in answers(event)])
            if time.monotonic() - committed_at > COMMIT_SECONDS:
                committed_at = time.monotonic()
                with contextlib.suppress(KafkaError):  # uncommitted is only read again, and a repeat only refused
                    await consumer.commit()
    finally:
        if sending is not None:
            sending.cancel()
        await consumer.stop()
        await producer.stop()


async def _started(client: Any) -> None:
    """Start a client, however long Kafka is away."""
    while True:
        try:
            return await client.start()
        except KafkaError:
            await asyncio.sleep(0.5)


async def _send_later(producer: Any, later: "asyncio.Queue[ItemReport]") -> None:
    while True:
        await send(producer, [await later.get()])


async def send(producer: Any, reports: Sequence[ItemReport]) -> None:
    """Send reports, each on its department's own topic, until Kafka has them: a repeat is only refused."""
    messages = [encode(one, _reports(one), "department") for one in reports]
    while messages:
        try:
            await send_all(producer, messages)
            messages = []
        except* KafkaError:
            await asyncio.sleep(0.5)


def _reports(one: ItemReport) -> str:
    return topics.department_reports(one.jurisdiction, one.department).name


def _event(record: Any, topic: topics.Topic) -> Event:
    event = decode(record.value, record.headers, record.key, topic.known)
    assert event is not None
    return event


async def _main(bootstrap: str, jurisdiction: str, departments: Sequence[str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(bootstrap, jurisdiction, departments, routine, stop)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        import uvloop

        uvloop.run(_main(sys.argv[1], sys.argv[2], sys.argv[3:]))
