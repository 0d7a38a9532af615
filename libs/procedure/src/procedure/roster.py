"""责任人名单 (Art. 18): who may handle which items where, confirmed by two people, each entry from and until when.

The roster of one holder is all its entries, past, present and to come; whoever has them can say what held on any date.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode
from contracts.signing import RosterEntry
from contracts.terms import Role
from procedure.refusals import Refusal


class NotOnRoster(Refusal):
    """您不在该事项的责任人名单上，或名单上的权限尚未生效、已经失效"""

    article = "第十八条"
    status = 403


class CertificateIsSuspended(Refusal):
    """该证书已挂失或停用，不得继续使用；请联系所在部门或主管部门"""

    article = "第二十条"
    status = 403


class OwnRequest(Refusal):
    """名单变更须由申请人以外的人批准"""

    article = "第十八条"
    status = 403


class EffectiveInThePast(Refusal):
    """名单变更的生效时间不得早于批准时间"""

    article = "第十八条"
    status = 422


class Suspended(NamedTuple):
    """From when to when a certificate counted nowhere (Art. 20): `until` is open for one that still does not."""

    since: datetime
    until: datetime | None = None


class Record(NamedTuple):
    """What is known of whoever holds a certificate: all its roster entries, and when the certificate did not count."""

    entries: tuple[RosterEntry, ...] = ()
    suspensions: tuple[Suspended, ...] = ()


def in_force(entry: RosterEntry, at: datetime) -> bool:
    """Whether an entry holds at `at`; the instant it ends belongs to what follows."""
    return entry.effective_at <= at and (entry.until is None or at < entry.until)


def is_suspended(suspensions: Iterable[Suspended], at: datetime) -> bool:
    """Whether a certificate did not count at `at`; the instant of the report of loss belongs to the suspension."""
    return any(one.since <= at and (one.until is None or at < one.until) for one in suspensions)


def may_handle(
    entries: Iterable[RosterEntry],
    at: datetime,
    jurisdiction: JurisdictionCode,
    department: DepartmentCode,
    item_code: ItemCode,
) -> bool:
    """Whether one of `entries` lets its holder handle the item at `at`."""
    return any(
        in_force(one, at)
        and one.role is Role.OFFICER
        and (one.jurisdiction, one.department) == (jurisdiction, department)
        and (not one.items or item_code in one.items)
        for one in entries
    )


def hold_to_roster(
    entries: Iterable[RosterEntry],
    at: datetime,
    jurisdiction: JurisdictionCode,
    department: DepartmentCode,
    item_code: ItemCode,
) -> None:
    """Hold an act to the roster as of its instant. Raises NotOnRoster."""
    if not may_handle(entries, at, jurisdiction, department, item_code):
        raise NotOnRoster


def may_act(
    record: Record,
    at: datetime,
    jurisdiction: JurisdictionCode,
    department: DepartmentCode,
    item_code: ItemCode,
) -> bool:
    """Whether nothing that is known of a holder forbids it to handle the item at `at`."""
    lost = is_suspended(record.suspensions, at)
    return not lost and may_handle(record.entries, at, jurisdiction, department, item_code)


def hold_to_record(
    record: Record,
    at: datetime,
    jurisdiction: JurisdictionCode,
    department: DepartmentCode,
    item_code: ItemCode,
) -> None:
    """Hold an act to what is known of who did it, as of its instant. Raises CertificateIsSuspended, NotOnRoster."""
    if is_suspended(record.suspensions, at):
        raise CertificateIsSuspended
    hold_to_roster(record.entries, at, jurisdiction, department, item_code)


def hold_to_second_person(requested_by: str, approved_by: str) -> None:
    """Hold an approval to somebody other than who asked (certificates). Raises OwnRequest."""
    if requested_by == approved_by:
        raise OwnRequest
