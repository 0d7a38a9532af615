"""The working calendar as one service knows it: the city's tables, and every amendment that was said since (P24, P25).

Each service that counts days keeps the amendments in its own database; whoever counts asks inside its unit of work, so
an amendment that was applied before is never missed, whichever process applied it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from chassis.bus import Bus, Received
from chassis.database import Connection, Work
from contracts import topics
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


@dataclass(frozen=True)
class InForce:
    """The calendar as it stood at any instant: `base` with the amendments that had been ordered by then (R5, R15).

    Amendments are ordered one after the other, so how many there were by an instant tells which.
    """

    base: Calendar
    amendments: tuple[CalendarAmended, ...]
    newest: Calendar
    _as_of: dict[int, Calendar] = field(default_factory=dict[int, Calendar], compare=False, repr=False)

    def at(self, instant: datetime) -> Calendar:
        """Return the calendar that an act of `instant` is judged by: what is ordered later cannot make it late."""
        ordered = [one for one in self.amendments if one.ordered_at <= instant]
        if len(ordered) == len(self.amendments):
            return self.newest
        if len(ordered) not in self._as_of:
            self._as_of[len(ordered)] = amended(self.base, ordered)
        return self._as_of[len(ordered)]


class Calendars:
    """The calendar in force over `base`."""

    def __init__(self, base: Calendar) -> None:
        self._sequence = 0
        self._in_force = InForce(base, (), base)

    async def current(self, connection: Connection) -> Calendar:
        """Return the calendar with every amendment that this database has."""
        return (await self.in_force(connection)).newest

    async def in_force(self, connection: Connection) -> InForce:
        """Return what this database knows of the calendar, with the order of its amendments."""
        newest = await connection.fetchval(_NEWEST)
        if newest != self._sequence:
            rows = await connection.fetch(_ALL)
            said = tuple(CalendarAmended.model_validate_json(row["amendment"], extra="ignore") for row in rows)
            base = self._in_force.base
            self._in_force, self._sequence = InForce(base, said, amended(base, said)), newest
        return self._in_force

    async def surely(self, bus: Bus, work: Work) -> InForce | None:
        """Return the calendar when every amendment said up to now is in it; None while some may still be unread.

        Raises NotNow when Kafka does not answer.
        """
        if topics.CALENDAR.name not in await bus.has_read_to_end([topics.CALENDAR.name], work):
            return None
        return await self.in_force(work.connection)

    async def on_calendar(self, events: Sequence[Received[CalendarAmended]], work: Work) -> None:
        """The calendar was amended: from now on every count uses it."""
        await keep(work, [received.event for received in events])


async def keep(work: Work, amendments: Sequence[CalendarAmended]) -> None:
    """Keep amendments; a repeat changes nothing."""
    await work.execute(_ADD, [one.sequence for one in amendments], [one.model_dump_json() for one in amendments])
