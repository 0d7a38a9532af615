"""How this suite talks to Kafka: one place for connection, durability and group settings."""

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.middlewares import AckPolicy

from chassis.bus import Bus, TakesOver
from chassis.settings import Settings

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord, TopicPartition

    Producer = AIOKafkaProducer
    Records = tuple[ConsumerRecord[bytes | None, bytes | None], ...]

LARGEST_BATCH = 900_000
"""Bytes of one produce batch; the broker's message.max.bytes is 1 MiB."""
ANSWER_MS = 5_000
"""How long Kafka may take to tell where a topic ends."""
POLL_MS = 5_000
"""How long the broker holds an empty fetch: a record ends the wait at once, and an idle service hardly wakes."""
LOOK_MS = 2_000
"""How often a reader's background task looks around when nothing wakes it: whatever comes, is taken or is resumed does;
the client's own five times a second were half of what an idle service cost."""


def connection(settings: Settings) -> dict[str, Any]:
    """Return what every client needs to reach Kafka: servers, and SASL or TLS where the settings ask for it."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password()
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = _tls(settings)
    return options


def _tls(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.kafka_ssl_cafile or None)
    if settings.kafka_ssl_certfile:
        context.load_cert_chain(settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile or None)
    return context


def make_producer(settings: Settings) -> "Producer":
    """Return a producer, not yet started, whose acknowledged messages are on every in-sync replica, in order."""
    return AIOKafkaProducer(
        **connection(settings),
        client_id=settings.service_name,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=LARGEST_BATCH,
        max_request_size=1_040_000,
        request_timeout_ms=20_000,
    )


def make_reader(settings: Settings, wait_ms: int = 20) -> AIOKafkaConsumer:
    """Return a consumer without a group, not yet started, to read beside the bus; an empty fetch waits `wait_ms`."""
    return AIOKafkaConsumer(
        **connection(settings),
        client_id=f"{settings.service_name}-beside",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=wait_ms,
        consumer_timeout_ms=LOOK_MS,
    )


def make_admin(settings: Settings) -> AIOKafkaAdminClient:
    """Return an admin client, not yet started."""
    return AIOKafkaAdminClient(**connection(settings), client_id=settings.service_name)


class Ends:
    """Tells where partitions end, over a connection of its own, opened when first asked.

    On the reader's connection the question would wait behind its long fetch, for as long as nothing comes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AIOKafkaConsumer | None = None
        self._opening = asyncio.Lock()

    async def end_offsets(self, partitions: "list[TopicPartition]") -> "dict[TopicPartition, int]":
        """Return the offset after the last record of each partition. Raises KafkaError when Kafka does not answer."""
        client = await self._opened()
        return await client.end_offsets(partitions)

    async def offsets_for_times(self, timestamps: "dict[TopicPartition, int]") -> "Mapping[TopicPartition, Any]":
        """Return the first record of each partition that was appended at or after an instant (epoch milliseconds), None
        where there is none yet. Raises KafkaError when Kafka does not answer."""
        client = await self._opened()
        return await client.offsets_for_times(timestamps)

    async def _opened(self) -> AIOKafkaConsumer:
        async with self._opening:
            if self._client is None:
                self._client = await self._started()
            return self._client

    async def _started(self) -> AIOKafkaConsumer:
        client = AIOKafkaConsumer(
            **connection(self._settings), client_id=self._settings.service_name, request_timeout_ms=ANSWER_MS
        )
        try:
            await client.start()
        except BaseException:
            await client.stop()
            raise
        return client

    async def stop(self) -> None:
        """Close the connection, if one was opened."""
        if self._client is not None:
            await self._client.stop()


class PatientSubscriber(BatchSubscriber):
    """FastStream's batch subscriber, waiting inside the client for records.

    FastStream sleeps as long again after an empty poll, which would be paid in latency or in idle turns. And nothing is
    fetched while a batch is applied: a fetch sent then would wait at the broker for the partitions that happen to be
    empty, and those that were just read could not be fetched until it came back.
    """

    bus: Bus
    pace_seconds: float
    beat: Any

    async def get_msg(self, consumer: AIOKafkaConsumer) -> "Records":  # pyright: ignore[reportIncompatibleMethodOverride]
        self.beat()
        await self.bus.pace(self.pace_seconds)
        self.bus.read_on(consumer)
        fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=self.max_records)
        consumer.pause(*consumer.assignment())
        return tuple(record for records in fetched.values() for record in records)


async def _as_it_came(records: Any) -> KafkaMessage:
    """FastStream's parser decodes every header and fails on a bad one; poison is the bus's own affair."""
    return KafkaMessage(raw_message=records, body=b"", headers={}, consumer=None)  # pyright: ignore[reportArgumentType]


async def _undecoded(message: KafkaMessage) -> Any:
    return message.raw_message


def make_broker(settings: Settings) -> KafkaBroker:
    """Return FastStream's broker for reading; speaking goes through the outbox alone."""
    options = connection(settings)
    servers = options.pop("bootstrap_servers")
    security = {key: value for key, value in options.items() if key != "security_protocol"}
    return KafkaBroker(
        servers,
        client_id=settings.service_name,
        consumer_only=True,
        allow_auto_create_topics=False,
        graceful_timeout=float(settings.shutdown_seconds),
        logger=logging.getLogger("kafka"),
        **_security(settings, security),
    )


def _security(settings: Settings, options: dict[str, Any]) -> dict[str, Any]:
    if settings.kafka_security_protocol == "PLAINTEXT":
        return {}
    from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

    context = options.get("ssl_context")
    if not settings.kafka_security_protocol.startswith("SASL"):
        return {"security": BaseSecurity(ssl_context=context)}
    kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    kind = kinds[settings.kafka_sasl_mechanism]
    username, password = options["sasl_plain_username"], options["sasl_plain_password"]
    return {"security": kind(username=username, password=password, ssl_context=context)}


def subscribe(broker: KafkaBroker, bus: Bus, topics: Iterable[str], settings: Settings, beat: Any) -> PatientSubscriber:
    """Subscribe `bus` to `topics` as one group; returns the subscriber, whose consumer appears when it starts."""
    names = sorted(topics)
    subscriber = broker.subscriber(
        *names,
        group_id=settings.service_name,
        batch=True,
        max_records=settings.batch_max_records,
        batch_timeout_ms=1000,
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="earliest",
        listener=TakesOver(bus),
        fetch_max_wait_ms=POLL_MS,
        consumer_timeout_ms=LOOK_MS,
        session_timeout_ms=15_000,
        rebalance_timeout_ms=20_000,
        heartbeat_interval_ms=3_000,
        group_instance_id=_member(settings, names),
        no_reply=True,
    )
    subscriber.__class__ = PatientSubscriber
    assert isinstance(subscriber, PatientSubscriber)
    subscriber.bus, subscriber.pace_seconds, subscriber.beat = bus, settings.pace_ms / 1000, beat

    async def consume(records: Any) -> None:
        await bus.consume(records)

    subscriber(consume, parser=_as_it_came, decoder=_undecoded)
    return subscriber


def _member(settings: Settings, topics: list[str]) -> str | None:
    """A static member's id holds a digest of its topics: a member with another list is another member."""
    if not settings.group_instance:
        return None
    digest = hashlib.sha256("\n".join(topics).encode()).hexdigest()[:12]
    return f"{settings.group_instance}-{digest}"
