"""责任人名单 (Art. 18): who may handle which items where, confirmed by two people, each entry from and until when.

The roster of one holder is all its entries, past, present and to come; whoever has them can say what held on any date.
"""

from collections.abc import Iterable
from datetime import datetime

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode
from contracts.signing import RosterEntry
from contracts.terms import Role
from procedure.refusals import Refusal


class NotOnRoster(Refusal):
    """您不在该事项的责任人名单上，或名单上的权限尚未生效、已经失效"""

    article = "第十八条"
    status = 403


class OwnRequest(Refusal):
    """名单变更须由申请人以外的人批准"""

    article = "第十八条"
    status = 403


class EffectiveInThePast(Refusal):
    """名单变更的生效时间不得早于批准时间"""

    article = "第十八条"
    status = 422


def in_force(entry: RosterEntry, at: datetime) -> bool:
    """Whether an entry holds at `at`; the instant it ends belongs to what follows."""
    return entry.effective_at <= at and (entry.until is None or at < entry.until)


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


def hold_to_second_person(requested_by: str, approved_by: str) -> None:
    """Hold an approval to somebody other than who asked (certificates). Raises OwnRequest."""
    if requested_by == approved_by:
        raise OwnRequest
