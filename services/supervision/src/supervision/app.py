"""Wires supervision's rooms."""

from chassis.bus import Listen
from chassis.calendars import Calendars
from chassis.catalogue import load
from chassis.service import Service
from contracts import topics
from supervision import api
from supervision.closing import Closer
from supervision.handlers import Handlers
from supervision.settings import Settings
from supervision.signals import Thresholds
from supervision.watch import Watch


def create(settings: Settings) -> Service:
    """Return supervision, ready to run. Its tables follow wholly from the topics, so commits need not wait for disk.

    One that is built anew beside it, under another name, closes no audit chains.
    """
    city = load(settings.catalogue_path)
    service = Service("Lianshen supervision", settings, durable=False)
    thresholds = _thresholds(settings)
    watch = Watch(service.database, service.bus, city, thresholds)
    closer = Closer(service.database, service.bus, service.wallclock, settings.audit_close_seconds)
    calendars, wakes = Calendars(city.calendar), (watch.wake, closer.wake)
    handlers = Handlers(city, calendars, thresholds, *wakes, tells=settings.exchange)
    service.listens(
        Listen(topics.CALENDAR, handlers.on_rules),
        Listen(topics.POLICIES, handlers.on_rules),
        Listen(topics.IDENTITY, handlers.on_rules),
        Listen(topics.PROJECTS, handlers.on_project),
        Listen(topics.APPLICATIONS, handlers.on_project),
        Listen(topics.STAGES, handlers.on_project),
        Listen(topics.ITEMS, handlers.on_project),
        Listen(topics.CLOCKS, handlers.on_project),
        Listen(topics.SEAL_REQUESTS, handlers.on_project),
        Listen(topics.SEALS, handlers.on_project),
        Listen(topics.NOTICES, handlers.on_project),
        Listen(topics.SUPERVISION, handlers.on_project),
        Listen(topics.AUDIT_ROOTS, handlers.on_audit),
        Listen(topics.AUDIT_SEALS, handlers.on_audit),
    )
    service.speaks(topics.SUPERVISION, topics.AUDIT_ROOTS)
    service.serves(*api.routers(api.Desk(service.database, service.wallclock, city)))
    if settings.service_name == topics.AUDIT_ROOTS.speaker:
        service.beside(closer.run)
    if thresholds.judge_conclusions or thresholds.burst_steps:
        service.beside(watch.run)
    return service


def _thresholds(settings: Settings) -> Thresholds:
    systems = tuple(one.strip() for one in settings.system_certificates.split(",") if one.strip())
    return Thresholds(
        settings.signal_minutes,
        settings.signal_document_date,
        settings.signal_unviewed,
        settings.signal_burst_steps,
        systems,
    )
