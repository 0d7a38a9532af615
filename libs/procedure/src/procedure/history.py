"""A clock out of the events that made it (Art. 13): what the timer keeps step by step, derived here from the beginning.

Whoever has a project's events, in the order of their topics, can say what each of its clocks did and on whose word; the
timer's rows are held against it. `until` looks at a clock as it stood at a past instant.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from contracts import department_worker as items
from contracts.department_worker import ItemStepped
from contracts.dispatcher import StageAccepted, StageConcluded, StageDispatched
from contracts.envelope import Event
from contracts.terms import ClockEnd, PauseReason
from procedure import clock as law
from procedure.clock import Clock
from procedure.policies import DEFAULT, Policies

PAUSES: Final[Mapping[type[ItemStepped], PauseReason]] = {
    items.CorrectionRequested: PauseReason.CORRECTION,
    items.SpecialStarted: PauseReason.SPECIAL,
}
RESUMES: Final[Mapping[type[ItemStepped], PauseReason]] = {
    items.CorrectionEnded: PauseReason.CORRECTION,
    items.SpecialEnded: PauseReason.SPECIAL,
}
ENDS: Final[Mapping[type[ItemStepped], ClockEnd]] = {
    items.ItemConcluded: ClockEnd.CONCLUDED,
    items.ItemReturned: ClockEnd.RETURNED,
    items.ItemTakenBack: ClockEnd.WITHDRAWN,
    items.ItemRecalled: ClockEnd.RECALLED,
}
UNSTARTED: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""The start of a stage clock that waits: pauses may be known before its acceptance is (P2, R31)."""


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


def of_item(steps: Iterable[ItemStepped], until: datetime | None = None) -> History | None:
    """Return the clock of one attempt of one item; None before its acceptance. `steps` may repeat and be unsorted."""
    history: History | None = None
    for step in _known(steps, until):
        if isinstance(step, items.ItemAccepted):
            history = History(Clock(step.limit_days, step.at), step.jurisdiction, True, ())
        if history is None or (clock := _item_felt(history.clock, step)) is None:
            continue
        history = history._replace(clock=clock, marks=(*history.marks, _mark(step)))
    return history


def _item_felt(clock: Clock, step: ItemStepped) -> Clock | None:
    kind = type(step)
    if kind in PAUSES:
        return law.pause(clock, PAUSES[kind], "", step.at)
    if kind in RESUMES:
        return law.resume(clock, RESUMES[kind], "", step.at)
    if kind in ENDS:
        return law.stop(clock, ENDS[kind], _ended_at(step))
    return clock if kind is items.ItemAccepted else None


def _ended_at(step: ItemStepped) -> datetime:
    return step.due_at if isinstance(step, items.ItemRecalled) else step.at


def of_stage(events: Sequence[Event], until: datetime | None = None, policies: Policies = DEFAULT) -> History | None:
    """Return the clock of one stage application out of its stage events and its items' steps; None before dispatch.

    A reason that holds the stage is kept by item (P1 `ANY`); under `ALL_OPEN` corrections and special procedures stop
    the stage only while every accepted open item stands still (R24).
    """
    dispatched = next((one for one in events if isinstance(one, StageDispatched)), None)
    if dispatched is None:
        return None
    history = History(Clock(dispatched.limit_days, UNSTARTED), dispatched.jurisdiction, False, ())
    feel = _AllOpen() if policies.stage_pause_policy == "ALL_OPEN" else _Any()
    steps = _known((one for one in events if isinstance(one, ItemStepped)), until)
    for step in sorted(steps, key=lambda one: one.at):
        clock = feel.felt(history.clock, step)
        if clock != history.clock:
            history = history._replace(clock=clock, marks=(*history.marks, _mark(step)))
    return _framed(history, events, until)


def _framed(history: History, events: Sequence[Event], until: datetime | None) -> History:
    """Begin with the stage's acceptance, end with its conclusion."""
    for event in events:
        if isinstance(event, StageAccepted) and _is_known(event.accepted_at, until) and history.clock.limit_days:
            clock = history.clock._replace(started_at=event.accepted_at)
            mark = Mark(event.event_id, "StageAccepted", event.accepted_at, "", "")
            history = history._replace(clock=clock, started=True, marks=(mark, *history.marks))
        if isinstance(event, StageConcluded) and _is_known(event.concluded_at, until):
            clock = law.stop(history.clock, ClockEnd.CONCLUDED, event.concluded_at)
            mark = Mark(event.event_id, "StageConcluded", event.concluded_at, "", "")
            history = history._replace(clock=clock, marks=(*history.marks, mark))
    return history


class _Any:
    """P1 `ANY`: a correction, a special procedure or a return of any item stops the stage's clock."""

    def felt(self, clock: Clock, step: ItemStepped) -> Clock:
        kind, key = type(step), step.item_code
        if isinstance(step, items.ItemReturned):
            return law.pause(let_go(clock, key, step.at), PauseReason.RETURNED, key, step.at)
        if isinstance(step, items.ItemReceived) and step.attempt > 1:
            return law.resume(clock, PauseReason.RETURNED, key, step.applied_at)
        if kind in PAUSES and not before_acceptance(step):
            return law.pause(clock, PAUSES[kind], key, step.at)
        if kind in RESUMES and not before_acceptance(step):
            return law.resume(clock, RESUMES[kind], key, step.at)
        return let_go(clock, key, step.at) if kind in ENDS else clock


class _AllOpen:
    """P1 `ALL_OPEN`: a return always stops the stage; else it stops while every accepted open item is paused."""

    def __init__(self) -> None:
        self._paused: dict[str, set[PauseReason]] = {}

    def felt(self, clock: Clock, step: ItemStepped) -> Clock:
        self._follow(step)
        key = step.item_code
        if isinstance(step, items.ItemReturned):
            clock = law.pause(clock, PauseReason.RETURNED, key, step.at)
        if isinstance(step, items.ItemReceived) and step.attempt > 1:
            clock = law.resume(clock, PauseReason.RETURNED, key, step.applied_at)
        if type(step) is items.ItemTakenBack:
            clock = law.resume(clock, PauseReason.RETURNED, key, step.at)
        return self._standing(clock, step.at)

    def _follow(self, step: ItemStepped) -> None:
        kind, key = type(step), step.item_code
        if kind is items.ItemAccepted:
            self._paused[key] = set()
        elif kind in ENDS:
            self._paused.pop(key, None)
        elif kind in PAUSES and key in self._paused:
            self._paused[key].add(PAUSES[kind])
        elif kind in RESUMES and key in self._paused:
            self._paused[key].discard(RESUMES[kind])

    def _standing(self, clock: Clock, at: datetime) -> Clock:
        reasons = [reason for held in self._paused.values() for reason in held]
        if self._paused and all(self._paused.values()):
            held = any(key == "*" for _, key in clock.reasons)
            return clock if held else law.pause(clock, min(reasons), "*", at)
        for reason, key in clock.reasons:
            if key == "*":
                clock = law.resume(clock, reason, key, at)
        return clock


def let_go(clock: Clock, key: str, at: datetime) -> Clock:
    """An item that ended takes its reasons with it (P21)."""
    for reason, held in clock.reasons:
        if held == key:
            clock = law.resume(clock, reason, key, at)
    return clock


def before_acceptance(step: ItemStepped) -> bool:
    """Whether a correction was asked for, or ended, before the item was accepted: no clock ran then (P13)."""
    return isinstance(step, items.CorrectionRequested | items.CorrectionEnded) and step.before_acceptance


def _known(steps: Iterable[ItemStepped], until: datetime | None) -> list[ItemStepped]:
    """Return each step once, by item and version, that had happened at `until`."""
    once = {(step.item_id, step.version): step for step in steps if _is_known(step.at, until)}
    return [once[place] for place in sorted(once, key=lambda place: (once[place].at, *place))]


def _is_known(at: datetime, until: datetime | None) -> bool:
    return until is None or at <= until


def _mark(step: ItemStepped) -> Mark:
    return Mark(step.event_id, type(step).__name__, step.at, step.item_code, step.actor.holder)
