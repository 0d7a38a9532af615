"""What one key did (Art. 20): every act under a certificate since an instant, and what is still on its holder's desk;
of a seal's key, every seal that it made.

When a key was lost, the acts since it may have been misused are looked at again, and the items that its holder had
begun are given to somebody else by the department's lead: nobody inherits them silently.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from contracts.envelope import Event
from contracts.parts import Actor
from contracts.signing import SealCompleted
from contracts.terms import ItemState
from procedure.items import TERMINAL
from supervision.domain import ItemRow
from supervision.story import Line

DOERS: Final = ("actor", "reported_by", "requested_by", "approved_by")
"""The fields in which an event names who acted: one person, or who asked and who approved (Art. 18, 20, 23)."""


SEALED: Final = SealCompleted.__name__
A_SEAL: Final = "印章"
"""What acts in an event that names no person: the certificate tells whose seal it is."""


class Deed(NamedTuple):
    """One act under a certificate; `project_code` names the ledger of an act that belongs to no project."""

    at: datetime
    project_code: str
    what: str
    item_code: str
    item_id: str
    event_id: str
    holder: str
    topic: str
    offset: int


def doers(event: Event) -> list[Actor]:
    """Return who acted in an event: nobody, one person, or who asked and who approved."""
    named = (getattr(event, field, None) for field in DOERS)
    return [actor for actor in named if actor is not None]


def deeds(stories: Mapping[str, Iterable[Line]], certificate: str, since: datetime | None) -> list[Deed]:
    """Return what was done under `certificate` from `since` on, the oldest first."""
    told = ((code, line, _holder(line, certificate)) for code, lines in stories.items() for line in lines)
    found = [_deed(code, line, holder) for code, line, holder in told if holder is not None]
    return sorted(one for one in found if since is None or one.at >= since)


def begun(done: Iterable[Deed]) -> set[UUID]:
    """Return the items that were acted on."""
    return {UUID(one.item_id) for one in done if one.item_id}


def is_open(item: ItemRow) -> bool:
    """Whether somebody still has to act on an item."""
    return ItemState(item.state) not in TERMINAL


def _holder(line: Line, certificate: str) -> str | None:
    """Return by which name a certificate acted in an event; None when it did not."""
    if line.type == SEALED and line.event["certificate"] == certificate:
        return A_SEAL
    named: Iterable[Any] = (line.event.get(field) for field in DOERS)
    acted = (actor for actor in named if isinstance(actor, dict))
    return next((actor["holder"] for actor in acted if actor["certificate"] == certificate), None)


def _deed(code: str, line: Line, holder: str) -> Deed:
    event: dict[str, Any] = line.event
    return Deed(
        at=datetime.fromisoformat(event["occurred_at"]),
        project_code=code,
        what=line.type,
        item_code=str(event.get("item_code") or ""),
        item_id=str(event.get("item_id") or ""),
        event_id=event["event_id"],
        holder=holder,
        topic=line.topic,
        offset=line.offset,
    )
