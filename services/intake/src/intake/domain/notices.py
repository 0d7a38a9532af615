"""What the builder is told when (Art. 9, 13, 14, 15): a table by event, one notice for each. Refusals come in one
bundle when their stage concludes, with their reasons and what can be done against them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from contracts import labels
from contracts.codes import CreditCode, ItemCode
from contracts.department_worker import (
    CorrectionRequested,
    ItemExtended,
    ItemNotAccepted,
    ItemRecalled,
    ItemReturned,
    ItemRevoked,
    ItemStepped,
    SpecialStarted,
)
from contracts.dispatcher import (
    ItemClosed,
    ItemResult,
    StageAccepted,
    StageConcluded,
    StageDispatched,
    StageResultAmended,
)
from contracts.envelope import derived_id
from contracts.intake import NoticeSent
from contracts.parts import AboutItem, AboutStage
from contracts.terms import CloseCause, NoticeKind, Outcome, ReminderKind
from contracts.timer import ReminderDue
from procedure.calendar import SHANGHAI
from procedure.catalogue import Catalogue

REMEDIES: Final = (
    "如不服本决定，可以自收到之日起 60 日内申请行政复议（行政复议法），"
    "或者自收到之日起 6 个月内提起行政诉讼（行政诉讼法）"
)
LONGEST: Final = 4000


class Telling(NamedTuple):
    """One row: the notice's kind, title and article, and what it says."""

    kind: NoticeKind
    title: str
    article: str
    body: Callable[[Any, Catalogue], str]


def _window(event: StageDispatched, catalogue: Catalogue) -> str:
    names = "、".join(item.name for item in event.items)
    return f"请持原件到{event.window}报件。事项：{names}。原件：{'、'.join(event.originals) or '无'}"


def _accepted(event: StageAccepted, catalogue: Catalogue) -> str:
    return f"{labels.label(event.stage)}已受理，总时限 {event.limit_days} 个工作日"


def _results(event: StageConcluded | StageResultAmended, catalogue: Catalogue) -> str:
    lines = [_result(one, catalogue) for one in event.items]
    body = "；".join([labels.label(event.result), *lines])
    return _with_remedies(body) if any(one.outcome is Outcome.REFUSED for one in event.items) else body


def _result(one: ItemResult, catalogue: Catalogue) -> str:
    ending = labels.label(one.state if one.outcome is None else one.outcome)
    said = f"（理由：{one.opinion}）" if one.outcome is Outcome.REFUSED else f"（{one.opinion}）"
    return f"{_name(one.item_code, catalogue)}：{ending}" + (said if one.opinion else "")


def _opinion(step: ItemStepped, catalogue: Catalogue) -> str:
    return step.told[1]


def _appealable(step: ItemStepped, catalogue: Catalogue) -> str:
    return _with_remedies(step.told[1])


def _with_remedies(body: str) -> str:
    """Remedies are never what a long text is cut by."""
    return f"{body[: LONGEST - len(REMEDIES) - 1]}。{REMEDIES}"


def _special(step: SpecialStarted, catalogue: Catalogue) -> str:
    return f"{labels.label(step.special.kind)}：{step.special.reason}；所需时间不计入办理时限"


def _recalled(step: ItemRecalled, catalogue: Catalogue) -> str:
    return f"审批部门逾期未反馈意见，{labels.label(step.outcome)}（第十四条）"


def _extended(step: ItemExtended, catalogue: Catalogue) -> str:
    given = f"经{step.approved_by}批准，办理时限延长 {step.days} 个工作日（行政许可法第四十二条）"
    return f"{given}。理由：{step.opinion}"


def _closed(event: ItemClosed, catalogue: Catalogue) -> str:
    return f"{labels.label(event.outcome)}。{event.reason}"


def _unanswered(event: ReminderDue, catalogue: Catalogue) -> str:
    day = event.due_at.astimezone(SHANGHAI)
    return f"补正期限已于 {day:%Y-%m-%d %H:%M} 届满，请尽快补正；逾期不补正的，承办部门可以退回"


def _not_declared_again(event: ReminderDue, catalogue: Catalogue) -> str:
    day = event.since.astimezone(SHANGHAI)
    return f"该事项已于 {day:%Y-%m-%d} 退回，至今未再次申报，阶段计时仍在暂停；请按该事项再次申报，或者撤件"


TELLINGS: Final[Mapping[type[AboutStage], Telling]] = {
    StageDispatched: Telling(NoticeKind.WINDOW_NOTICE, "窗口报件通知", "第九条", _window),
    StageAccepted: Telling(NoticeKind.ACCEPTED, "受理通知", "第十三条", _accepted),
    StageConcluded: Telling(NoticeKind.STAGE_RESULT, "审批结果通知", "第十五条", _results),
    StageResultAmended: Telling(NoticeKind.STAGE_RESULT, "审批结果变更通知", "第十五条", _results),
    ItemNotAccepted: Telling(NoticeKind.NOT_ACCEPTED, "不予受理通知", "第七条", _appealable),
    CorrectionRequested: Telling(NoticeKind.CORRECTION, "补正告知（一次性）", "第十三条", _opinion),
    ItemReturned: Telling(NoticeKind.RETURNED, "退回通知", "第十三条", _opinion),
    ItemRecalled: Telling(NoticeKind.DEEMED_NO_OPINION, "到期自动收回通知", "第十四条", _recalled),
    SpecialStarted: Telling(NoticeKind.SPECIAL, "特别程序告知", "第十三条", _special),
    ItemExtended: Telling(NoticeKind.EXTENDED, "延长审批期限通知", "第十三条", _extended),
    ItemRevoked: Telling(NoticeKind.REVOKED, "撤销决定通知", "第十五条", _appealable),
}
CLOSINGS: Final[Mapping[CloseCause, Telling]] = {
    CloseCause.EXPIRED: Telling(NoticeKind.ITEM_CLOSED, "事项关闭通知", "第十四条", _closed),
    CloseCause.WAIVED: Telling(NoticeKind.ITEM_CLOSED, "事项免予办理通知", "第十七条", _closed),
}
REMINDERS: Final[Mapping[ReminderKind, Telling]] = {
    ReminderKind.CORRECTION_UNANSWERED: Telling(NoticeKind.REMINDER, "补正提醒", "第十三条", _unanswered),
    ReminderKind.NOT_DECLARED_AGAIN: Telling(NoticeKind.REMINDER, "再次申报提醒", "第七条", _not_declared_again),
}
"""What a department or the lead is reminded of is no notice to the builder."""


def notice_of(event: AboutStage, builder: CreditCode, catalogue: Catalogue) -> NoticeSent | None:
    """Return the notice that an event makes, or None; `catalogue` is the one that the case runs under."""
    telling = _telling(event)
    if telling is None:
        return None
    item_code = event.item_code if isinstance(event, AboutItem) else None
    title = telling.title if item_code is None else f"{telling.title}：{_name(item_code, catalogue)}"
    body = telling.body(event, catalogue)
    row = (telling.kind, title, body, telling.article)
    return _notice(event, event.event_id, event.occurred_at, builder, row, item_code)


def _telling(event: AboutStage) -> Telling | None:
    match event:
        case ItemClosed():
            return CLOSINGS.get(event.cause)
        case ReminderDue():
            return REMINDERS.get(event.kind)
        case _:
            return TELLINGS.get(type(event))


def _name(code: ItemCode, catalogue: Catalogue) -> str:
    return catalogue.items[code].name if code in catalogue.items else code


def withdrawal_declined(
    application: AboutStage | Any,
    item_code: ItemCode,
    builder: CreditCode,
    catalogue: Catalogue,
    reason: str,
    cause: UUID,
    at: datetime,
) -> NoticeSent:
    """Return the notice that the window did not confirm a withdrawal: the item is handled on (P21)."""
    title = f"撤件申请未予确认：{_name(item_code, catalogue)}"
    row = (NoticeKind.REMINDER, title, f"综合窗口未予确认，该事项继续办理。理由：{reason}", "第十条")
    return _notice(application, cause, at, builder, row, item_code)


def _notice(
    about: AboutStage | Any,
    cause: UUID,
    at: datetime,
    builder: CreditCode,
    row: tuple[NoticeKind, str, str, str],
    item_code: ItemCode | None,
) -> NoticeSent:
    kind, title, body, article = row
    return NoticeSent(
        event_id=derived_id("notice", cause, kind.value),
        causation_id=cause,
        occurred_at=at,
        project_code=about.project_code,
        application_id=about.application_id,
        stage=about.stage,
        builder=builder,
        kind=kind,
        title=title[:200],
        body=body[:LONGEST],
        article=article,
        item_code=item_code,
    )
