"""Wires intake's rooms."""

from chassis.bus import Listen
from chassis.calendars import Calendars
from chassis.catalogue import load
from chassis.filing import Filing
from chassis.service import Service
from contracts import topics
from contracts.signing import SealRejected
from contracts.supervision import SpecialHandlingGranted
from intake import api
from intake.api.office import Office
from intake.handlers import Handlers
from intake.materials import Materials
from intake.settings import Settings


def create(settings: Settings) -> Service:
    """Return intake, ready to run."""
    city = load(settings.catalogue_path)
    service = Service("Lianshen intake", settings)
    handlers, calendars = Handlers(city), Calendars(city.calendar)
    service.listens(
        Listen(topics.STAGES, handlers.on_stages),
        Listen(topics.ITEMS, handlers.on_items),
        Listen(topics.CLOCKS, handlers.on_clocks),
        Listen(topics.SEALS, handlers.on_seals, only=(SealRejected,)),
        Listen(topics.CALENDAR, calendars.on_calendar),
        Listen(topics.SUPERVISION, handlers.on_special_handling, only=(SpecialHandlingGranted,)),
    )
    service.speaks(topics.PROJECTS, topics.APPLICATIONS, topics.POLICIES, topics.NOTICES)
    materials = Materials(settings.materials_url)
    filing = Filing(settings.documents_url)
    service.serves(api.router(Office(service.database, service.wallclock, city, calendars, materials, filing)))
    return service
