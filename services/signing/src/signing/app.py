"""Wires signing's rooms."""

from chassis.bus import Listen
from chassis.catalogue import load
from chassis.service import Service
from contracts import topics
from signing import api, initial
from signing.handlers import Handlers, InitialList
from signing.settings import Settings
from signing.token import Limits, TokenDoor


def create(settings: Settings) -> Service:
    """Return signing, ready to run. Raises RosterFileInvalid for an initial list with defects."""
    catalogues = list(load(settings.catalogue_path).catalogues.values())
    seed = settings.roster_seed_file
    listed = [] if seed is None else initial.entries_of(seed.name, seed.read_text("utf-8-sig"), catalogues)
    service = Service("Lianshen signing", settings)
    token = TokenDoor(
        settings.pkcs11_module,
        settings.pkcs11_pin_folder,
        settings.pkcs11_latch_folder,
        own_label=settings.pkcs11_own_token,
        limits=Limits(settings.token_threads, settings.token_waiting, settings.token_seconds),
        allows_stand_in=settings.environment == "development",
    )

    forbidding = {seal.strip() for seal in settings.batch_forbidden.split(",")}
    handlers = Handlers(token, service.wallclock, forbidding)
    service.listens(
        Listen(topics.SEAL_REQUESTS, handlers.on_seal_requests),
        Listen(topics.AUDIT_ROOTS, handlers.on_audit_roots),
    )
    service.speaks(topics.SEALS, topics.IDENTITY, topics.AUDIT_SEALS)
    service.serves(api.router(service.database, service.wallclock, catalogues))
    first = InitialList(service.database, service.wallclock, listed)
    service.beside(first.enter)
    service.health.check("token", token.is_open)
    service.health.check("roster", first.is_said)
    return service
