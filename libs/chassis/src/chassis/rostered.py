"""The roster as one service knows it (Art. 18): the last word on every holder, by certificate."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

from pydantic import TypeAdapter

from chassis.bus import Received
from chassis.database import Connection, Work
from contracts.signing import RosterEntry, RosterListed

DDL: Final = """
CREATE TABLE roster (
    serial text PRIMARY KEY,
    holder text NOT NULL,
    entries text NOT NULL
);
"""

Entries = tuple[RosterEntry, ...]
_ENTRIES: Final = TypeAdapter(Entries)
_OF = "SELECT serial, entries FROM roster WHERE serial = ANY($1::text[])"
_KEEP = """
    INSERT INTO roster (serial, holder, entries) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    ON CONFLICT (serial) DO UPDATE SET holder = excluded.holder, entries = excluded.entries
"""


async def on_identity(events: Sequence[Received[RosterListed]], work: Work) -> None:
    """The roster of a holder changed: each event says all that holds, has held and will hold."""
    last = {received.event.serial: received.event for received in events}
    told = [last[serial] for serial in sorted(last)]
    entries = [_ENTRIES.dump_json(one.entries).decode() for one in told]
    await work.execute(_KEEP, [one.serial for one in told], [one.holder for one in told], entries)


async def entries_of(connection: Connection, serials: Collection[str]) -> dict[str, Entries]:
    """Return what the roster says of the holders of certificates; () for one it does not know."""
    rows = await connection.fetch(_OF, list(serials))
    known = {row["serial"]: _entries(row["entries"]) for row in rows}
    return {serial: known.get(serial, ()) for serial in serials}


@lru_cache(4096)
def _entries(text: str) -> Entries:
    return _ENTRIES.validate_json(text)
