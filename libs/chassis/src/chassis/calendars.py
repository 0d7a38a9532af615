"""The working calendar as one service knows it: the city's tables, and every amendment that was said since (P24, P25).

Each service that counts days keeps the amendments in its own database; whoever counts asks inside its unit of work, so
an amendment that was applied before is never missed, whichever process applied it.
"""

from collections.abc import Sequence
from typing import Final

from chassis.bus import Received
from chassis.database import Connection, Work
from contracts.timer import CalendarAmended
from procedure.calendar import Calendar, amended

DDL: Final = """
CREATE TABLE calendar_amendments (
    sequence int PRIMARY KEY,
    amendment text NOT NULL
);
"""

_NEWEST = "SELECT coalesce(max(sequence), 0) FROM calendar_amendments"
_ALL = "SELECT amendment FROM calendar_amendments ORDER BY sequence"
_ADD = """
    INSERT INTO calendar_amendments (sequence, amendment) SELECT * FROM unnest($1::int[], $2::text[])
    ON CONFLICT (sequence) DO NOTHING
"""


class Calendars:
    """The calendar in force over `base`."""

    def __init__(self, base: Calendar) -> None:
        self._base = base
        self._sequence = 0
        self._calendar = base

    async def current(self, connection: Connection) -> Calendar:
        """Return the calendar with every amendment that this database has."""
        newest = await connection.fetchval(_NEWEST)
        if newest != self._sequence:
            rows = await connection.fetch(_ALL)
            said = [CalendarAmended.model_validate_json(row["amendment"], extra="ignore") for row in rows]
            self._calendar, self._sequence = amended(self._base, said), newest
        return self._calendar

    async def on_calendar(self, events: Sequence[Received[CalendarAmended]], work: Work) -> None:
        """The calendar was amended: from now on every count uses it."""
        await keep(work, [received.event for received in events])


async def keep(work: Work, amendments: Sequence[CalendarAmended]) -> None:
    """Keep amendments; a repeat changes nothing."""
    await work.execute(_ADD, [one.sequence for one in amendments], [one.model_dump_json() for one in amendments])
