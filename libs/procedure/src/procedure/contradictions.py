"""What a catalogue's tables say against each other: no city can be run on it then.

A contradiction is `file:line reason` and refuses the catalogue; a warning is told and lets it pass.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from contracts.codes import ItemCode
from contracts.terms import ItemKind, OnExpiry
from procedure.catalogue import Catalogue, ItemRule, Material

HANDING_OVER: Final = 1
"""Working days that a department should have from one item's result to the acceptance of the next (P22)."""


def contradictions(catalogue: Catalogue) -> list[str]:
    """Return every contradiction. Limits are added up only over items that are sound in themselves (P22)."""
    found = [
        *_wrong_leads(catalogue),
        *(
            f"{one.place} {reason}"
            for one in catalogue.materials.values()
            for reason in _wrong_material(one, catalogue)
        ),
        *_two_sources(catalogue),
        *(f"{one.place} {reason}" for one in catalogue.items.values() for reason in _wrong_item(one, catalogue)),
    ]
    return found or list(_wrong_limits(catalogue))


def warnings(catalogue: Catalogue) -> list[str]:
    """Return where a chain of items fits its stage, but without a working day to hand over between two (P22)."""
    return [
        f"{catalogue.limit_places[process_type]} 阶段 {stage} 类型 {process_type}："
        f"{' → '.join(chain.items)} 连同交接共需 {chain.days} 个工作日，阶段时限 {limit}"
        for (process_type, stage), limit in catalogue.limits.items()
        if limit and (chain := catalogue.critical_path(stage, process_type, handing_over=HANDING_OVER)).days > limit
    ]


def _wrong_leads(catalogue: Catalogue) -> Iterable[str]:
    for rule in catalogue.stages.values():
        if rule.lead_department not in catalogue.departments:
            yield f"{rule.place} 牵头部门 {rule.lead_department} 不存在"


def _wrong_material(material: Material, catalogue: Catalogue) -> Iterable[str]:
    if material.issued_by is not None and material.issued_by not in catalogue.items:
        yield f"{material.code} 的出具事项 {material.issued_by} 不存在"
    issuer = next((item for item in catalogue.items.values() if item.result == material.name), None)
    if issuer is not None and material.source == "file":
        yield f"材料 {material.code} 是事项 {issuer.code} 的审批结果，不得要求申请人提交（第八条）"
    if not material.media_types or not material.max_bytes:
        yield f"材料 {material.code} 没有可以提交的文件类型或大小"


def _two_sources(catalogue: Catalogue) -> Iterable[str]:
    """One material is one row: under two codes it would be asked for twice, or asked for though it was issued."""
    by_name: defaultdict[str, list[Material]] = defaultdict(list)
    for material in catalogue.materials.values():
        by_name[material.name].append(material)
    for first, *others in by_name.values():
        yield from (f"{one.place} 材料 {one.code} 与 {first.code} 同名，来源只能有一个（第八条）" for one in others)


def _wrong_item(item: ItemRule, catalogue: Catalogue) -> Iterable[str]:
    yield from _unknown_codes(item, catalogue)
    for material in (catalogue.materials[code] for code in item.materials if code in catalogue.materials):
        if material.source == "result":
            yield f"材料 {material.code} 是平台出具的审批结果，不得要求申请人提交（第八条）"
    for before in (catalogue.items[code] for code in item.after if code in catalogue.items):
        if before.stage is not item.stage:
            yield f"前置事项 {before.code} 不在同一阶段"
    for source in (catalogue.items[code] for code in item.results if code in catalogue.items):
        if source.stage > item.stage:
            yield f"所依据的审批结果 {source.code} 在后面的阶段才产生"
        if source.stage is item.stage and source.code not in item.after:
            yield f"所依据的审批结果 {source.code} 在同一阶段产生，应列为前置事项"
    if not item.types:
        yield "没有适用的项目类型"
    if item.statutory_days is not None and item.limit_days > item.statutory_days:
        yield f"承诺时限 {item.limit_days} 超过法定时限 {item.statutory_days}"
    if item.kind is not ItemKind.CONSULT and item.on_expiry is OnExpiry.DEEM_NO_OBJECTION:
        yield "只有征询类事项可以逾期视为无意见（第十四条）"
    if (cycle := _cycle(item.code, catalogue)) is not None:
        yield f"前置事项成环：{' → '.join(cycle)}"


def _unknown_codes(item: ItemRule, catalogue: Catalogue) -> Iterable[str]:
    if item.department not in catalogue.departments:
        yield f"部门 {item.department} 不存在"
    if item.stage not in catalogue.stages:
        yield f"阶段 {item.stage} 不存在"
    yield from (f"材料 {code} 不存在" for code in item.materials if code not in catalogue.materials)
    yield from (f"事项 {code} 不存在" for code in (*item.results, *item.after) if code not in catalogue.items)
    yield from (f"类型 {one} 没有阶段时限" for one in sorted(item.types) if one not in catalogue.types)


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


def _wrong_limits(catalogue: Catalogue) -> Iterable[str]:
    """P22: no item, and no chain of items, longer than its stage (which has no limit when it is 0, R18)."""
    for (process_type, stage), limit in catalogue.limits.items():
        if limit == 0:
            continue
        for item in catalogue.items_of(stage, process_type):
            if item.limit_days > limit and not item.city_level:
                yield f"{item.place} ITEM_LIMIT_OVER_STAGE：{item.limit_days} > {limit}（类型 {process_type}）"
        path = catalogue.critical_path(stage, process_type)
        if path.days > limit:
            yield (
                f"{catalogue.limit_places[process_type]} CRITICAL_PATH_OVER_STAGE：阶段 {stage} 类型 {process_type}："
                f"{' → '.join(path.items)}：{path.days} > {limit}"
            )
