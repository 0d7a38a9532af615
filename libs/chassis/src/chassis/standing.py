"""Which certificates are suspended, as one service knows it: read from the identity topic, beside the bus (Art. 20).

A report of loss must be obeyed within two seconds under any load, so it never waits behind a batch. The topic is
small: it is its own table, read to its end at every start and kept in memory. A view that lags is no view: whoever
cannot tell whether a key was lost lets nobody in.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from chassis import kafka
from chassis.settings import Settings
from contracts.envelope import Unreadable, decode
from contracts.signing import CertificateReinstated, CertificateSuspended
from contracts.topics import IDENTITY
from procedure.refusals import Refusal
from procedure.roster import CertificateIsSuspended

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

POLL_MS: Final = 4_000
"""How long the broker holds an empty fetch: a record ends the wait at once."""
RETRY_SECONDS: Final = 0.5
KNOWN: Final = {one.__name__: None for one in IDENTITY.says} | {
    one.__name__: one for one in (CertificateSuspended, CertificateReinstated)
}

log = structlog.get_logger()


class StandingNotKnown(Refusal):
    """暂时无法核实证书是否挂失，请稍后再试"""

    article = "第二十条"
    status = 503


class Standing:
    """The suspended certificates by serial, and until when this knowledge counts."""

    def __init__(self, lag_seconds: float) -> None:
        self._lag_seconds = lag_seconds
        self._suspended: set[str] = set()
        self._counts_until = 0.0

    def hold(self, serial: str) -> None:
        """Let a certificate pass. Raises CertificateIsSuspended, or StandingNotKnown while the view lags."""
        if serial in self._suspended:
            raise CertificateIsSuspended
        if time.monotonic() > self._counts_until:
            raise StandingNotKnown

    def lets_pass(self, serials: Iterable[str]) -> bool:
        """Whether each of `serials` counts now, as far as this view tells; a view that lags lets nobody pass."""
        return time.monotonic() <= self._counts_until and self._suspended.isdisjoint(serials)

    async def is_known(self) -> bool:
        """Whether the topic was read to its end once; asked by readiness."""
        return self._counts_until > 0

    def is_told(self, suspended: Iterable[str], seconds_ago: float) -> None:
        """Take over what the topic said `seconds_ago`, as the whole truth."""
        self._suspended = set(suspended)
        self._counts_until = time.monotonic() - seconds_ago + self._lag_seconds

    async def follow(self, settings: Settings) -> None:
        """Read the identity topic for as long as the service lives; Kafka may come and go."""
        while True:
            reader = kafka.make_reader(settings, POLL_MS)
            try:
                await reader.start()
                await self._read(reader)
            except (KafkaError, OSError) as trouble:
                log.warning("standing.waits", trouble=repr(trouble))
            finally:
                await reader.stop()
            await asyncio.sleep(RETRY_SECONDS)

    async def _read(self, reader: "AIOKafkaConsumer") -> None:
        """What is read anew counts from the topic's end on; until then the former view stands, and grows old."""
        found: set[str] = set()
        partitions = [TopicPartition(IDENTITY.name, number) for number in range(IDENTITY.partitions)]
        reader.assign(partitions)
        while True:
            fetched = await reader.getmany(timeout_ms=POLL_MS)
            for records in fetched.values():
                for record in records:
                    _apply(record, found)
            ago = await _seconds_since_the_end(reader, partitions)
            if ago is not None:
                self.is_told(found, ago)


def _apply(record: Any, suspended: set[str]) -> None:
    try:
        event = decode(record.value, record.headers, record.key, KNOWN)
    except Unreadable as trouble:
        log.error("standing.unreadable", offset=record.offset, trouble=str(trouble))
        return
    if isinstance(event, CertificateSuspended):
        suspended.add(event.serial)
    elif isinstance(event, CertificateReinstated):
        suspended.discard(event.serial)


async def _seconds_since_the_end(reader: "AIOKafkaConsumer", partitions: list[TopicPartition]) -> float | None:
    """Return how long ago the broker said that nothing is unread in any partition; None when something may be."""
    answered: list[float] = []
    for one in partitions:
        asked, end = reader.last_poll_timestamp(one), reader.highwater(one)
        if asked is None or end is None or await reader.position(one) < end:
            return None
        answered.append(asked / 1000)
    return max(0.0, time.time() - min(answered))
