"""The rules that everybody is held to, and who changed them: policies, calendar, roster, each with its document
(Art. 18, 23)."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from contracts.envelope import Event, derived_id
from contracts.intake import PolicyPublished
from contracts.labels import label
from contracts.signing import RosterEntry, RosterListed
from contracts.timer import CalendarAmended
from procedure.policies import READINGS


class RuleKind(StrEnum):
    """政策版本, 工作日历, 责任人名单."""

    POLICY = "POLICY"
    CALENDAR = "CALENDAR"
    ROSTER = "ROSTER"


class Rule(NamedTuple):
    """One change of the rules: who made it, when it was made and from when it holds, by which document, to what effect.

    `said_at` is None for an entry of the roster: its topic keeps the last word on every holder, not when each entry was
    first heard. `until` is open for what holds."""

    rule_id: UUID
    kind: str
    jurisdiction: str
    said_at: datetime | None
    effective_at: datetime
    until: datetime | None
    who: str
    document: str
    effect: str


def changes(event: Event) -> Iterable[Rule]:
    """Return the changes of the rules that an event says."""
    match event:
        case PolicyPublished():
            yield _policy(event)
        case CalendarAmended():
            yield _calendar(event)
        case RosterListed():
            yield from (_roster(event, entry) for entry in event.entries)
        case _:
            return


def _policy(event: PolicyPublished) -> Rule:
    said = "；".join(
        f"{READINGS[name].number} {name}={value}" for name, value in event.settings.items() if name in READINGS
    )
    effect = f"政策 {event.version}，目录 {event.catalogue_version}：{said or '默认口径'}。{event.reason}"
    return Rule(
        event.event_id,
        RuleKind.POLICY.value,
        event.authority,
        event.occurred_at,
        event.effective_at,
        None,
        event.actor.holder,
        event.document,
        effect,
    )


def _calendar(event: CalendarAmended) -> Rule:
    days = "、".join(f"{one.day}{'上班' if one.works else '放假'}" for one in event.days[:20])
    what = f"{event.released_year} 年放假安排" if event.released_year else days
    effect = f"{label(event.cause)}：{what}；日历 {event.calendar_version}；涉及 {event.affected} 个时限"
    return Rule(
        event.event_id,
        RuleKind.CALENDAR.value,
        event.jurisdiction,
        event.occurred_at,
        event.ordered_at,
        None,
        event.actor.holder,
        event.document,
        effect,
    )


def _roster(event: RosterListed, entry: RosterEntry) -> Rule:
    what = "、".join(entry.items) or "全部事项"
    key = (event.serial, entry.role.value, entry.jurisdiction, entry.department, what, entry.effective_at.isoformat())
    return Rule(
        derived_id("roster", *key, entry.document),
        RuleKind.ROSTER.value,
        entry.jurisdiction,
        None,
        entry.effective_at,
        entry.until,
        f"{entry.requested_by} 申请，{entry.approved_by} 批准",
        entry.document,
        f"{event.holder}（{event.serial}）：{label(entry.role)} {entry.department or ''} {what}",
    )
