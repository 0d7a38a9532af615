"""The codes: what the country's standards allow, and nothing else."""

from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import labels, terms
from contracts.codes import CODES_REMEMBERED, Code, CreditCode, ItemCode, JurisdictionCode, ProjectCode, Sha256

VALID = {
    ProjectCode: ["2018-210281-47-03-000123", "2603-210281-04-01-12345X", "2016-210282-48-01-000001"],
    CreditCode: ["91210281MA0ABC123K", "91350100M000100Y43"],
    JurisdictionCode: ["210200", "210281", "210283"],
    ItemCode: ["S1-05", "U-01"],
    Sha256: ["0" * 64],
}
INVALID = {
    ProjectCode: [
        "",
        "2018-210281-47-03-00012",
        "2018-210281-47-03-00012A",
        "2613-210281-04-01-123456",
        "1999-210281-47-03-000123",
        "2018_210281_47_03_000123",
        "２０１８-210281-47-03-000123",
        "2018-210281-47-03-000123\n",
    ],
    CreditCode: ["91210281MA0ABC123L", "91210281MA0ABC123", "91210281MA0IBC123K", "91210281ma0abc123k"],
    JurisdictionCode: ["110000", "21028", "210282"],
    ItemCode: ["S9-99-9", "s1-05", "S1-5"],
    Sha256: ["0" * 63, "G" * 64, "A" * 64],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in VALID.items() for text in texts])
def test_a_valid_code_is_itself(kind: type[Code], text: str) -> None:
    assert kind(text) == text


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in INVALID.items() for text in texts])
def test_an_invalid_code_is_refused_in_chinese(kind: type[Code], text: str) -> None:
    with pytest.raises(ValueError, match=r"[\u4e00-\u9fff]"):
        kind(text)


@given(st.text(max_size=30))
def test_no_text_makes_a_code_fall(text: str) -> None:
    for kind in VALID:
        try:
            assert kind(text) == text
        except ValueError as refusal:
            assert kind.COMPLAINT in str(refusal)


@given(st.integers(0, 16), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_one_wrong_character_breaks_the_check_of_a_credit_code(place: int, other: str) -> None:
    sound = "91210281MA0ABC123K"
    if sound[place] == other:
        return
    with pytest.raises(ValueError, match="校验码"):
        CreditCode(sound[:place] + other + sound[place + 1 :])


def test_what_is_remembered_is_bounded() -> None:
    for number in range(CODES_REMEMBERED + 10):
        Sha256(f"{number:064x}")
    assert len(Sha256.met()) <= CODES_REMEMBERED


def test_every_term_has_a_chinese_name() -> None:
    named = [kind for kind in vars(terms).values() if isinstance(kind, type) and issubclass(kind, Enum)]
    kinds = [kind for kind in named if kind.__module__ == terms.__name__]
    assert kinds
    missing = [member for kind in kinds for member in kind if not _named(member)]
    assert missing == []


def _named(member: Enum) -> bool:
    try:
        return any("\u4e00" <= letter <= "\u9fff" for letter in labels.label(member))
    except KeyError:
        return False
