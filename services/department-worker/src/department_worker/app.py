"""Wires the department worker's rooms: the handler table lists every department it hosts."""

from chassis import rostered
from chassis.bus import Listen
from chassis.catalogue import load
from chassis.rostered import Roster
from chassis.service import Service
from contracts import topics
from contracts.intake import ApplicationReceived
from contracts.signing import RosterListed
from contracts.timer import ItemAutoRecall
from department_worker import api
from department_worker.handlers import Handlers
from department_worker.settings import Settings, departments


def create(settings: Settings) -> Service:
    """Return the department worker, ready to run. Raises ValueError for departments the catalogue does not know."""
    if settings.environment == "production" and not settings.seal_decisions:
        raise ValueError("SEAL_DECISIONS must be true when ENVIRONMENT=production: 办结须含签章（第十条）")
    city = load(settings.catalogue_path)
    service = Service("Lianshen department worker", settings)
    roster = Roster(service.bus)
    handlers = Handlers(city, service.bus, service.wallclock, roster, sealed=settings.seal_decisions)
    hosted = departments(settings.worker_departments, city.catalogue)
    service.listens(
        Listen(topics.IDENTITY, rostered.on_identity, only=[RosterListed]),
        *(Listen(topics.department_items(*one), handlers.on_dispatched) for one in hosted),
        Listen(topics.APPLICATIONS, handlers.on_applications, only=[ApplicationReceived]),
        *(Listen(topics.department_reports(*one), handlers.on_reports) for one in hosted),
        Listen(topics.SEALS, handlers.on_seals),
        Listen(topics.CLOCKS, handlers.on_clocks, only=[ItemAutoRecall]),
    )
    service.speaks(topics.ITEMS, topics.SEAL_REQUESTS)
    service.serves(api.router(service.database, service.wallclock, city, roster, sealed=settings.seal_decisions))
    return service
