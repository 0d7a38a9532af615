"""Reads a city's catalogue folder; what the tables mean is `procedure.catalogue`'s affair.

The folder's own tables are the first version; `versions/<name>/` holds the tables in which a later one differs. Every
case names the version it was admitted under, so all of them are at hand side by side (Art. 1, 24).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contracts.parts import Policies as Versions
from procedure.calendar import Calendar
from procedure.calendar_tables import build_calendar
from procedure.catalogue import Catalogue
from procedure.catalogue_tables import build
from procedure.tables import CatalogueInvalid


class CatalogueVersionUnknown(LookupError):
    """A case names a catalogue version that this process does not have: it must not be handled under another one."""


@dataclass(frozen=True, slots=True)
class City:
    """A city's catalogue with its working calendar; `catalogues` are all its versions by name."""

    catalogue: Catalogue
    calendar: Calendar
    catalogues: Mapping[str, Catalogue] = field(default_factory=dict[str, Catalogue])

    def under(self, versions: Versions) -> Catalogue:
        """Return the catalogue that a case runs under. Raises CatalogueVersionUnknown."""
        return self.version(versions.catalogue_version)

    def version(self, name: str) -> Catalogue:
        """Return the catalogue of that version. Raises CatalogueVersionUnknown."""
        found = self.catalogues.get(name)
        if found is None:
            raise CatalogueVersionUnknown(f"catalogue version {name} is not among {', '.join(sorted(self.catalogues))}")
        return found


def load(folder: Path) -> City:
    """Return the city of `folder`. Raises CatalogueInvalid with file, line and reason of every defect."""
    files = read(folder)
    first = build(files)
    later = [build(files | tables) for tables in later_versions(folder).values()]
    return City(first, build_calendar(files), {one.version: one for one in (first, *later)})


def later_versions(folder: Path) -> dict[str, dict[str, str]]:
    """Return the tables of every later version, by the name of its folder."""
    return {path.name: read(path) for path in sorted(folder.glob("versions/*")) if path.is_dir()}


def read(folder: Path) -> dict[str, str]:
    """Return every table of one version in `folder`, by its path from there. Raises CatalogueInvalid."""
    names = {path: path.relative_to(folder) for path in sorted(folder.rglob("*.csv"))}
    return {str(name): _text(path, str(name)) for path, name in names.items() if name.parts[0] != "versions"}


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = path.read_bytes().count(b"\n", 0, wrong.start) + 1
        raise CatalogueInvalid([f"{name}:{line} 文件不是 UTF-8：{wrong.reason}"]) from None
