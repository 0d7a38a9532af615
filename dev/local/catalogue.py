"""`./run catalogue`: a city's tables held against themselves, and one item as the catalogue has it."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from chassis.catalogue import CatalogueVersionUnknown, City, later_versions, load, read
from contracts.labels import label
from contracts.terms import ProcessType, Stage
from local.suite import CATALOGUE, ROOT
from local.trouble import Trouble
from procedure.calendar import Calendar
from procedure.calendar_tables import build_calendar
from procedure.catalogue import Catalogue, ItemRule, Material
from procedure.catalogue_tables import build
from procedure.contradictions import warnings
from procedure.tables import CatalogueInvalid

HOW: Final = {"form": "统一申请表，在线填写", "file": "申请人提交（一次提交，各阶段共享）", "result": "部门流转"}


def main(arguments: list[str]) -> int:
    """Run `check` or `show`."""
    parser = argparse.ArgumentParser(prog="./run catalogue", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser("check", help="every defect with file, line and reason; exit 1 when there is one")
    check.add_argument("folder", nargs="?", type=Path, default=CATALOGUE, help="a city's folder (default: Dalian's)")
    show = verbs.add_parser("show", help="one item: who decides it, in how many days, out of what, after what")
    show.add_argument("item", help="item code, like S1-05")
    show.add_argument("--version", help="catalogue version, like 2020.1 (default: the city's first)")
    options = parser.parse_args(arguments)
    if options.verb == "check":
        return _check(options.folder)
    try:
        city = load(CATALOGUE)
    except CatalogueInvalid as invalid:
        raise Trouble(f"the catalogue has {len(invalid.defects)} defects: ./run catalogue check") from None
    print(shown(city, options.item, options.version), end="")
    return 0


# Check ----------------------------------------------------------------------------------------------------------


class Checked(NamedTuple):
    """What a city's folder holds, as far as it can be understood, and what is wrong with it (`file:line reason`)."""

    catalogues: tuple[Catalogue, ...]
    calendar: Calendar | None
    defects: tuple[str, ...]
    warnings: tuple[str, ...]


def checked(folder: Path) -> Checked:
    """Return every version of a city's catalogue and its calendar held against themselves."""
    defects: list[str] = []
    warned: list[str] = []
    catalogues: list[Catalogue] = []
    calendar: Calendar | None = None
    try:
        files, later = read(folder), later_versions(folder)
    except CatalogueInvalid as invalid:
        return Checked((), None, invalid.defects, ())
    for name, tables in {"": {}, **later}.items():
        try:
            catalogues.append(build({**files, **tables}))
            warned += _placed(name, tables, warnings(catalogues[-1]))
            defects += _misnamed(name, catalogues[-1], catalogues[:-1])
        except CatalogueInvalid as invalid:
            defects += _placed(name, tables, invalid.defects)
    try:
        calendar = build_calendar(files)
    except CatalogueInvalid as invalid:
        defects += invalid.defects
    return Checked(tuple(catalogues), calendar, tuple(dict.fromkeys(defects)), tuple(dict.fromkeys(warned)))


def _placed(name: str, tables: Mapping[str, str], told: Iterable[str]) -> list[str]:
    """A later version's own tables stand in its folder; the others are the first version's."""
    return [f"versions/{name}/{one}" if one.partition(":")[0] in tables else one for one in told]


def _misnamed(name: str, catalogue: Catalogue, others: Iterable[Catalogue]) -> Iterable[str]:
    place = f"versions/{name}/catalogue.csv:1" if name else "catalogue.csv:1"
    if name and catalogue.version != name:
        yield f"{place} 版本 {catalogue.version} 与文件夹名 {name} 不一致"
    if catalogue.version in {one.version for one in others}:
        yield f"{place} 版本 {catalogue.version} 出现两次"


def _check(folder: Path) -> int:
    if not folder.is_dir():
        raise Trouble(f"{folder} is no folder; name a city's folder, like {CATALOGUE.relative_to(ROOT)}")
    told = checked(folder)
    for catalogue in told.catalogues:
        print(_summary(catalogue))
    if told.calendar is not None:
        print(_years(told.calendar))
    for one in told.warnings:
        print(f"warning  {one}")
    for one in told.defects:
        print(f"defect   {one}")
    print(f"{len(told.defects)} defects, {len(told.warnings)} warnings")
    return 1 if told.defects else 0


def _summary(catalogue: Catalogue) -> str:
    totals = {one: sum(catalogue.limit(one, stage) for stage in Stage) for one in catalogue.types}
    listed = "，".join(f"{label(one)} {total}" for one, total in totals.items())
    counted = f"{len(catalogue.items)} 个事项，{len(catalogue.materials)} 种材料"
    return f"{catalogue.version}  {counted}；总时限（工作日）：{listed}\n        {catalogue.title}"


def _years(calendar: Calendar) -> str:
    statutory = "".join(f"，{year} 年仅有法定节假日（暂定）" for year in sorted(calendar.statutory))
    released = f"{min(calendar.released)} 至 {max(calendar.released)} 年放假安排已公布"
    return f"日历 {calendar.version}  {released}{statutory}，{len(calendar.overlays)} 条停办或加班安排"


# Show -----------------------------------------------------------------------------------------------------------


def shown(city: City, code: str, version: str | None = None) -> str:
    """Return one item as a person reads it. Raises Trouble for an item or a version that does not exist."""
    try:
        catalogue = city.catalogue if version is None else city.version(version)
    except CatalogueVersionUnknown as unknown:
        raise Trouble(str(unknown)) from None
    item = next((one for one in catalogue.items.values() if one.code == code), None)
    if item is None:
        raise Trouble(f"there is no item {code} in {catalogue.version}; its items are {', '.join(catalogue.items)}")
    return "".join(f"{name}\t{told}\n" for name, told in _facts(item, catalogue))


def _facts(item: ItemRule, catalogue: Catalogue) -> Iterable[tuple[str, str]]:
    yield "事项", f"{item.code} {item.name}（{label(item.kind)}）"
    yield "目录版本", f"{catalogue.version}，{catalogue.title}"
    yield "阶段", f"{item.stage} {catalogue.stages[item.stage].name}"
    level = "市级办理" if item.city_level else "属地办理（第十八条）"
    yield "部门", f"{item.department} {catalogue.departments[item.department]}，{level}"
    statutory = "" if item.statutory_days is None else f"（法定 {item.statutory_days}）"
    yield "时限", f"{item.limit_days} 个工作日{statutory}，{label(item.on_expiry)}（第十四条）"
    yield "适用", "；".join(_of_type(item, one, catalogue) for one in sorted(item.types))
    for code in item.materials:
        yield "材料", _material(catalogue.materials[code])
    for code in item.results:
        source = catalogue.items[code]
        yield "依据", f"{code} {source.name}的{source.result}：部门流转，不由申请人提交（第八条）"
    for code in item.after:
        yield "前置", f"{code} {catalogue.items[code].name}"
    yield "结果", item.result


def _of_type(item: ItemRule, process_type: ProcessType, catalogue: Catalogue) -> str:
    limit = catalogue.limit(process_type, item.stage)
    return label(process_type) + (f"（阶段 {limit} 个工作日）" if limit else "（阶段不计时）")


def _material(material: Material) -> str:
    return f"{material.code} {material.name}：{HOW[material.source]}"
