"""The one table of topics: compose, Kubernetes, the runner, AsyncAPI and access rights are made from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from contracts import dead_letters, department, department_worker, dispatcher, intake, signing, supervision, timer
from contracts.codes import DepartmentCode, JurisdictionCode
from contracts.envelope import Event

FOREVER: Final = -1
DAYS_400: Final = 400 * 24 * 3600 * 1000
PARTITIONS: Final = 4
DEPARTMENT_PARTITIONS: Final = 1


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: who speaks, what may be said, for how long it is kept (milliseconds, FOREVER for ever)."""

    name: str
    speaker: str
    says: tuple[type[Event], ...]
    partitions: int = PARTITIONS
    retention_ms: int = FOREVER

    @property
    def known(self) -> Mapping[str, type[Event]]:
        """The models by type name, as `contracts.envelope.decode` wants them."""
        return {model.__name__: model for model in self.says}


PROJECTS = Topic("approval.projects.v1", "intake", (intake.ProjectRegistered, intake.ProjectAmended))
APPLICATIONS = Topic(
    "approval.applications.v1",
    "intake",
    (
        intake.StageApplied,
        intake.ItemReapplied,
        intake.SupplementSubmitted,
        intake.DeferredMaterialsSubmitted,
        intake.WithdrawalRequested,
        intake.ApplicationReceived,
        intake.ResultIssued,
        intake.ResultPrinted,
        intake.WindowDocumentRequested,
        intake.WindowDocumentPrinted,
        intake.MaterialViewed,
    ),
)
STAGES = Topic(
    "approval.stages.v1",
    "dispatcher",
    (
        dispatcher.StageDispatched,
        dispatcher.ItemNotDispatched,
        dispatcher.StageAccepted,
        dispatcher.StageConcluded,
        dispatcher.StageResultAmended,
        dispatcher.ItemClosed,
        dispatcher.SpecialHandlingRefused,
    ),
)
ITEMS = Topic(
    "approval.items.v1",
    "department-worker",
    (
        department_worker.ItemReceived,
        department_worker.ItemAccepted,
        department_worker.ItemNotAccepted,
        department_worker.CorrectionRequested,
        department_worker.CorrectionEnded,
        department_worker.SpecialStarted,
        department_worker.SpecialEnded,
        department_worker.ItemReviewed,
        department_worker.ItemApproved,
        department_worker.ItemDecided,
        department_worker.SealFailed,
        department_worker.ItemConcluded,
        department_worker.ItemReturned,
        department_worker.ItemRecalled,
        department_worker.ItemTakenBack,
        department_worker.ItemExtended,
        department_worker.LimitAmended,
        department_worker.ItemRevoked,
        department_worker.MaterialsRecorded,
        department_worker.LateOpinionRecorded,
        department_worker.ItemActRefused,
        department_worker.DocumentIssued,
        department_worker.WindowDocumentIssued,
    ),
)
CLOCKS = Topic(
    "approval.clocks.v1",
    "timer",
    (
        timer.ClockStarted,
        timer.ClockPaused,
        timer.ClockResumed,
        timer.ClockStopped,
        timer.DueChanged,
        timer.LightChanged,
        timer.ItemOverdue,
        timer.ItemAutoRecall,
        timer.StageOverdue,
        timer.AcceptanceOverdue,
        timer.ReminderDue,
    ),
)
CALENDAR = Topic("approval.calendar.v1", "timer", (timer.CalendarAmended,), partitions=1)
POLICIES = Topic("approval.policies.v1", "intake", (intake.PolicyPublished,), partitions=1)
SEAL_REQUESTS = Topic("approval.seal-requests.v1", "department-worker", (department_worker.SealRequested,))
SEALS = Topic("approval.seals.v1", "signing", (signing.SealCompleted, signing.SealRejected))
IDENTITY = Topic(
    "approval.identity.v1",
    "signing",
    (
        signing.CertificateRegistered,
        signing.CertificateSuspended,
        signing.CertificateReinstated,
        signing.RosterListed,
        signing.RosterChangeRefused,
        signing.LoginsRefused,
    ),
)
SUPERVISION = Topic(
    "approval.supervision.v1",
    "supervision",
    (
        supervision.Urged,
        supervision.UrgeReceived,
        supervision.UrgeAnswered,
        supervision.InspectionOpened,
        supervision.InspectionRectified,
        supervision.InspectionClosed,
        supervision.CoordinationRequested,
        supervision.CoordinationAssigned,
        supervision.CoordinationResolved,
        supervision.SpecialHandlingGranted,
        supervision.ExpiryDecided,
        supervision.SignalRaised,
    ),
)
AUDIT_ROOTS = Topic("approval.audit-roots.v1", "supervision", (supervision.AuditRootClosed,), partitions=1)
AUDIT_SEALS = Topic("approval.audit-seals.v1", "signing", (signing.AuditRootSealed,), partitions=1)
NOTICES = Topic("approval.notices.v1", "intake", (intake.NoticeSent,))
DEAD_LETTERS = Topic("approval.dead-letters.v1", "any", (dead_letters.DeadLetter,), retention_ms=DAYS_400)

TOPICS: tuple[Topic, ...] = (
    PROJECTS,
    APPLICATIONS,
    STAGES,
    ITEMS,
    CLOCKS,
    CALENDAR,
    POLICIES,
    SEAL_REQUESTS,
    SEALS,
    IDENTITY,
    SUPERVISION,
    AUDIT_ROOTS,
    AUDIT_SEALS,
    NOTICES,
    DEAD_LETTERS,
)


def department_items(jurisdiction: JurisdictionCode, department_code: DepartmentCode) -> Topic:
    """Return the topic on which a department is given its items; only its own principal may read it."""
    says = (
        dispatcher.ItemDispatched,
        dispatcher.ItemSupplemented,
        dispatcher.DeferredMaterialsPassedOn,
        dispatcher.ResultsPassedOn,
        dispatcher.ItemWithdrawn,
    )
    name = f"approval.dept.{jurisdiction}.{department_code}.items.v1"
    return Topic(name, "dispatcher", says, DEPARTMENT_PARTITIONS, DAYS_400)


def department_reports(jurisdiction: JurisdictionCode, department_code: DepartmentCode) -> Topic:
    """Return the topic on which a department's own system reports; only its own principal may write it."""
    name = f"approval.dept.{jurisdiction}.{department_code}.reports.v1"
    says = (department.ItemReport,)
    return Topic(name, "department", says, DEPARTMENT_PARTITIONS, DAYS_400)


def department_topics(departments: Iterable[tuple[JurisdictionCode, DepartmentCode]]) -> tuple[Topic, ...]:
    """Return both topics of every department given."""
    return tuple(
        make(jurisdiction, code)
        for jurisdiction, code in departments
        for make in (department_items, department_reports)
    )
