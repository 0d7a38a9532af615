"""Wires signing's rooms."""

from datetime import timedelta

from chassis.bus import Listen
from chassis.catalogue import load
from chassis.service import Service
from contracts import topics
from evidence import trust
from evidence.certificates import parse_pem
from signing import api, initial, login_api, losses_api
from signing.handlers import Handlers, InitialList
from signing.login_api import Logins
from signing.platform import PlatformKey
from signing.rates import Rates
from signing.revoked import RevokedList
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
    listed_issuers = trust.load(settings.trusted)
    revoked = RevokedList(listed_issuers, settings.revocation_seconds)
    logins = Logins(
        service.database,
        service.wallclock,
        listed_issuers,
        revoked,
        PlatformKey(token, settings.pkcs11_own_token, parse_pem(settings.platform_certificate_file.read_bytes())),
        settings.login_origin,
        timedelta(hours=settings.session_hours),
    )
    service.serves(login_api.router(logins, Rates(settings.login_per_minute)))
    service.health.check("revocation", revoked.is_known)
    first = InitialList(service.database, service.wallclock, listed)
    service.serves(losses_api.router(service.database, service.wallclock))
    service.beside(first.enter, revoked.keep_fresh)
    service.health.check("token", token.is_open)
    service.health.check("roster", first.is_said)
    return service
