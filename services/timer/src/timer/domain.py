"""What the timer alone decides: what is said of a clock that turned, and what time that passes does to it.

A row holds what the law knows of one attempt of an item or of one stage (`kept`; Art. 13, `procedure.item_clock` and
`procedure.stage_clock`) and what was last said of its clock (`spoken`). `turned` says in what the two differ, so it
does not matter whether a step, a calendar or a repair moved the clock.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from contracts.terms import ClockState, ClockSubject, Light, ReminderKind
from contracts.timer import ClockPaused, ClockResumed, ClockStarted, ClockStopped, DueChanged, LightChanged
from procedure import clock as law
from procedure import lights, reminders, stage_clock
from procedure.clock import Due
from procedure.item_clock import Attempt
from procedure.stage_clock import StageClock
from timer import speech
from timer.speech import Piece, Said
from timer.tracked import SILENT, Cause, Reckoning, Tracked


class _Turn(NamedTuple):
    """A clock that turned: the row as the law knows it now, with what was last said of it before."""

    after: Tracked
    due: Due | None
    cause: Cause
    reckoning: Reckoning

    def used_days(self, at: datetime) -> int:
        whose = self.after.whose
        return law.used_days(self.after.clock, at, self.reckoning.calendar, whose.jurisdiction, whose.policies)


def due_of(tracked: Tracked, reckoning: Reckoning) -> Due | None:
    """Return when a clock expires; None for one that waits, stands still, has ended or has no limit (R18, R23)."""
    whose = tracked.whose
    count = stage_clock.due if tracked.subject is ClockSubject.STAGE else law.due
    return count(tracked.clock, reckoning.calendar, whose.jurisdiction, whose.policies)


def turned(before: Tracked, kept: Attempt | StageClock, cause: Cause, reckoning: Reckoning) -> tuple[Tracked, Said]:
    """Return the row as the law knows it now, and what is to be said: in what its clock differs from what was last
    said of it. Raises YearNotCovered."""
    after = before._replace(kept=kept, reckoned=reckoning.name)
    missed = _missed(before, after, cause)
    if after.clock_id != before.clock_id:
        after = after._replace(spoken=SILENT)
    due = due_of(after, reckoning)
    pieces = _pieces(_Turn(after, due, cause, reckoning))
    spoken = after.spoken._replace(state=after.state, due_at=None if due is None else due.at)
    after = after._replace(spoken=spoken, expires_at=None if due is None else due.expires_at)
    after, said = speech.numbered(after, pieces, cause)
    after, lit = relit(after, pieces[-1][1] if pieces else cause.at, cause, reckoning)
    again = proposed_again(after, cause.now) if before.held and is_unanswered(after) else ()
    return after, (*missed, *said, *lit, *again)


def _pieces(turn: _Turn) -> list[Piece]:
    """The acceptance clock is quiet: it has no light, its due is nobody's but its department's, and most are over
    within minutes. It speaks when its due instant changes, and when it runs out."""
    was, now = turn.after.spoken.state, turn.after.state
    quiet = turn.after.subject is ClockSubject.ACCEPTANCE and was is not now
    told = () if quiet else TELLS.get((was, now), ())
    return [piece for tell in told if (piece := tell(turn)) is not None]


def _started(turn: _Turn) -> Piece:
    clock, whose = turn.after.clock, turn.after.whose
    bare = clock._replace(pauses=tuple(one for one in clock.pauses if one.ended_at is not None))
    due = turn.due or law.due(bare, turn.reckoning.calendar, whose.jurisdiction, whose.policies)
    assert due is not None
    return ClockStarted, clock.started_at, {"limit_days": clock.limit_days, **_due(due, turn)}


def _paused(turn: _Turn) -> Piece:
    clock = turn.after.clock
    began, _ = law.standing(clock)[-1]
    at = max(began, clock.started_at)
    reason = min(reason for reason, _ in clock.reasons)
    return ClockPaused, at, {"used_days": turn.used_days(at), "reason": reason}


def _resumed(turn: _Turn) -> Piece:
    clock = turn.after.clock
    at = max((clock.started_at, *(one.ended_at for one in clock.pauses if one.ended_at is not None)))
    assert turn.due is not None
    return ClockResumed, at, {"used_days": turn.used_days(at), **_due(turn.due, turn)}


def _due_changed(turn: _Turn) -> Piece | None:
    """Said only on a real change, and only while the clock runs (R14)."""
    former, due = turn.after.spoken.due_at, turn.due
    if due is None or former is None or former == due.at:
        return None
    cause = turn.cause.due or turn.reckoning.cause
    changed = {"former_due_at": former, "due_at": due.at, "due_on": due.on, "cause": cause}
    return DueChanged, turn.cause.at, {**changed, "calendar_version": turn.reckoning.calendar.version}


def _stopped(turn: _Turn) -> Piece:
    clock = turn.after.clock
    assert clock.ended_at is not None and clock.end is not None
    return ClockStopped, clock.ended_at, {"used_days": turn.used_days(clock.ended_at), "end": clock.end}


def _due(due: Due, turn: _Turn) -> dict[str, Any]:
    return {
        "due_at": due.at,
        "due_on": due.on,
        "provisional": due.provisional,
        "calendar_version": turn.reckoning.calendar.version,
    }


C = ClockState
TELLS: Final[Mapping[tuple[ClockState, ClockState], tuple[Callable[[_Turn], Piece | None], ...]]] = {
    (C.WAITING, C.RUNNING): (_started,),
    (C.WAITING, C.PAUSED): (_started, _paused),
    (C.RUNNING, C.PAUSED): (_paused,),
    (C.RUNNING, C.RUNNING): (_due_changed,),
    (C.PAUSED, C.RUNNING): (_resumed,),
    (C.RUNNING, C.STOPPED): (_stopped,),
    (C.PAUSED, C.STOPPED): (_stopped,),
    (C.RUNNING, C.TERMINATED): (_stopped,),
    (C.PAUSED, C.TERMINATED): (_stopped,),
}
"""(State last said, state now) → what is said; anything else is silence."""


def relit(tracked: Tracked, at: datetime, cause: Cause, reckoning: Reckoning) -> tuple[Tracked, Said]:
    """Say that a light changed, when it did (Art. 22). The acceptance clock has none (R21)."""
    if tracked.subject is ClockSubject.ACCEPTANCE or tracked.state not in (C.RUNNING, C.PAUSED):
        return tracked, ()
    shown, remaining = lights.light_of(
        tracked.clock,
        at,
        reckoning.calendar,
        tracked.whose.jurisdiction,
        overdue=tracked.spoken.is_overdue,
        special_over=reminders.special_is_over(tracked.reminders, at),
        policies=tracked.whose.policies,
    )
    if shown is tracked.spoken.light:
        return tracked, ()
    tracked = tracked._replace(spoken=tracked.spoken._replace(light=shown))
    return speech.numbered(tracked, [(LightChanged, at, {"light": shown, "remaining_days": remaining})], cause)


def _missed(before: Tracked, after: Tracked, cause: Cause) -> Said:
    """The due instant passed before what now ends the clock, and that was not told yet (P17). An item's limit cannot
    be missed so: nothing is received of it after its due instant (R6)."""
    ended = after.clock_id != before.clock_id or after.clock.ended_at is not None
    at = after.clock.ended_at or cause.at
    if not ended or before.subject is ClockSubject.ITEM or before.expires_at is None or at <= before.expires_at:
        return ()
    return () if before.spoken.is_overdue else speech.overdue(before, cause.now)


# Time passes ----------------------------------------------------------------------------------------------------


def acts_at(tracked: Tracked, now: datetime, reckoning: Reckoning, patience: timedelta) -> datetime | None:
    """Return the instant at which the timer has to act on a row next: its light turns, its clock expires, somebody is
    reminded, or a recall that nobody answered for so long is proposed again."""
    instants = (
        _expiry(tracked, now, patience),
        _yellow_at(tracked, reckoning),
        reminders.next_due(tracked.reminders),
    )
    return min((one for one in instants if one is not None), default=None)


def is_expiring(tracked: Tracked, now: datetime) -> bool:
    """Whether the due instant has passed while the clock ran, and that was not told (Art. 14); never on a provisional
    date (P24), nor while a decision that came in time waits for its seal (R1)."""
    expires = tracked.expires_at
    return expires is not None and expires <= now and not tracked.held and not tracked.spoken.is_overdue


def is_unanswered(tracked: Tracked) -> bool:
    """Whether a recall was proposed and the department worker has not answered it yet."""
    running = tracked.state is C.RUNNING and tracked.subject is ClockSubject.ITEM
    return running and tracked.spoken.is_overdue and not tracked.held


def _expiry(tracked: Tracked, now: datetime, patience: timedelta) -> datetime | None:
    if tracked.expires_at is None or tracked.held:
        return None
    if not tracked.spoken.is_overdue:
        return tracked.expires_at
    return _again(tracked.expires_at, now, patience) if is_unanswered(tracked) else None


def _again(expired_at: datetime, now: datetime, patience: timedelta) -> datetime:
    """A proposal is repeated after twice as long each time."""
    wait = patience
    while expired_at + wait <= now:
        wait *= 2
    return expired_at + wait


def _yellow_at(tracked: Tracked, reckoning: Reckoning) -> datetime | None:
    spoken, whose = tracked.spoken, tracked.whose
    if spoken.light is not Light.GREEN or spoken.due_at is None or tracked.subject is ClockSubject.ACCEPTANCE:
        return None
    return lights.turns_at(tracked.clock, reckoning.calendar, whose.jurisdiction, whose.policies)


def expired(tracked: Tracked, now: datetime, reckoning: Reckoning) -> tuple[Tracked, Said]:
    """The due instant passed while the clock ran: overdue, for an item with the call to take it back (Art. 14)."""
    overdue, due_at = speech.overdue(tracked, now), tracked.due_at
    tracked = tracked._replace(spoken=tracked.spoken._replace(told=due_at))
    tracked, lit = relit(tracked, due_at, Cause(speech.expiry_id(tracked), due_at, now), reckoning)
    return tracked, (*overdue, *lit)


def proposed_again(tracked: Tracked, now: datetime) -> Said:
    """Call an item back once more, as the same event: a repeat has no further effect. The first call met a decision
    whose seal failed afterwards, or was not answered for long."""
    return speech.overdue(tracked, now)[1:]


def reminded(tracked: Tracked, now: datetime, *, declared_again: bool = False) -> tuple[Tracked, Said]:
    """Say what somebody has to be reminded of by now, each once (P12, R8, R10)."""
    kept = tracked.kept
    if not isinstance(kept, Attempt) or all(one.told or one.due_at > now for one in kept.reminders):
        return tracked, ()
    due = [one for one in kept.reminders if one.due_at <= now and not one.told]
    said = [one for one in due if not (one.kind is ReminderKind.NOT_DECLARED_AGAIN and declared_again)]
    told = tuple(one._replace(told=one.told or one.due_at <= now) for one in kept.reminders)
    return tracked._replace(kept=kept._replace(reminders=told)), tuple(
        speech.reminder(tracked, one, now) for one in said
    )
