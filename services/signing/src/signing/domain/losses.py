"""Loss of a CA key (Art. 20): who may report it, and how a suspension is lifted again: one asks, another approves."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from contracts.codes import CITY
from contracts.envelope import derived_id
from contracts.parts import Actor
from contracts.signing import CertificateReinstated, CertificateSuspended, SuspendedSpan
from contracts.terms import Role
from procedure.authority import Caller, NotYourJurisdiction
from procedure.refusals import Refusal
from procedure.roster import hold_to_second_person
from signing.domain.roster import STANDS, AlreadyDecided, Entry, Stand


class NotSuspended(Refusal):
    """该证书没有挂失"""

    article = "第二十条"


class NotYoursToReport(Refusal):
    """挂失由持有人本人、其所在部门或主管该名单的管理员提出"""

    article = "第二十条"
    status = 403


class LossInTheFuture(Refusal):
    """失控时间不得晚于现在"""

    article = "第二十条"
    status = 422


class NoSuchReinstatement(Refusal):
    """没有找到该恢复申请"""

    article = None
    status = 404


@dataclass(frozen=True, slots=True)
class Suspension:
    """A certificate that nobody accepts any more: since when it may have been misused, who reported it, and why."""

    serial: str
    holder: str
    reason: str
    invalid_since: datetime
    suspended_at: datetime
    reported_by: Actor


@dataclass(frozen=True, slots=True)
class Reinstatement:
    """A request to lift a suspension, and what became of it."""

    request_id: UUID
    serial: str
    reason: str
    requested_by: Actor
    requested_at: datetime
    stand: Stand = Stand.REQUESTED
    decided_by: Actor | None = None
    decided_at: datetime | None = None


def report(
    caller: Caller,
    serial: str,
    holder: str,
    entries: Collection[Entry],
    reason: str,
    invalid_since: datetime | None,
    at: datetime,
) -> Suspension:
    """Return the suspension that `caller` reports of a certificate, whose roster `entries` are.

    Raises NotYoursToReport, LossInTheFuture.
    """
    if not _may_report(caller, serial, entries):
        raise NotYoursToReport
    if invalid_since is not None and invalid_since > at:
        raise LossInTheFuture
    return Suspension(serial, holder, reason, invalid_since or at, at, caller.actor)


def _may_report(caller: Caller, serial: str, entries: Iterable[Entry]) -> bool:
    """The holder; an administrator of its place; somebody of its department there."""
    if caller.certificate == serial:
        return True
    if caller.role is Role.ADMIN:
        return caller.jurisdiction == CITY or any(one.what.jurisdiction == caller.jurisdiction for one in entries)
    mine = (caller.jurisdiction, caller.department)
    of_departments = caller.role in (Role.OFFICER, Role.LEAD)
    return of_departments and any((one.what.jurisdiction, one.what.department) == mine for one in entries)


def hold_to_list(caller: Caller, entries: Iterable[Entry]) -> None:
    """Hold an administrator to its own list, the city's to all. Raises NotYourJurisdiction."""
    if caller.jurisdiction != CITY and not any(one.what.jurisdiction == caller.jurisdiction for one in entries):
        raise NotYourJurisdiction


def approve(request: Reinstatement, by: Actor, at: datetime) -> Reinstatement:
    """Return the request as `by` approved it. Raises AlreadyDecided or OwnRequest."""
    if request.stand is not Stand.REQUESTED:
        raise AlreadyDecided(state=STANDS[request.stand])
    hold_to_second_person(request.requested_by.certificate, by.certificate)
    return replace(request, stand=Stand.APPROVED, decided_by=by, decided_at=at)


def suspended(s: Suspension, earlier: Sequence[SuspendedSpan], cause: UUID) -> CertificateSuspended:
    """Return what every service is told at once; `earlier` are the certificate's suspensions that were lifted."""
    return CertificateSuspended(
        event_id=derived_id("suspended", cause),
        causation_id=cause,
        occurred_at=s.suspended_at,
        subject=subject(s.serial),
        serial=s.serial,
        suspended_at=s.suspended_at,
        reason=s.reason,
        holder=s.holder,
        invalid_since=s.invalid_since,
        reported_by=s.reported_by,
        earlier=tuple(earlier),
    )


def reinstated(request: Reinstatement, holder: str, earlier: Sequence[SuspendedSpan]) -> CertificateReinstated:
    """Return what every service is told when a suspension was lifted; on the bus it takes the suspension's place, so it
    says since when the certificate did not count, this time and `earlier`."""
    assert request.decided_by is not None and request.decided_at is not None
    return CertificateReinstated(
        event_id=derived_id("reinstated", request.request_id),
        causation_id=request.request_id,
        occurred_at=request.decided_at,
        subject=subject(request.serial),
        serial=request.serial,
        holder=holder,
        reinstated_at=request.decided_at,
        reason=request.reason,
        requested_by=request.requested_by,
        approved_by=request.decided_by,
        earlier=tuple(earlier),
    )


def subject(serial: str) -> str:
    """Return what the bus keeps the standing of a certificate under."""
    return f"certificate:{serial}"
