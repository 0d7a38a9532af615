"""Every claim and every threat that a document lists names what shows it, and that lives."""

import re
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from local.__main__ import VERBS
from local.documents import named_in
from local.suite import ROOT

SHOWN: Final = ("test", "shown by")
"""The last column of a table of claims."""
NAMED: Final = re.compile(r"`([^`]+)`")
PAGES: Final = (Path("README.md"), *sorted(path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md")))


class Claim(NamedTuple):
    """One row of a table of claims: where it stands, and the cell that says what shows it."""

    page: str
    line: int
    shown_by: str


def claims(page: Path) -> list[Claim]:
    """Return the rows of a page's tables of claims."""
    found: list[Claim] = []
    is_claims = False
    for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        last = line.rstrip("| ").rpartition("|")[2].strip() if line.startswith("|") else ""
        is_claims = bool(last) and (is_claims or last in SHOWN)
        if is_claims and last not in SHOWN and set(last) != {"-"}:
            found.append(Claim(page.as_posix(), number, last))
    return found


CLAIMS: Final = [claim for page in PAGES for claim in claims(page)]


def lives(named: str) -> bool:
    """Whether a test's file or folder, one test of a file, or a verb of the one door is there."""
    path, _, test = named.partition("::")
    if named.startswith("./run "):
        return named.split()[1] in VERBS
    return test in named_in(ROOT / path) if test else bool(path) and "/" in path and (ROOT / path).exists()


def test_threats_and_claims_are_listed_where_they_are_looked_for() -> None:
    assert {"README.md", "docs/audit.md", "docs/identity.md", "docs/seals.md"} <= {claim.page for claim in CLAIMS}
    assert len(CLAIMS) > 60


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.page}:{claim.line}")
def test_a_claim_names_what_shows_it_and_that_lives(claim: Claim) -> None:
    named = [one for one in NAMED.findall(claim.shown_by) if not one.startswith("bench/results")]
    assert named and [one for one in named if not lives(one)] == []


@pytest.mark.parametrize(
    "wrong",
    ["tests/e2e/test_nowhere.py", "tests/docs/test_claims.py::test_that_nobody_wrote", "./run fly", "test_x.py"],
)
def test_what_is_not_there_is_found_out(wrong: str) -> None:
    assert not lives(wrong)
