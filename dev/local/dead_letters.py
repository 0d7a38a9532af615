"""`./run dead-letters`: what nobody could understand, listed, shown, and replayed to where it stood; and what waits."""

import argparse
import asyncio
import base64
import os
from datetime import datetime
from typing import Any, NamedTuple

from contracts import topics
from contracts.dead_letters import DeadLetter
from local import ports, up
from local.kafka import HELD_MS
from local.postgres import Postgres
from local.processes import PROCESSES
from local.trouble import Trouble


def main(arguments: list[str]) -> int:
    """list, show ID, or replay with the same filters, a preview, and --yes to do it."""
    options = _parser().parse_args(arguments)
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{ports.fixed()['kafka']}")
    letters = [one for one in asyncio.run(read(servers)) if _matches(one, options)]
    if options.verb == "show":
        for letter in letters:
            print(letter.model_dump_json(indent=2))
            print(base64.b64decode(letter.value or "").decode("utf-8", "replace")[:4000])
        return 0 if letters else 1
    for letter in letters:
        place = f"{letter.topic}/{letter.partition}@{letter.offset}"
        print(f"{letter.event_id}  {letter.reason:14} {place}  {letter.service}  {letter.detail[:80]}")
    print(f"{len(letters)} dead letters")
    if options.verb == "list":
        _print_waiting()
    if options.verb == "replay" and letters:
        return _replay(servers, letters, options.yes)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run dead-letters", description=__doc__)
    parser.add_argument("verb", choices=("list", "show", "replay"))
    parser.add_argument("id", nargs="?", help="event id of one dead letter")
    parser.add_argument("--reason", help="only this reason")
    parser.add_argument("--topic", help="only from this topic")
    parser.add_argument("--yes", action="store_true", help="replay without asking")
    return parser


def _matches(letter: DeadLetter, options: argparse.Namespace) -> bool:
    wanted = ((options.id, str(letter.event_id)), (options.reason, letter.reason), (options.topic, letter.topic))
    return all(value is None or value == held for value, held in wanted)


async def read(servers: str) -> list[DeadLetter]:
    """Return every dead letter on the topic, each once. Raises Trouble when Kafka does not answer."""
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.errors import KafkaConnectionError

    consumer: Any = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest", fetch_max_wait_ms=HELD_MS)
    try:
        await consumer.start()
    except KafkaConnectionError as trouble:
        await consumer.stop()
        raise Trouble(f"no Kafka at {servers}: ./run up starts one, or set KAFKA_BOOTSTRAP_SERVERS") from trouble
    try:
        numbers = await consumer._client._wait_on_metadata(topics.DEAD_LETTERS.name)
        partitions = [TopicPartition(topics.DEAD_LETTERS.name, number) for number in numbers]
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        found: dict[Any, DeadLetter] = {}
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    letter = DeadLetter.model_validate_json(record.value, extra="ignore")
                    found[letter.event_id] = letter
        return list(found.values())
    finally:
        await consumer.stop()


def _replay(servers: str, letters: list[DeadLetter], sure: bool) -> int:
    sound = [letter for letter in letters if letter.value is not None and not letter.truncated]
    if len(sound) < len(letters):
        print(f"{len(letters) - len(sound)} were kept truncated and cannot be replayed")
    if not sure and input(f"replay {len(sound)} to their topics? [y/N] ").strip().lower() != "y":
        return 1
    asyncio.run(replay(servers, sound))
    print(f"replayed {len(sound)}")
    return 0


class Lane(NamedTuple):
    """Records of one key on one topic that wait in a service's database, and why the first of them does."""

    service: str
    topic: str
    key: str
    records: int
    attempts: int
    since: datetime
    why: str


_LANES = """
    SELECT $1 AS service, topic, key, count(*) AS records, max(attempts) AS attempts, min(first_at) AS since,
           (array_agg(why || ': ' || detail ORDER BY id))[1] AS why
    FROM parked GROUP BY topic, key ORDER BY since
"""


async def waiting(admin_url: str) -> list[Lane]:
    """Return every lane that waits, by service and age. Raises Trouble when PostgreSQL does not answer."""
    import asyncpg

    lanes: list[Lane] = []
    for process in PROCESSES:
        try:
            connection = await asyncpg.connect(f"{admin_url.rsplit('/', 1)[0]}/{process.package}", timeout=5)
        except (OSError, asyncpg.PostgresError) as trouble:
            raise Trouble("no PostgreSQL there: ./run up starts one, or set DATABASE_URL_ADMIN") from trouble
        lanes += [Lane(**row) for row in await connection.fetch(_LANES, process.name)]
        await connection.close()
    return lanes


def _admin_url() -> str:
    if "DATABASE_URL_ADMIN" in os.environ:
        return os.environ["DATABASE_URL_ADMIN"]
    own = Postgres(up.FOLDER / "postgres", ports.fixed()["postgres"])
    if not own.folder.exists():
        raise Trouble("no PostgreSQL there: ./run up starts one, or set DATABASE_URL_ADMIN")
    return own.admin_url


def _print_waiting() -> None:
    try:
        lanes = asyncio.run(waiting(_admin_url()))
    except Trouble as trouble:
        print(f"waiting keys are not listed: {trouble}")
        return
    for lane in lanes:
        since = f"{lane.since:%Y-%m-%d %H:%M:%S}"
        print(
            f"{lane.service:18} {lane.key}  {lane.records} records, {lane.attempts} tries since {since}  {lane.topic}"
        )
        print(f"{'':18} {lane.why[:200]}")
    print(f"{len(lanes)} keys wait")


async def replay(servers: str, letters: list[DeadLetter]) -> None:
    """Send each letter to the topic it stood on, with its key, headers and id, and a header that says so."""
    from aiokafka import AIOKafkaProducer

    producer: Any = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for letter in letters:
            headers = [(name, base64.b64decode(held)) for name, held in letter.headers]
            headers.append(("replay-of", str(letter.event_id).encode()))
            value = base64.b64decode(letter.value or "")
            await producer.send_and_wait(letter.topic, value, key=letter.original_key.encode(), headers=headers)
    finally:
        await producer.stop()
