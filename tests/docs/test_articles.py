"""Every article of the regulation leads to functions that exist and to tests that live."""

import pytest

from local import documents
from local.documents import Row, found, named_in, rows
from local.suite import ROOT

ALL = range(1, 25)


def missing(row: Row) -> list[str]:
    """What a row names that does not exist."""
    tests = [one for one in row.tests if one.partition("::")[2] not in named_in(ROOT / one.partition("::")[0])]
    return tests + [one for one in row.functions if found(one) is None]


def test_no_article_is_left_out_and_their_order_is_the_regulations() -> None:
    told = [row.article for row in rows()]
    assert set(told) == set(ALL)
    assert told == sorted(told)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"article-{row.article}")
def test_a_row_names_a_behaviour_a_function_and_a_living_test(row: Row) -> None:
    assert row.behaviour and row.service and row.functions and row.tests
    assert missing(row) == []


def test_a_test_or_a_function_that_does_not_exist_is_found_out() -> None:
    sound = next(iter(rows()))
    for wrong in (
        sound._replace(tests=("tests/e2e/test_declaration.py::test_that_nobody_wrote",)),
        sound._replace(tests=("tests/e2e/test_nowhere.py::test_the_builder_is_told",)),
        sound._replace(functions=("procedure.clock.overdue_in_a_fortnight",)),
        sound._replace(functions=("procedure.nowhere.due",)),
    ):
        assert len(missing(wrong)) == 1


def test_the_page_is_what_the_table_makes() -> None:
    page = (ROOT / "docs" / "articles.md").read_text()
    assert page == documents.articles(rows())
    assert all(f"\n## Art. {number}\n" in page for number in ALL)
