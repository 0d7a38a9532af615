"""Wires the department worker's rooms: the handler table lists every department it hosts."""

from chassis import rostered
from chassis.bus import Listen
from chassis.calendars import Calendars
from chassis.catalogue import City, load
from chassis.filing import Filing
from chassis.rostered import Roster
from chassis.service import Service
from contracts import topics
from contracts.intake import ApplicationReceived, WindowDocumentRequested
from contracts.supervision import SpecialHandlingGranted, UrgeAnswered, Urged, UrgeReceived
from contracts.terms import SealForm
from contracts.timer import AcceptanceOverdue, ItemAutoRecall
from department_worker import api, proofs_api
from department_worker.at_hand import AtHand
from department_worker.fonts import Fonts
from department_worker.handlers import Handlers
from department_worker.press import Press
from department_worker.settings import Settings, departments, windows
from department_worker.stepping_up import StepUp
from department_worker.workshop import Workshop
from evidence import trust


def create(settings: Settings) -> Service:
    """Return the department worker, ready to run. Raises ValueError for departments the catalogue does not know."""
    if settings.environment == "production" and not settings.seal_decisions:
        raise ValueError("SEAL_DECISIONS must be true when ENVIRONMENT=production: 办结须含签章（第十条）")
    if settings.environment == "production" and settings.document_form != "pdf":
        raise ValueError("DOCUMENT_FORM must be pdf when ENVIRONMENT=production: 电子签章文件（第十六条）")
    city = load(settings.catalogue_path)
    service = Service("Lianshen department worker", settings)
    calendars, roster = Calendars(city.calendar), Roster(service.bus, service.standing)
    form = SealForm.PDF if settings.document_form == "pdf" else SealForm.DIGEST
    press = _press(service, settings, calendars, city) if form is SealForm.PDF else None
    wake = (lambda: None) if press is None else press.wake
    at_windows = windows(settings.worker_departments)
    sealed = settings.seal_decisions
    handlers = Handlers(calendars, service.bus, roster, sealed=sealed, form=form, wake=wake, windows=at_windows)
    hosted = departments(settings.worker_departments, city.catalogue)
    service.listens(
        Listen(topics.IDENTITY, rostered.on_identity, only=rostered.SAYS),
        Listen(topics.CALENDAR, handlers.on_calendar),
        *(Listen(topics.department_items(*one), handlers.on_dispatched) for one in hosted),
        Listen(topics.APPLICATIONS, handlers.on_applications, only=[ApplicationReceived, WindowDocumentRequested]),
        *(Listen(topics.department_reports(*one), handlers.on_reports) for one in hosted),
        Listen(topics.SEALS, handlers.on_seals),
        Listen(
            topics.SUPERVISION,
            handlers.on_supervision,
            only=[Urged, UrgeReceived, UrgeAnswered, SpecialHandlingGranted],
        ),
        Listen(topics.CLOCKS, handlers.on_clocks, only=[ItemAutoRecall, AcceptanceOverdue]),
    )
    service.speaks(topics.ITEMS, topics.SEAL_REQUESTS)
    step_up = StepUp(service.database, trust.load(settings.trusted), settings.login_origin)
    office = api.Office(
        service.database,
        service.bus,
        service.wallclock,
        calendars,
        roster,
        step_up,
        sealed=settings.seal_decisions,
        form=form,
        wake=wake,
    )
    service.serves(api.router(office))
    filing = Filing(settings.documents_url) if settings.documents_url else None
    service.serves(proofs_api.router(service.database, filing))
    if press is not None:
        service.beside(press.run)
    return service


def _press(service: Service, settings: Settings, calendars: Calendars, city: City) -> Press:
    """Return the press. Raises ValueError without a place for documents, FontsIncomplete without their fonts."""
    fonts, trust_folder = settings.fonts_folder, settings.trust_folder
    if not settings.documents_url or fonts is None or trust_folder is None:
        raise ValueError("DOCUMENTS_URL, FONTS_FOLDER and TRUST_FOLDER are needed when DOCUMENT_FORM=pdf")
    Fonts(fonts)
    is_test = settings.environment == "development"
    workshop = Workshop(fonts, trust_folder, settings.document_processes, is_test=is_test)
    filing = Filing(settings.documents_url)
    at_hand = AtHand(trust.load(trust_folder), settings.revocation_seconds)
    return Press(service.database, calendars, city, workshop, filing, at_hand, settings.verify_url)
