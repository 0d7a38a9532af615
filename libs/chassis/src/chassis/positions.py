"""How far each partition was read, kept in the service's own database: one row a batch cuts off redelivery and zombies.

The offsets committed to Kafka are for lag tools only. A position moves only in the transaction that applied the
records below it, and only forward from where it stood.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition

from chassis.database import Connection

_ENSURE = """
    INSERT INTO positions (topic, partition, next_offset)
    SELECT t, p, 0 FROM unnest($1::text[], $2::int[]) AS wanted (t, p)
    ON CONFLICT DO NOTHING
"""
_READ = """
    SELECT topic, partition, next_offset FROM positions
    JOIN unnest($1::text[], $2::int[]) AS wanted (t, p) ON topic = t AND partition = p
"""
_ADVANCE = """
    UPDATE positions SET next_offset = read.next, moved_at = clock_timestamp()
    FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS read (t, p, first, next)
    WHERE topic = read.t AND partition = read.p AND next_offset <= read.first
"""


@dataclass(frozen=True, slots=True)
class Span:
    """The records of one partition in one batch: the first offset, and the one after the last."""

    partition: TopicPartition
    first: int
    next: int


async def read(connection: Connection, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the next offset to apply of every partition; 0 for one never read."""
    wanted = sorted(partitions)
    topics, numbers = [tp.topic for tp in wanted], [tp.partition for tp in wanted]
    await connection.execute(_ENSURE, topics, numbers)
    rows = await connection.fetch(_READ, topics, numbers)
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def advance(connection: Connection, spans: Sequence[Span]) -> bool:
    """Move every partition past its span; False when one of them was already past its first record."""
    moved = await connection.execute(
        _ADVANCE,
        [span.partition.topic for span in spans],
        [span.partition.partition for span in spans],
        [span.first for span in spans],
        [span.next for span in spans],
    )
    return moved == f"UPDATE {len(spans)}"


def stale(
    positions: Mapping[TopicPartition, int], beginning: Mapping[TopicPartition, int], end: Mapping[TopicPartition, int]
) -> str:
    """Return why reading must not go on from `positions` (a topic made anew, records deleted unread), or ''."""
    for tp, position in sorted(positions.items()):
        if position > end[tp]:
            return (
                f"position {position} of {tp.topic}/{tp.partition} is beyond its end {end[tp]}: the topic was made anew"
            )
        if 0 < position < beginning[tp]:
            return (
                f"{tp.topic}/{tp.partition} begins at {beginning[tp]}: records from {position} on were deleted unread"
            )
    return ""
