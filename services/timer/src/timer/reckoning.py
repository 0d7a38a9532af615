"""By which calendar the timer counts: asked once per unit of work, so an amendment applied before is never missed."""

from collections.abc import Sequence

from chassis.bus import Received
from chassis.calendars import Calendars
from chassis.database import Connection, Work
from contracts.envelope import derived_id
from contracts.terms import DueCause
from contracts.timer import CalendarAmended
from procedure.calendar import Calendar
from timer import store
from timer.tracked import Reckoning


class Reckonings:
    """The calendar in force over the city's tables `base`."""

    def __init__(self, base: Calendar) -> None:
        self._base = base
        self._calendars = Calendars(base)
        self._last: Reckoning | None = None

    async def current(self, connection: Connection) -> Reckoning:
        """Return by what this unit of work counts."""
        calendar = await self._calendars.current(connection)
        if self._last is None or self._last.calendar is not calendar:
            self._last = await self._made(calendar, connection)
        return self._last

    async def _made(self, calendar: Calendar, connection: Connection) -> Reckoning:
        """Other tables of the city are another calendar too, whatever was amended since."""
        name = f"{self._base.version} {calendar.version}"
        amended = await store.amendments(connection)
        if not amended:
            return Reckoning(calendar, name, DueCause.CALENDAR, derived_id("calendar", name))
        return Reckoning(calendar, name, amended[-1].cause, amended[-1].event_id)

    async def on_calendar(self, events: Sequence[Received[CalendarAmended]], work: Work) -> None:
        """The timer's own amendments come back: kept already, unless its database was lost."""
        await self._calendars.on_calendar(events, work)
