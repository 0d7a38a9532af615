"""Wires intake's rooms."""

from chassis.bus import Listen
from chassis.catalogue import load
from chassis.service import Service
from contracts import topics
from intake import api
from intake.handlers import Handlers
from intake.materials import Materials
from intake.settings import Settings


def create(settings: Settings) -> Service:
    """Return intake, ready to run."""
    city = load(settings.catalogue_path)
    service = Service("Lianshen intake", settings)
    handlers = Handlers(city.catalogue)
    service.listens(
        Listen(topics.STAGES, handlers.on_stages),
        Listen(topics.ITEMS, handlers.on_items),
        Listen(topics.CLOCKS, handlers.on_clocks),
    )
    service.speaks(topics.PROJECTS, topics.APPLICATIONS, topics.NOTICES)
    materials = Materials(settings.materials_url)
    service.serves(api.router(service.database, service.wallclock, city.catalogue, materials))
    return service
