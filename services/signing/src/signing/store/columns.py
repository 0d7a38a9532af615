"""Rows turned into the arrays that one statement takes."""

from collections.abc import Iterable
from typing import Any


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Return rows as columns, as `unnest` takes them."""
    return [list(column) for column in zip(*rows, strict=True)]
