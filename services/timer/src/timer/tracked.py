"""The rows of the timer: one attempt of an item, or one stage, with its clock and what was last said of it."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.department_worker import ItemExtended, ItemStepped, LimitAmended
from contracts.dispatcher import StageDispatched
from contracts.envelope import derived_id
from contracts.parts import Policies as Versions
from contracts.terms import ClockState, ClockSubject, DueCause, Light, OnExpiry, Stage
from procedure import clock as law
from procedure import stage_clock
from procedure.calendar import Calendar
from procedure.clock import Clock
from procedure.item_clock import Attempt
from procedure.policies import Policies, policies_of
from procedure.reminders import Reminder
from procedure.stage_clock import StageClock


class Whose(NamedTuple):
    """Whose clock it is, which never changes: `about` is the item_id or application_id, `partition` the one in which
    its project's events stand on every topic of the suite."""

    application_id: UUID
    about: UUID
    partition: int
    project_code: ProjectCode
    stage: Stage
    jurisdiction: JurisdictionCode
    versions: Versions
    item_code: ItemCode | None = None
    attempt: int = 1
    department: DepartmentCode | None = None
    on_expiry: OnExpiry | None = None

    @property
    def policies(self) -> Policies:
        """The readings that the case was admitted under (Art. 1, 23)."""
        return policies_of(self.versions)


class Spoken(NamedTuple):
    """What was last said of a clock: its state, due instant and light; `told` is the due instant whose passing was
    told; `generation` counts what was said."""

    state: ClockState = ClockState.WAITING
    due_at: datetime | None = None
    light: Light = Light.GREEN
    told: datetime | None = None
    generation: int = 0

    @property
    def is_overdue(self) -> bool:
        """Whether the passing of the due instant was told; another due instant is armed anew."""
        return self.told is not None and self.told == self.due_at


SILENT: Final = Spoken()


class Tracked(NamedTuple):
    """One row. `expires_at` is when the due instant binds (never a provisional one, R5); `reckoned` names the calendar
    that it was counted by."""

    whose: Whose
    kept: Attempt | StageClock
    spoken: Spoken = SILENT
    expires_at: datetime | None = None
    reckoned: str = ""

    @property
    def clock(self) -> Clock:
        return self.kept.clock

    @property
    def subject(self) -> ClockSubject:
        return self.kept.subject if isinstance(self.kept, Attempt) else ClockSubject.STAGE

    @property
    def state(self) -> ClockState:
        """The state of its clock; a stage waits for its acceptance."""
        if isinstance(self.kept, StageClock) and not stage_clock.is_started(self.kept.clock):
            return ClockState.WAITING
        return law.state(self.kept.clock)

    @property
    def clock_id(self) -> UUID:
        began = self.kept.began if isinstance(self.kept, Attempt) else 0
        return _clock_id(self.subject, self.whose.about, began)

    @property
    def due_at(self) -> datetime:
        """The due instant of a clock that has one."""
        assert self.spoken.due_at is not None
        return self.spoken.due_at

    @property
    def held(self) -> bool:
        return isinstance(self.kept, Attempt) and self.kept.held

    @property
    def reminders(self) -> tuple[Reminder, ...]:
        return self.kept.reminders if isinstance(self.kept, Attempt) else ()


class Reckoning(NamedTuple):
    """By which calendar a unit of work counts (`name` tells it from every other), and what made it the newest."""

    calendar: Calendar
    name: str
    cause: DueCause
    event_id: UUID


class Cause(NamedTuple):
    """What turned a clock: an event, when it took effect, when the timer came to know of it; `due` says why a due
    instant changed, where it is not the calendar that did it."""

    event_id: UUID
    at: datetime
    now: datetime
    due: DueCause | None = None


@lru_cache(65536)
def _clock_id(subject: ClockSubject, about: UUID, began: int) -> UUID:
    """Each wait for acceptance is a clock of its own; the limit of an attempt, and a stage, have one."""
    parts = (about, began) if subject is ClockSubject.ACCEPTANCE else (about,)
    return derived_id("clock", subject, *parts)


def dispatched(event: StageDispatched, partition: int) -> Tracked:
    """Return the row of a stage, which waits for its acceptance."""
    whose = Whose(
        application_id=event.application_id,
        about=event.application_id,
        partition=partition,
        project_code=event.project_code,
        stage=event.stage,
        jurisdiction=event.jurisdiction,
        versions=event.policies,
    )
    return Tracked(whose, stage_clock.waiting(event.limit_days))


def opened(step: ItemStepped, kept: Attempt, partition: int) -> Tracked:
    """Return the row of an attempt of an item that begins with `step`."""
    whose = Whose(
        application_id=step.application_id,
        about=step.item_id,
        partition=partition,
        project_code=step.project_code,
        stage=step.stage,
        jurisdiction=step.jurisdiction,
        versions=step.policies,
        item_code=step.item_code,
        attempt=step.attempt,
        department=step.department,
        on_expiry=getattr(step, "on_expiry", None),
    )
    return Tracked(whose, kept)


def because(step: ItemStepped, now: datetime) -> Cause:
    """Return a step of an item as what turns a clock."""
    return Cause(step.event_id, step.at, now, DUE_CAUSES.get(type(step)))


DUE_CAUSES: Final[Mapping[type[ItemStepped], DueCause]] = {
    ItemExtended: DueCause.EXTENSION,
    LimitAmended: DueCause.LIMIT,
}
