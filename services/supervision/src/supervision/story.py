"""A project's story as it is kept: chapters of what was said, each event with the place of its very message."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import orjson

from contracts.envelope import Event
from contracts.topics import Topic
from evidence.audit import Place, Record


class Line(NamedTuple):
    """One event of a story: its type, where it stands on its topic, and what it says."""

    type: str
    topic: str
    partition: int
    offset: int
    event: dict[str, Any]


def lines(chapters: Iterable[str]) -> list[Line]:
    """Return the events of chapters, each JSON array of them, once each."""
    told = (Line(**one) for text in chapters for one in orjson.loads(text))
    return list({line.event["event_id"]: line for line in told}.values())


def events(told: Iterable[Line], topics: Collection[Topic], only: Collection[type[Event]] = ()) -> Sequence[Event]:
    """Return the events that stand on `topics` (of types `only`, or all), in the order of topic and offset."""
    known = {
        topic.name: {name: model for name, model in topic.known.items() if not only or model in only}
        for topic in topics
    }
    wanted = [line for line in told if line.type in known.get(line.topic, ())]
    return [
        known[line.topic][line.type].model_validate_json(orjson.dumps(line.event), extra="ignore")
        for line in sorted(wanted, key=lambda one: (one.topic, one.offset))
    ]


# Raw ------------------------------------------------------------------------------------------------------------

_BEFORE: Final = re.compile(r'[\[,]{"type":"(\w+)","topic":"([\w.-]+)","partition":(\d+),"offset":(\d+),"event":')
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_JSON: Final = json.JSONDecoder()


def records(chapters: Iterable[str]) -> list[Record]:
    """Return the records of chapters with their values as they stood on the bus, byte by byte."""
    return [record for text in chapters for record in _records(text)]


def _records(text: str) -> Iterator[Record]:
    at = 0
    while (before := _BEFORE.match(text, at)) is not None:
        kind, topic, partition, offset = before.groups()
        event, end = _JSON.raw_decode(text, _after_space(text, before.end()))
        at = _after_space(text, end)
        value = text[before.end() : at].encode()
        yield Record(Place(topic, int(partition)), int(offset), kind, event["event_id"], value)
        at += len("}")


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
