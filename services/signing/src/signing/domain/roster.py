"""What signing alone decides of people: how the roster changes (Art. 18).

The roster changes in one way only: somebody asks, somebody else approves, and from its effective time on it holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from contracts.codes import CITY, DIVISIONS, PILOT_ZONES, DepartmentCode, ItemCode, JurisdictionCode
from contracts.envelope import derived_id
from contracts.labels import label
from contracts.parts import Actor, Serial
from contracts.signing import RosterChangeRefused, RosterEntry, RosterListed
from contracts.terms import Role
from procedure.authority import Caller, NotYourJurisdiction, covers
from procedure.catalogue import Catalogue
from procedure.refusals import Refusal
from procedure.roster import EffectiveInThePast, hold_to_second_person

PersonalSerial = Annotated[Serial, Field(max_length=64)]
"""The serial of a person's certificate; with `roster:` before it, it is the subject that the bus keeps it under."""


# The roster -----------------------------------------------------------------------------------------------------


class Impossible(Refusal):
    """名单内容不成立：{why}"""

    article = "第十八条"
    status = 422


class AlreadyOnRoster(Refusal):
    """该责任人届时已有同样的权限，无须再次列入"""

    article = "第十八条"


class NothingToEnd(Refusal):
    """该责任人届时在此没有可以终止的权限"""

    article = "第十八条"


class CertificateOfAnother(Refusal):
    """该证书已登记在“{holder}”名下，不得列为他人"""

    article = "第二十条"


class AlreadyDecided(Refusal):
    """该变更申请已经{state}，不能再次办理"""

    article = "第十八条"


class NoSuchRequest(Refusal):
    """没有找到该名单变更申请"""

    article = None
    status = 404


class Change(StrEnum):
    """What is asked of the roster."""

    ENTER = "ENTER"
    LEAVE = "LEAVE"


class Stand(StrEnum):
    """Where a request stands."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


STANDS: Final = {Stand.REQUESTED: "提出", Stand.APPROVED: "批准", Stand.REJECTED: "驳回"}
OF_A_DEPARTMENT: Final = {
    Role.OFFICER: True,
    Role.LEAD: True,
    Role.WINDOW: False,
    Role.SUPERVISOR: False,
    Role.ADMIN: False,
    Role.PLATFORM: False,
}
"""The roles that the roster lists, and whether they are a department's; the others are a territory's. Only a builder
is known by its certificate alone."""


@dataclass(frozen=True, slots=True)
class Responsibility:
    """What one holder answers for: in which role, where, and for which items (none named: all of the department's)."""

    serial: str
    holder: str
    role: Role
    jurisdiction: JurisdictionCode
    department: DepartmentCode | None = None
    items: tuple[ItemCode, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the roster, from and until when it holds; `requested_by` and `approved_by` are certificates, or the
    authority that confirmed the initial list."""

    entry_id: UUID
    what: Responsibility
    effective_at: datetime
    until: datetime | None
    requested_by: str
    approved_by: str
    document: str

    @property
    def said(self) -> RosterEntry:
        """The entry as the bus hears of it."""
        return RosterEntry(
            role=self.what.role,
            jurisdiction=self.what.jurisdiction,
            department=self.what.department,
            items=self.what.items,
            effective_at=self.effective_at,
            until=self.until,
            requested_by=self.requested_by,
            approved_by=self.approved_by,
            document=self.document,
        )


@dataclass(frozen=True, slots=True)
class Request:
    """A change that was asked for, and what became of it."""

    request_id: UUID
    change: Change
    what: Responsibility
    effective_at: datetime
    document: str
    requested_by: Actor
    requested_at: datetime
    stand: Stand = Stand.REQUESTED
    decided_by: Actor | None = None
    decided_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody tried to decide what it had asked for itself; it is refused, and stays with the request."""

    attempt_id: UUID
    request_id: UUID
    by: Actor
    attempted: Stand
    at: datetime


def may_change(caller: Caller, jurisdiction: JurisdictionCode) -> None:
    """Hold an administrator to its own list: each level keeps its own, a pilot zone too, and the city may keep all.

    Raises NotYourJurisdiction.
    """
    if caller.jurisdiction not in (CITY, jurisdiction):
        raise NotYourJurisdiction


def places(caller: Caller, wanted: JurisdictionCode | None) -> list[str]:
    """Return the places whose lists the caller reads: all in its reach, or the one it wants.

    Raises NotYourJurisdiction.
    """
    reach = [place for place in (*DIVISIONS, *PILOT_ZONES) if covers(caller.jurisdiction, place)]
    if wanted is None:
        return reach
    if wanted not in reach:
        raise NotYourJurisdiction
    return [wanted]


def possible(what: Responsibility, catalogues: Iterable[Catalogue]) -> None:
    """Hold an entry to what its role means and to what some version of the catalogue has there. Raises Impossible."""
    if what.role not in OF_A_DEPARTMENT:
        raise Impossible(why=f"{label(what.role)}不列入责任人名单")
    if (what.department is not None) != OF_A_DEPARTMENT[what.role]:
        raise Impossible(why=f"{label(what.role)}{'须写明' if OF_A_DEPARTMENT[what.role] else '按属地授权，不写'}部门")
    if what.items and what.role is not Role.OFFICER:
        raise Impossible(why="只有承办人员可以限定事项")
    if what.department is not None and not any(_handles(what, one) for one in catalogues):
        raise Impossible(why=f"{what.department} 在 {what.jurisdiction} 不办理{'、'.join(what.items) or '任何事项'}")


def _handles(what: Responsibility, catalogue: Catalogue) -> bool:
    if what.role is Role.LEAD:
        return any(stage.lead_department == what.department for stage in catalogue.stages.values())
    handled = {
        rule.code
        for rule in catalogue.items.values()
        if (catalogue.route(rule, what.jurisdiction), rule.department) == (what.jurisdiction, what.department)
    }
    return bool(handled) and handled.issuperset(what.items)


def ask(request: Request, holder: str | None, entries: Sequence[Entry], catalogues: Iterable[Catalogue]) -> Request:
    """Return `request` when it could be approved as things stand; `entries` are its holder's, `holder` who that is.

    Raises Impossible, EffectiveInThePast, CertificateOfAnother, AlreadyOnRoster or NothingToEnd.
    """
    if request.change is Change.ENTER:
        possible(request.what, catalogues)
    _changed(request, request.requested_by, request.requested_at, holder, entries)
    return request


def approve(
    request: Request, by: Actor, at: datetime, holder: str | None, entries: Sequence[Entry]
) -> tuple[Request, list[Entry]]:
    """Return the request as `by` approved it, and the entries that it makes or ends.

    Raises AlreadyDecided, OwnRequest, or what stands against the change by now, as `ask` does.
    """
    decided = _decided(request, Stand.APPROVED, by, at)
    return decided, _changed(request, by, at, holder, entries)


def reject(request: Request, by: Actor, at: datetime, reason: str) -> Request:
    """Return the request as `by` rejected it. Raises AlreadyDecided or OwnRequest."""
    return replace(_decided(request, Stand.REJECTED, by, at), reason=reason)


def _decided(request: Request, stand: Stand, by: Actor, at: datetime) -> Request:
    if request.stand is not Stand.REQUESTED:
        raise AlreadyDecided(state=STANDS[request.stand])
    hold_to_second_person(request.requested_by.certificate, by.certificate)
    return replace(request, stand=stand, decided_by=by, decided_at=at)


def _changed(request: Request, by: Actor, at: datetime, holder: str | None, entries: Sequence[Entry]) -> list[Entry]:
    if request.effective_at < at:
        raise EffectiveInThePast
    if holder not in (None, request.what.holder):
        raise CertificateOfAnother(holder=holder)
    return _entered(request, by, entries) if request.change is Change.ENTER else _ended(request, entries)


def _entered(request: Request, by: Actor, entries: Sequence[Entry]) -> list[Entry]:
    begins = request.effective_at
    if any(one.what == request.what and one.effective_at <= begins and one.until is None for one in entries):
        raise AlreadyOnRoster
    asked, approved = request.requested_by.certificate, by.certificate
    return [Entry(request.request_id, request.what, begins, None, asked, approved, request.document)]


def _ended(request: Request, entries: Sequence[Entry]) -> list[Entry]:
    """End what holds or is to come; an entry that has not begun by then never does."""
    ends = request.effective_at
    running = [one for one in entries if _is_meant(one.what, request.what) and (one.until is None or ends < one.until)]
    if not running:
        raise NothingToEnd
    return [replace(one, until=max(ends, one.effective_at)) for one in running]


def _is_meant(held: Responsibility, left: Responsibility) -> bool:
    """Whether leaving `left` ends `held`: naming no items ends all of the role there, naming some only their entry."""
    return replace(held, items=()) == replace(left, items=()) and left.items in ((), held.items)


def listed(
    serial: str, holder: str, entries: Iterable[Entry], cause: UUID, at: datetime, change: Request | None = None
) -> RosterListed:
    """Return all that the roster says of one holder: whoever reads only the last word on it knows everything.

    `change` is the approved request that it follows from, None for the initial list.
    """
    return RosterListed(
        event_id=derived_id("roster", serial, cause),
        causation_id=cause,
        occurred_at=at,
        subject=f"roster:{serial}",
        serial=serial,
        holder=holder,
        entries=tuple(one.said for one in entries),
        requested_by=None if change is None else change.requested_by,
        approved_by=None if change is None else change.decided_by,
        document=None if change is None else change.document,
    )


def refused(request: Request, by: Actor, code: str, reason: str, at: datetime) -> RosterChangeRefused:
    """Return what the bus hears of a request that `by` rejected, or tried to decide though it was its own."""
    return RosterChangeRefused(
        event_id=derived_id("roster-refused", request.request_id, code, by.certificate),
        causation_id=request.request_id,
        occurred_at=at,
        subject=f"roster-request:{request.request_id}",
        request_id=request.request_id,
        serial=request.what.serial,
        holder=request.what.holder,
        code=code,
        reason=reason,
        requested_by=request.requested_by,
        actor=by,
    )
