"""Wires signing's rooms."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from chassis.bus import Listen
from chassis.catalogue import load
from chassis.service import Service
from contracts import topics
from contracts.department_worker import ItemDecided
from contracts.intake import WindowDocumentRequested
from evidence import trust
from evidence.certificates import Certificate, Purpose, parse_pem
from evidence.service_token import TOLD_ELSEWHERE
from evidence.trust import TrustList
from procedure.notices import NOTICED
from signing import web
from signing.api import entrance, logins, losses, roster
from signing.api.logins import Logins
from signing.domain import initial
from signing.domain.papers import Systems, grants_of
from signing.handlers.certificates import SealCertificates
from signing.handlers.papers import Papers
from signing.handlers.refusing import Refusing
from signing.handlers.revoking import Revoking
from signing.handlers.seals import Handlers, InitialList
from signing.platform import PlatformKey
from signing.rates import Rates
from signing.responders import Responders
from signing.revoked import RevokedList
from signing.sealing import Sealer
from signing.settings import Settings
from signing.stamps import Stamps
from signing.token.door import Limits, TokenDoor
from signing.web import Verifier


def create(settings: Settings) -> Service:
    """Return signing, ready to run. Raises RosterFileInvalid for an initial list with defects."""
    listed_issuers = trust.load(settings.trusted)
    if settings.environment == "production":
        _hold_to_production(settings, listed_issuers)
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
    revoked = RevokedList(listed_issuers, settings.revocation_seconds)
    responders = Responders(listed_issuers, revoked)
    is_pdf = settings.document_form == "pdf"
    certificates = SealCertificates(token, responders)
    papers = _papers(service, settings, token, responders, certificates) if is_pdf else None
    handlers = Handlers(token, certificates, service.wallclock, forbidding, papers)
    service.listens(
        *(() if papers is None else _registering(papers)),
        Listen(topics.SEAL_REQUESTS, handlers.on_seal_requests),
        Listen(topics.AUDIT_ROOTS, handlers.on_audit_roots),
    )
    service.speaks(topics.SEALS, topics.IDENTITY, topics.AUDIT_SEALS)
    service.serves(roster.router(service.database, service.wallclock, catalogues))
    platform = parse_pem(settings.platform_certificate_file.read_bytes())
    doors = Logins(
        service.database,
        service.wallclock,
        responders,
        PlatformKey(token, settings.pkcs11_own_token, platform),
        catalogues[-1],
        settings.login_origin,
        timedelta(hours=settings.session_hours),
    )
    service.serves(logins.router(doors, Rates(settings.login_per_minute)))
    service.serves(entrance.router(settings.agent_url))
    service.serves(web.router(Verifier(service.database, service.wallclock, settings.trusted, revoked)))
    service.health.check("revocation", revoked.is_known)
    first = InitialList(service.database, service.wallclock, listed)
    service.serves(losses.router(service.database, service.wallclock))
    revoking = Revoking(service.database, service.wallclock, revoked, platform)
    refusing = Refusing(service.database, service.wallclock)
    service.beside(first.enter, revoked.keep_fresh, revoking.follow, refusing.follow)
    service.health.check("token", token.is_open)
    service.health.check("roster", first.is_said)
    return service


def _hold_to_production(settings: Settings, listed: TrustList) -> None:
    """Hold a production to what development may leave out. Raises ValueError."""
    if settings.document_form != "pdf":
        raise ValueError("DOCUMENT_FORM must be pdf when ENVIRONMENT=production: 电子签章文件（第十六条）")
    for issuer in listed.issuers.values():
        if Purpose.SEAL in issuer.purposes and issuer.seals is None:
            raise ValueError(
                f"trust.toml must name the seals of {issuer.certificate.holder} when ENVIRONMENT=production: "
                "该机构也为其他单位签发印章，须写明哪些机关的印章有效（第十六条）"
            )
    if "*" in _systems(settings).named:
        raise ValueError(
            "SYSTEMS_DECIDE must name the departments that decide in systems of their own when ENVIRONMENT=production: "
            "其他机关的决定须有经办人本人签名（第十九条、第二十条）"
        )


def _systems(settings: Settings) -> Systems:
    return Systems(frozenset(one.strip() for one in settings.systems_decide.split(",")))


def _registering(papers: Papers) -> Sequence[Listen]:
    """What registers documents for their seals stands before the requests."""
    return (
        Listen(topics.ITEMS, papers.on_items, only=[ItemDecided, *NOTICED]),
        Listen(topics.APPLICATIONS, papers.on_asked, only=[WindowDocumentRequested]),
    )


def _papers(
    service: Service, settings: Settings, token: TokenDoor, responders: Responders, certificates: SealCertificates
) -> Papers:
    """Return what seals documents. Raises ValueError or GrantsInvalid for what it needs."""
    file = settings.seal_grants_file
    if file is None or not settings.tsa_url:
        raise ValueError("TSA_URL and SEAL_GRANTS_FILE are needed when DOCUMENT_FORM=pdf")
    grants, stamps = grants_of(file.name, file.read_text("utf-8-sig")), Stamps(settings.tsa_url)
    service.health.check("timestamps", stamps.answers)
    sealer = Sealer(token, stamps, responders)

    def persons(certificate: Certificate, at: datetime) -> None:
        responders.trust.hold(certificate, Purpose.LOGIN, at, TOLD_ELSEWHERE)

    return Papers(sealer, certificates, lambda: grants, _systems(settings), persons, service.wallclock, service.bus)
