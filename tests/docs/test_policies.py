"""The page of policies is made from the readings, each with its question, its default and what it may be instead."""

import re

from local import documents
from local.suite import ROOT
from procedure.policies import DEFAULT, READINGS


def test_every_setting_has_its_row() -> None:
    page = (ROOT / "docs" / "policies.md").read_text()
    assert page == documents.policies()
    for name, reading in READINGS.items():
        (row,) = [line for line in page.splitlines() if f"| `{name}` |" in line]
        assert reading.question in row and reading.number in row
        default = getattr(DEFAULT, name)
        assert f"`{str(default).lower() if isinstance(default, bool) else default}` |" in row


def test_a_setting_with_alternatives_names_each_of_them() -> None:
    page = documents.policies()
    for reading in READINGS.values():
        if isinstance(reading.allowed, tuple):
            assert all(re.search(rf"`{value}`", page) for value in reading.allowed)
