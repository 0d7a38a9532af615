"""`./run dead-letters`: what nobody could understand, listed, shown, and replayed to where it stood."""

import argparse
import asyncio
import base64
import os
from typing import Any

from contracts import topics
from contracts.dead_letters import DeadLetter
from local import ports
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

    consumer: Any = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
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
