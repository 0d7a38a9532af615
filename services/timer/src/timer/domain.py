"""What the timer alone decides: what a step of an item or a stage does to a clock, and what an expiry says."""

from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from contracts import department_worker as items
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.dispatcher import StageAccepted, StageConcluded, StageDispatched
from contracts.envelope import derived_id
from contracts.terms import ClockEnd, ClockSubject, Light, OnExpiry, PauseReason, Stage
from contracts.timer import (
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockStepped,
    ClockStopped,
    ItemAutoRecall,
    ItemOverdue,
    LightChanged,
    StageOverdue,
)
from procedure import clock as law
from procedure import lights
from procedure.calendar import Calendar
from procedure.clock import Clock, Due
from procedure.history import ENDS, PAUSES, RESUMES, UNSTARTED, before_acceptance, let_go
from procedure.policies import DEFAULT, Policies


class Tracked(NamedTuple):
    """One clock as the timer keeps it. `generation` counts what was said of it; `held` holds the expiry while a
    decision that came in time waits for its seal (R1); `seen` is the version of the last step taken in."""

    clock_id: UUID
    subject: ClockSubject
    project_code: ProjectCode
    application_id: UUID
    stage: Stage
    jurisdiction: JurisdictionCode
    clock: Clock
    started: bool = False
    item_id: UUID | None = None
    item_code: ItemCode | None = None
    attempt: int = 1
    department: DepartmentCode | None = None
    on_expiry: OnExpiry | None = None
    generation: int = 0
    held: bool = False
    fired: bool = False
    light: Light = Light.GREEN
    seen: int = 0


Said = tuple[ClockStepped | ItemOverdue | ItemAutoRecall | StageOverdue, ...]


@lru_cache(65536)
def item_clock_id(item_id: UUID) -> UUID:
    return derived_id("clock", ClockSubject.ITEM, item_id)


@lru_cache(65536)
def stage_clock_id(application_id: UUID) -> UUID:
    return derived_id("clock", ClockSubject.STAGE, application_id)


def due_of(tracked: Tracked, calendar: Calendar, policies: Policies = DEFAULT) -> Due | None:
    """Return when a clock expires; None for one that waits, stands still, has ended or has no limit (R18)."""
    if not tracked.started or tracked.clock.limit_days == 0:
        return None
    return law.due(tracked.clock, calendar, tracked.jurisdiction, policies)


def fires_at(tracked: Tracked, calendar: Calendar, policies: Policies = DEFAULT) -> datetime | None:
    """Return the instant at which the timer has to act on an expiry; never on a provisional date (P24)."""
    due = due_of(tracked, calendar, policies)
    if due is None or tracked.held or tracked.fired or (due.provisional and not policies.fire_on_provisional):
        return None
    return due.at


def turns_at(tracked: Tracked, at: datetime, calendar: Calendar) -> datetime | None:
    """Return the midnight at which a green light turns yellow (R33)."""
    if due_of(tracked, calendar) is None or tracked.light is not Light.GREEN or tracked.fired:
        return None
    return lights.next_turn(tracked.clock, at, calendar, tracked.jurisdiction)


# Items ----------------------------------------------------------------------------------------------------------


def started(step: items.ItemAccepted) -> Tracked:
    """Return the clock that an acceptance starts (Art. 13)."""
    return Tracked(
        clock_id=item_clock_id(step.item_id),
        subject=ClockSubject.ITEM,
        project_code=step.project_code,
        application_id=step.application_id,
        stage=step.stage,
        jurisdiction=step.jurisdiction,
        clock=Clock(step.limit_days, step.at),
        started=True,
        item_id=step.item_id,
        item_code=step.item_code,
        attempt=step.attempt,
        department=step.department,
        on_expiry=step.on_expiry,
        seen=step.version,
    )


FELT: Final = frozenset(
    {items.ItemReceived, items.ItemAccepted, items.ItemDecided, items.SealFailed, *PAUSES, *RESUMES, *ENDS}
)
"""The steps that some clock feels; the timer passes over the others."""


def stepped(tracked: Tracked, step: items.ItemStepped, calendar: Calendar) -> tuple[Tracked, Said]:
    """Return an item's clock after one of the item's steps; a repeat changes nothing."""
    if step.version <= tracked.seen:
        return tracked, ()
    tracked = tracked._replace(seen=step.version)
    kind = type(step)
    if kind in PAUSES:
        return paused(tracked, PAUSES[kind], "", step, calendar)
    if kind in RESUMES:
        return resumed(tracked, RESUMES[kind], "", step, calendar)
    if kind in ENDS:
        at = step.due_at if isinstance(step, items.ItemRecalled) else step.at
        return stopped(tracked, ENDS[kind], at, step, calendar)
    if kind is items.ItemDecided:
        return tracked._replace(held=True), ()
    return tracked._replace(held=tracked.held and kind is not items.SealFailed), ()


# Stages ---------------------------------------------------------------------------------------------------------


def dispatched(event: StageDispatched) -> Tracked:
    """Return the stage's clock, waiting for the stage's acceptance."""
    return Tracked(
        clock_id=stage_clock_id(event.application_id),
        subject=ClockSubject.STAGE,
        project_code=event.project_code,
        application_id=event.application_id,
        stage=event.stage,
        jurisdiction=event.jurisdiction,
        clock=Clock(event.limit_days, UNSTARTED),
    )


def stage_accepted(tracked: Tracked, event: StageAccepted, calendar: Calendar) -> tuple[Tracked, Said]:
    """The stage's clock starts; reasons that already hold it keep holding (R31)."""
    if tracked.started or tracked.clock.limit_days == 0:
        return tracked, ()
    tracked = tracked._replace(started=True, clock=tracked.clock._replace(started_at=event.accepted_at))
    return begun(tracked, event.event_id, event.accepted_at, calendar)


def stage_concluded(tracked: Tracked, event: StageConcluded, calendar: Calendar) -> tuple[Tracked, Said]:
    return stopped(tracked, ClockEnd.CONCLUDED, event.concluded_at, event, calendar)


def stage_felt(tracked: Tracked, step: items.ItemStepped, calendar: Calendar) -> tuple[Tracked, Said]:
    """Return the stage's clock after a step of one of its items, by the ANY policy (P1): a correction, a special
    procedure or a return of any item stops it; a resubmission lets it run again (P4)."""
    kind, key = type(step), step.item_code
    if isinstance(step, items.ItemReturned):
        ran = not tracked.clock.reasons
        return paused(_let_go(tracked, key, step.at), PauseReason.RETURNED, key, step, calendar, ran=ran)
    if isinstance(step, items.ItemReceived) and step.attempt > 1:
        return resumed(tracked, PauseReason.RETURNED, key, step, calendar, step.applied_at)
    if kind in PAUSES and not before_acceptance(step):
        return paused(tracked, PAUSES[kind], key, step, calendar)
    if kind in RESUMES and not before_acceptance(step):
        return resumed(tracked, RESUMES[kind], key, step, calendar)
    if kind in ENDS:
        return _resumed_by_end(tracked, key, step, calendar)
    return tracked, ()


def _let_go(tracked: Tracked, key: str, at: datetime) -> Tracked:
    return tracked._replace(clock=let_go(tracked.clock, key, at))


def _resumed_by_end(tracked: Tracked, key: str, step: items.ItemStepped, calendar: Calendar) -> tuple[Tracked, Said]:
    """An item that ended takes its reasons with it (P21)."""
    released = _let_go(tracked, key, step.at)
    if released.clock == tracked.clock or released.clock.reasons:
        return released, ()
    return _running_again(released, step, step.at, calendar)


# Steps of a clock -----------------------------------------------------------------------------------------------


def begun(tracked: Tracked, cause: UUID, at: datetime, calendar: Calendar) -> tuple[Tracked, Said]:
    """Say that a clock started, and, when a reason already holds it, that it stands still."""
    tracked = tracked._replace(generation=tracked.generation + 1)
    bare = tracked._replace(clock=Clock(tracked.clock.limit_days, tracked.clock.started_at))
    due = due_of(bare, calendar)
    assert due is not None
    said: Said = (
        ClockStarted(**_about(tracked, cause, at), limit_days=tracked.clock.limit_days, **_due(due, calendar)),
    )
    if not tracked.clock.reasons:
        return tracked, said
    tracked = tracked._replace(generation=tracked.generation + 1, light=Light.GREY)
    reason = min(reason for reason, _ in tracked.clock.reasons)
    return tracked, (*said, ClockPaused(**_about(tracked, cause, at), used_days=0, reason=reason))


def paused(
    tracked: Tracked,
    reason: PauseReason,
    key: str,
    step: items.ItemStepped,
    calendar: Calendar,
    *,
    ran: bool | None = None,
) -> tuple[Tracked, Said]:
    """Stand still for one more reason; said only when the clock ran until now."""
    ran = not tracked.clock.reasons if ran is None else ran
    clock = law.pause(tracked.clock, reason, key, step.at)
    if clock == tracked.clock:
        return tracked, ()
    tracked = tracked._replace(clock=clock)
    if not (ran and tracked.started):
        return tracked, ()
    tracked = tracked._replace(generation=tracked.generation + 1)
    used = law.used_days(clock, step.at, calendar, tracked.jurisdiction)
    said = ClockPaused(**_about(tracked, step.event_id, step.at), used_days=used, reason=reason)
    tracked, turned = relit(tracked, step.event_id, step.at, calendar)
    return tracked, (said, *turned)


def resumed(
    tracked: Tracked,
    reason: PauseReason,
    key: str,
    step: items.ItemStepped,
    calendar: Calendar,
    at: datetime | None = None,
) -> tuple[Tracked, Said]:
    """Take a reason away; said only when none is left and the clock runs again."""
    when = at or step.at
    clock = law.resume(tracked.clock, reason, key, when)
    if clock == tracked.clock:
        return tracked, ()
    tracked = tracked._replace(clock=clock)
    if clock.reasons or not tracked.started or clock.ended_at is not None:
        return tracked, ()
    return _running_again(tracked, step, when, calendar)


def _running_again(tracked: Tracked, step: items.ItemStepped, at: datetime, calendar: Calendar) -> tuple[Tracked, Said]:
    due = due_of(tracked, calendar)
    if due is None:
        return tracked, ()
    tracked = tracked._replace(generation=tracked.generation + 1)
    used = law.used_days(tracked.clock, at, calendar, tracked.jurisdiction)
    said = ClockResumed(**_about(tracked, step.event_id, at), used_days=used, **_due(due, calendar))
    tracked, turned = relit(tracked, step.event_id, at, calendar)
    return tracked, (said, *turned)


def stopped(
    tracked: Tracked, end: ClockEnd, at: datetime, cause: items.ItemStepped | StageConcluded, calendar: Calendar
) -> tuple[Tracked, Said]:
    """End a clock for good, once."""
    if tracked.clock.ended_at is not None or not tracked.started:
        return tracked._replace(clock=law.stop(tracked.clock, end, at)), ()
    clock = law.stop(tracked.clock, end, at)
    tracked = tracked._replace(clock=clock, generation=tracked.generation + 1, held=False)
    used = law.used_days(clock, at, calendar, tracked.jurisdiction)
    return tracked, (ClockStopped(**_about(tracked, cause.event_id, at), used_days=used, end=end),)


def relit(tracked: Tracked, cause: UUID, at: datetime, calendar: Calendar) -> tuple[Tracked, Said]:
    """Say that a light changed, when it did (Art. 22)."""
    shown, remaining = lights.light_of(tracked.clock, at, calendar, tracked.jurisdiction, overdue=tracked.fired)
    if shown is tracked.light:
        return tracked, ()
    tracked = tracked._replace(light=shown, generation=tracked.generation + 1)
    return tracked, (LightChanged(**_about(tracked, cause, at), light=shown, remaining_days=remaining),)


def expired(tracked: Tracked, due: Due, now: datetime, calendar: Calendar) -> tuple[Tracked, Said]:
    """The due instant passed while the clock ran: overdue and, for an item, the call to take it back (Art. 14)."""
    tracked = tracked._replace(fired=True)
    cause = derived_id(tracked.clock_id, tracked.generation, "expired")
    tracked, turned = relit(tracked, cause, due.at, calendar)
    return tracked, (*_overdue(tracked, due, now, cause), *turned)


def _overdue(tracked: Tracked, due: Due, now: datetime, cause: UUID) -> Said:
    shared: dict[str, Any] = {
        "causation_id": cause,
        "occurred_at": now,
        "project_code": tracked.project_code,
        "application_id": tracked.application_id,
        "stage": tracked.stage,
        "clock_id": tracked.clock_id,
        "generation": tracked.generation,
        "jurisdiction": tracked.jurisdiction,
        "due_at": due.at,
    }
    if tracked.subject is ClockSubject.STAGE:
        return (StageOverdue(event_id=derived_id(cause, "StageOverdue"), detected_at=now, **shared),)
    on_expiry = tracked.on_expiry or OnExpiry.ESCALATE
    shared |= {
        "item_id": tracked.item_id,
        "item_code": tracked.item_code,
        "attempt": tracked.attempt,
        "department": tracked.department,
    }
    return (
        ItemOverdue(event_id=derived_id(cause, "ItemOverdue"), detected_at=now, **shared),
        ItemAutoRecall(event_id=derived_id(cause, "ItemAutoRecall"), on_expiry=on_expiry, **shared),
    )


def _about(tracked: Tracked, cause: UUID, at: datetime) -> dict[str, Any]:
    return {
        "event_id": derived_id(tracked.clock_id, tracked.generation),
        "causation_id": cause,
        "occurred_at": at,
        "project_code": tracked.project_code,
        "application_id": tracked.application_id,
        "stage": tracked.stage,
        "clock_id": tracked.clock_id,
        "subject": tracked.subject,
        "item_id": tracked.item_id,
        "item_code": tracked.item_code,
        "department": tracked.department,
        "jurisdiction": tracked.jurisdiction,
        "generation": tracked.generation,
        "at": at,
    }


def _due(due: Due, calendar: Calendar) -> dict[str, Any]:
    return {
        "due_at": due.at,
        "due_on": due.on,
        "provisional": due.provisional,
        "calendar_version": calendar.version,
    }
