"""A refusal is an answer: named by its situation, in Chinese, with the article where the law is the reason.

Subclasses' docstrings are the sentences that a person reads; `{name}` in them is filled from the refusal's facts.
"""

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar


class Refusal(Exception):
    """办理请求被拒绝"""

    article: ClassVar[str | None] = None
    status: ClassVar[int] = 409
    """The HTTP status it is told with."""

    def __init__(self, choices: Sequence[Mapping[str, str]] = (), **facts: object) -> None:
        """`choices`: what would be accepted instead, by field, where one can choose."""
        super().__init__()
        self.choices = choices
        self.facts = facts

    @property
    def code(self) -> str:
        """The stable name of the situation, like `STAGE_NOT_YET_OPEN`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).upper()

    @property
    def message(self) -> str:
        """The sentence in Chinese."""
        return " ".join((type(self).__doc__ or "").split()).format_map(_Facts(self.facts))

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class CalendarDoesNotReach(Refusal):
    """日历没有 {year} 年的工作日安排，无法计算"""

    article = "第十三条"
    status = 422


class _Facts(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "—"
