"""Who changed the rules, when, by which document, to what effect."""

from datetime import UTC, datetime
from typing import Any

from contracts.intake import PolicyPublished
from contracts.signing import RosterListed
from contracts.timer import CalendarAmended
from local.samples import sample
from supervision import rules
from supervision.rules import RuleKind


def test_a_policy_says_its_readings_by_their_numbers() -> None:
    event: Any = sample(PolicyPublished)
    event = event.model_copy(update={"settings": {"stage_pause_policy": "ALL_OPEN"}})
    (rule,) = rules.changes(event)
    assert rule.kind == RuleKind.POLICY and "P1 stage_pause_policy=ALL_OPEN" in rule.effect
    assert (rule.document, rule.who, rule.effective_at) == (event.document, event.actor.holder, event.effective_at)


def test_an_amendment_of_the_calendar_says_its_days_and_how_many_deadlines_it_touched() -> None:
    event: Any = sample(CalendarAmended)
    (release,) = rules.changes(event)
    assert "2027 年放假安排" in release.effect and "涉及 1 个时限" in release.effect
    (ordered,) = rules.changes(event.model_copy(update={"released_year": None}))
    assert str(event.days[0].day) in ordered.effect


def test_the_roster_tells_each_entry_once_whatever_is_said_of_it_later() -> None:
    event: Any = sample(RosterListed)
    entry = event.entries[0].model_copy(update={"until": None})
    (holds,) = rules.changes(event.model_copy(update={"entries": (entry,)}))
    ended = entry.model_copy(update={"until": datetime(2026, 5, 1, tzinfo=UTC)})
    (over,) = rules.changes(event.model_copy(update={"entries": (ended,)}))
    assert holds.rule_id == over.rule_id and (holds.until, over.until) == (None, ended.until)
    assert entry.requested_by in holds.who and entry.approved_by in holds.who
