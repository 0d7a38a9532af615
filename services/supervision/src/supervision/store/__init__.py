"""Supervision's SQL. Every row follows from the topics; one statement per step over arrays, none per record."""

from collections.abc import Iterable
from typing import Any


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Return rows as the arrays that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)]
