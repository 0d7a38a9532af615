"""Wires the timer's rooms."""

from chassis.bus import Listen
from chassis.catalogue import load
from chassis.service import Service
from contracts import topics
from timer import api
from timer.firing import Firing
from timer.handlers import STAGE_EVENTS, STEPS, Handlers
from timer.reckoning import Reckonings
from timer.reconciling import Reconciler
from timer.recounting import Recounting
from timer.restoring import Memory
from timer.settings import Settings


def create(settings: Settings) -> Service:
    """Return the timer, ready to run."""
    service = Service("Lianshen timer", settings)
    database, bus, wallclock = service.database, service.bus, service.wallclock
    reckonings = Reckonings(load(settings.catalogue_path).calendar)
    memory = Memory(bus)
    firing = Firing(database, bus, wallclock, reckonings, settings)
    recounting = Recounting(database, wallclock, reckonings, firing, settings.recount_batch)
    reconciler = Reconciler(database, bus, wallclock, reckonings, memory, firing, settings)
    handlers = Handlers(reckonings, memory, firing.wake, recounting.wake, firing.patience)
    service.listens(
        Listen(topics.CALENDAR, handlers.on_calendar),
        Listen(topics.STAGES, handlers.on_story, only=STAGE_EVENTS),
        Listen(topics.ITEMS, handlers.on_story, only=STEPS),
    )
    service.speaks(topics.CLOCKS, topics.CALENDAR)
    service.serves(api.router(database, bus, wallclock, reckonings, recounting, reconciler))
    service.beside(firing.run, recounting.run, reconciler.keep_restoring, reconciler.keep_reconciling)
    return service
