"""What one key did (Art. 20): every act under a certificate since an instant, and what is still on its holder's desk.

When a key was lost, the acts since it may have been misused are looked at again, and the items that its holder had
begun are given to somebody else by the department's lead: nobody inherits them silently.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from contracts.terms import ItemState
from procedure.items import TERMINAL
from supervision.domain import ItemRow
from supervision.story import Line


class Deed(NamedTuple):
    """One act under a certificate."""

    at: datetime
    project_code: str
    what: str
    item_code: str
    item_id: str
    event_id: str
    holder: str
    topic: str
    offset: int


def deeds(stories: Mapping[str, Iterable[Line]], certificate: str, since: datetime | None) -> list[Deed]:
    """Return what was done under `certificate` from `since` on, the oldest first."""
    found = [_deed(code, line) for code, told in stories.items() for line in told if _is_by(line, certificate)]
    return sorted(one for one in found if since is None or one.at >= since)


def begun(done: Iterable[Deed]) -> set[UUID]:
    """Return the items that were acted on."""
    return {UUID(one.item_id) for one in done if one.item_id}


def is_open(item: ItemRow) -> bool:
    """Whether somebody still has to act on an item."""
    return ItemState(item.state) not in TERMINAL


def _is_by(line: Line, certificate: str) -> bool:
    actor = line.event.get("actor")
    return isinstance(actor, dict) and actor.get("certificate") == certificate  # pyright: ignore[reportUnknownMemberType]


def _deed(code: str, line: Line) -> Deed:
    event: dict[str, Any] = line.event
    return Deed(
        at=datetime.fromisoformat(event["occurred_at"]),
        project_code=code,
        what=line.type,
        item_code=str(event.get("item_code") or ""),
        item_id=str(event.get("item_id") or ""),
        event_id=event["event_id"],
        holder=event["actor"]["holder"],
        topic=line.topic,
        offset=line.offset,
    )
