"""A clock out of the events that made it (Art. 13): what the timer keeps step by step, derived here from the beginning.

Whoever has a project's events can say what each of its clocks did and on whose word; the timer's rows are held against
it. What a step does to a clock stands in `procedure.item_clock` and `procedure.stage_clock`. `until` looks at a clock
as it stood at a past instant.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

from contracts.department_worker import ItemStepped
from contracts.dispatcher import ItemClosed, StageAccepted, StageConcluded, StageDispatched
from contracts.envelope import Event
from contracts.terms import ClockSubject
from procedure import acceptance, item_clock, stage_clock
from procedure.clock import Clock
from procedure.item_clock import Attempt
from procedure.policies import Policies, policies_of
from procedure.stage_clock import StageClock

ItemEvent = ItemStepped | ItemClosed
StageEvent = ItemStepped | ItemClosed | StageAccepted | StageConcluded
E = TypeVar("E", bound=StageEvent)


class Mark(NamedTuple):
    """An event that a clock felt: which, when, by whom, about which item."""

    event_id: UUID
    type: str
    at: datetime
    item_code: str
    holder: str


class History(NamedTuple):
    """One clock with the events it rests on; `started` is False while a stage waits for its acceptance (P2)."""

    clock: Clock
    jurisdiction: str
    started: bool
    marks: tuple[Mark, ...]


def of_item(events: Iterable[ItemEvent], until: datetime | None = None) -> History | None:
    """Return the clock of one attempt of one item; None before its acceptance. `events` may repeat and be unsorted."""
    return _of_attempt(events, until, ClockSubject.ITEM)


def of_acceptance(events: Iterable[ItemEvent], until: datetime | None = None) -> History | None:
    """Return the newest acceptance clock of one attempt of one item (行政许可法 Art. 32); None before its reception.

    It ends with what ended the waiting: acceptance, non-acceptance, withdrawal, or a correction before acceptance,
    whose supplement starts the next one (R21). `events` may repeat and be unsorted.
    """
    return _of_attempt(events, until, ClockSubject.ACCEPTANCE)


def _of_attempt(events: Iterable[ItemEvent], until: datetime | None, subject: ClockSubject) -> History | None:
    history: History | None = None
    attempt: Attempt | None = None
    for event in _in_order(events, until):
        before, attempt = attempt, _attempt_after(attempt, event)
        if attempt is None:
            continue
        if attempt.subject is subject and (before is None or _is_another(before, attempt)):
            history = History(attempt.clock, event.jurisdiction, True, (_mark(event),))
        elif before is not None and before.subject is subject and history is not None:
            clock = _ended_by(before, event) if _is_another(before, attempt) else attempt.clock
            if clock != history.clock:
                history = history._replace(clock=clock, marks=(*history.marks, _mark(event)))
    return history


def _attempt_after(attempt: Attempt | None, event: ItemEvent) -> Attempt | None:
    if isinstance(event, ItemClosed):
        return None if attempt is None else item_clock.closed(attempt, event.at)
    return item_clock.felt(attempt, event)


def _is_another(before: Attempt, after: Attempt) -> bool:
    return (before.subject, before.began) != (after.subject, after.began)


def _ended_by(before: Attempt, event: ItemEvent) -> Clock:
    """The clock that ended because `event` began another one: acceptance ends the waiting for it."""
    return acceptance.felt(before.clock, event) if isinstance(event, ItemStepped) else before.clock


def of_stage(
    events: Sequence[Event], until: datetime | None = None, policies: Policies | None = None
) -> History | None:
    """Return the clock of one stage application out of its stage events and its items' steps; None before dispatch.

    The readings are those that it was admitted under; others answer what would be.
    """
    dispatched = next((one for one in events if isinstance(one, StageDispatched)), None)
    if dispatched is None:
        return None
    readings = policies or policies_of(dispatched.policies)
    stage = stage_clock.waiting(dispatched.limit_days)
    marks: list[Mark] = []
    for event in _in_order((one for one in events if isinstance(one, StageEvent)), until):
        before, stage = stage, after(stage, event, readings)
        if stage.clock != before.clock:
            marks.append(_mark(event))
    return History(stage.clock, dispatched.jurisdiction, stage_clock.is_started(stage.clock), tuple(marks))


def after(stage: StageClock, event: StageEvent, policies: Policies) -> StageClock:
    """Return a stage's clock after an event that it may feel."""
    match event:
        case StageAccepted():
            return stage_clock.accepted(stage, event.accepted_at)
        case StageConcluded():
            return stage_clock.concluded(stage, event.concluded_at)
        case ItemClosed():
            return stage_clock.closed(stage, event.item_code, event.at)
        case _:
            return stage_clock.felt(stage, event, policies)


def _in_order(events: Iterable[E], until: datetime | None) -> Iterator[E]:
    """Return each event once that had happened at `until`, in the order in which they happened; at one instant an
    item's step comes before what the dispatcher concludes from it (R19)."""
    once = {_place(event): event for event in events if until is None or instant(event) <= until}
    return (once[place] for place in sorted(once))


def _place(event: StageEvent) -> tuple[datetime, int, UUID, int]:
    if isinstance(event, ItemStepped):
        return event.at, 0, event.item_id, event.version
    return instant(event), 1, event.application_id, event.version


def instant(event: StageEvent) -> datetime:
    """Return when an event took effect."""
    match event:
        case StageAccepted():
            return event.accepted_at
        case StageConcluded():
            return event.concluded_at
        case _:
            return event.at


def _mark(event: StageEvent) -> Mark:
    item_code = "" if isinstance(event, StageAccepted | StageConcluded) else event.item_code
    holder = "" if isinstance(event, StageAccepted | StageConcluded) else event.actor.holder
    return Mark(event.event_id, type(event).__name__, instant(event), item_code, holder)
