"""The worked examples of the page of clocks are what the law tells of them."""

import re
from datetime import date

import pytest

from local import golden, ledgers
from local.suite import ROOT

PAGE = (ROOT / "docs" / "clocks.md").read_text()


@pytest.mark.parametrize("name", ledgers.LEDGERS)
def test_a_ledger_of_the_page_is_recomputed(name: str) -> None:
    told = PAGE.partition(f"<!-- ledger: {name} -->\n")[2].partition("<!-- end -->")[0]
    assert told.count("\n|") > 3
    assert told == ledgers.LEDGERS[name]()


def test_the_page_has_no_gap_that_nobody_fills() -> None:
    assert set(re.findall(r"<!-- ledger: (.+) -->", PAGE)) == set(ledgers.LEDGERS)
    assert ledgers.made() == PAGE


def test_the_days_that_the_text_names_are_those_of_the_ledgers() -> None:
    """Who edits the sentences is held to them too."""
    spring, second = ledgers.spring_festival(), ledgers.second_attempt()
    assert spring.due is not None and spring.due.on == date(2026, 2, 28)
    assert "Saturday the 28th, a make-up day again, is the last of them" in PAGE
    assert second.due is not None and second.due.on == golden.EXPIRIES[1].due_on
    dues = [told.due.on for told in (ledgers.stage(), ledgers.stage(ledgers.ALL_OPEN)) if told.due is not None]
    assert dues == [golden.S5_STAGE["ANY"], golden.S5_STAGE["ALL_OPEN"]]
    assert "it becomes\n10 April" in PAGE and "3 April is due" in PAGE
