"""Reads a city's catalogue folder; what the tables mean is `procedure.catalogue`'s affair."""

from dataclasses import dataclass
from pathlib import Path

from procedure.calendar import Calendar
from procedure.catalogue import Catalogue, CatalogueInvalid, build, build_calendar


@dataclass(frozen=True, slots=True)
class City:
    """A city's catalogue with its working calendar."""

    catalogue: Catalogue
    calendar: Calendar


def load(folder: Path) -> City:
    """Return the city of `folder`. Raises CatalogueInvalid with file, line and reason of every defect."""
    files = read(folder)
    return City(build(files), build_calendar(files))


def read(folder: Path) -> dict[str, str]:
    """Return every table below `folder`, by its path from there."""
    try:
        return {str(path.relative_to(folder)): path.read_text("utf-8-sig") for path in sorted(folder.rglob("*.csv"))}
    except UnicodeDecodeError as wrong:
        raise CatalogueInvalid([f"{folder.name}: 文件不是 UTF-8：{wrong}"]) from None
