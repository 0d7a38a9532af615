"""Wires the dispatcher's rooms."""

from chassis.bus import Listen
from chassis.catalogue import load
from chassis.service import Service
from contracts import topics
from contracts.supervision import ExpiryDecided, SpecialHandlingGranted
from dispatcher.folding import STATE_AFTER
from dispatcher.handlers import DECLARED, Handlers
from dispatcher.settings import Settings


def create(settings: Settings) -> Service:
    """Return the dispatcher, ready to run."""
    service = Service("Lianshen dispatcher", settings)
    handlers = Handlers(load(settings.catalogue_path), service.bus)
    service.listens(
        Listen(topics.APPLICATIONS, handlers.on_applications, only=DECLARED),
        Listen(topics.ITEMS, handlers.on_items, only=STATE_AFTER.keys()),
        Listen(topics.SUPERVISION, handlers.on_supervision, only=(SpecialHandlingGranted, ExpiryDecided)),
    )
    service.speaks(topics.STAGES)
    return service
