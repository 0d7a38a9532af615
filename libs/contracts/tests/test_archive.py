"""What was said once is read for ever: archived samples, fresh schemas, names that no reader has to guess."""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.envelope import decode, encode
from local import samples, schemas
from local.samples import FOLDER

KNOWN = {model.__name__: model for topic in samples.every_topic() for model in topic.says}
ARCHIVED = sorted(FOLDER.glob("*.json"))


def test_every_event_has_an_archived_sample_and_every_sample_an_event() -> None:
    assert {path.stem for path in ARCHIVED} == set(KNOWN)


def still_says(now: Any, then: Any) -> bool:
    """Whether everything said then is said now; only optional fields may have come, at any depth."""
    if isinstance(then, dict) and isinstance(now, dict):
        return all(name in now and still_says(now[name], value) for name, value in then.items())
    if isinstance(then, list) and isinstance(now, list):
        return len(now) == len(then) and all(map(still_says, now, then))
    return now == then


@pytest.mark.parametrize("path", ARCHIVED, ids=lambda path: path.stem)
def test_todays_reader_understands_what_was_archived_byte_for_byte(path: Path) -> None:
    record = json.loads(path.read_text())
    headers = [(name, value.encode()) for name, value in record["headers"]]
    event = decode(record["value"].encode(), headers, record["key"].encode(), KNOWN)
    assert event is not None and type(event).__name__ == path.stem
    again = encode(event, record["topic"], "archive")
    assert still_says(json.loads(again.value), json.loads(record["value"]))
    assert again.key == record["key"]
    assert again.id == dict(record["headers"])["ce_id"]


def test_generated_files_are_fresh() -> None:
    stale = [path for path, text in schemas.generated().items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run ./run schemas"


def test_no_two_topics_say_events_of_one_name() -> None:
    named = [model.__name__ for topic in samples.every_topic() for model in topic.says]
    assert len(named) == len(set(named))
