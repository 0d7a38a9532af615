"""The initial list: whom the authorities confirmed to begin with, from a table that they can read (Art. 18).

`entries_of` takes the text of the table and returns its entries, or tells every defect at once with line and reason.
"""

import csv
import io
from collections.abc import Collection, Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ValidationError

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode
from contracts.envelope import Instant, Line, derived_id
from contracts.terms import Role
from procedure.catalogue import Catalogue
from procedure.refusals import Refusal
from signing.domain.roster import CertificateOfAnother, Entry, PersonalSerial, Responsibility, possible


class RosterFileInvalid(ValueError):
    """The initial list has defects; each is `file:line reason`."""

    def __init__(self, defects: Sequence[str]) -> None:
        super().__init__("\n".join(defects))
        self.defects = tuple(defects)


class Row(BaseModel):
    """One line of the initial list; `authority` is who confirmed it, in which `document`."""

    serial: PersonalSerial
    holder: Line
    role: Role
    jurisdiction: JurisdictionCode
    department: Annotated[DepartmentCode | None, BeforeValidator(lambda text: text or None)]
    items: Annotated[tuple[ItemCode, ...], BeforeValidator(lambda text: sorted(set(text.split())))]
    effective_at: Instant
    authority: Line
    document: Line

    @property
    def entry(self) -> Entry:
        """The entry that this line makes; the same line is the same entry at every start."""
        what = Responsibility(self.serial, self.holder, self.role, self.jurisdiction, self.department, self.items)
        entry_id = derived_id("roster-list", *self.model_dump(mode="json").values())
        return Entry(entry_id, what, self.effective_at, None, self.authority, self.authority, self.document)


def entries_of(name: str, text: str, catalogues: Collection[Catalogue]) -> list[Entry]:
    """Return the entries of the table `name`. Raises RosterFileInvalid with line and reason of every defect."""
    reader = csv.DictReader(io.StringIO(text))
    if missing := [column for column in Row.model_fields if column not in (reader.fieldnames or ())]:
        raise RosterFileInvalid([f"{name}:1 缺少列 {', '.join(missing)}"])
    entries: dict[UUID, Entry] = {}
    holders: dict[str, str] = {}
    defects: list[str] = []
    for cells in reader:
        try:
            entry = _row(cells)
            possible(entry.what, catalogues)
            if holders.setdefault(entry.what.serial, entry.what.holder) != entry.what.holder:
                raise CertificateOfAnother(holder=holders[entry.what.serial])
            if entries.setdefault(entry.entry_id, entry) is not entry:
                raise ValueError("与前面的一行重复")
        except (Refusal, ValueError) as wrong:
            defects.append(f"{name}:{reader.line_num} {wrong.message if isinstance(wrong, Refusal) else wrong}")
    if defects:
        raise RosterFileInvalid(defects)
    return list(entries.values())


def _row(cells: dict[str | Any, Any]) -> Entry:
    if None in cells:
        raise ValueError("列数多于表头")
    given = {column: (cells[column] or "").strip() for column in Row.model_fields}
    try:
        return Row.model_validate(given).entry
    except ValidationError as wrong:
        columns = dict.fromkeys(str(one["loc"][0]) for one in wrong.errors())
        raise ValueError("；".join(f"{column} 不正确：“{given[column]}”" for column in columns)) from None
