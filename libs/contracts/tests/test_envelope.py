"""The envelope: nothing comes through that contradicts itself, and nothing that comes in makes the reader fall."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.department_worker import ItemConcluded
from contracts.envelope import MAX_VALUE_BYTES, Unreadable, decode, encode
from contracts.topics import ITEMS
from local.samples import sample

EVENT = sample(ItemConcluded)
MESSAGE = encode(EVENT, ITEMS.name, "department-worker")
HEADERS = MESSAGE.headers
KEY, VALUE = MESSAGE.key.encode(), MESSAGE.value.encode()


def reason(value: bytes | None, headers: list[tuple[str, bytes]] = HEADERS, key: bytes | None = KEY) -> str:
    with pytest.raises(Unreadable) as trouble:
        decode(value, headers, key, ITEMS.known)
    return trouble.value.reason


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(VALUE), **fields}).encode()


def test_what_was_encoded_is_decoded_to_the_same_event() -> None:
    assert decode(VALUE, HEADERS, KEY, ITEMS.known) == EVENT


def test_a_reader_ignores_fields_it_does_not_know_and_a_writer_has_none() -> None:
    assert decode(changed(since_v2="新"), HEADERS, KEY, ITEMS.known) == EVENT
    with pytest.raises(ValidationError):
        ItemConcluded(**{**EVENT.__dict__, "since_v2": "新"})


def test_a_type_that_is_passed_over_is_not_even_parsed() -> None:
    assert decode(b"not json", HEADERS, KEY, {**ITEMS.known, "ItemConcluded": None}) is None


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ("no-value", None),
        ("oversized", b" " * (MAX_VALUE_BYTES + 1)),
        ("wrong-schema", b""),
        ("wrong-schema", b"\xff\xfe"),
        ("wrong-schema", b"[" * 10_000),
        ("wrong-schema", b"null"),
        ("wrong-schema", changed(at="2026-03-02T09:00:00")),
        ("wrong-schema", changed(at="0001-01-01T00:00:00+14:00")),
        ("wrong-schema", changed(at="9999-12-31T23:59:59-14:00")),
        ("wrong-schema", changed(version="1")),
        ("wrong-schema", changed(version=0)),
        ("wrong-schema", changed(outcome="MAYBE")),
        ("wrong-schema", changed(item_code="../../etc")),
        ("wrong-schema", changed(opinion="a\x00b")),
        ("wrong-schema", changed(opinion="长" * 4001)),
        ("wrong-key", changed(project_code="2018-210281-47-03-000124")),
        ("wrong-id", changed(event_id="00000000-0000-4000-8000-000000000000")),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_breaks_the_envelope_is_unreadable_by_its_reason(expected: str, value: bytes | None) -> None:
    assert reason(value) == expected


@pytest.mark.parametrize("absent", ["ce_type", "ce_id"])
def test_headers_that_are_missing_are_missed(absent: str) -> None:
    kept = [(name, value) for name, value in HEADERS if name != absent]
    assert reason(VALUE, kept) == {"ce_type": "missing-header", "ce_id": "wrong-id"}[absent]


def test_a_missing_key_is_a_wrong_key() -> None:
    assert reason(VALUE, key=None) == "wrong-key"


HEADER_LISTS = st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=20)))


@given(st.binary(max_size=300), st.binary(max_size=40), HEADER_LISTS)
def test_no_bytes_make_the_reader_fall(value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> None:
    for given_headers in (headers, HEADERS):
        with pytest.raises(Unreadable):
            decode(value, given_headers, key, ITEMS.known)
