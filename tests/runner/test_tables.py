"""The tables that a lawyer keeps, through the one door: held against themselves, shown, and generated."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import chinese_calendar
import pytest

from chassis.catalogue import load, read
from local import calendar, catalogue
from local.suite import CATALOGUE
from local.trouble import Trouble
from procedure.calendar import Overlay
from procedure.explain import with_overlays

YEARS = range(2018, 2027)


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return shutil.copytree(CATALOGUE, tmp_path / "dalian")


def test_the_committed_catalogue_has_neither_defect_nor_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert catalogue.main(["check"]) == 0
    told = capsys.readouterr().out
    assert "2018.1" in told and "2020.1" in told and "日历 2026" in told
    assert told.endswith("0 defects, 0 warnings\n")


def test_a_defect_of_any_version_or_of_the_calendar_is_told_with_its_file_and_exits_1(
    city: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later, days = city / "versions/2020.1/items.csv", city / "calendar/2026.csv"
    later.write_text(later.read_text().replace("S1-03,企业投资项目备案,1,FGW", "S1-03,企业投资项目备案,1,XYZ"))
    days.write_text(days.read_text() + "2026-13-01,放假,某日\n")
    assert catalogue.main(["check", str(city)]) == 1
    told = capsys.readouterr().out
    assert "defect   versions/2020.1/items.csv:4 部门 XYZ 不存在" in told
    assert f"defect   calendar/2026.csv:{days.read_text().count(chr(10))} date 不是日期" in told
    assert told.endswith("2 defects, 0 warnings\n")


def test_a_defect_of_the_first_version_is_told_once_though_every_version_has_it(
    city: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = city / "stages.csv"
    stages.write_text(stages.read_text().replace("PLANNING,GHJ", "PLANNING,NONE", 1))
    assert catalogue.main(["check", str(city)]) == 1
    assert capsys.readouterr().out.count("stages.csv:2 牵头部门 NONE 不存在") == 1


def test_a_version_under_another_name_is_a_defect(city: Path) -> None:
    (city / "versions/2020.1").rename(city / "versions/2021.1")
    (told,) = catalogue.checked(city).defects
    assert told.startswith("versions/2021.1/catalogue.csv:1") and "2020.1" in told


def test_a_tight_path_is_a_warning_that_lets_the_catalogue_pass(city: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = city / "limits.csv"
    limits.write_text(limits.read_text().replace("4,小型社会投资,15,", "4,小型社会投资,8,"))
    assert catalogue.main(["check", str(city)]) == 0
    assert "warning  limits.csv:5" in capsys.readouterr().out


def test_a_file_that_is_no_text_is_told(city: Path) -> None:
    (city / "items.csv").write_bytes("code,name\n事项".encode("utf-16"))
    (told,) = catalogue.checked(city).defects
    assert told.startswith("items.csv:1 文件不是 UTF-8")


def test_an_item_is_shown_as_its_version_has_it() -> None:
    told = catalogue.shown(load(CATALOGUE), "S1-05")
    assert "7 个工作日（法定 20）" in told and "部门流转" in told and "GHJ 自然资源局" in told
    assert "4 个工作日（法定 20）" in catalogue.shown(load(CATALOGUE), "S1-05", "2020.1")


@pytest.mark.parametrize(
    "arguments", [["show", "S1-99"], ["show", "S1-01", "--version", "1999"], ["check", "/nowhere/at/all"]]
)
def test_what_does_not_exist_is_one_line(arguments: list[str]) -> None:
    with pytest.raises(Trouble) as trouble:
        catalogue.main(arguments)
    assert len(str(trouble.value).splitlines()) == 1


# The calendar ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", YEARS)
def test_the_committed_table_of_a_year_is_what_is_generated(year: int) -> None:
    assert read(CATALOGUE)[f"calendar/{year}.csv"] == calendar.table(year)


@pytest.mark.parametrize("year", YEARS)
def test_every_day_of_a_year_works_or_not_as_the_library_says(year: int) -> None:
    kept, day = load(CATALOGUE).calendar, date(year, 1, 1)
    while day.year == year:
        assert kept.is_working_day(day) == chinese_calendar.is_workday(day), day
        day += timedelta(days=1)


def test_a_year_is_written_and_replaces_its_statutory_days(city: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (city / "calendar/2026.csv").rename(city / "calendar/statutory-2026.csv")
    assert calendar.main(["generate", "2026", "--folder", str(city)]) == 0
    assert (city / "calendar/2026.csv").read_text() == read(CATALOGUE)["calendar/2026.csv"]
    assert not (city / "calendar/statutory-2026.csv").exists()
    assert "removed" in capsys.readouterr().out
    assert calendar.main(["generate", "2026", "--folder", str(city)]) == 0
    assert "unchanged" in capsys.readouterr().out


@pytest.mark.parametrize("year", [2027, 2003])
def test_a_year_that_the_library_does_not_cover_is_refused_and_nothing_is_written(city: Path, year: int) -> None:
    before = sorted(path.name for path in (city / "calendar").iterdir())
    with pytest.raises(Trouble, match=f"does not cover {year}"):
        calendar.main(["generate", str(year), "--folder", str(city)])
    assert sorted(path.name for path in (city / "calendar").iterdir()) == before


def test_a_year_is_shown_month_by_month_with_its_count() -> None:
    told = calendar.shown(load(CATALOGUE).calendar, 2026)
    assert "共 248 个工作日" in told and told.count("个工作日") == 13
    september = told[told.index("2026 年 9 月") : told.index("2026 年 10 月")]
    assert "20班" in september and "  20 日　国庆节调休上班" in september and "25休" in september
    february = told[told.index("2026 年 2 月") : told.index("2026 年 3 月")]
    assert "2026 年 2 月　16 个工作日" in february and "  16-20 日　春节" in february
    by_month = [int(line.split("　")[1].split()[0]) for line in told.splitlines() if " 月　" in line]
    assert sum(by_month) == 248


def test_an_overlay_is_shown_where_it_holds() -> None:
    typhoon = [Overlay(date(2026, 8, 12), "210281", False, "大政办〔2026〕台风停工")]
    kept = with_overlays(load(CATALOGUE).calendar, typhoon)
    assert "12停" in calendar.shown(kept, 2026, "210281-CXD") and "台风停工" in calendar.shown(kept, 2026, "210281")
    assert "停工" not in calendar.shown(kept, 2026, "210283")


def test_a_year_without_a_release_is_shown_as_provisional_and_one_with_nothing_is_refused() -> None:
    kept = load(CATALOGUE).calendar
    assert "暂定" in calendar.shown(kept, 2027)
    with pytest.raises(Trouble, match="only 2018 to 2027"):
        calendar.shown(kept, 2028)
    with pytest.raises(Trouble, match="属地代码"):
        calendar.shown(kept, 2026, "110000")
    with pytest.raises(SystemExit):
        calendar.main(["show", "99999"])
