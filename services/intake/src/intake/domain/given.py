"""Materials as builders hand them in: whose bytes, which version each item goes by, who was the first to check it
against the original (Art. 8, 12)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, MaterialCode, Sha256
from contracts.parts import Actor, MaterialRef
from contracts.terms import Stage
from intake.domain.progress import Progress
from procedure import stages
from procedure.calendar import local_day
from procedure.catalogue import Catalogue
from procedure.refusals import Refusal


class MaterialNotYours(Refusal):
    """材料 {materials} 尚未上传，或不是贵单位上传的"""

    article = "第八条"
    status = 422


class MaterialNotDeferred(Refusal):
    """材料 {materials} 不在本次申报的容缺范围内；补正请按具体事项提交"""

    article = "第十七条"
    status = 422


class NothingGiven(Refusal):
    """没有提交任何材料"""

    article = "第八条"
    status = 422


class NoSuchMaterial(Refusal):
    """该事项没有材料 {material}，或者建设单位尚未提交"""

    article = "第八条"
    status = 404


@dataclass(frozen=True, slots=True)
class GivenMaterial:
    """A material that a builder hands in: its code in the dictionary, and the address of its bytes."""

    code: MaterialCode
    sha256: Sha256
    name: str


@dataclass(frozen=True, slots=True)
class UploadedMaterial:
    """What is known of uploaded bytes."""

    size: int
    media_type: str


class HandedIn(NamedTuple):
    """One material as it was handed in once: for a stage application, or for one `item_code` of it; in the order of
    `number`."""

    number: int
    application_id: UUID
    stage: Stage
    item_code: ItemCode | None
    material: MaterialRef
    given_at: datetime


class FirstRecorder(NamedTuple):
    """The accepting officer who checked these bytes against the original first, and answers for it (Art. 12)."""

    material: MaterialCode
    sha256: Sha256
    actor: Actor
    department: DepartmentCode
    jurisdiction: JurisdictionCode
    item_code: ItemCode
    at: datetime


class Promise(NamedTuple):
    """容缺: a material promised for a day (Art. 17); `given_at` tells when it came."""

    material: MaterialCode
    promised_on: date
    given_at: datetime | None

    def is_broken(self, at: datetime) -> bool:
        """Whether the day passed without the material, or before it came."""
        return local_day(self.given_at or at) > self.promised_on


class Declaration(NamedTuple):
    """What decides which materials a stage application goes by: when it was declared, and under which catalogue."""

    applied_at: datetime
    catalogue: Catalogue


def references(
    given: Collection[GivenMaterial], uploaded: Mapping[Sha256, UploadedMaterial], catalogue: Catalogue
) -> tuple[MaterialRef, ...]:
    """Return the references of what a builder hands in. Raises MaterialNotYours or MaterialTypeWrong."""
    if missing := [one.code for one in given if one.sha256 not in uploaded]:
        raise MaterialNotYours(materials="、".join(missing))
    for one in given:
        material = catalogue.materials.get(one.code)
        if material is not None and uploaded[one.sha256].media_type not in material.media_types:
            raise stages.MaterialTypeWrong(material=one.code, allowed="、".join(sorted(material.media_types)))
    return tuple(
        MaterialRef(code=one.code, sha256=one.sha256, name=one.name, size=uploaded[one.sha256].size) for one in given
    )


def admit_promised(given: Sequence[MaterialRef], promises: Iterable[Promise]) -> None:
    """Hold what comes after a declaration to what was deferred at it (Art. 17), be it late: late is shown, not refused.

    Raises NothingGiven or MaterialNotDeferred.
    """
    if not given:
        raise NothingGiven
    promised = {one.material for one in promises}
    if stray := [one.code for one in given if one.code not in promised]:
        raise MaterialNotDeferred(materials="、".join(stray))


def gone_by(
    material: MaterialCode, item: Progress, applied_at: datetime, handed_in: Iterable[HandedIn]
) -> MaterialRef | None:
    """Return the version of a material that an item goes by, or None; `handed_in` is all of the project's, in order.

    A stage goes by what was held when it was declared and by what was promised then; an item, beyond that, by what was
    handed in for it alone.
    """
    found: MaterialRef | None = None
    for one in handed_in:
        if one.application_id == item.application_id:
            ours = one.item_code in (None, item.item_code)
        else:
            ours = one.given_at <= applied_at
        if ours and one.material.code == material:
            found = one.material
    return found


def uses(
    items: Iterable[Progress], declarations: Mapping[UUID, Declaration], handed_in: Sequence[HandedIn]
) -> dict[tuple[MaterialCode, Sha256], list[Progress]]:
    """Return which items go by which version of which material; `declarations` are those of the stage applications."""
    found: dict[tuple[MaterialCode, Sha256], list[Progress]] = {}
    for item in items:
        declaration = declarations[item.application_id]
        for code in needed(item, declaration.catalogue, handed_in):
            version = gone_by(code, item, declaration.applied_at, handed_in)
            if version is not None:
                found.setdefault((code, version.sha256), []).append(item)
    return found


def needed(item: Progress, catalogue: Catalogue, handed_in: Iterable[HandedIn]) -> list[MaterialCode]:
    """Return the materials of an item: the catalogue's, and what was handed in for it alone."""
    rule = catalogue.items.get(item.item_code)
    own = [
        one.material.code
        for one in handed_in
        if (one.application_id, one.item_code) == (item.application_id, item.item_code)
    ]
    return list(dict.fromkeys((*(rule.materials if rule is not None else ()), *own)))


def opened(
    material: MaterialCode, item: Progress, declaration: Declaration, handed_in: Sequence[HandedIn]
) -> MaterialRef:
    """Return the bytes that an officer sees of an item's material. Raises NoSuchMaterial."""
    asked = material in needed(item, declaration.catalogue, handed_in)
    found = gone_by(material, item, declaration.applied_at, handed_in) if asked else None
    if found is None:
        raise NoSuchMaterial(material=material)
    return found
