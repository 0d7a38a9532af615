"""What happens to an item, in the standard's statuses and in their order (BLZT 1–15), with what goes beside them."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from contracts import department_worker as items
from contracts.codes import PILOT_ZONES
from contracts.department_worker import ItemStepped
from contracts.labels import label
from contracts.terms import ItemKind, Outcome, Submission
from procedure.calendar import Calendar, YearNotCovered, local_day
from procedure.catalogue import Catalogue, ItemRule
from supervision.domain import ItemRow
from supervision.exchange.tables import DETAIL, DOCUMENT, INSTANCE, OPINION, SPECIAL, Told, beijing, gcdm, splcbm, told

RECEIVED, WITHDRAWN, ACCEPTED, NOT_ACCEPTED = 1, 2, 3, 5
CORRECTION_BEGUN, CORRECTION_ENDED, HANDLING, SPECIAL_BEGUN, SPECIAL_ENDED = 6, 7, 8, 9, 10
GRANTED, GRANTED_DEFERRED, REFUSED, TAKEN_BACK, REVOKED = 11, 12, 13, 14, 15
STATUSES: Final[Mapping[type[ItemStepped], tuple[int, ...]]] = {
    items.ItemReceived: (RECEIVED,),
    items.ItemAccepted: (ACCEPTED, HANDLING),
    items.ItemNotAccepted: (NOT_ACCEPTED,),
    items.CorrectionRequested: (CORRECTION_BEGUN,),
    items.CorrectionEnded: (CORRECTION_ENDED,),
    items.SpecialStarted: (SPECIAL_BEGUN,),
    items.SpecialEnded: (SPECIAL_ENDED,),
    items.ItemReturned: (TAKEN_BACK,),
    items.ItemTakenBack: (WITHDRAWN,),
    items.ItemRevoked: (REVOKED,),
}
"""Step → BLZT. Review and approval are 8, which was told with the acceptance; a decision is told once it is sealed; an
item that the dispatcher closed was told when it was recalled (14), or is when its department gives it back (2)."""
CONCLUDED: Final[Mapping[Outcome, int]] = {
    Outcome.GRANTED: GRANTED,
    Outcome.GRANTED_DEFERRED: GRANTED_DEFERRED,
    Outcome.REFUSED: REFUSED,
    Outcome.DEEMED_NO_OPINION: GRANTED,
    Outcome.EXPIRED_NO_OPINION: TAKEN_BACK,
}
"""Outcome → BLZT of a conclusion or a recall; the standard has no code for an automatic recall (到期自动收回)."""
REPEATABLE: Final = (SPECIAL_BEGUN, SPECIAL_ENDED)
SLFS: Final[Mapping[str, int]] = {Submission.ONLINE.value: 4, Submission.WINDOW.value: 2}
PUBLIC, OTHER_SPECIAL, WORKING_DAYS = 1, 8, 1
FOR_EVER: Final = "9999-01-01"
DEEMED: Final = "逾期未反馈，视为无意见（大政办发〔2018〕178号第十四条）"
EXPIRED: Final = "逾期未反馈，到期自动收回，由牵头部门处理（大政办发〔2018〕178号第十四条）"
NOT_AFTER_9: Final = "特别程序结束（10）之前的状态须为特别程序开始（9）"
ONE_SECOND: Final = timedelta(seconds=1)


class Flow(NamedTuple):
    """What an item's rows need to know of its stage: the kind of project, how it was handed in, by which catalogue."""

    process_type: int
    submission: str
    catalogue: Catalogue


class _Step(NamedTuple):
    """A step with what every row of it says: 工程代码, 事项实例编码, 行政区划, Beijing time."""

    said: Any
    work: str
    instance: str
    place: str
    at: str
    flow: Flow
    calendar: Calendar

    def row(self, table: str, suffix: str, own: dict[str, Any], key: str = "", cause: str = "") -> Told:
        """Return a row of this step; `suffix` tells its rows apart."""
        number = self.said.event_id.hex + suffix
        about = {"GCDM": self.work, "SPSXSLBM": self.instance, **own}
        return told(table, number, key or number, self.place, self.at, about, cause)

    @property
    def department(self) -> str:
        return self.flow.catalogue.departments[self.said.department]


def of_step(
    step: ItemStepped, before: ItemRow, after: ItemRow, flow: Flow, calendar: Calendar
) -> tuple[list[Told], ItemRow]:
    """Return the rows that a step yields, the instance before what happened to it, and the item with what is reported
    of it from now on. `before` and `after` are the item before and after the step."""
    kind, following = type(step), statuses(step)
    is_new = before.version == 0 or kind is items.LimitAmended
    if not (is_new or following or kind in BESIDE):
        return [], after
    place = PILOT_ZONES.get(step.jurisdiction, step.jurisdiction)
    about = _Step(step, gcdm(step.project_code), step.item_id.hex, place, beijing(step.at), flow, calendar)
    rows = [_instance(about, after)] if is_new else []
    for status in following:
        reported, cause = held_to_order(status, after)
        if reported:
            rows.append(_detail(about, reported, cause))
        if reported and not cause:
            after = after._replace(reported=after.reported | 1 << reported, last_reported=reported)
    if kind in BESIDE:
        rows += BESIDE[kind](about)
    return rows, after


def statuses(step: ItemStepped) -> tuple[int, ...]:
    """Return the BLZT of a step, in their order."""
    kind = type(step)
    if kind is items.ItemConcluded or kind is items.ItemRecalled:
        outcome, _ = step.told
        return () if outcome is None else (CONCLUDED[outcome],)
    return STATUSES.get(kind, ())


def held_to_order(status: int, row: ItemRow) -> tuple[int, str]:
    """Return the status that is told of an item (0: none), and the cause where a check forbids it.

    A refusal of what was never accepted is told as 5; 10 follows only upon 9; nothing is told twice but 9 and 10.
    """
    if status == REFUSED and not row.reported & 1 << ACCEPTED:
        status = NOT_ACCEPTED
    if status == SPECIAL_ENDED and row.last_reported != SPECIAL_BEGUN:
        return status, NOT_AFTER_9
    if status not in REPEATABLE and row.reported & 1 << status:
        return 0, ""
    return status, ""


def _instance(step: _Step, row: ItemRow) -> Told:
    said, flow = step.said, step.flow
    own = {
        "SPSXBM": said.item_code,
        "SPSXBBH": flow.catalogue.version,
        "SPLCBM": splcbm(flow.process_type),
        "SPLCBBH": flow.catalogue.version,
        "SPBMBM": said.department,
        "SPBMMC": step.department,
        "SLFS": SLFS[flow.submission],
        "GKFS": PUBLIC,
        "BLSPSLBM": said.application_id.hex,
        "SXBLSX": row.limit_days or None,
    }
    return step.row(INSTANCE, "00", own, step.instance)


def _detail(step: _Step, status: int, cause: str) -> Told:
    said = step.said
    own = {
        "BLCS": step.department,
        "BLR": said.actor.holder,
        "BLZT": status,
        "BLYJ": _opinion(said),
        "BLSJ": beijing(said.at + ONE_SECOND) if status == HANDLING else step.at,
    }
    return step.row(DETAIL, f"{status:02}", own, cause=cause)


def _opinion(step: ItemStepped) -> str | None:
    outcome, opinion = step.told
    if outcome is Outcome.DEEMED_NO_OPINION:
        return DEEMED
    if outcome is Outcome.EXPIRED_NO_OPINION:
        return EXPIRED
    return step.special.reason if type(step) is items.SpecialStarted else opinion or None


# Beside the statuses --------------------------------------------------------------------------------------------


def _procedure(step: _Step) -> list[Told]:
    special = step.said.special
    return [_special(step, label(special.kind), _working_days(step, special.due_on))]


def _extension(step: _Step) -> list[Told]:
    return [_special(step, "延长审批期限", step.said.days)]


def _special(step: _Step, name: str, days: int | None) -> Told:
    own = {"TBCX": OTHER_SPECIAL, "TBCXMC": name, "TBCXKSSJ": step.at, "TBCXSXLX": WORKING_DAYS, "TBCXSX": days}
    return step.row(SPECIAL, "51", own)


def _working_days(step: _Step, due_on: date | None) -> int | None:
    if due_on is None:
        return None
    first = local_day(step.said.at) + timedelta(days=1)
    try:
        return step.calendar.count_working_days(first, due_on, step.said.jurisdiction)
    except YearNotCovered:
        return None


def _ended(step: _Step) -> list[Told]:
    """A consultation ends with an opinion, everything else, when it is decided, with a document."""
    rule = step.flow.catalogue.items[step.said.item_code]
    if rule.kind is ItemKind.CONSULT:
        return [_consulted(step, rule)]
    return [_document(step, rule)] if isinstance(step.said, items.ItemConcluded) else []


def _consulted(step: _Step, rule: ItemRule) -> Told:
    said = step.said
    own = {
        "BLDWDM": said.department,
        "BLDWMC": step.department,
        "FKSJ": step.at,
        "BLR": said.actor.holder,
        "FKYJ": _opinion(said),
        **_attached(said, rule),
    }
    return step.row(OPINION, "52", own)


def _document(step: _Step, rule: ItemRule) -> Told:
    said: items.ItemConcluded = step.said
    on = said.document_dated_on or local_day(said.at)
    own = {
        "PFRQ": on.isoformat(),
        "PFWH": f"联审{said.item_code}〔{on.year}〕{(said.document or said.event_id.hex)[:8]}号",
        "PFWJBT": title(rule),
        "PFWJYXQX": FOR_EVER,
        **_attached(said, rule),
    }
    return step.row(DOCUMENT, "53", own)


def title(rule: ItemRule) -> str:
    """Return what a result is called: the item, and the kind of paper."""
    return f"{rule.name}（{rule.result}）" if rule.result else rule.name


def _attached(step: ItemStepped, rule: ItemRule) -> dict[str, Any]:
    document = step.document if isinstance(step, items.ItemConcluded) else None
    if document is None:
        return {"FJMC": None, "FJLX": None, "FJID": None}
    return {"FJMC": f"{title(rule)}.pdf", "FJLX": "pdf", "FJID": document}


BESIDE: Final[Mapping[type[ItemStepped], Callable[[_Step], list[Told]]]] = {
    items.SpecialStarted: _procedure,
    items.ItemExtended: _extension,
    items.ItemConcluded: _ended,
    items.ItemRecalled: _ended,
}
"""Step → what goes into a table of its own: special procedures, opinions of consultations, documents."""
