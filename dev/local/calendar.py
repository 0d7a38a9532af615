"""`./run calendar`: the working days of a year as people look at them, and a year's table out of chinesecalendar."""

import argparse
import calendar as weeks
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import chinese_calendar
from chinese_calendar import Holiday

from chassis.catalogue import load
from contracts.codes import CITY, JurisdictionCode
from local.suite import CATALOGUE, ROOT
from local.trouble import Trouble
from procedure.calendar import Calendar

MARKS: Final = {"working": "　", "weekend": "·", "holiday": "休", "make-up": "班", "off": "停", "on": "加"}
LEGEND: Final = "　 无记号 工作日　· 周末　休 节假日　班 调休上班　停 停止办公　加 加班"
HEAD: Final = "".join(f"  {one} " for one in "一二三四五六日").rstrip()
NAMES: Final = {
    Holiday.new_years_day: "元旦",
    Holiday.spring_festival: "春节",
    Holiday.tomb_sweeping_day: "清明节",
    Holiday.labour_day: "劳动节",
    Holiday.dragon_boat_festival: "端午节",
    Holiday.national_day: "国庆节",
    Holiday.mid_autumn_festival: "中秋节",
    Holiday.anti_fascist_70th_day: "中国人民抗日战争暨世界反法西斯战争胜利70周年纪念日",
}


def main(arguments: list[str]) -> int:
    """Run `show` or `generate`."""
    parser = argparse.ArgumentParser(prog="./run calendar", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    show = verbs.add_parser("show", help="a year month by month: working days, days off by name, make-up days")
    show.add_argument("year", type=_year)
    show.add_argument("--jurisdiction", default=CITY, help=f"whose overlays hold (default: {CITY}, the whole city)")
    generate = verbs.add_parser("generate", help="write a year's table as chinesecalendar has it")
    generate.add_argument("year", type=_year)
    generate.add_argument("--folder", type=Path, default=CATALOGUE, help="a city's folder (default: Dalian's)")
    options = parser.parse_args(arguments)
    if options.verb == "generate":
        return _generate(options.year, options.folder)
    print(shown(load(CATALOGUE).calendar, options.year, options.jurisdiction), end="")
    return 0


def _year(text: str) -> int:
    if not (text.isdecimal() and 1949 <= int(text) <= 2199):
        raise argparse.ArgumentTypeError(f"{text} is no year of this calendar")
    return int(text)


# Show -----------------------------------------------------------------------------------------------------------


def shown(calendar: Calendar, year: int, jurisdiction: str = CITY) -> str:
    """Return a year month by month. Raises Trouble for a year or a place that is not covered."""
    place = _place(jurisdiction)
    if year not in calendar.released | calendar.statutory:
        known = sorted(calendar.released | calendar.statutory)
        raise Trouble(
            f"the calendar has no year {year}, only {known[0]} to {known[-1]}; ./run calendar generate {year}"
        )
    total = calendar.count_working_days(date(year, 1, 1), date(year, 12, 31), place)
    sure = "" if year in calendar.released else "（放假安排未公布，仅按法定节假日，暂定）"
    lines = [f"{year} 年 {place}　共 {total} 个工作日{sure}", LEGEND, ""]
    for month in range(1, 13):
        lines += [*_month(calendar, year, month, place), ""]
    return "\n".join(lines)


def _place(jurisdiction: str) -> JurisdictionCode:
    try:
        return JurisdictionCode(jurisdiction)
    except ValueError as wrong:
        raise Trouble(f"{jurisdiction}: {wrong}") from None


def _month(calendar: Calendar, year: int, month: int, place: JurisdictionCode) -> list[str]:
    last = date(year, month, weeks.monthrange(year, month)[1])
    counted = calendar.count_working_days(date(year, month, 1), last, place)
    rows = [
        "".join(_cell(calendar, day, month, place) for day in week).rstrip()
        for week in weeks.Calendar().monthdatescalendar(year, month)
    ]
    return [f"{year} 年 {month} 月　{counted} 个工作日", HEAD, *rows, *_named(calendar, last, place)]


def _cell(calendar: Calendar, day: date, month: int, place: JurisdictionCode) -> str:
    return f"{day.day:3}{MARKS[kind(calendar, day, place)]}" if day.month == month else "     "


def kind(calendar: Calendar, day: date, place: str) -> str:
    """Return what a day is, as one of `MARKS`."""
    if (overlay := calendar.overlay(day, place)) is not None:
        return "on" if overlay.works else "off"
    if (exception := calendar.exceptions.get(day)) is not None:
        return "make-up" if exception.works else "holiday"
    return "working" if day.weekday() < 5 else "weekend"


def _named(calendar: Calendar, last: date, place: str) -> Iterable[str]:
    """One line for each run of days that have the same name."""
    run: list[date] = []
    for day in [*(last.replace(day=number) for number in range(1, last.day + 1)), date.max]:
        if run and (day - run[-1] != timedelta(days=1) or calendar.why(day, place) != calendar.why(run[0], place)):
            days = f"{run[0].day}" if len(run) == 1 else f"{run[0].day}-{run[-1].day}"
            yield f"  {days} 日　{calendar.why(run[0], place)}"
            run = []
        if day < date.max and kind(calendar, day, place) not in ("working", "weekend"):
            run.append(day)


# Generate -------------------------------------------------------------------------------------------------------


def table(year: int) -> str:
    """Return a year's table: the days on which it is not what the weekday says. Raises Trouble for a year that the
    library does not cover: it must never be guessed."""
    day, rows = date(year, 1, 1), ["date,day,name"]
    while day.year == year:
        works, name = _said(day)
        if works != (day.weekday() < 5):
            rows.append(f"{day},{'上班' if works else '放假'},{name}")
        day += timedelta(days=1)
    return "\n".join(rows) + "\n"


def _said(day: date) -> tuple[bool, str]:
    try:
        off, name = chinese_calendar.get_holiday_detail(day)
    except NotImplementedError:
        raise Trouble(
            f"chinesecalendar does not cover {day.year}: the State Council releases a year in November of the year "
            "before; ./run lock takes in the library's newer release"
        ) from None
    return not off, "" if name is None else NAMES[Holiday(name)]


def _generate(year: int, folder: Path) -> int:
    if not (folder / "calendar").is_dir():
        raise Trouble(f"{folder}/calendar is no folder; name a city's folder, like {CATALOGUE.relative_to(ROOT)}")
    text = table(year)
    path, provisional = folder / "calendar" / f"{year}.csv", folder / "calendar" / f"statutory-{year}.csv"
    same = path.exists() and path.read_text() == text
    path.write_text(text)
    print(f"{path}: {'unchanged' if same else 'written'}, {text.count('上班')} 天调休上班")
    if provisional.exists():
        provisional.unlink()
        print(f"{provisional}: removed, the year is released now")
    return 0
