"""Wires supervision's rooms."""

from chassis.bus import Listen
from chassis.catalogue import load
from chassis.service import Service
from contracts import topics
from supervision import api
from supervision.handlers import Handlers
from supervision.settings import Settings


def create(settings: Settings) -> Service:
    """Return supervision, ready to run. Its tables follow wholly from the topics, so commits need not wait for disk."""
    city = load(settings.catalogue_path)
    service = Service("Lianshen supervision", settings, durable=False)
    handlers = Handlers()
    service.listens(
        Listen(topics.PROJECTS, handlers.on_story),
        Listen(topics.APPLICATIONS, handlers.on_story),
        Listen(topics.STAGES, handlers.on_stages),
        Listen(topics.ITEMS, handlers.on_items),
        Listen(topics.CLOCKS, handlers.on_clocks),
        Listen(topics.SEAL_REQUESTS, handlers.on_story),
        Listen(topics.SEALS, handlers.on_story),
        Listen(topics.NOTICES, handlers.on_story),
        Listen(topics.SUPERVISION, handlers.on_story),
    )
    service.speaks(topics.SUPERVISION)
    service.serves(api.router(service.database, service.wallclock, city.catalogue, city.calendar))
    return service
