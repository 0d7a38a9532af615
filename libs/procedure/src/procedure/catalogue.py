"""A city's catalogue: stages, items, materials, departments, places and limits, from tables that a lawyer can read.

`procedure.catalogue_tables` reads it, `procedure.contradictions` holds it against itself. A second city is another
folder of tables, never code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import NamedTuple

from contracts.codes import CITY, DepartmentCode, ItemCode, JurisdictionCode, MaterialCode
from contracts.parts import Policies as Versions
from contracts.terms import ItemKind, OnExpiry, ProcessType, Stage


@dataclass(frozen=True, slots=True)
class StageRule:
    """A stage and who leads it (Art. 5); `place` is `file:line`, as in every row below."""

    stage: Stage
    name: str
    lead_role: str
    lead_department: DepartmentCode
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Material:
    """A material: `source` is form, file or result (`issued_by` an item); sizes in bytes."""

    code: MaterialCode
    name: str
    source: str
    issued_by: ItemCode | None
    media_types: frozenset[str]
    max_bytes: int
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A jurisdiction and its comprehensive window (Art. 10); `mark` begins the numbers of its documents (机关代字)."""

    code: JurisdictionCode
    name: str
    window: str
    window_address: str
    mark: str = ""


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
    marks: Mapping[DepartmentCode, str] = field(default_factory=dict[DepartmentCode, str])
    limit_places: Mapping[ProcessType, str] = field(default_factory=dict[ProcessType, str], compare=False)

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

    def critical_path(self, stage: Stage, process_type: ProcessType, *, handing_over: int = 0) -> "Chain":
        """Return the longest chain of items that wait for each other, with `handing_over` working days between two."""
        rules = {item.code: item for item in self.items_of(stage, process_type)}
        chains = (self._chain(rules, code, process_type, handing_over) for code in rules)
        return max(chains, key=lambda chain: chain.days, default=Chain(0, ()))

    def _chain(
        self, rules: Mapping[ItemCode, ItemRule], code: ItemCode, process_type: ProcessType, handing_over: int
    ) -> "Chain":
        """Return the longest chain that ends with `code`."""
        before = [self._chain(rules, one, process_type, handing_over) for one in self.after(rules[code], process_type)]
        longest = max(before, key=lambda chain: chain.days, default=None)
        if longest is None:
            return Chain(rules[code].limit_days, (code,))
        return Chain(longest.days + handing_over + rules[code].limit_days, (*longest.items, code))


class Chain(NamedTuple):
    """Items that wait for each other, and the working days that they take together."""

    days: int
    items: tuple[ItemCode, ...]
