"""What the timer says, as events: the steps of clocks, what is overdue, what somebody is reminded of.

Every id follows from what the event is about, so a repeat is the same event.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.envelope import derived_id
from contracts.terms import ClockSubject, OnExpiry
from contracts.timer import (
    AcceptanceOverdue,
    ClockStepped,
    ItemAutoRecall,
    ItemOverdue,
    ReminderDue,
    StageOverdue,
)
from procedure.reminders import Reminder
from timer.tracked import Cause, Tracked

Said = tuple[ClockStepped | ItemOverdue | ItemAutoRecall | StageOverdue | AcceptanceOverdue | ReminderDue, ...]
Piece = tuple[type[ClockStepped], datetime, dict[str, Any]]
"""What is to be said, when it took effect, and its own fields."""


def numbered(tracked: Tracked, pieces: Iterable[Piece], cause: Cause) -> tuple[Tracked, Said]:
    """Give each piece the next generation; its id follows from that, so a repeat is the same event."""
    said: list[ClockStepped] = []
    generation = tracked.spoken.generation
    for kind, at, fields in pieces:
        generation += 1
        event_id = derived_id(tracked.clock_id, generation)
        about = _about_clock(tracked, generation)
        said.append(kind(event_id=event_id, causation_id=cause.event_id, occurred_at=at, at=at, **about, **fields))
    return tracked._replace(spoken=tracked.spoken._replace(generation=generation)), tuple(said)


def overdue(tracked: Tracked, now: datetime) -> Said:
    """Return what says that the due instant passed while the clock ran (Art. 14): of an item with the call to take it
    back, of a stage never."""
    due_at = tracked.due_at
    cause = expiry_id(tracked)
    shared: dict[str, Any] = {
        "causation_id": cause,
        "occurred_at": due_at,
        "clock_id": tracked.clock_id,
        "generation": tracked.spoken.generation or 1,
        "due_at": due_at,
    }
    if tracked.subject is ClockSubject.STAGE:
        shared |= {"jurisdiction": tracked.whose.jurisdiction, **_about_stage(tracked)}
        return (StageOverdue(event_id=derived_id(cause, "StageOverdue"), detected_at=now, **shared),)
    shared |= _about_item(tracked)
    if tracked.subject is ClockSubject.ACCEPTANCE:
        deems = tracked.whose.policies.acceptance_expiry == "deem_accepted"
        return (
            AcceptanceOverdue(event_id=derived_id(cause, "AcceptanceOverdue"), detected_at=now, deems=deems, **shared),
        )
    on_expiry = tracked.whose.on_expiry or OnExpiry.ESCALATE
    return (
        ItemOverdue(event_id=derived_id(cause, "ItemOverdue"), detected_at=now, **shared),
        ItemAutoRecall(event_id=derived_id(cause, "ItemAutoRecall"), on_expiry=on_expiry, **shared),
    )


def expiry_id(tracked: Tracked) -> UUID:
    """Return the id of the passing of a due instant, which its events follow from."""
    return derived_id(tracked.clock_id, tracked.due_at, "expired")


def _about_stage(tracked: Tracked) -> dict[str, Any]:
    whose = tracked.whose
    return {"project_code": whose.project_code, "application_id": whose.application_id, "stage": whose.stage}


def _about_item(tracked: Tracked) -> dict[str, Any]:
    whose = tracked.whose
    return {
        **_about_stage(tracked),
        "item_id": whose.about,
        "item_code": whose.item_code,
        "attempt": whose.attempt,
        "department": whose.department,
        "jurisdiction": whose.jurisdiction,
    }


def _about_clock(tracked: Tracked, generation: int) -> dict[str, Any]:
    whose = tracked.whose
    return {
        **_about_stage(tracked),
        "clock_id": tracked.clock_id,
        "subject": tracked.subject,
        "item_id": None if whose.item_code is None else whose.about,
        "item_code": whose.item_code,
        "department": whose.department,
        "jurisdiction": whose.jurisdiction,
        "generation": generation,
    }


def reminder(tracked: Tracked, one: Reminder, now: datetime) -> ReminderDue:
    """Return what says that the day of something waited for has come (P12, R8, R10)."""
    event_id = reminder_id(tracked.whose.about, one)
    return ReminderDue(
        event_id=event_id,
        causation_id=event_id,
        occurred_at=one.due_at,
        kind=one.kind,
        since=one.since,
        due_at=one.due_at,
        detected_at=now,
        **_about_item(tracked),
    )


def reminder_id(item_id: UUID, one: Reminder) -> UUID:
    """Return the id of the event that says a reminder: one thing waited for is one event."""
    return derived_id("reminder", item_id, one.kind, one.since)
