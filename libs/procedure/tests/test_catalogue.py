"""The catalogue: what a lawyer counts, and every defect refused with its file, its line and its reason."""

import pytest

from chassis.catalogue import read
from contracts.codes import JurisdictionCode
from contracts.terms import ProcessType, Stage
from local.suite import CATALOGUE
from procedure.catalogue import CatalogueInvalid, build, build_calendar

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
        ("limits.csv", "4,小型社会投资,15,", "4,小型社会投资,x,", "limits.csv:5", "应为整数"),
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


def test_a_calendar_row_that_cannot_be_understood_is_told() -> None:
    name = next(one for one in FILES if one.startswith("calendar/20"))
    found = defects({**FILES, name: FILES[name] + "2026-02-30,off,不存在的一天\n"})
    assert any(one.startswith(f"{name}:") for one in found)


COUNTS = {
    (ProcessType.GOV_BUILDING, Stage.LAND_USE): 10,
    (ProcessType.SOCIAL_GENERAL, Stage.LAND_USE): 8,
    (ProcessType.SOCIAL_SMALL, Stage.LAND_USE): 4,
}


@pytest.mark.parametrize("pair", COUNTS, ids=str)
def test_items_of_a_stage_by_project_type(pair: tuple[ProcessType, Stage]) -> None:
    assert len(build(FILES).items_of(pair[1], pair[0])) == COUNTS[pair]


@pytest.mark.parametrize(
    ("process_type", "total"),
    [
        (ProcessType.GOV_BUILDING, 90),
        (ProcessType.GOV_LINEAR, 90),
        (ProcessType.SOCIAL_GENERAL, 75),
        (ProcessType.SOCIAL_SMALL, 60),
    ],
)
def test_the_stages_limits_add_up_to_the_published_total(process_type: ProcessType, total: int) -> None:
    catalogue = build(FILES)
    assert sum(limit for (kind, _), limit in catalogue.limits.items() if kind is process_type) == total


def test_every_item_has_a_department_in_every_jurisdiction() -> None:
    catalogue = build(FILES)
    for place in catalogue.places:
        for item in catalogue.items.values():
            assert catalogue.route(item, place) in (place, JurisdictionCode("210200"), *catalogue.places)
