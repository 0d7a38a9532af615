"""工程建设项目审批管理系统数据共享交换标准 (Art. 3): what happens on the platform, as the rows that go upwards.

Tables, columns and codes are the standard's own, so a provincial engineer needs no manual. Every row follows from one
event and from what was reported of the same item before; ids and times come from the events, so a replay makes the same
bytes. A row that breaks a check is kept with its cause (`SJSCZT` -1, `SBYY`), never dropped.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from contracts import department_worker as items
from contracts.codes import CITY, JurisdictionCode
from contracts.department_worker import ItemStepped
from contracts.intake import StageApplied
from contracts.labels import label
from contracts.terms import ItemKind, Outcome, ProcessType, Stage, Submission
from procedure.calendar import OFFSET, Calendar, YearNotCovered, local_day
from procedure.catalogue import Catalogue, ItemRule
from supervision.domain import ItemRow

TAIL: Final = ("LSH", "DFSJZJ", "XZQHDM", "SJYXBS", "SJWXYY", "SJSCZT", "SBYY", "SCSJ", "GXSJ")
"""流水号, 地方数据主键, 行政区划代码, 有效标识, 无效原因, 上传状态, 失败原因, 上传时间, 更新时间: on every table."""
FLOW, FLOW_STAGE, FLOW_ITEM = "SPGL_DFXMSPLCXXB", "SPGL_DFXMSPLCJDXXB", "SPGL_DFXMSPLCJDSXXXB"
PROJECT, UNIT = "SPGL_XMJBXXB", "SPGL_XMDWXXB"
INSTANCE, DETAIL = "SPGL_XMSPSXBLXXB", "SPGL_XMSPSXBLXXXXB"
OPINION, SPECIAL, DOCUMENT = "SPGL_XMSPSXZQYJXXB", "SPGL_XMSPSXBLTBCXXXB", "SPGL_XMSPSXPFWJXXB"
_COLUMNS: Final = {
    FLOW: "SPLCBM SPLCMC SPLCBBH SPLCSXSJ SPLCLX SPLCSM FJMC FJLX FJID",
    FLOW_STAGE: "SPLCBM SPLCBBH SPJDBM SPJDMC SPJDXH DYBZSPJDXH SPJDSX LCBSXLX",
    FLOW_ITEM: "SPLCBM SPLCBBH SPJDXH SPSXBM SPSXBBH SPSXMC DYBZSPSXBM SFSXGZCNZ BJLX SQDX BLJGSDFS SPSXBLSX SPBMBM"
    " SPBMMC QZSPSXBM SFLCBSX",
    PROJECT: "XMDM XMMC GCDM GCFW QJDGCDM XMTZLY TDHQFS TDSFDSJFA SFWCQYPG SPLCLX LXLX GCFL JSXZ XMZJSX GBHYDMFBND GBHY"
    " NKGSJ NJCSJ XMSFWQBJ XMWQBJSJ ZTZE JSDDXZQH JSDD XMJSDDX XMJSDDY JSGMJNR YDMJ JZMJ SBSJ SPLCBM SPLCBBH",
    UNIT: "XMDM GCDM DWTYSHXYDM DWMC DWLX",
    INSTANCE: "GCDM SPSXBM SPSXBBH SPLCBM SPLCBBH SPSXSLBM SPBMBM SPBMMC SLFS GKFS BLSPSLBM SXBLSX",
    DETAIL: "GCDM SPSXSLBM BLCS BLR BLZT BLYJ BLSJ",
    OPINION: "GCDM SPSXSLBM BLDWDM BLDWMC FKSJ BLR FKYJ FJMC FJLX FJID",
    SPECIAL: "GCDM SPSXSLBM TBCX TBCXMC TBCXKSSJ TBCXSXLX TBCXSX",
    DOCUMENT: "GCDM SPSXSLBM PFRQ PFWH PFWJBT PFWJYXQX FJMC FJLX FJID",
}
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {table: tuple(text.split()) for table, text in _COLUMNS.items()}
"""Table → its own columns, parents before children; the tail follows."""

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
"""Outcome → BLZT; the standard has no code for an automatic recall (到期自动收回)."""
REPEATABLE: Final = (SPECIAL_BEGUN, SPECIAL_ENDED)
SLFS: Final[Mapping[str, int]] = {Submission.ONLINE.value: 4, Submission.WINDOW.value: 2}
PUBLIC, VALID, WAITING, FAILED = 1, 1, 0, -1
OTHER_SPECIAL, OTHER_ITEM, BUILDER, PROMISED = 8, "9990", 1, 2
WORKING_DAYS: Final = 1
FOR_EVER: Final = "9999-01-01"
DEEMED: Final = "逾期未反馈，视为无意见（大政办发〔2018〕178号第十四条）"
EXPIRED: Final = "逾期未反馈，到期自动收回，由牵头部门处理（大政办发〔2018〕178号第十四条）"
NOT_AFTER_9: Final = "特别程序结束（10）之前的状态须为特别程序开始（9）"
ONE_SECOND: Final = timedelta(seconds=1)


class Told(NamedTuple):
    """One row of one of the standard's tables."""

    table: str
    row: dict[str, Any]


class Flow(NamedTuple):
    """What an item's rows need to know of its stage: the kind of project, how it was handed in, by which catalogue."""

    process_type: int
    submission: str
    catalogue: Catalogue


class Check(NamedTuple):
    """One local check: the table, what has to hold, and the cause that is told where it does not."""

    table: str
    holds: Callable[[Mapping[str, Any]], bool]
    cause: str


def _given(*columns: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda row: all(row[column] not in (None, "") for column in columns)


def _in_turn(row: Mapping[str, Any]) -> bool:
    begins, ends = row["NKGSJ"], row["NJCSJ"]
    return begins is None or ends is None or begins < ends


CHECKS: Final = (
    Check(PROJECT, _given("XMDM", "XMMC", "GCDM", "SPLCBM", "SPLCBBH"), "必填项为空：项目代码、名称、工程代码、流程"),
    Check(PROJECT, _in_turn, "130 拟开工时间应早于拟建成时间"),
    Check(UNIT, _given("DWTYSHXYDM", "DWMC"), "必填项为空：统一社会信用代码、单位名称"),
    Check(INSTANCE, _given("SPSXSLBM", "SPSXBM", "SPBMBM", "SXBLSX"), "必填项为空：事项实例、事项、部门、办理时限"),
    Check(DOCUMENT, _given("PFRQ", "PFWH", "PFWJBT"), "必填项为空：批复日期、文号、标题"),
    Check(SPECIAL, _given("TBCXMC", "TBCXKSSJ"), "必填项为空：特别程序名称、开始时间"),
)
"""What is checked before anything goes up; the error number is the standard's where it has one."""


def checked(told: Told, cause: str = "") -> Told:
    """Return a row as it waits for its upload, or as it fails a check, with the cause."""
    cause = cause or next((one.cause for one in CHECKS if one.table == told.table and not one.holds(told.row)), "")
    if cause:
        told.row["SJSCZT"], told.row["SBYY"] = FAILED, cause
    return told


# Projects -------------------------------------------------------------------------------------------------------


def of_application(event: StageApplied) -> list[Told]:
    """Return the rows of a project as its declaration of a stage tells it: the project, and its builder."""
    code, form = event.project_code, event.form
    parts, work, place = code.split("-"), gcdm(code), event.jurisdiction.host
    old = len(parts[0]) == 4 and parts[0].startswith("20") and int(parts[0]) <= 2020
    own: dict[str, Any] = {
        "XMDM": code,
        "XMMC": event.project_name,
        "GCDM": work,
        "GCFW": form.summary,
        "QJDGCDM": None if event.stage in (Stage.LAND_USE, Stage.PARALLEL) else work,
        "SPLCLX": event.process_type.value,
        "LXLX": int(parts[3]) if parts[3] in ("01", "02", "03") else None,
        "GBHYDMFBND": "2017" if old else None,
        "GBHY": parts[2] if old else None,
        "XMSFWQBJ": 0,
        "ZTZE": form.investment,
        "JSDDXZQH": place,
        "JSGMJNR": form.summary,
        "YDMJ": form.land_area,
        "JZMJ": form.floor_area,
        "SBSJ": beijing(event.occurred_at),
        "SPLCBM": splcbm(event.process_type.value),
        "SPLCBBH": event.policies.catalogue_version,
    }
    unit = {
        "XMDM": code,
        "GCDM": work,
        "DWTYSHXYDM": event.builder.uscc,
        "DWMC": event.builder.name,
        "DWLX": BUILDER,
    }
    at, first = event.occurred_at, event.event_id.hex
    whole = dict.fromkeys(COLUMNS[PROJECT]) | own
    return [
        checked(_told(PROJECT, f"{first}01", work, place, at, whole)),
        checked(_told(UNIT, f"{first}02", f"{work}.{event.builder.uscc}", place, at, unit)),
    ]


def gcdm(project_code: str) -> str:
    """Return the 工程代码 of a project that has no sub-projects."""
    return f"{project_code}-000"


def splcbm(process_type: int) -> str:
    """Return the 流程编码: county items use the city-level flow's."""
    return f"{CITY}-{process_type:02}"


# Items ----------------------------------------------------------------------------------------------------------


def of_step(
    step: ItemStepped, before: ItemRow, after: ItemRow, flow: Flow, calendar: Calendar
) -> tuple[list[Told], ItemRow]:
    """Return the rows that a step yields, the instance before what happened to it, and the item with what is reported
    of it from now on. `before` and `after` are the item before and after the step."""
    told: list[Told] = []
    if before.version == 0 or isinstance(step, items.LimitAmended):
        told.append(checked(_instance(step, after, flow)))
    for status in statuses(step):
        reported, cause = held_to_order(status, after)
        if reported:
            told.append(checked(_detail(step, reported, flow.catalogue), cause))
        if reported and not cause:
            after = after._replace(reported=after.reported | 1 << reported, last_reported=reported)
    told.extend(map(checked, _beside(step, flow.catalogue, calendar)))
    return told, after


def statuses(step: ItemStepped) -> tuple[int, ...]:
    """Return the BLZT of a step, in their order."""
    if isinstance(step, items.ItemConcluded | items.ItemRecalled):
        return (CONCLUDED[step.outcome],)
    return STATUSES.get(type(step), ())


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


def _instance(step: ItemStepped, row: ItemRow, flow: Flow) -> Told:
    own = {
        "GCDM": gcdm(step.project_code),
        "SPSXBM": step.item_code,
        "SPSXBBH": flow.catalogue.version,
        "SPLCBM": splcbm(flow.process_type),
        "SPLCBBH": flow.catalogue.version,
        "SPSXSLBM": step.item_id.hex,
        "SPBMBM": step.department,
        "SPBMMC": flow.catalogue.departments[step.department],
        "SLFS": SLFS[flow.submission],
        "GKFS": PUBLIC,
        "BLSPSLBM": step.application_id.hex,
        "SXBLSX": row.limit_days or None,
    }
    return _told(INSTANCE, f"{step.event_id.hex}00", step.item_id.hex, step.jurisdiction.host, step.at, own)


def _detail(step: ItemStepped, status: int, catalogue: Catalogue) -> Told:
    at = step.at + ONE_SECOND if status == HANDLING else step.at
    own = {
        "GCDM": gcdm(step.project_code),
        "SPSXSLBM": step.item_id.hex,
        "BLCS": catalogue.departments[step.department],
        "BLR": step.actor.holder,
        "BLZT": status,
        "BLYJ": _opinion(step),
        "BLSJ": beijing(at),
    }
    key = f"{step.event_id.hex}{status:02}"
    return _told(DETAIL, key, key, step.jurisdiction.host, step.at, own)


def _opinion(step: ItemStepped) -> str | None:
    if isinstance(step, items.ItemRecalled):
        return DEEMED if step.outcome is Outcome.DEEMED_NO_OPINION else EXPIRED
    if isinstance(step, items.SpecialStarted):
        return step.special.reason
    return step.told[1] or None


def _beside(step: ItemStepped, catalogue: Catalogue, calendar: Calendar) -> Iterable[Told]:
    """What goes into a table of its own: special procedures, opinions of consultations, documents."""
    if isinstance(step, items.SpecialStarted):
        yield _special(step, label(step.special.kind), _working_days(step, step.special.due_on, calendar))
    elif isinstance(step, items.ItemExtended):
        yield _special(step, "延长审批期限", step.days)
    elif isinstance(step, items.ItemConcluded | items.ItemRecalled):
        rule = catalogue.items[step.item_code]
        if rule.kind is ItemKind.CONSULT:
            yield _consulted(step, rule, catalogue)
        elif isinstance(step, items.ItemConcluded):
            yield _document(step, rule)


def _special(step: ItemStepped, name: str, days: int | None) -> Told:
    own = {
        "GCDM": gcdm(step.project_code),
        "SPSXSLBM": step.item_id.hex,
        "TBCX": OTHER_SPECIAL,
        "TBCXMC": name,
        "TBCXKSSJ": beijing(step.at),
        "TBCXSXLX": WORKING_DAYS,
        "TBCXSX": days,
    }
    key = f"{step.event_id.hex}51"
    return _told(SPECIAL, key, key, step.jurisdiction.host, step.at, own)


def _working_days(step: ItemStepped, due_on: date | None, calendar: Calendar) -> int | None:
    if due_on is None:
        return None
    try:
        return calendar.count_working_days(local_day(step.at) + timedelta(days=1), due_on, step.jurisdiction)
    except YearNotCovered:
        return None


def _consulted(step: items.ItemConcluded | items.ItemRecalled, rule: ItemRule, catalogue: Catalogue) -> Told:
    own = {
        "GCDM": gcdm(step.project_code),
        "SPSXSLBM": step.item_id.hex,
        "BLDWDM": step.department,
        "BLDWMC": catalogue.departments[step.department],
        "FKSJ": beijing(step.at),
        "BLR": step.actor.holder,
        "FKYJ": _opinion(step),
        **_attached(step, rule),
    }
    key = f"{step.event_id.hex}52"
    return _told(OPINION, key, key, step.jurisdiction.host, step.at, own)


def _document(step: items.ItemConcluded, rule: ItemRule) -> Told:
    on = step.document_dated_on or local_day(step.at)
    own = {
        "GCDM": gcdm(step.project_code),
        "SPSXSLBM": step.item_id.hex,
        "PFRQ": on.isoformat(),
        "PFWH": f"联审{step.item_code}〔{on.year}〕{(step.document or step.event_id.hex)[:8]}号",
        "PFWJBT": title(rule),
        "PFWJYXQX": FOR_EVER,
        **_attached(step, rule),
    }
    key = f"{step.event_id.hex}53"
    return _told(DOCUMENT, key, key, step.jurisdiction.host, step.at, own)


def title(rule: ItemRule) -> str:
    """Return what a result is called: the item, and the kind of paper."""
    return f"{rule.name}（{rule.result}）" if rule.result else rule.name


def _attached(step: ItemStepped, rule: ItemRule) -> dict[str, Any]:
    document = step.document if isinstance(step, items.ItemConcluded) else None
    if document is None:
        return {"FJMC": None, "FJLX": None, "FJID": None}
    return {"FJMC": f"{title(rule)}.pdf", "FJLX": "pdf", "FJID": document}


# The catalogue --------------------------------------------------------------------------------------------------


def of_catalogue(catalogue: Catalogue) -> list[Told]:
    """Return the rows of one version of the catalogue: flows, their stages, the stages' items."""
    at = datetime.combine(catalogue.effective_from, datetime.min.time()) - OFFSET
    return [checked(one) for kind in catalogue.types for one in _flow(catalogue, kind, at)]


def _flow(catalogue: Catalogue, kind: ProcessType, at: datetime) -> Iterable[Told]:
    place, about = JurisdictionCode(CITY), {"SPLCBM": splcbm(kind.value), "SPLCBBH": catalogue.version}
    key = f"{about['SPLCBM']}.{catalogue.version}"
    own = {
        **about,
        "SPLCMC": catalogue.types[kind],
        "SPLCSXSJ": catalogue.effective_from.isoformat(),
        "SPLCLX": kind.value,
        "SPLCSM": catalogue.title,
        "FJMC": None,
        "FJLX": None,
        "FJID": None,
    }
    yield _told(FLOW, key, key, place, at, own)
    for stage in catalogue.stages:
        yield _told(
            FLOW_STAGE, f"{key}.{stage.value}", f"{key}.{stage.value}", place, at, _stage(catalogue, kind, stage)
        )
        for rule in catalogue.items_of(stage, kind):
            line = f"{key}.{stage.value}.{rule.code}"
            yield _told(FLOW_ITEM, line, line, place, at, {**about, **_item(catalogue, kind, rule)})


def _stage(catalogue: Catalogue, kind: ProcessType, stage: Stage) -> dict[str, Any]:
    return {
        "SPLCBM": splcbm(kind.value),
        "SPLCBBH": catalogue.version,
        "SPJDBM": f"{stage.value:02}",
        "SPJDMC": catalogue.stages[stage].name,
        "SPJDXH": stage.value,
        "DYBZSPJDXH": stage.value,
        "SPJDSX": catalogue.limit(kind, stage),
        "LCBSXLX": 1,
    }


def _item(catalogue: Catalogue, kind: ProcessType, rule: ItemRule) -> dict[str, Any]:
    return {
        "SPJDXH": rule.stage.value,
        "SPSXBM": rule.code,
        "SPSXBBH": catalogue.version,
        "SPSXMC": rule.name,
        "DYBZSPSXBM": OTHER_ITEM,
        "SFSXGZCNZ": 0,
        "BJLX": PROMISED,
        "SQDX": None,
        "BLJGSDFS": None,
        "SPSXBLSX": rule.limit_days,
        "SPBMBM": rule.department,
        "SPBMMC": catalogue.departments[rule.department],
        "QZSPSXBM": ",".join(catalogue.after(rule, kind)) or None,
        "SFLCBSX": int(rule.milestone),
    }


# A row ----------------------------------------------------------------------------------------------------------


def _told(table: str, number: str, key: str, place: str, at: datetime, own: Mapping[str, Any]) -> Told:
    return Told(
        table,
        {
            **own,
            "LSH": number,
            "DFSJZJ": key,
            "XZQHDM": place,
            "SJYXBS": VALID,
            "SJWXYY": None,
            "SJSCZT": WAITING,
            "SBYY": None,
            "SCSJ": None,
            "GXSJ": beijing(at),
        },
    )


def beijing(at: datetime) -> str:
    """Return an instant as the standard writes it: Beijing time, to the second."""
    return (at.replace(tzinfo=None) + OFFSET).isoformat(" ", "seconds")
