"""The working calendar out of its tables: one a year, the days on which it is not what the weekday says.

`2026.csv` is a year as the State Council released it, `statutory-2027.csv` the statutory days of a year without a
release, `overlays.csv` the days that the city or a district ordered otherwise.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from contracts.codes import JurisdictionCode
from procedure.calendar import Calendar, Exception_, Overlay, merged
from procedure.tables import CatalogueInvalid, Row, Table

WORKING: Final = {"上班": True, "放假": False}
COLUMNS: Final = ("date", "day", "name")
OVERLAY_COLUMNS: Final = ("date", "jurisdiction", "day", "document")
FOLDER: Final = "calendar/"
OVERLAYS: Final = "calendar/overlays.csv"
_YEAR: Final = re.compile(r"calendar/(?P<statutory>statutory-)?(?P<year>[0-9]{4})\.csv")


def build_calendar(files: Mapping[str, str]) -> Calendar:
    """Return the working calendar of the files under `calendar/`. Raises CatalogueInvalid with every defect."""
    defects: list[str] = []
    released, statutory = set[int](), set[int]()
    exceptions: list[Exception_] = []
    for name in sorted(one for one in files if one.startswith(FOLDER) and one != OVERLAYS):
        told = _YEAR.fullmatch(name)
        if told is None:
            defects.append(f"{name}:1 文件名应为“年份.csv”或“statutory-年份.csv”")
            continue
        year = int(told["year"])
        (statutory if told["statutory"] else released).add(year)
        rows = Table(name, files[name], COLUMNS, defects).keyed(lambda row, year=year: _exception(row, year))
        exceptions.extend(rows.values())
    overlays = Table(OVERLAYS, files.get(OVERLAYS), OVERLAY_COLUMNS, defects).keyed(_overlay)
    defects.extend(_gaps(released, statutory))
    if defects:
        raise CatalogueInvalid(defects)
    return merged(f"{max(released)}+{len(overlays)}", exceptions, released, statutory, overlays.values())


def _gaps(released: set[int], statutory: set[int]) -> Iterable[str]:
    """A count may run over any two covered years, so none may be missing between them, and none told twice."""
    known = released | statutory
    if not released:
        yield f"{OVERLAYS}:1 没有任何年份的工作日安排"
    for year in sorted(released & statutory):
        yield f"calendar/statutory-{year}.csv:1 {year} 年的放假安排已经公布，法定节假日表应删除"
    for year in sorted(set(range(min(known, default=0), max(known, default=0))) - known):
        yield f"calendar/{year}.csv:1 表不存在，缺少 {year} 年"


def _exception(row: Row, year: int) -> tuple[date, Exception_]:
    day = row.date("date")
    if day.year != year:
        raise ValueError(f"{day} 不在 {year} 年")
    return day, Exception_(day, row.one_of("day", WORKING), row.text("name"))


def _overlay(row: Row) -> tuple[tuple[date, JurisdictionCode], Overlay]:
    day, place = row.date("date"), JurisdictionCode(row.text("jurisdiction"))
    if not row.text("document"):
        raise ValueError("须写明文号")
    return (day, place), Overlay(day, place, row.one_of("day", WORKING), row.text("document"))
