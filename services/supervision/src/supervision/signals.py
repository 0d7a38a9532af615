"""体外循环 (Art. 21): signs in the events that an item was handled off the platform and entered afterwards.

A sign is no verdict: it names the events that show it, and a supervisor asks. A decision that was entered by special
handling says openly that it was made elsewhere, so it raises none.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from contracts import department_worker as items
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.department_worker import ItemAccepted, ItemConcluded, ItemStepped
from contracts.envelope import Event, derived_id
from contracts.intake import MaterialViewed
from contracts.parts import Policies as Versions
from contracts.supervision import SignalRaised
from contracts.terms import SignalKind, Stage
from procedure.calendar import OFFSET, Calendar, YearNotCovered, local_day
from procedure.catalogue import Catalogue

OPENS, CLOSES = 8, 18
"""Office hours of Shanghai, whole hours."""
BURST: Final = timedelta(hours=1)
MOST_EVIDENCE: Final = 100
BY_HAND: Final = (
    items.ItemAccepted,
    items.ItemNotAccepted,
    items.CorrectionRequested,
    items.SpecialStarted,
    items.SpecialEnded,
    items.ItemReviewed,
    items.ItemApproved,
    items.ItemConcluded,
    items.ItemReturned,
    items.ItemExtended,
    items.ItemRevoked,
)
"""Steps that somebody of a department took: a decision is counted once it is sealed, as of its receipt."""
EVIDENCE: Final = (ItemAccepted, ItemConcluded, MaterialViewed)
"""The events that the signs of one item are judged by."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is a sign. `minutes` between acceptance and conclusion (0: off), `burst_steps` of one holder within an hour
    out of office hours (0: off); `systems` are prefixes of the certificates of departments' own systems."""

    minutes: int = 10
    document_date: bool = True
    unviewed: bool = True
    burst_steps: int = 10
    systems: tuple[str, ...] = ()

    @property
    def judge_conclusions(self) -> bool:
        return bool(self.minutes or self.document_date or self.unviewed)

    def is_system(self, certificate: str) -> bool:
        """Whether an act came from a department's own system: it looks at materials where nobody can see it look."""
        return certificate.startswith(self.systems)


class Judge(NamedTuple):
    """What items are judged by."""

    thresholds: Thresholds
    under: Callable[[Versions], Catalogue]


def judged(events: Sequence[Event], item_ids: Collection[UUID], judge: Judge) -> list[SignalRaised]:
    """Return the signs about concluded items out of the events of their project."""
    accepted = {one.item_id: one for one in events if isinstance(one, ItemAccepted) and one.item_id in item_ids}
    viewed: dict[UUID, datetime] = {}
    for one in events:
        if isinstance(one, MaterialViewed):
            viewed[one.item_id] = min(one.at, viewed.get(one.item_id, one.at))
    concluded = [one for one in events if isinstance(one, ItemConcluded) and one.item_id in item_ids]
    return [
        signal
        for one in concluded
        if one.special_handling is None
        for signal in _signs(one, accepted.get(one.item_id), viewed.get(one.item_id), judge)
    ]


def _signs(
    concluded: ItemConcluded, accepted: ItemAccepted | None, viewed_at: datetime | None, judge: Judge
) -> Iterable[SignalRaised]:
    thresholds = judge.thresholds
    if accepted is not None:
        evidence = (accepted.event_id, concluded.event_id)
        took = concluded.at - accepted.at
        if took <= timedelta(minutes=thresholds.minutes) and thresholds.minutes:
            detail = f"受理至办结仅 {took.total_seconds() / 60:.1f} 分钟"
            yield _signal(SignalKind.CONCLUDED_IN_MINUTES, concluded, evidence, detail)
        dated, day = concluded.document_dated_on, local_day(accepted.at)
        if thresholds.document_date and dated is not None and dated < day:
            detail = f"文书日期 {dated} 早于受理日 {day}"
            yield _signal(SignalKind.DOCUMENT_BEFORE_ACCEPTANCE, concluded, evidence, detail)
    if thresholds.unviewed and _unviewed(concluded, viewed_at, judge):
        detail = "办结前无人查看过该事项的申报材料"
        yield _signal(SignalKind.MATERIAL_NOT_VIEWED, concluded, (concluded.event_id,), detail)


def _unviewed(concluded: ItemConcluded, viewed_at: datetime | None, judge: Judge) -> bool:
    """Whether somebody decided on the platform, about an item with materials, before anybody had opened one of them.

    What a department's own system decided says nothing: its officers look at materials where nobody can see it.
    """
    if judge.thresholds.is_system(concluded.actor.certificate) or (viewed_at is not None and viewed_at <= concluded.at):
        return False
    return _has_files(concluded, judge)


def _has_files(step: ItemStepped, judge: Judge) -> bool:
    """Whether the catalogue that the item runs under asks files for it; one that is not at hand says nothing."""
    try:
        catalogue = judge.under(step.policies)
        return any(catalogue.materials[code].source == "file" for code in catalogue.items[step.item_code].materials)
    except LookupError:
        return False


def _signal(kind: SignalKind, step: ItemStepped, evidence: tuple[UUID, ...], detail: str) -> SignalRaised:
    return SignalRaised(
        event_id=derived_id("signal", kind.value, step.item_id),
        causation_id=step.event_id,
        occurred_at=step.at,
        project_code=step.project_code,
        application_id=step.application_id,
        stage=step.stage,
        item_id=step.item_id,
        item_code=step.item_code,
        attempt=step.attempt,
        department=step.department,
        jurisdiction=step.jurisdiction,
        signal=kind,
        evidence=evidence,
        detail=detail,
    )


# Bursts ---------------------------------------------------------------------------------------------------------


class Night(NamedTuple):
    """A step that was taken out of office hours."""

    event_id: UUID
    certificate: str
    holder: str
    at: datetime
    project_code: str
    application_id: UUID
    stage: int
    item_id: UUID
    item_code: str
    attempt: int
    department: str
    jurisdiction: str


def night_of(step: ItemStepped, calendar: Calendar) -> Night | None:
    """Return a step by hand that was taken on a day off or out of office hours, else None."""
    if not isinstance(step, BY_HAND) or (isinstance(step, ItemAccepted) and step.deemed):
        return None
    if not is_after_hours(step.at, step.jurisdiction, calendar):
        return None
    return Night(
        step.event_id,
        step.actor.certificate,
        step.actor.holder,
        step.at,
        step.project_code,
        step.application_id,
        step.stage.value,
        step.item_id,
        step.item_code,
        step.attempt,
        step.department,
        step.jurisdiction,
    )


def is_after_hours(at: datetime, jurisdiction: str, calendar: Calendar) -> bool:
    """Whether an instant lies on a day off or outside 8:00–18:00 in Shanghai."""
    if not OPENS <= (at + OFFSET).hour < CLOSES:
        return True
    try:
        return not calendar.is_working_day(local_day(at), jurisdiction)
    except YearNotCovered:
        return False


def burst(nights: Sequence[Night], steps: int) -> SignalRaised | None:
    """Return the sign of one holder's steps out of office hours on one day: so many of them within an hour.

    One sign a day, under an id that the order in which the steps were heard does not change.
    """
    in_turn = sorted(nights, key=lambda one: (one.at, one.event_id))
    for first, last in zip(in_turn, in_turn[steps - 1 :], strict=False):
        if last.at - first.at <= BURST:
            return _burst([one for one in in_turn if first.at <= one.at <= first.at + BURST], last)
    return None


def _burst(nights: Sequence[Night], last: Night) -> SignalRaised:
    kind, day = SignalKind.BURST_AFTER_HOURS, local_day(last.at)
    began, ended = ((one.at + OFFSET).strftime("%H:%M") for one in (nights[0], nights[-1]))
    return SignalRaised(
        event_id=derived_id("signal", kind.value, last.certificate, day),
        causation_id=last.event_id,
        occurred_at=last.at,
        project_code=ProjectCode(last.project_code),
        application_id=last.application_id,
        stage=Stage(last.stage),
        item_id=last.item_id,
        item_code=ItemCode(last.item_code),
        attempt=last.attempt,
        department=DepartmentCode(last.department),
        jurisdiction=JurisdictionCode(last.jurisdiction),
        signal=kind,
        evidence=tuple(one.event_id for one in nights[:MOST_EVIDENCE]),
        detail=f"{last.holder} 于 {day} {began} 至 {ended}（非工作时间）集中办理 {len(nights)} 个环节",
    )
