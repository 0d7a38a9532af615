"""The standard's tables and columns, what every row carries, and what is checked before it goes up."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from contracts.codes import CITY
from procedure.calendar import OFFSET

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
VALID, WAITING, FAILED = 1, 0, -1


class Told(NamedTuple):
    """One row of one of the standard's tables."""

    table: str
    row: dict[str, Any]


def told(table: str, number: str, key: str, place: str, at: str, own: dict[str, Any], cause: str = "") -> Told:
    """Return a row with its own columns and the tail: it waits for its upload, or fails a check for `cause`.

    `number` is the running number, `key` what the row is about; both follow from the event. `at` is Beijing time.
    """
    own["LSH"], own["DFSJZJ"], own["XZQHDM"] = number, key, place
    own["SJYXBS"], own["SJWXYY"] = VALID, None
    own["SJSCZT"], own["SBYY"], own["SCSJ"], own["GXSJ"] = WAITING, None, None, at
    return checked(Told(table, own), cause)


def beijing(at: datetime) -> str:
    """Return an instant (UTC) as the standard writes it: Beijing time, to the second."""
    return (at.replace(tzinfo=None) + OFFSET).isoformat(" ", "seconds")


def gcdm(project_code: str) -> str:
    """Return the 工程代码 of a project that has no sub-projects."""
    return f"{project_code}-000"


def splcbm(process_type: int) -> str:
    """Return the 流程编码: county items use the city-level flow's."""
    return f"{CITY}-{process_type:02}"


# Checks ---------------------------------------------------------------------------------------------------------


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
_CHECKS_OF: Final = {table: [one for one in CHECKS if one.table == table] for table in COLUMNS}


def checked(one: Told, cause: str = "") -> Told:
    """Return a row as it waits for its upload, or as it fails a check, with the cause."""
    cause = cause or next((check.cause for check in _CHECKS_OF[one.table] if not check.holds(one.row)), "")
    if cause:
        one.row["SJSCZT"], one.row["SBYY"] = FAILED, cause
    return one
