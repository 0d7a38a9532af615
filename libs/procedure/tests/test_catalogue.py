"""The catalogue: what a lawyer counts, and every defect refused with its file, its line and its reason."""

from dataclasses import replace

import pytest

from chassis.catalogue import later_versions, load, read
from contracts.codes import JurisdictionCode
from contracts.parts import Policies
from contracts.terms import ProcessType, Stage
from local.suite import CATALOGUE
from procedure.calendar_tables import build_calendar
from procedure.catalogue_tables import build
from procedure.contradictions import warnings
from procedure.tables import CatalogueInvalid

FILES = read(CATALOGUE)


def changed(name: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[name]
    return {**FILES, name: FILES[name].replace(old, new, 1)}


def defects(files: dict[str, str]) -> list[str]:
    with pytest.raises(CatalogueInvalid) as invalid:
        build(files)
        build_calendar(files)
    return invalid.value.defects


@pytest.mark.parametrize(
    ("name", "old", "new", "place", "reason"),
    [
        ("items.csv", "S1-03,企业投资项目备案,1,FGW", "S1-03,企业投资项目备案,1,XYZ", "items.csv:4", "XYZ"),
        ("items.csv", "S1-03,企业投资项目备案,1", "S1-03,企业投资项目备案,9", "items.csv:4", "9"),
        ("items.csv", "FILING,1,,3 4 5 6,M01 M02", "FILING,1,,3 4 5 6,M01 M99", "items.csv:4", "M99"),
        ("items.csv", "FILING,1,,3 4", "FILING,0,,3 4", "items.csv:4", "至少为 1 个工作日"),
        ("items.csv", "FILING,1,,3 4", "FILING,一,,3 4", "items.csv:4", "应为整数"),
        ("items.csv", "FILING,1,,3 4", "FILING,99,,3 4", "items.csv:4", "ITEM_LIMIT_OVER_STAGE"),
        ("items.csv", "M01 M02 M03 M04,,,escalate", "M01 M02 M03 M04,,S1-02,escalate", "items.csv:", "S1-02"),
        (
            "items.csv",
            "S1-03,企业投资项目备案,1,FGW,FILING",
            "S1-03,企业投资项目备案,1,FGW,FILED",
            "items.csv:4",
            "kind",
        ),
        ("items.csv", "FILING,1,,3 4 5 6,", "FILING,1,,3 4 5 77,", "items.csv:4", "77"),
        ("items.csv", "FILING,1,,3 4 5 6,", "FILING,1,,,", "items.csv:4", "没有适用"),
        ("items.csv", "S1-03,企业投资项目备案", "S1-02,企业投资项目备案", "items.csv:4", "重复的代码 S1-02"),
        ("items.csv", "PERMIT,5,20,1 2,M01", "PERMIT,5,4,1 2,M01", "items.csv:2", "超过法定时限 4"),
        ("items.csv", "M01 M02,,,escalate", "M01 M02,,,deem_no_objection", "items.csv:4", "只有征询类"),
        ("items.csv", "M01 M02,,,escalate", "M01 M02 M23,,,escalate", "items.csv:4", "不得要求申请人提交"),
        ("items.csv", "M01 M02,,,escalate", "M01 M02,S9-01,,escalate", "items.csv:4", "事项代码"),
        ("items.csv", "M01 M02,,,escalate", "M01 M02,S2-01,,escalate", "items.csv:4", "后面的阶段"),
        ("items.csv", "M01 M02,,,escalate", "M01 M02,S1-05,,escalate", "items.csv:4", "应列为前置事项"),
        ("items.csv", "M01 M02,,,escalate", "M01 M02,,S1-05,escalate", "items.csv:4", "成环"),
        ("items.csv", "M01 M02,,,escalate", "M01 M02,,S2-01,escalate", "items.csv:4", "不在同一阶段"),
        ("limits.csv", "4,小型社会投资,15,", "4,小型社会投资,x,", "limits.csv:5", "应为整数"),
        ("limits.csv", "4,小型社会投资,15,", "4,小型社会投资,7,", "limits.csv:5", "S1-03 → S1-05：8 > 7"),
        ("limits.csv", "4,小型社会投资,15,", "3,小型社会投资,15,", "limits.csv:5", "重复的代码 3"),
        ("limits.csv", "4,小型社会投资,15,18,15,12,0\n", "", "items.csv:", "类型 4 没有阶段时限"),
        ("stages.csv", "立项用地规划许可阶段,PLANNING,GHJ", "立项用地规划许可阶段,PLANNING,GHX", "stages.csv:2", "GHX"),
        ("stages.csv", "立项用地规划许可阶段,PLANNING,", "立项用地规划许可阶段,MAYOR,", "stages.csv:2", "MAYOR"),
        ("materials.csv", "result,S3-01", "result,S3-99", "materials.csv:24", "出具事项 S3-99 不存在"),
        ("materials.csv", "M22,施工图设计文件", "M22,施工图审查合格书", "materials.csv:23", "审批结果"),
        ("materials.csv", "M22,施工图设计文件", "M22,施工图审查合格书", "materials.csv:24", "来源只能有一个"),
        ("materials.csv", "M05,", "M04,", "materials.csv:6", "重复的代码 M04"),
        ("jurisdictions.csv", "210213-JP,金普新区,210213", "210213-JP,金普新区,210214", "jurisdictions.csv:13", "host"),
        ("catalogue.csv", "version,2018.1", "version,", "catalogue.csv:1", "version"),
        ("catalogue.csv", "2018-12-12", "2018-13-12", "catalogue.csv:1", "不是日期"),
        ("materials.csv", "M04,项目建议书,file,", "M04,项目建议书,file,S1-01", "materials.csv:5", "第八条"),
        ("departments.csv", "GHJ,自然资源局", "ghj,自然资源局", "departments.csv:3", "部门代码"),
        ("jurisdictions.csv", "210202,中山区", "110000,中山区", "jurisdictions.csv:3", ""),
    ],
)
def test_a_defect_is_refused_with_file_line_and_reason(name: str, old: str, new: str, place: str, reason: str) -> None:
    found = defects(changed(name, old, new))
    assert any(one.startswith(place) and reason in one for one in found), found


def test_a_table_that_is_missing_and_a_column_that_is_missing_are_told() -> None:
    assert any("items.csv" in one for one in defects({k: v for k, v in FILES.items() if k != "items.csv"}))
    assert any("limits.csv" in one for one in defects(changed("limits.csv", "type,name,stage_1", "type,name,stage1")))


@pytest.mark.parametrize(
    ("name", "more", "reason"),
    [
        ("calendar/2026.csv", "2026-02-30,放假,不存在的一天\n", "不是日期"),
        ("calendar/2026.csv", "2026-03-02,off,某日\n", "应为 上班、放假 之一"),
        ("calendar/2026.csv", "2025-03-02,放假,某日\n", "不在 2026 年"),
        ("calendar/2026.csv", "2026-01-01,放假,元旦\n", "重复的代码 2026-01-01"),
        ("calendar/overlays.csv", "2026-03-02,110000,放假,文号\n", "属地代码"),
        ("calendar/overlays.csv", "2026-03-02,210200,放假,\n", "文号"),
    ],
)
def test_a_calendar_row_that_cannot_be_understood_is_told(name: str, more: str, reason: str) -> None:
    found = defects({**FILES, name: FILES[name] + more})
    assert any(one.startswith(f"{name}:{FILES[name].count(chr(10)) + 1} ") and reason in one for one in found), found


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({name: text for name, text in FILES.items() if name != "calendar/2021.csv"}, "缺少 2021 年"),
        ({**FILES, "calendar/statutory-2026.csv": "date,day,name\n"}, "2026 年的放假安排已经公布"),
        ({**FILES, "calendar/next.csv": "date,day,name\n"}, "文件名"),
        ({name: text for name, text in FILES.items() if not name.startswith("calendar/20")}, "没有任何年份"),
    ],
)
def test_years_that_are_missing_or_told_twice_are_defects(files: dict[str, str], reason: str) -> None:
    assert any(reason in one for one in defects(files))


COUNTS = {
    (ProcessType.GOV_BUILDING, Stage.LAND_USE): 10,
    (ProcessType.SOCIAL_GENERAL, Stage.LAND_USE): 8,
    (ProcessType.SOCIAL_SMALL, Stage.LAND_USE): 4,
}


@pytest.mark.parametrize("pair", COUNTS, ids=str)
def test_items_of_a_stage_by_project_type(pair: tuple[ProcessType, Stage]) -> None:
    assert len(build(FILES).items_of(pair[1], pair[0])) == COUNTS[pair]


P = ProcessType
TOTALS = {
    "2018.1": {P.GOV_BUILDING: 90, P.GOV_LINEAR: 90, P.SOCIAL_GENERAL: 75, P.SOCIAL_SMALL: 60},
    "2020.1": {P.GOV_BUILDING: 48, P.GOV_LINEAR: 48, P.SOCIAL_GENERAL: 43, P.SOCIAL_SMALL: 30}
    | {P.LAND_WITH_SCHEME: 43, P.INDUSTRIAL: 43},
}
"""The published totals of 2018 and of 2020: version → type → working days of all stages."""


@pytest.mark.parametrize("version", TOTALS)
def test_the_stages_limits_add_up_to_the_published_total(version: str) -> None:
    catalogue = load(CATALOGUE).version(version)
    totals = {one: sum(catalogue.limit(one, stage) for stage in Stage) for one in TOTALS[version]}
    assert totals == TOTALS[version]
    assert "示范目录" in catalogue.title and "非官方" in catalogue.title


def test_both_versions_stand_side_by_side_and_a_case_keeps_its_own() -> None:
    city = load(CATALOGUE)
    former = city.under(Policies(catalogue_version="2018.1", policy_version="178/2018"))
    later = city.under(Policies(catalogue_version="2020.1", policy_version="178/2018"))
    small = [later.limit(P.SOCIAL_SMALL, stage) for stage in Stage]
    assert small == [6, 8, 8, 8, 0]
    assert later.effective_from > former.effective_from
    assert list(later.items) == list(former.items)


def test_a_later_version_differs_in_limits_alone_and_each_is_shorter() -> None:
    city = load(CATALOGUE)
    former, later = city.version("2018.1"), city.version("2020.1")
    assert set(later_versions(CATALOGUE)["2020.1"]) == {"catalogue.csv", "items.csv", "limits.csv"}
    for code, item in later.items.items():
        before = former.items[code]
        assert replace(item, limit_days=0) == replace(before, limit_days=0)
        assert 1 <= item.limit_days <= max(1, (before.limit_days + 1) // 2)
    assert all(days <= former.limits[place] for place, days in later.limits.items())


@pytest.mark.parametrize("version", TOTALS)
def test_every_path_leaves_a_working_day_to_hand_over(version: str) -> None:
    assert warnings(load(CATALOGUE).version(version)) == []


def test_a_path_that_fits_without_a_day_to_hand_over_is_a_warning_not_a_defect() -> None:
    tight = build(changed("limits.csv", "4,小型社会投资,15,", "4,小型社会投资,8,"))
    assert tight.critical_path(Stage.LAND_USE, P.SOCIAL_SMALL).days == 8
    (told,) = warnings(tight)
    assert told.startswith("limits.csv:5 ") and "S1-03 → S1-05" in told and "9" in told


def test_every_item_has_a_department_in_every_jurisdiction() -> None:
    catalogue = build(FILES)
    for place in catalogue.places:
        for item in catalogue.items.values():
            assert catalogue.route(item, place) in (place, JurisdictionCode("210200"), *catalogue.places)
