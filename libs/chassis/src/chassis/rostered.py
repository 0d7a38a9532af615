"""The roster as one service knows it (Art. 18): the last word on every holder, by certificate.

Nobody is sent away by a roster of which something stands unread, and at start nobody is judged at all before it was
read to its end: `Roster` tells when it may be judged by.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from pydantic import TypeAdapter

from chassis.bus import Bus, NotNow, Received
from chassis.database import Connection, Work
from contracts import topics
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode
from contracts.signing import RosterEntry, RosterListed
from procedure.refusals import Refusal
from procedure.roster import hold_to_roster, may_handle

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
PATIENCE_SECONDS: Final = 5.0
"""How long a person over HTTP waits for Kafka to tell where the topic ends."""


class RosterNotRead(Refusal):
    """责任人名单正在同步，请稍后再试"""

    article = None
    status = 503


class Roster:
    """Who may act, asked inside a unit of work, over what `bus` has read."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._was_read = False

    async def judging(
        self, work: Work, serials: Collection[str], lets_all_act: Callable[[Mapping[str, Entries]], bool]
    ) -> Mapping[str, Entries] | None:
        """Return what the roster says of `serials`, or None while it must not be judged by.

        One small query where `lets_all_act` by what is known. Before anybody is refused, and before the first judgement
        of this process, the identity topic is read to its end as it is now. Raises NotNow when Kafka does not answer.
        """
        known = await entries_of(work.connection, serials)
        if self._was_read and lets_all_act(known):
            return known
        if not await self._bus.has_read_to_end([topics.IDENTITY.name], work):
            return None
        self._was_read = True
        return await entries_of(work.connection, serials)

    async def hold(
        self,
        work: Work,
        serial: str,
        at: datetime,
        jurisdiction: JurisdictionCode,
        department: DepartmentCode,
        item_code: ItemCode,
    ) -> None:
        """Hold one person's act to the roster as of `at`. Raises NotOnRoster, or RosterNotRead for now."""

        def may_act(known: Mapping[str, Entries]) -> bool:
            return may_handle(known[serial], at, jurisdiction, department, item_code)

        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                known = await self.judging(work, [serial], may_act)
        except (NotNow, TimeoutError):
            known = None
        if known is None:
            raise RosterNotRead
        hold_to_roster(known[serial], at, jurisdiction, department, item_code)


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
