"""Partitions of topics read from one offset to another, beside the bus and without a group."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis import kafka
from chassis.bus import raw_of
from chassis.parking import Raw
from chassis.settings import Settings

AT_A_TIME: Final = 300
"""Records handed over at once: between two hand-overs the timer does its other work."""
POLL_MS: Final = 1_000


class Reader:
    """Reads with one consumer; see `reading`."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    async def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offsets after the last records. Raises KafkaError."""
        return await self._consumer.end_offsets(list(partitions))

    async def read(self, partition: TopicPartition, first: int, until: int) -> AsyncGenerator[list[Raw], None]:
        """Hand over the records from `first` to before `until`. Raises KafkaError."""
        if first >= until:
            return
        self._consumer.assign([partition])
        self._consumer.seek(partition, first)
        while await self._consumer.position(partition) < until:
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=AT_A_TIME)
            yield [raw_of(one) for records in fetched.values() for one in records if one.offset < until]


@asynccontextmanager
async def reading(settings: Settings) -> AsyncGenerator[Reader, None]:
    """A consumer of its own for as long as somebody reads. Raises KafkaError."""
    consumer: Any = AIOKafkaConsumer(
        **kafka.connection(settings),
        client_id=f"{settings.service_name}-reads",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        yield Reader(consumer)
    finally:
        await consumer.stop()
