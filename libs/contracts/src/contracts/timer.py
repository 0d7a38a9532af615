"""What the timer says: every clock's steps, lights, and what happens when time runs out."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode
from contracts.envelope import Days, Event, Instant, Line, Version
from contracts.parts import AboutItem, AboutStage, Actor, DayOrdered
from contracts.terms import ClockEnd, ClockSubject, DueCause, Light, OnExpiry, PauseReason, ReminderKind


class ClockStepped(AboutStage):
    """What every step of a clock carries: whose clock, and its generation (1, 2, 3 … per clock)."""

    clock_id: UUID
    subject: ClockSubject
    item_id: UUID | None
    item_code: ItemCode | None
    department: DepartmentCode | None
    jurisdiction: JurisdictionCode
    generation: Version
    at: Instant


class ClockStarted(ClockStepped):
    """A clock runs; it expires when `due_at` has passed (24:00 of `due_on` in Shanghai)."""

    limit_days: Days
    due_at: Instant
    due_on: date
    calendar_version: Line
    provisional: bool


class ClockPaused(ClockStepped):
    """A clock stands still with `used_days` working days used."""

    used_days: Days
    reason: PauseReason


class ClockResumed(ClockStepped):
    """A clock runs again."""

    used_days: Days
    due_at: Instant
    due_on: date
    calendar_version: Line
    provisional: bool


class ClockStopped(ClockStepped):
    """A clock will never run again."""

    used_days: Days
    end: ClockEnd


class DueChanged(ClockStepped):
    """The due instant of a running clock really changed."""

    former_due_at: Instant
    due_at: Instant
    due_on: date
    cause: DueCause
    calendar_version: Line


class LightChanged(ClockStepped):
    """亮灯 (Art. 22): `remaining_days` working days are left, negative when overdue."""

    light: Light
    remaining_days: Annotated[int, Field(ge=-36600, le=3660)]


class ItemOverdue(AboutItem):
    """The due instant passed while the item's clock ran (Art. 14)."""

    clock_id: UUID
    generation: Version
    due_at: Instant
    detected_at: Instant


class ItemAutoRecall(AboutItem):
    """The timer calls the item back: silence to the due instant is no opinion (Art. 14)."""

    clock_id: UUID
    generation: Version
    due_at: Instant
    on_expiry: OnExpiry


class StageOverdue(AboutStage):
    """The stage's due instant passed while its clock ran: red light for the lead, never a recall."""

    clock_id: UUID
    generation: Version
    jurisdiction: JurisdictionCode
    due_at: Instant
    detected_at: Instant


class AcceptanceOverdue(AboutItem):
    """The time for acceptance ran out (行政许可法 Art. 32); with `deems` the item counts as accepted at `due_at`."""

    clock_id: UUID
    generation: Version
    due_at: Instant
    detected_at: Instant
    deems: bool


class ReminderDue(AboutItem):
    """A day has come that somebody should be told of; nothing else follows from it by itself."""

    kind: ReminderKind
    since: Instant
    due_at: Instant
    detected_at: Instant


class CalendarAmended(Event):
    """The working calendar was amended: a year's release, or days ordered otherwise in a jurisdiction (typhoon).

    Clocks that are not stopped are counted anew; each real change of a due instant is a DueChanged of its own.
    `sequence` counts the amendments; `affected` is how many clocks the preview named.
    """

    KEY_FIELD: ClassVar[str] = "authority"

    authority: JurisdictionCode
    sequence: Version
    calendar_version: Line
    cause: DueCause
    released_year: Annotated[int, Field(ge=2018, le=2199)] | None
    jurisdiction: JurisdictionCode
    days: tuple[DayOrdered, ...]
    document: Line
    ordered_at: Instant
    affected: Annotated[int, Field(ge=0)]
    actor: Actor
