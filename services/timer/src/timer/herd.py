"""Many deadlines at one midnight: of an item whose limit plainly runs out, all that is said follows from a few columns.

Most items are of that kind, and they expire together, for every deadline is a midnight. What they say is written as
text, by templates made from the events' own fields: byte for byte what `domain.expired` says (held by a test), in a
fifth of the time.
"""

from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Protocol

from contracts import topics
from contracts.envelope import Encoded, Event, derived_text
from contracts.terms import ClockSubject, Light, OnExpiry
from contracts.timer import ItemAutoRecall, ItemOverdue, LightChanged


class Row(Protocol):
    """A row by its columns."""

    def __getitem__(self, column: str, /) -> Any: ...


_NUMBERS: Final = frozenset({"stage", "attempt", "generation", "remaining_days"})
_NOT_YET: Final = frozenset({Light.GREEN.value, Light.YELLOW.value})
_DEFAULT_READINGS: Final = '"settings":{}}'
_ITEM: Final = ClockSubject.ITEM.value


def _template(kind: type[Event]) -> str:
    """Return the JSON of a flat event with its fields' places."""
    places = (f'"{name}":%({name})s' if name in _NUMBERS else f'"{name}":"%({name})s"' for name in kind.model_fields)
    return f"{{{','.join(places)}}}"


_OVERDUE: Final = _template(ItemOverdue)
_RECALL: Final = _template(ItemAutoRecall)
_RED: Final = _template(LightChanged)


def is_plain(row: Row) -> bool:
    """Whether a row that has to be acted on is an item's limit that runs out, and nothing else: nobody has to be
    reminded, no decision holds it, its light is not red yet, and its case goes by the default readings."""
    return (
        row["act_at"] == row["expires_at"] == row["due_at"] != row["told"]
        and row["subject"] == _ITEM
        and not row["held"]
        and row["reminders"] is None
        and row["light"] in _NOT_YET
        and row["versions"].endswith(_DEFAULT_READINGS)
    )


def said(row: Row, now: datetime, source: str) -> tuple[Encoded, Encoded, Encoded]:
    """Return what the expiry of a plain row says at `now`: overdue, called back, red (Art. 14, 22)."""
    about, (plain, iso, due_at) = str(row["about"]), _instant(row["due_at"])
    clock_id, generation = derived_text("clock", _ITEM, about), row["generation"] + 1
    cause = derived_text(clock_id, plain, "expired")
    overdue, recall = derived_text(cause, "ItemOverdue"), derived_text(cause, "ItemAutoRecall")
    red = derived_text(clock_id, str(generation))
    fields = {
        "causation_id": cause,
        "occurred_at": due_at,
        "project_code": row["project_code"],
        "application_id": row["application_id"],
        "stage": row["stage"],
        "item_id": about,
        "item_code": row["item_code"],
        "attempt": row["attempt"],
        "department": row["department"],
        "jurisdiction": row["jurisdiction"],
        "clock_id": clock_id,
        "generation": generation,
        "due_at": due_at,
        "detected_at": _instant(now)[2],
        "on_expiry": row["on_expiry"] or OnExpiry.ESCALATE.value,
        "subject": _ITEM,
        "at": due_at,
        "light": Light.RED.value,
        "remaining_days": 0,
    }

    def encoded(kind: str, event_id: str, template: str) -> Encoded:
        fields["event_id"] = event_id
        return Encoded(topics.CLOCKS.name, row["project_code"], kind, event_id, source, iso, "", template % fields)

    return (
        encoded("ItemOverdue", overdue, _OVERDUE),
        encoded("ItemAutoRecall", recall, _RECALL),
        encoded("LightChanged", red, _RED),
    )


@lru_cache(64)
def _instant(at: datetime) -> tuple[str, str, str]:
    """Return an instant as ids are derived from it, as headers have it, and as JSON has it."""
    iso = at.isoformat()
    return str(at), iso, iso.replace("+00:00", "Z")
