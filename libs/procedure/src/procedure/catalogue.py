"""A city's catalogue: stages, items, materials, departments, places and limits, from tables that a lawyer can read.

`build` takes the texts of the tables and returns the catalogue, or tells every defect at once with file, line and
reason. A second city is another folder of tables, never code.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Final, TypeVar

from contracts.codes import CITY, DepartmentCode, ItemCode, JurisdictionCode, MaterialCode
from contracts.parts import Policies as Versions
from contracts.terms import ItemKind, OnExpiry, ProcessType, Stage
from procedure.calendar import Calendar, Exception_, Overlay, merged

K = TypeVar("K")
T = TypeVar("T")
WORKING: Final = {"上班": True, "放假": False}
COLUMNS: Final = {
    "catalogue.csv": ("key", "value"),
    "stages.csv": ("stage", "name", "lead_role", "lead_department"),
    "limits.csv": ("type", "name", "stage_1", "stage_2", "stage_3", "stage_4", "stage_5"),
    "departments.csv": ("code", "name", "former_name"),
    "jurisdictions.csv": ("code", "name", "host", "window", "window_address"),
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
CALENDAR_COLUMNS: Final = ("date", "day", "name")
OVERLAY_COLUMNS: Final = ("date", "jurisdiction", "day", "document")


class CatalogueInvalid(ValueError):
    """The catalogue has defects; each is `file:line reason`."""

    def __init__(self, defects: Sequence[str]) -> None:
        super().__init__("\n".join(defects))
        self.defects = tuple(defects)


@dataclass(frozen=True, slots=True)
class StageRule:
    stage: Stage
    name: str
    lead_role: str
    lead_department: DepartmentCode


@dataclass(frozen=True, slots=True)
class Material:
    """A material: `source` is form, file or result (`issued_by` an item); sizes in bytes."""

    code: MaterialCode
    name: str
    source: str
    issued_by: ItemCode | None
    media_types: frozenset[str]
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """A jurisdiction and its comprehensive window (Art. 10)."""

    code: JurisdictionCode
    name: str
    window: str
    window_address: str


@dataclass(frozen=True, slots=True)
class ItemRule:
    """An item as the catalogue has it; limits in working days."""

    code: ItemCode
    name: str
    stage: Stage
    department: DepartmentCode
    kind: ItemKind
    limit_days: int
    statutory_days: int | None
    types: frozenset[ProcessType]
    materials: tuple[MaterialCode, ...]
    results: tuple[ItemCode, ...]
    after: tuple[ItemCode, ...]
    on_expiry: OnExpiry
    optional: bool
    milestone: bool
    city_level: bool
    result: str
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class Catalogue:
    """One version of the whole."""

    version: str
    policy_version: str
    effective_from: date
    title: str
    stages: Mapping[Stage, StageRule]
    types: Mapping[ProcessType, str]
    limits: Mapping[tuple[ProcessType, Stage], int]
    departments: Mapping[DepartmentCode, str]
    places: Mapping[JurisdictionCode, Place]
    materials: Mapping[MaterialCode, Material]
    items: Mapping[ItemCode, ItemRule]

    @property
    def versions(self) -> Versions:
        """The versions that a stage application is admitted under."""
        return Versions(catalogue_version=self.version, policy_version=self.policy_version)

    def limit(self, process_type: ProcessType, stage: Stage) -> int:
        """Return the stage's limit in working days; 0 for the parallel stage, which has no clock (R18)."""
        return self.limits[process_type, stage]

    def items_of(self, stage: Stage, process_type: ProcessType) -> tuple[ItemRule, ...]:
        """Return the items of a stage that apply to a type of project, in the catalogue's order."""
        return self._items_of[stage, process_type]

    @cached_property
    def _items_of(self) -> dict[tuple[Stage, ProcessType], tuple[ItemRule, ...]]:
        return {
            (stage, process_type): tuple(
                item for item in self.items.values() if item.stage is stage and process_type in item.types
            )
            for stage in self.stages
            for process_type in ProcessType
        }

    def after(self, item: ItemRule, process_type: ProcessType) -> tuple[ItemCode, ...]:
        """Return the items of the same stage that `item` waits for, among those that apply."""
        applicable = {rule.code for rule in self.items_of(item.stage, process_type)}
        return tuple(code for code in item.after if code in applicable)

    def materials_of(self, stage: Stage, process_type: ProcessType) -> tuple[Material, ...]:
        """Return every material that the stage's items need, each once (one set, Art. 8)."""
        codes = dict.fromkeys(code for item in self.items_of(stage, process_type) for code in item.materials)
        return tuple(self.materials[code] for code in sorted(codes))

    def to_submit(self, stage: Stage, process_type: ProcessType) -> tuple[Material, ...]:
        """Return the files that the applicant has to hand in: no form, no result of the platform (Art. 8)."""
        return tuple(material for material in self.materials_of(stage, process_type) if material.source == "file")

    def route(self, item: ItemRule, jurisdiction: JurisdictionCode) -> JurisdictionCode:
        """Return whose department handles the item: the city's, or the project's own (Art. 18)."""
        return JurisdictionCode(CITY) if item.city_level else jurisdiction

    def departments_of(self, jurisdiction: JurisdictionCode) -> tuple[tuple[JurisdictionCode, DepartmentCode], ...]:
        """Return every department that handles items for `jurisdiction` itself."""
        handled = {(self.route(item, jurisdiction), item.department) for item in self.items.values()}
        return tuple(sorted(pair for pair in handled if pair[0] == jurisdiction))

    def critical_path(self, stage: Stage, process_type: ProcessType) -> int:
        """Return the working days of the longest chain of items that wait for each other."""
        rules = {item.code: item for item in self.items_of(stage, process_type)}
        return max((_chain(rules, code, process_type, self) for code in rules), default=0)


def _chain(rules: Mapping[ItemCode, ItemRule], code: ItemCode, process_type: ProcessType, catalogue: Catalogue) -> int:
    before = (_chain(rules, one, process_type, catalogue) for one in catalogue.after(rules[code], process_type))
    return rules[code].limit_days + max(before, default=0)


class _Table:
    """One table while it is read: every cell that cannot be understood becomes a defect at its line."""

    def __init__(self, name: str, text: str | None, columns: Sequence[str], defects: list[str]) -> None:
        self.name = name
        self.defects = defects
        reader = csv.DictReader(io.StringIO(text or ""))
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if text is None or missing:
            defects.append(f"{name}:1 " + ("表不存在" if text is None else f"缺少列 {', '.join(missing)}"))
        self.rows = [] if missing else [_Row(self, reader.line_num, row) for row in reader]

    def keyed(self, make: Callable[["_Row"], tuple[K, T]]) -> dict[K, T]:
        found: dict[K, T] = {}
        for row in self.rows:
            made = row.attempt(make)
            if made is None:
                continue
            if made[0] in found:
                row.defect(f"重复的代码 {made[0]}")
            found[made[0]] = made[1]
        return found


class _Row:
    def __init__(self, table: _Table, line: int, cells: Mapping[str, str | None]) -> None:
        self.table = table
        self.place = f"{table.name}:{line}"
        self._cells = cells

    def text(self, column: str) -> str:
        return (self._cells.get(column) or "").strip()

    def words(self, column: str) -> list[str]:
        return self.text(column).split()

    def number(self, column: str) -> int:
        text = self.text(column)
        if not text.isdecimal():
            raise ValueError(f"{column} 应为整数，而不是“{text}”")
        return int(text)

    def defect(self, reason: str) -> None:
        self.table.defects.append(f"{self.place} {reason}")

    def attempt(self, make: Callable[["_Row"], T]) -> T | None:
        try:
            return make(self)
        except (ValueError, KeyError) as wrong:
            self.defect(str(wrong))
            return None


def build(files: Mapping[str, str]) -> Catalogue:
    """Return the catalogue of `files` (name → text). Raises CatalogueInvalid with every defect found."""
    defects: list[str] = []
    tables = {name: _Table(name, files.get(name), columns, defects) for name, columns in COLUMNS.items()}
    facts = {row.text("key"): row for row in tables["catalogue.csv"].rows}
    catalogue = Catalogue(
        version=_fact(facts, "version", defects),
        policy_version=_fact(facts, "policy_version", defects),
        effective_from=_date(_fact(facts, "effective_from", defects), defects),
        title=_fact(facts, "title", defects),
        stages=tables["stages.csv"].keyed(_stage),
        types=tables["limits.csv"].keyed(lambda row: (ProcessType(row.number("type")), row.text("name"))),
        limits=_limits(tables["limits.csv"]),
        departments=tables["departments.csv"].keyed(lambda row: (DepartmentCode(row.text("code")), row.text("name"))),
        places=tables["jurisdictions.csv"].keyed(_place),
        materials=tables["materials.csv"].keyed(_material),
        items=tables["items.csv"].keyed(_item),
    )
    defects.extend(_contradictions(catalogue) if not defects else ())
    if defects:
        raise CatalogueInvalid(defects)
    return catalogue


def _fact(facts: Mapping[str, _Row], key: str, defects: list[str]) -> str:
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


def _stage(row: _Row) -> tuple[Stage, StageRule]:
    stage = Stage(row.number("stage"))
    return stage, StageRule(stage, row.text("name"), row.text("lead_role"), DepartmentCode(row.text("lead_department")))


def _place(row: _Row) -> tuple[JurisdictionCode, Place]:
    code = JurisdictionCode(row.text("code"))
    return code, Place(code, row.text("name"), row.text("window"), row.text("window_address"))


def _material(row: _Row) -> tuple[MaterialCode, Material]:
    code = MaterialCode(row.text("code"))
    source = row.text("source")
    if source not in ("form", "file", "result"):
        raise ValueError(f"source 应为 form、file 或 result，而不是“{source}”")
    issued = row.text("issued_by")
    if (source == "result") != bool(issued):
        raise ValueError("结果材料必须且只有结果材料可以写明出具事项（第八条）")
    media = frozenset(row.words("media_types"))
    limit = row.number("max_megabytes") * 1024 * 1024
    return code, Material(code, row.text("name"), source, ItemCode(issued) if issued else None, media, limit)


def _item(row: _Row) -> tuple[ItemCode, ItemRule]:
    code = ItemCode(row.text("code"))
    limit = row.number("limit_days")
    if limit < 1:
        raise ValueError("事项时限至少为 1 个工作日")
    level = row.text("level")
    if level not in ("CITY", "LOCAL"):
        raise ValueError(f"level 应为 CITY 或 LOCAL，而不是“{level}”")
    return code, ItemRule(
        code=code,
        name=row.text("name"),
        stage=Stage(row.number("stage")),
        department=DepartmentCode(row.text("department")),
        kind=ItemKind(row.text("kind")),
        limit_days=limit,
        statutory_days=row.number("statutory_days") if row.text("statutory_days") else None,
        types=frozenset(ProcessType(int(one)) for one in row.words("types")),
        materials=tuple(map(MaterialCode, row.words("materials"))),
        results=tuple(map(ItemCode, row.words("results"))),
        after=tuple(map(ItemCode, row.words("after"))),
        on_expiry=OnExpiry(row.text("on_expiry")),
        optional=row.text("optional") == "是",
        milestone=row.text("milestone") == "是",
        city_level=level == "CITY",
        result=row.text("result"),
        place=row.place,
    )


def _limits(table: _Table) -> dict[tuple[ProcessType, Stage], int]:
    limits: dict[tuple[ProcessType, Stage], int] = {}
    for row in table.rows:
        for stage in Stage:
            days = row.attempt(lambda row, stage=stage: row.number(f"stage_{stage.value}"))
            process_type = row.attempt(lambda row: ProcessType(row.number("type")))
            if days is not None and process_type is not None:
                limits[process_type, stage] = days
    return limits


def _contradictions(catalogue: Catalogue) -> list[str]:
    """Return what the tables say against each other (P22 and Art. 8 among it)."""
    found = [f"{item.place} {reason}" for item in catalogue.items.values() for reason in _wrong_item(item, catalogue)]
    found += [f"materials.csv:1 {m.code} 的出具事项 {m.issued_by} 不存在" for m in _unissued(catalogue)]
    return found or _wrong_limits(catalogue)


def _unissued(catalogue: Catalogue) -> Iterable[Material]:
    return (m for m in catalogue.materials.values() if m.issued_by is not None and m.issued_by not in catalogue.items)


def _wrong_item(item: ItemRule, catalogue: Catalogue) -> Iterable[str]:
    if item.department not in catalogue.departments:
        yield f"部门 {item.department} 不存在"
    if item.stage not in catalogue.stages:
        yield f"阶段 {item.stage} 不存在"
    for code in item.materials:
        material = catalogue.materials.get(code)
        if material is None:
            yield f"材料 {code} 不存在"
        elif material.source == "result":
            yield f"材料 {code} 是平台出具的审批结果，不得要求申请人提交（第八条）"
    for code in (*item.results, *item.after):
        if code not in catalogue.items:
            yield f"事项 {code} 不存在"
    for code in item.after:
        if code in catalogue.items and catalogue.items[code].stage is not item.stage:
            yield f"前置事项 {code} 不在同一阶段"
    if item.kind is not ItemKind.CONSULT and item.on_expiry is OnExpiry.DEEM_NO_OBJECTION:
        yield "只有征询类事项可以逾期视为无意见（第十四条）"
    if (cycle := _cycle(item.code, catalogue)) is not None:
        yield f"前置事项成环：{' → '.join(cycle)}"


def _cycle(start: ItemCode, catalogue: Catalogue) -> list[ItemCode] | None:
    """Return a chain of predecessors that leads from `start` back to itself."""
    trail: list[ItemCode] = []
    seen: set[ItemCode] = set()

    def walk(code: ItemCode) -> bool:
        trail.append(code)
        for before in catalogue.items[code].after if code in catalogue.items else ():
            if before == start:
                trail.append(before)
                return True
            if before not in seen:
                seen.add(before)
                if walk(before):
                    return True
        trail.pop()
        return False

    return trail if walk(start) else None


def _wrong_limits(catalogue: Catalogue) -> list[str]:
    """P22: no item, and no chain of items, longer than its stage."""
    found: list[str] = []
    for (process_type, stage), limit in catalogue.limits.items():
        if limit == 0:
            continue
        for item in catalogue.items_of(stage, process_type):
            if item.limit_days > limit and not item.city_level:
                found.append(f"{item.place} ITEM_LIMIT_OVER_STAGE：{item.limit_days} > {limit}（类型 {process_type}）")
        path = catalogue.critical_path(stage, process_type)
        if path > limit:
            found.append(f"limits.csv:1 CRITICAL_PATH_OVER_STAGE：阶段 {stage} 类型 {process_type}：{path} > {limit}")
    return found


def build_calendar(files: Mapping[str, str]) -> Calendar:
    """Return the working calendar of the files under `calendar/`. Raises CatalogueInvalid with every defect."""
    defects: list[str] = []
    exceptions: list[Exception_] = []
    years: dict[bool, set[int]] = {True: set(), False: set()}
    for name in sorted(one for one in files if one.startswith("calendar/") and one != "calendar/overlays.csv"):
        stem = name.removeprefix("calendar/").removesuffix(".csv")
        years[not stem.startswith("statutory-")].add(int(stem.removeprefix("statutory-")))
        for row in _Table(name, files[name], CALENDAR_COLUMNS, defects).rows:
            made = row.attempt(_exception)
            exceptions.extend(() if made is None else (made,))
    overlays = _Table("calendar/overlays.csv", files.get("calendar/overlays.csv"), OVERLAY_COLUMNS, defects)
    ordered = [made for row in overlays.rows if (made := row.attempt(_overlay)) is not None]
    if not years[True]:
        defects.append("calendar: 没有任何年份的工作日安排")
    if defects:
        raise CatalogueInvalid(defects)
    version = f"{max(years[True])}+{len(ordered)}"
    return merged(version, exceptions, years[True], years[False], ordered)


def _exception(row: _Row) -> Exception_:
    return Exception_(date.fromisoformat(row.text("date")), WORKING[row.text("day")], row.text("name"))


def _overlay(row: _Row) -> Overlay:
    place = JurisdictionCode(row.text("jurisdiction"))
    return Overlay(date.fromisoformat(row.text("date")), place, WORKING[row.text("day")], row.text("document"))
