"""A catalogue out of its tables: every defect is told at once, with file, line and reason."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from contracts.codes import PILOT_ZONES, DepartmentCode, ItemCode, JurisdictionCode, MaterialCode
from contracts.terms import ItemKind, OnExpiry, ProcessType, Stage
from procedure.catalogue import Catalogue, ItemRule, Material, Place, StageRule
from procedure.contradictions import contradictions
from procedure.tables import CatalogueInvalid, Row, Table

COLUMNS: Final = {
    "catalogue.csv": ("key", "value"),
    "stages.csv": ("stage", "name", "lead_role", "lead_department"),
    "limits.csv": ("type", "name", "stage_1", "stage_2", "stage_3", "stage_4", "stage_5"),
    "departments.csv": ("code", "name", "former_name", "mark"),
    "jurisdictions.csv": ("code", "name", "host", "window", "window_address", "mark"),
    "materials.csv": ("code", "name", "source", "issued_by", "media_types", "max_megabytes"),
    "items.csv": (
        "code",
        "name",
        "stage",
        "department",
        "kind",
        "limit_days",
        "statutory_days",
        "types",
        "materials",
        "results",
        "after",
        "on_expiry",
        "optional",
        "milestone",
        "level",
        "result",
    ),
}
SOURCES: Final = {name: name for name in ("form", "file", "result")}
LEAD_ROLES: Final = {name: name for name in ("PLANNING", "CONSTRUCTION")}
LEVELS: Final = {"LOCAL": False, "CITY": True}
YES: Final = {"是": True, "": False}
STAGES: Final = {str(stage.value): stage for stage in Stage}
TYPES: Final = {str(one.value): one for one in ProcessType}
KINDS: Final = {kind.value: kind for kind in ItemKind}
ON_EXPIRY: Final = {one.value: one for one in OnExpiry}
MEBIBYTE: Final = 1024 * 1024


def build(files: Mapping[str, str]) -> Catalogue:
    """Return the catalogue of `files` (name → text). Raises CatalogueInvalid with every defect found."""
    defects: list[str] = []
    tables = {name: Table(name, files.get(name), columns, defects) for name, columns in COLUMNS.items()}
    facts = tables["catalogue.csv"].keyed(lambda row: (row.text("key"), row))
    limits = tables["limits.csv"].keyed(_limits)
    catalogue = Catalogue(
        version=_fact(facts, "version", defects),
        policy_version=_fact(facts, "policy_version", defects),
        effective_from=_date(_fact(facts, "effective_from", defects), defects),
        title=_fact(facts, "title", defects),
        stages=tables["stages.csv"].keyed(_stage),
        types={process_type: row.text("name") for process_type, (row, _) in limits.items()},
        limits={(one, stage): days for one, (_, of) in limits.items() for stage, days in of.items()},
        departments=tables["departments.csv"].keyed(lambda row: (DepartmentCode(row.text("code")), row.text("name"))),
        marks=tables["departments.csv"].keyed(lambda row: (DepartmentCode(row.text("code")), row.text("mark"))),
        places=tables["jurisdictions.csv"].keyed(_place),
        materials=tables["materials.csv"].keyed(_material),
        items=tables["items.csv"].keyed(_item),
        limit_places={process_type: row.place for process_type, (row, _) in limits.items()},
    )
    defects.extend(() if defects else contradictions(catalogue))
    if defects:
        raise CatalogueInvalid(defects)
    return catalogue


def _fact(facts: Mapping[str, Row], key: str, defects: list[str]) -> str:
    if key not in facts or not facts[key].text("value"):
        defects.append(f"catalogue.csv:1 缺少 {key}")
        return ""
    return facts[key].text("value")


def _date(text: str, defects: list[str]) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        defects.append(f"catalogue.csv:1 effective_from 不是日期：“{text}”")
        return date.min


def _limits(row: Row) -> tuple[ProcessType, tuple[Row, dict[Stage, int]]]:
    days = {stage: row.number(f"stage_{stage.value}") for stage in Stage}
    return row.one_of("type", TYPES), (row, days)


def _stage(row: Row) -> tuple[Stage, StageRule]:
    stage, lead = row.one_of("stage", STAGES), DepartmentCode(row.text("lead_department"))
    return stage, StageRule(stage, row.text("name"), row.one_of("lead_role", LEAD_ROLES), lead, row.place)


def _place(row: Row) -> tuple[JurisdictionCode, Place]:
    code = JurisdictionCode(row.text("code"))
    if row.text("host") != PILOT_ZONES.get(code, ""):
        raise ValueError(f"host 应为“{PILOT_ZONES.get(code, '')}”，而不是“{row.text('host')}”")
    return code, Place(code, row.text("name"), row.text("window"), row.text("window_address"), row.text("mark"))


def _material(row: Row) -> tuple[MaterialCode, Material]:
    code, source, issued = MaterialCode(row.text("code")), row.one_of("source", SOURCES), row.text("issued_by")
    if (source == "result") != bool(issued):
        raise ValueError("结果材料必须且只有结果材料可以写明出具事项（第八条）")
    return code, Material(
        code=code,
        name=row.text("name"),
        source=source,
        issued_by=ItemCode(issued) if issued else None,
        media_types=frozenset(row.words("media_types")),
        max_bytes=row.number("max_megabytes") * MEBIBYTE,
        place=row.place,
    )


def _item(row: Row) -> tuple[ItemCode, ItemRule]:
    code, limit = ItemCode(row.text("code")), row.number("limit_days")
    if limit < 1:
        raise ValueError("事项时限至少为 1 个工作日")
    return code, ItemRule(
        code=code,
        name=row.text("name"),
        stage=row.one_of("stage", STAGES),
        department=DepartmentCode(row.text("department")),
        kind=row.one_of("kind", KINDS),
        limit_days=limit,
        statutory_days=row.number("statutory_days") if row.text("statutory_days") else None,
        types=frozenset(row.all_of("types", TYPES)),
        materials=tuple(map(MaterialCode, row.words("materials"))),
        results=tuple(map(ItemCode, row.words("results"))),
        after=tuple(map(ItemCode, row.words("after"))),
        on_expiry=row.one_of("on_expiry", ON_EXPIRY),
        optional=row.one_of("optional", YES),
        milestone=row.one_of("milestone", YES),
        city_level=row.one_of("level", LEVELS),
        result=row.text("result"),
        place=row.place,
    )
