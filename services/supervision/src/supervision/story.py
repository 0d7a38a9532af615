"""A project's story as it is kept: chapters of what was said, each event with the place of its very message."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from contracts.envelope import Event
from contracts.topics import Topic


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
