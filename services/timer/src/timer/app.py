"""Wires the timer's rooms."""

from chassis.bus import Listen
from chassis.catalogue import load
from chassis.service import Service
from contracts import topics
from timer.domain import FELT
from timer.firing import Firing
from timer.handlers import Handlers
from timer.settings import Settings


def create(settings: Settings) -> Service:
    """Return the timer, ready to run."""
    calendar = load(settings.catalogue_path).calendar
    service = Service("Lianshen timer", settings)
    firing = Firing(service.database, service.bus, service.wallclock, calendar, settings)
    handlers = Handlers(calendar, firing.wake)
    service.listens(
        Listen(topics.STAGES, handlers.on_stages),
        Listen(topics.ITEMS, handlers.on_items, only=FELT),
    )
    service.speaks(topics.CLOCKS)
    service.beside(firing.run)
    return service
