"""The terms of the regulation as enumerations; their Chinese names stand in `labels`."""

from enum import IntEnum, StrEnum


class Stage(IntEnum):
    """审批阶段 (Art. 4); 5 runs beside them for utilities."""

    LAND_USE = 1
    ENGINEERING = 2
    CONSTRUCTION = 3
    COMPLETION = 4
    PARALLEL = 5


class ProcessType(IntEnum):
    """审批流程类型 (SPLCLX of the national exchange standard)."""

    GOV_BUILDING = 1
    GOV_LINEAR = 2
    SOCIAL_GENERAL = 3
    SOCIAL_SMALL = 4
    LAND_WITH_SCHEME = 5
    INDUSTRIAL = 6
    TRANSPORT = 7
    WATER = 8
    ENERGY = 9
    OTHER = 10


class ItemKind(StrEnum):
    """What an item is; it decides what silence means at expiry (Art. 14)."""

    PERMIT = "PERMIT"
    CONSULT = "CONSULT"
    ACCEPTANCE_CHECK = "ACCEPTANCE_CHECK"
    FILING = "FILING"
    UTILITY = "UTILITY"


class OnExpiry(StrEnum):
    """What happens to an item whose department stayed silent (Art. 14)."""

    DEEM_NO_OBJECTION = "deem_no_objection"
    ESCALATE = "escalate"


class ItemState(StrEnum):
    """Where one attempt of one item stands (Art. 7, 10, 13, 14)."""

    DRAFT = "DRAFT"
    RECEIVED = "RECEIVED"
    CORRECTION_PRE = "CORRECTION_PRE"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    ACCEPTED = "ACCEPTED"
    REVIEWING = "REVIEWING"
    APPROVING = "APPROVING"
    CORRECTION = "CORRECTION"
    SPECIAL = "SPECIAL"
    SEALING = "SEALING"
    CONCLUDED = "CONCLUDED"
    RETURNED = "RETURNED"
    AUTO_RECALLED = "AUTO_RECALLED"
    WITHDRAWN = "WITHDRAWN"
    REVOKED = "REVOKED"
    NOT_DISPATCHED = "NOT_DISPATCHED"


class ItemStep(StrEnum):
    """What an officer, a department's system, a builder or the window does to an item."""

    RECEIVE = "RECEIVE"
    ACCEPT = "ACCEPT"
    NOT_ACCEPT = "NOT_ACCEPT"
    START_CORRECTION = "START_CORRECTION"
    SUPPLEMENT = "SUPPLEMENT"
    REVIEW = "REVIEW"
    APPROVE = "APPROVE"
    CONCLUDE = "CONCLUDE"
    RETURN = "RETURN"
    START_SPECIAL = "START_SPECIAL"
    END_SPECIAL = "END_SPECIAL"
    WITHDRAW = "WITHDRAW"
    SEAL = "SEAL"
    REJECT_SEAL = "REJECT_SEAL"
    RECALL = "RECALL"
    DEEM_ACCEPTED = "DEEM_ACCEPTED"
    EXTEND = "EXTEND"
    AMEND_LIMIT = "AMEND_LIMIT"
    ENTER_DECISION = "ENTER_DECISION"
    REVOKE = "REVOKE"


class Outcome(StrEnum):
    """How an item ended."""

    GRANTED = "GRANTED"
    GRANTED_DEFERRED = "GRANTED_DEFERRED"
    REFUSED = "REFUSED"
    DEEMED_NO_OPINION = "DEEMED_NO_OPINION"
    EXPIRED_NO_OPINION = "EXPIRED_NO_OPINION"
    CLOSED_NO_OPINION = "CLOSED_NO_OPINION"
    WAIVED = "WAIVED"


class StageState(StrEnum):
    """Where a stage application stands."""

    DISPATCHED = "DISPATCHED"
    ACCEPTED = "ACCEPTED"
    CONCLUDED = "CONCLUDED"


class StageResult(StrEnum):
    """How a stage ended."""

    ALL_GRANTED = "ALL_GRANTED"
    PARTLY_REFUSED = "PARTLY_REFUSED"
    ALL_REFUSED = "ALL_REFUSED"
    CLOSED_WITHOUT_RESULT = "CLOSED_WITHOUT_RESULT"


class Submission(StrEnum):
    """受理方式: handed in wholly online, or online with originals at the window (SLFS 4 and 2)."""

    ONLINE = "ONLINE"
    WINDOW = "WINDOW"


class ClockSubject(StrEnum):
    """What a clock measures (Art. 13; the acceptance clock is 行政许可法 Art. 32)."""

    ITEM = "ITEM"
    STAGE = "STAGE"
    ACCEPTANCE = "ACCEPTANCE"


class ClockState(StrEnum):
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    TERMINATED = "TERMINATED"
    STOPPED = "STOPPED"


class PauseReason(StrEnum):
    """Why a clock stands still (Art. 13)."""

    CORRECTION = "CORRECTION"
    SPECIAL = "SPECIAL"
    RETURNED = "RETURNED"


class SpecialKind(StrEnum):
    """特别程序: time that the law excludes (行政许可法 Art. 45)."""

    HEARING = "HEARING"
    TENDER = "TENDER"
    AUCTION = "AUCTION"
    INSPECTION = "INSPECTION"
    TESTING = "TESTING"
    QUARANTINE = "QUARANTINE"
    APPRAISAL = "APPRAISAL"
    EXPERT_REVIEW = "EXPERT_REVIEW"
    SITE_SURVEY = "SITE_SURVEY"
    PUBLIC_NOTICE = "PUBLIC_NOTICE"


class ClockEnd(StrEnum):
    """Why a clock will never run again."""

    CONCLUDED = "CONCLUDED"
    RETURNED = "RETURNED"
    WITHDRAWN = "WITHDRAWN"
    RECALLED = "RECALLED"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    ACCEPTED = "ACCEPTED"
    CORRECTION = "CORRECTION"


class DueCause(StrEnum):
    CALENDAR = "CALENDAR"
    OVERLAY = "OVERLAY"
    LIMIT = "LIMIT"
    EXTENSION = "EXTENSION"


class Light(StrEnum):
    """亮灯 (Art. 22)."""

    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"
    GREY = "GREY"


class NoticeKind(StrEnum):
    """What the builder is told (Art. 9, 15)."""

    WINDOW_NOTICE = "WINDOW_NOTICE"
    ACCEPTED = "ACCEPTED"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    CORRECTION = "CORRECTION"
    SPECIAL = "SPECIAL"
    RETURNED = "RETURNED"
    DEEMED_NO_OPINION = "DEEMED_NO_OPINION"
    STAGE_RESULT = "STAGE_RESULT"
    REMINDER = "REMINDER"
    ITEM_CLOSED = "ITEM_CLOSED"
    EXTENDED = "EXTENDED"
    REVOKED = "REVOKED"


class DocumentKind(StrEnum):
    """文书: what a seal may be put on."""

    DECISION = "DECISION"
    REFUSAL = "REFUSAL"
    OPINION = "OPINION"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    CORRECTION = "CORRECTION"
    ACCEPTANCE = "ACCEPTANCE"
    WINDOW_NOTICE = "WINDOW_NOTICE"
    RECEIPT = "RECEIPT"


class SealForm(StrEnum):
    """What a seal is: a signature over the digest of a record that stays on the platform, or a PDF's own (Art. 16)."""

    DIGEST = "DIGEST"
    PDF = "PDF"


class SpecialEffect(StrEnum):
    """特殊处理程序 (Art. 17): the enumerated effects; each changes a case's route, never its clock's arithmetic."""

    SKIP_STAGE_ORDER = "SKIP_STAGE_ORDER"
    REOPEN = "REOPEN"
    DEFER_MATERIAL = "DEFER_MATERIAL"
    ENTER_DECISION = "ENTER_DECISION"
    REROUTE = "REROUTE"
    WAIVE = "WAIVE"
    MORE_CORRECTIONS = "MORE_CORRECTIONS"


class ExpiryDecision(StrEnum):
    """What the lead makes of an item that expired without an opinion (Art. 14, 22)."""

    REDISPATCH = "REDISPATCH"
    CLOSE = "CLOSE"


class CloseCause(StrEnum):
    """Why an item is closed without its department's decision."""

    EXPIRED = "EXPIRED"
    WAIVED = "WAIVED"


class ReminderKind(StrEnum):
    """What somebody is reminded of when its day has come; nothing else follows from it by itself."""

    CORRECTION_UNANSWERED = "CORRECTION_UNANSWERED"
    NOT_DECLARED_AGAIN = "NOT_DECLARED_AGAIN"
    SPECIAL_OVERDUE = "SPECIAL_OVERDUE"


class SignalKind(StrEnum):
    """体外循环: signs that an item was handled off the platform and entered afterwards (Art. 21)."""

    CONCLUDED_IN_MINUTES = "CONCLUDED_IN_MINUTES"
    DOCUMENT_BEFORE_ACCEPTANCE = "DOCUMENT_BEFORE_ACCEPTANCE"
    MATERIAL_NOT_VIEWED = "MATERIAL_NOT_VIEWED"
    BURST_AFTER_HOURS = "BURST_AFTER_HOURS"


class UrgeLevel(StrEnum):
    """催办 level (平急/紧急/非常紧急)."""

    LOW = "l"
    HIGH = "h"
    UTMOST = "u"


class Ledger(StrEnum):
    """台账 of what belongs to no project and holds for all (Art. 18, 20, 23); each has audit chains of its own."""

    IDENTITY = "identity"
    CALENDAR = "calendar"
    POLICIES = "policies"


class Role(StrEnum):
    """Who a caller is (Art. 5, 7, 10, 18, 21)."""

    PLATFORM = "platform"
    BUILDER = "builder"
    WINDOW = "window"
    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    LEAD = "lead"
    ADMIN = "admin"
