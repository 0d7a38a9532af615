"""The law before its judges: what is asked of both about the case of a seed, and what they answer otherwise."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, TypeGuard
from uuid import UUID

from contracts import department_worker as said
from contracts import dispatcher as stages
from contracts.envelope import Event, derived_id
from contracts.terms import ClockState
from local import oracle
from local.oracle import NEVER, Act, Case, calendar_of, compared
from local.oracle_stage import CLOSES, PAUSES, RESUMES, StageCase
from local.oracle_story import LONGEST, case_of, events_of
from procedure import calendar, clock, history, lights, stage_clock
from procedure.policies import Policies


def judged(seed: int) -> str:
    """Return what the law says otherwise than its judges about the clock and about the stage of `seed`, or ''."""
    return "; ".join(filter(None, (oracle.disagreement(seed, clock, calendar, lights), disagreement(seed))))


Spoil = Callable[[Sequence[Event], Policies], tuple[Sequence[Event], Policies]]
"""What a fault makes of what the law is told."""


def unspoilt(events: Sequence[Event], policies: Policies) -> tuple[Sequence[Event], Policies]:
    """The law is told what happened, under the readings that hold."""
    return events, policies


def disagreement(seed: int, spoil: Spoil = unspoilt) -> str:
    """Return what the law says otherwise than the judge about the stage of `seed` and its items, now or as of a past
    instant, or ''."""
    case, chance = case_of(seed), random.Random(-seed)
    events, policies = spoil(events_of(case, chance), case.policies)
    bench = Bench(seed, events, policies, calendar_of(case.days, case.dispatched.year, calendar, years=3))
    told = [bench.stage(case), *bench.items(case)]
    past = [act.at for act in case.acts if not _is_told_later(case, act.at)]
    if past:
        at = chance.choice(past)
        told.append(bench.stage(replace(case.until(at), asked=at), at))
    return "; ".join(filter(None, told))


def _is_told_later(case: StageCase, at: datetime) -> bool:
    """Whether at that instant something held that was told only later: an item was declared again, not yet received."""
    return any(act.what == "received" and act.detail is not None and act.detail <= at < act.at for act in case.acts)


class Bench(NamedTuple):
    """The law before its judge: what it is told, and the calendar that both know."""

    seed: int
    events: Sequence[Event]
    policies: Policies
    days: Any

    def stage(self, case: StageCase, until: datetime | None = None) -> str:
        """Return what the law makes of the stage otherwise than the judge, or ''."""
        found = history.of_stage(self.events, until, self.policies)
        assert found is not None
        if not case.runs_at_all or not found.started:
            return compared(self.seed, {"stage started": (found.started, case.runs_at_all)})
        rest = (self.days, case.days.place, case.policies)
        facts: dict[str, tuple[Any, Any]] = {
            "stage used": (clock.used_days(found.clock, case.asked, *rest), case.used(case.asked)),
            "stage ended": (found.clock.ended_at, case.ended),
        }
        if case.ended is None:
            facts["stage running"] = (not found.clock.reasons, not case.held_before(NEVER))
            facts["stage due"] = self._due(case, found.clock)
        return compared(self.seed, facts)

    def _due(self, case: StageCase, found: clock.Clock) -> tuple[datetime | None, datetime | None]:
        """What happens at the very due instant comes before its expiry (R19): of the due then nothing is asked."""
        judged = case.due()
        if any(act.at == judged for act in case.acts):
            return None, None
        due = stage_clock.due(found, self.days, case.days.place, case.policies)
        return None if due is None else due.at, judged

    def items(self, case: StageCase) -> Iterable[str]:
        """Return for the clock of every attempt that was accepted what the law makes of it otherwise than the judge."""
        for code, attempt in dict.fromkeys((act.code, act.attempt) for act in case.acts if act.what == "accepted"):
            found = history.of_item([one for one in self.events if _is_about(one, derived_id(code, attempt))])
            item = _item(case, code, attempt)
            assert found is not None
            used = clock.used_days(found.clock, case.asked, self.days, case.days.place)
            runs = clock.state(found.clock) is ClockState.RUNNING
            facts: dict[str, tuple[Any, Any]] = {
                f"{code} total": (found.clock.total_days, item.total),
                f"{code} used": (used, item.used(case.asked)),
                f"{code} ended": (found.clock.ended_at, item.ended),
                f"{code} running": (runs, item.ended is None and not item.held()),
            }
            yield compared(self.seed, facts)


def _is_about(event: Any, item_id: UUID) -> TypeGuard[said.ItemStepped | stages.ItemClosed]:
    return isinstance(event, said.ItemStepped | stages.ItemClosed) and event.item_id == item_id


def _item(case: StageCase, code: str, attempt: int) -> Case:
    """The clock of one attempt as the judge of items knows it."""
    acts = [act for act in case.acts if (act.code, act.attempt) == (code, attempt)]
    begun = next(act.at for act in acts if act.what == "accepted")
    kinds = {
        **dict.fromkeys(PAUSES, "pause"),
        **dict.fromkeys(RESUMES, "resume"),
        "extended": "extend",
        "amended": "amend",
    }
    ends = dict.fromkeys((*CLOSES, "returned", "expired"), "stop")
    felt = [
        Act(act.at, (kinds | ends)[act.what], PAUSES.get(act.what) or RESUMES.get(act.what) or act.detail)
        for act in acts
        if act.what in kinds | ends and act.at >= begun
    ]
    return Case(case.days, LONGEST, begun, Policies(), felt)
