"""Dead letters: what nobody here could understand, kept as it came, so that it can be looked at and replayed."""

import base64
import time
from collections import deque
from datetime import UTC, datetime
from typing import Final

from chassis import metrics
from chassis.database import Work
from chassis.parking import Raw
from contracts import topics
from contracts.dead_letters import DeadLetter
from contracts.envelope import derived_id

LARGEST_KEPT: Final = 256 * 1024
"""Bytes of a value that a dead letter keeps; `truncated` says when there were more."""
HEADERS_KEPT: Final = 32


class TooMany(Exception):
    """More dead letters a minute than a sound release makes: reading stops before everything is buried."""


class Believed:
    """Counts dead letters of the last minute. Raises TooMany when `per_minute` is exceeded."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._at: deque[float] = deque()

    def one_more(self) -> None:
        """Count one. Raises TooMany when it is one too many; the record is then read again later."""
        now = time.monotonic()
        while self._at and self._at[0] < now - 60:
            self._at.popleft()
        if len(self._at) >= self._per_minute:
            raise TooMany(f"{self._per_minute} dead letters within a minute")
        self._at.append(now)


def say(work: Work, raw: Raw, reason: str, detail: str) -> None:
    """Say a dead letter for `raw` when `work` commits; a repeat of the same record has the same id."""
    metrics.dead_letter(reason)
    event_id = derived_id("dead-letter", work.service, raw.topic, raw.partition, raw.offset)
    now = datetime.now(UTC)
    value = raw.value or b""
    work.say(
        topics.DEAD_LETTERS,
        DeadLetter(
            event_id=event_id,
            causation_id=event_id,
            occurred_at=now,
            original_key=_printable(raw.key or b"")[:256],
            service=work.service,
            topic=raw.topic,
            partition=raw.partition,
            offset=raw.offset,
            headers=tuple(
                (_printable(name.encode())[:100], _base64(held[:4096])) for name, held in raw.headers[:HEADERS_KEPT]
            ),
            value=None if raw.value is None else _base64(value[:LARGEST_KEPT]),
            truncated=len(value) > LARGEST_KEPT or len(raw.headers) > HEADERS_KEPT,
            reason=reason,
            detail=_printable(detail.encode("utf-8", "replace"))[:2000],
            attempts=raw.attempts + 1,
            first_at=raw.first_at or now,
            last_at=now,
        ),
    )


def _base64(held: bytes) -> str:
    return base64.b64encode(held).decode()


def _printable(held: bytes) -> str:
    text = held.decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
