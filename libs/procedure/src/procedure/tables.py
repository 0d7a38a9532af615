"""Tables that a lawyer can read, while a machine reads them: what cannot be understood is a defect at its line."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")


class CatalogueInvalid(ValueError):
    """The catalogue has defects; each is `file:line reason`."""

    def __init__(self, defects: Sequence[str]) -> None:
        super().__init__("\n".join(defects))
        self.defects = tuple(defects)


class Table:
    """One table while it is read; what is wrong with it is added to `defects`."""

    def __init__(self, name: str, text: str | None, columns: Sequence[str], defects: list[str]) -> None:
        self.name = name
        self.defects = defects
        reader = csv.DictReader(io.StringIO(text or ""))
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if text is None or missing:
            defects.append(f"{name}:1 " + ("表不存在" if text is None else f"缺少列 {', '.join(missing)}"))
        self.rows = [] if missing else [Row(self, reader.line_num, row) for row in reader]

    def keyed(self, make: Callable[["Row"], tuple[K, T]]) -> dict[K, T]:
        """Return what `make` makes of every row, by its key; a key that comes twice is a defect."""
        found: dict[K, T] = {}
        for row in self.rows:
            made = row.attempt(make)
            if made is None:
                continue
            if made[0] in found:
                row.defect(f"重复的代码 {made[0]}")
            found[made[0]] = made[1]
        return found


class Row:
    """One row, its cells by column; `place` is `file:line`."""

    def __init__(self, table: Table, line: int, cells: Mapping[str, str | None]) -> None:
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

    def date(self, column: str) -> date:
        text = self.text(column)
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{column} 不是日期：“{text}”") from None

    def one_of(self, column: str, allowed: Mapping[str, T]) -> T:
        """Return what the cell's word stands for. Raises ValueError that names the words allowed."""
        return _meaning(column, self.text(column), allowed)

    def all_of(self, column: str, allowed: Mapping[str, T]) -> list[T]:
        """Return what each of the cell's words stands for. Raises ValueError that names the words allowed."""
        return [_meaning(column, word, allowed) for word in self.words(column)]

    def defect(self, reason: str) -> None:
        self.table.defects.append(f"{self.place} {reason}")

    def attempt(self, make: Callable[["Row"], T]) -> T | None:
        """Return what `make` makes of the row; None, and a defect, when it cannot."""
        try:
            return make(self)
        except ValueError as wrong:
            self.defect(str(wrong))
            return None


def _meaning(column: str, word: str, allowed: Mapping[str, T]) -> T:
    if word not in allowed:
        raise ValueError(f"{column} 应为 {'、'.join(filter(None, allowed))} 之一，而不是“{word}”")
    return allowed[word]
