"""A timer whose database was lost remembers what it said: its own topic is kept for ever.

Reading everything anew by its handlers would say much of it a second time under other generations, since lights turned
and calendars changed in between. So a partition of which no row exists, though the timer has spoken of it, is not
handled before `timer.reconciling` has made its rows from the topics.
"""

import asyncio
from collections.abc import Collection
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from chassis.bus import Bus, NotNow
from chassis.database import Work
from contracts import topics
from timer import store

CLOCKS: Final = topics.CLOCKS.name


class Memory:
    """Which partitions' rows are known to be there, and which are lost."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._known: set[int] = set()
        self.lost: set[int] = set()
        self.asked = asyncio.Event()

    async def hold(self, work: Work, partitions: Collection[int]) -> None:
        """Let a unit of work go on only when the rows of its partitions are there. Raises NotNow."""
        for partition in sorted(set(partitions) - self._known):
            if not await store.knows(work, partition) and await self._has_spoken(partition):
                self.lost.add(partition)
                self.asked.set()
                raise NotNow(f"the clocks of partition {partition} are lost and being restored")
            self._known.add(partition)

    def is_there(self, partition: int) -> None:
        """The rows of a partition were restored."""
        self.lost.discard(partition)
        self._known.add(partition)

    async def _has_spoken(self, partition: int) -> bool:
        consumer = self._bus.consumer
        if consumer is None:
            return False
        own = TopicPartition(CLOCKS, partition)
        try:
            return (await consumer.end_offsets([own]))[own] > 0
        except KafkaError as trouble:
            raise NotNow(repr(trouble)) from trouble
