"""The clock of a stage (Art. 13): the one place where the steps of its items stop it and let it run again.

A pure fold, one event in, one state out: the timer keeps the state as a row, `procedure.history` folds from the
beginning. What stops the stage is a set of reasons by item; the clock runs if and only if the set is empty. Under P1
`ANY` a correction, a special procedure or a return of any item is a reason. Under `ALL_OPEN` a return always is one;
otherwise the stage stands still while at least one accepted item is open and all of them stand still (R24).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from contracts import department_worker as items
from contracts.department_worker import ItemStepped
from contracts.terms import ClockEnd, Outcome, PauseReason
from procedure import clock as law
from procedure.calendar import Calendar
from procedure.clock import Clock, Due
from procedure.item_clock import ENDS, PAUSES, RESUMES, before_acceptance
from procedure.policies import DEFAULT, Policies

UNSTARTED: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""The start of a stage clock that waits: reasons may be known before its acceptance is (P2, R31)."""
ALL: Final = "*"
"""The key of the reason that all accepted open items stand still (P1 `ALL_OPEN`)."""


class Rest(NamedTuple):
    """How an accepted open item stands: `since` when it stands still (None: it runs), for which reasons."""

    since: datetime | None = None
    reasons: frozenset[PauseReason] = frozenset()


RUNS: Final = Rest()


class StageClock(NamedTuple):
    """The clock of one stage application, and (under `ALL_OPEN` alone) how its accepted open items stand, by code."""

    clock: Clock
    open: Mapping[str, Rest] = {}


def waiting(limit_days: int) -> StageClock:
    """Return the clock of a stage that was split and waits for its acceptance."""
    return StageClock(Clock(limit_days, UNSTARTED))


def is_started(clock: Clock) -> bool:
    """Whether a clock runs or ever ran; a stage without a limit has none (R18)."""
    return clock.started_at > UNSTARTED


def accepted(stage: StageClock, at: datetime) -> StageClock:
    """The stage was accepted: its clock starts once; reasons that already hold it keep holding (P2, R31)."""
    if is_started(stage.clock) or stage.clock.limit_days == 0:
        return stage
    return stage._replace(clock=stage.clock._replace(started_at=at))


def concluded(stage: StageClock, at: datetime) -> StageClock:
    """The stage concluded: its clock stops for good; items that a milestone rule leaves open run on alone (R30)."""
    return stage._replace(clock=law.stop(stage.clock, ClockEnd.CONCLUDED, at))


def felt(stage: StageClock, step: ItemStepped, policies: Policies) -> StageClock:
    """Return the stage after a step of one of its items, taken in the order of its versions."""
    if stage.clock.ended_at is not None:
        return stage
    clock = _ended_or_declared(stage.clock, step, policies)
    if policies.stage_pause_policy == "ANY":
        clock = _any(clock, step)
        return stage if clock is stage.clock else stage._replace(clock=clock)
    standing = _followed(stage.open, step)
    return StageClock(_all_open(clock, standing, step.at), standing)


def closed(stage: StageClock, item_code: str, at: datetime) -> StageClock:
    """An item was closed without its department's decision (Art. 14, 17): it no longer stops the stage."""
    if stage.clock.ended_at is not None:
        return stage
    standing = {code: rest for code, rest in stage.open.items() if code != item_code}
    return StageClock(_all_open(_let_go(stage.clock, item_code, at), standing, at), standing)


def due(clock: Clock, calendar: Calendar, jurisdiction: str, policies: Policies = DEFAULT) -> Due | None:
    """Return when a stage's clock expires, or expired: once its due instant has passed while it ran, that due stays,
    whatever stops the stage later (R23). Raises YearNotCovered."""
    if clock.ended_at is not None or not is_started(clock):
        return None
    for one in sorted(clock.pauses, key=lambda pause: pause.began_at):
        before = law.due(law.as_of(clock, one.began_at), calendar, jurisdiction, policies)
        if before is not None and law.is_late(one.began_at, before):
            return before
    return law.due(clock, calendar, jurisdiction, policies)


def _ended_or_declared(clock: Clock, step: ItemStepped, policies: Policies) -> Clock:
    """An item that ends takes its reasons with it (P21); returned, it leaves one until it is declared again (P4)."""
    key = step.item_code
    if isinstance(step, items.ItemReturned):
        return law.pause(_let_go(clock, key, step.at), PauseReason.RETURNED, key, step.at)
    if type(step) in ENDS:
        return _let_go(clock, key, step.at)
    again = _declared_again(step, policies)
    if again is None or (PauseReason.RETURNED, key) not in clock.reasons:
        return clock
    clock = law.resume(clock, PauseReason.RETURNED, key, again)
    return _anew(clock, again) if policies.stage_restart_on_return else clock


def _declared_again(step: ItemStepped, policies: Policies) -> datetime | None:
    """Return when a returned item lets its stage run again: as it was declared again, or accepted again (P4)."""
    if step.attempt == 1:
        return None
    if policies.stage_resumes_at == "reacceptance":
        return step.at if isinstance(step, items.ItemAccepted) else None
    return step.applied_at if isinstance(step, items.ItemReceived) else None


def _anew(clock: Clock, at: datetime) -> Clock:
    """P3: the stage's limit too is counted anew; what else holds the stage keeps holding."""
    if not is_started(clock):
        return clock
    return clock._replace(started_at=at, pauses=tuple(one for one in clock.pauses if one.ended_at is None))


def _let_go(clock: Clock, key: str, at: datetime) -> Clock:
    for reason, held in clock.reasons:
        if held == key:
            clock = law.resume(clock, reason, key, at)
    return clock


def _any(clock: Clock, step: ItemStepped) -> Clock:
    kind = type(step)
    if kind in PAUSES and not before_acceptance(step):
        return law.pause(clock, PAUSES[kind], step.item_code, step.at)
    if kind in RESUMES and not before_acceptance(step):
        return law.resume(clock, RESUMES[kind], step.item_code, step.at)
    return clock


def _followed(standing: Mapping[str, Rest], step: ItemStepped) -> Mapping[str, Rest]:
    """Return how the accepted open items stand after a step. An item that expired without an opinion stays open, and
    does not stand still, until the lead decides (R3); a new attempt waits until it is accepted."""
    kind, key = type(step), step.item_code
    rest = standing.get(key)
    expired = isinstance(step, items.ItemRecalled) and step.outcome is Outcome.EXPIRED_NO_OPINION
    if kind is items.ItemAccepted or expired:
        return {**standing, key: RUNS}
    if kind in ENDS or kind is items.ItemReceived:
        return {code: one for code, one in standing.items() if code != key}
    if rest is None:
        return standing
    if kind in PAUSES:
        return {**standing, key: Rest(rest.since or step.at, rest.reasons | {PAUSES[kind]})}
    if kind in RESUMES:
        left = rest.reasons - {RESUMES[kind]}
        return {**standing, key: Rest(rest.since, left) if left else RUNS}
    return standing


def _all_open(clock: Clock, standing: Mapping[str, Rest], at: datetime) -> Clock:
    """Stop the clock when the last accepted open item came to stand still, or let it run again. A decision is known by
    its receipt when its seal is made, so the last one may have come to stand still after `at`."""
    rests = [rest.since for rest in standing.values()]
    held = [reason for reason, key in clock.reasons if key == ALL]
    if rests and all(rests) and not held:
        reason = min(reason for rest in standing.values() for reason in rest.reasons)
        return law.pause(clock, reason, ALL, max(at, *(one for one in rests if one is not None)))
    if held and not (rests and all(rests)):
        return law.resume(clock, held[0], ALL, at)
    return clock


def as_record(standing: Mapping[str, Rest]) -> list[Any]:
    """Return how accepted open items stand as plain JSON, for a column."""
    return [
        [code, None if rest.since is None else rest.since.isoformat(), sorted(rest.reasons)]
        for code, rest in standing.items()
    ]


def from_record(record: Iterable[Any]) -> Mapping[str, Rest]:
    """Return how accepted open items stand, out of a column."""
    return {
        code: Rest(None if since is None else datetime.fromisoformat(since), frozenset(map(PauseReason, reasons)))
        for code, since, reasons in record
    }
