"""Rows as the columns that a statement over arrays takes."""

from collections.abc import Iterable
from typing import Any


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Return rows of one shape as their columns."""
    return [list(column) for column in zip(*rows, strict=True)]
