"""The clocks of one attempt of an item (Art. 13, 14; R21): first how long it may lie unaccepted, then its limit.

A pure fold, one step in, one state out, in the order of the steps' versions; a repeat changes nothing. The timer keeps
the state as a row, `procedure.history` folds from the beginning.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from contracts import department_worker as items
from contracts.department_worker import ItemStepped
from contracts.terms import ClockEnd, ClockSubject, Outcome, PauseReason, ReminderKind
from procedure import acceptance, reminders
from procedure import clock as law
from procedure.clock import Clock
from procedure.policies import policies_of
from procedure.reminders import Reminder

PAUSES: Final[Mapping[type[ItemStepped], PauseReason]] = {
    items.CorrectionRequested: PauseReason.CORRECTION,
    items.SpecialStarted: PauseReason.SPECIAL,
}
RESUMES: Final[Mapping[type[ItemStepped], PauseReason]] = {
    items.CorrectionEnded: PauseReason.CORRECTION,
    items.SpecialEnded: PauseReason.SPECIAL,
}
ENDS: Final[Mapping[type[ItemStepped], ClockEnd]] = {
    items.ItemConcluded: ClockEnd.CONCLUDED,
    items.ItemReturned: ClockEnd.RETURNED,
    items.ItemTakenBack: ClockEnd.WITHDRAWN,
    items.ItemRecalled: ClockEnd.RECALLED,
    items.ItemNotAccepted: ClockEnd.NOT_ACCEPTED,
}


class Attempt(NamedTuple):
    """One attempt of one item as its clocks know it.

    `clock` measures `subject`; `began` is the version of the step that started it. `held` holds the expiry while a
    decision that came in time waits for its seal (R1); `reminders` wait for an answer; `outcome` is how it ended;
    `seen` is the version of the last step taken in.
    """

    subject: ClockSubject
    clock: Clock
    began: int
    held: bool = False
    reminders: tuple[Reminder, ...] = ()
    outcome: Outcome | None = None
    seen: int = 0


def felt(attempt: Attempt | None, step: ItemStepped) -> Attempt | None:
    """Return the attempt after a step; None before it was received."""
    if attempt is None:
        return _opened(step)
    turn = STEPS.get(type(step))
    if turn is None or step.version <= attempt.seen:
        return attempt
    return turn(attempt, step)._replace(seen=step.version)


def closed(attempt: Attempt, at: datetime) -> Attempt:
    """Return an attempt that was closed without its department's decision (Art. 17): nothing waits for it any more."""
    return attempt._replace(clock=law.stop(attempt.clock, ClockEnd.WITHDRAWN, at), held=False, reminders=())


def before_acceptance(step: ItemStepped) -> bool:
    """Whether a correction was asked for, or ended, before the item was accepted: no limit ran then (P13)."""
    return isinstance(step, items.CorrectionRequested | items.CorrectionEnded) and step.before_acceptance


def _opened(step: ItemStepped) -> Attempt | None:
    if acceptance.starts(step):
        return Attempt(ClockSubject.ACCEPTANCE, acceptance.begun(step), step.version, seen=step.version)
    return _accepted(None, step)._replace(seen=step.version) if isinstance(step, items.ItemAccepted) else None


def _received(attempt: Attempt, step: Any) -> Attempt:
    return Attempt(ClockSubject.ACCEPTANCE, acceptance.begun(step), step.version)


def _accepted(attempt: Attempt | None, step: Any) -> Attempt:
    return Attempt(ClockSubject.ITEM, Clock(step.limit_days, step.at), step.version)


def _correction_requested(attempt: Attempt, step: Any) -> Attempt:
    reminder = reminders.correction_unanswered(step.at, policies_of(step.policies))
    clock = acceptance.felt(attempt.clock, step) if step.before_acceptance else _paused(attempt, step)
    return attempt._replace(clock=clock, reminders=(*attempt.reminders, reminder))


def _correction_ended(attempt: Attempt, step: Any) -> Attempt:
    if step.before_acceptance:
        return _received(attempt, step)
    left = reminders.without(attempt.reminders, ReminderKind.CORRECTION_UNANSWERED)
    return attempt._replace(clock=_resumed(attempt, step), reminders=left)


def _special_started(attempt: Attempt, step: Any) -> Attempt:
    reminder = reminders.special_overdue(step.at, step.special)
    more = () if reminder is None else (reminder,)
    return attempt._replace(clock=_paused(attempt, step), reminders=(*attempt.reminders, *more))


def _special_ended(attempt: Attempt, step: Any) -> Attempt:
    left = reminders.without(attempt.reminders, ReminderKind.SPECIAL_OVERDUE)
    return attempt._replace(clock=_resumed(attempt, step), reminders=left)


def _paused(attempt: Attempt, step: ItemStepped) -> Clock:
    return law.pause(attempt.clock, PAUSES[type(step)], "", step.at)


def _resumed(attempt: Attempt, step: ItemStepped) -> Clock:
    return law.resume(attempt.clock, RESUMES[type(step)], "", step.at)


def _decided(attempt: Attempt, step: Any) -> Attempt:
    return attempt._replace(held=True)


def _seal_failed(attempt: Attempt, step: Any) -> Attempt:
    return attempt._replace(held=False)


def _extended(attempt: Attempt, step: Any) -> Attempt:
    return attempt._replace(clock=law.extend(attempt.clock, step.days))


def _amended(attempt: Attempt, step: Any) -> Attempt:
    return attempt._replace(clock=law.amend(attempt.clock, step.limit_days))


def _ended(attempt: Attempt, step: ItemStepped) -> Attempt:
    """A recall ends the clock at the due instant, everything else when the platform received it."""
    at = step.due_at if isinstance(step, items.ItemRecalled) else step.at
    clock = law.stop(attempt.clock, ENDS[type(step)], at)
    outcome, _ = step.told
    return attempt._replace(clock=clock, held=False, reminders=(), outcome=outcome)


def _returned(attempt: Attempt, step: Any) -> Attempt:
    reminder = reminders.not_declared_again(step.at, policies_of(step.policies))
    return _ended(attempt, step)._replace(reminders=(reminder,))


STEPS: Final[Mapping[type[ItemStepped], Callable[[Attempt, Any], Attempt]]] = {
    items.ItemReceived: _received,
    items.ItemAccepted: _accepted,
    items.CorrectionRequested: _correction_requested,
    items.CorrectionEnded: _correction_ended,
    items.SpecialStarted: _special_started,
    items.SpecialEnded: _special_ended,
    items.ItemDecided: _decided,
    items.SealFailed: _seal_failed,
    items.ItemExtended: _extended,
    items.LimitAmended: _amended,
    items.ItemConcluded: _ended,
    items.ItemReturned: _returned,
    items.ItemTakenBack: _ended,
    items.ItemRecalled: _ended,
    items.ItemNotAccepted: _ended,
}
"""Step → what it does to the clocks of its attempt; the steps that are not here leave them alone."""
