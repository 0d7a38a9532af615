"""Wires signing's rooms."""

from chassis.bus import Listen
from chassis.catalogue import load
from chassis.service import Service
from contracts import topics
from contracts.department_worker import ItemDecided
from evidence import trust
from signing import api, initial
from signing.handlers import Handlers, InitialList
from signing.paper_handlers import Papers
from signing.papers import grants_of
from signing.sealing import Sealer
from signing.settings import Settings
from signing.stamps import Stamps
from signing.token import Limits, TokenDoor


def create(settings: Settings) -> Service:
    """Return signing, ready to run. Raises RosterFileInvalid for an initial list with defects."""
    if settings.environment == "production" and settings.document_form != "pdf":
        raise ValueError("DOCUMENT_FORM must be pdf when ENVIRONMENT=production: 电子签章文件（第十六条）")
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
    papers = _papers(service, settings, token) if settings.document_form == "pdf" else None
    handlers = Handlers(token, service.wallclock, forbidding, papers)
    service.listens(
        *(() if papers is None else (Listen(topics.ITEMS, papers.on_items, only=[ItemDecided]),)),
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


def _papers(service: Service, settings: Settings, token: TokenDoor) -> Papers:
    """Return what seals documents. Raises ValueError, BadTrustList or GrantsInvalid for what it needs."""
    folder, file = settings.trust_folder, settings.seal_grants_file
    if folder is None or file is None or not settings.tsa_url:
        raise ValueError("TRUST_FOLDER, TSA_URL and SEAL_GRANTS_FILE are needed when DOCUMENT_FORM=pdf")
    stamps, trusted = Stamps(settings.tsa_url), trust.load(folder)
    grants = grants_of(file.name, file.read_text("utf-8-sig"))
    service.health.check("timestamps", stamps.answers)
    sealer = Sealer(token, stamps, trusted, trusted.revocations)
    return Papers(sealer, lambda: grants, service.wallclock, service.bus)
