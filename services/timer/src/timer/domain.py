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
from timer.tracked import SILENT, Cause, Reckoning, Spoken, Tracked

C = ClockState


class _Turn(NamedTuple):
    """A clock that turned: the row as the law knows it now with what was last said of it, and what follows."""

    row: Tracked
    subject: ClockSubject
    state: ClockState
    due: Due | None
    cause: Cause
    reckoning: Reckoning

    def used_days(self, at: datetime) -> int:
        whose = self.row.whose
        return law.used_days(self.row.clock, at, self.reckoning.calendar, whose.jurisdiction, whose.policies)


def due_of(row: Tracked, reckoning: Reckoning) -> Due | None:
    """Return when a clock expires; None for one that waits, stands still, has ended or has no limit (R18, R23)."""
    count = law.due if isinstance(row.kept, Attempt) else stage_clock.due
    return count(row.kept.clock, reckoning.calendar, row.whose.jurisdiction, row.whose.policies)


def turned(before: Tracked, kept: Attempt | StageClock, cause: Cause, reckoning: Reckoning) -> tuple[Tracked, Said]:
    """Return the row as the law knows it now, and what is to be said: in what its clock differs from what was last
    said of it. Raises YearNotCovered."""
    same = before.is_same_clock(kept)
    if same and kept.clock is before.kept.clock and before.reckoned == reckoning.name:
        return _unmoved(before, kept, cause)
    row = Tracked(before.whose, kept, before.spoken if same else SILENT)
    missed = _missed(before, row, cause) if before.expires_at is not None else ()
    turn = _Turn(row, row.subject, row.state, due_of(row, reckoning), cause, reckoning)
    after, said = _told(turn, _pieces(turn))
    return after, (*missed, *said)


def _unmoved(before: Tracked, kept: Attempt | StageClock, cause: Cause) -> tuple[Tracked, Said]:
    """The clock is as it was; what may have changed is whether a decision holds its expiry (R1)."""
    after = before._replace(kept=kept)
    return after, proposed_again(after, cause.now) if before.held and is_unanswered(after) else ()


def _told(turn: _Turn, pieces: list[Piece]) -> tuple[Tracked, Said]:
    """Return the row once `pieces` are said, and then its light."""
    row, due, former = turn.row, turn.due, turn.row.spoken
    due_at = None if due is None else due.at
    lit = _lit(turn, due_at, pieces[-1][1] if pieces else turn.cause.at)
    light = former.light if lit is None else lit[2]["light"]
    said = speech.numbered(row, pieces if lit is None else [*pieces, lit], turn.cause)
    spoken = Spoken(turn.state, due_at, light, former.told, former.generation + len(said))
    if due is None:
        return Tracked(row.whose, row.kept, spoken), said
    return Tracked(row.whose, row.kept, spoken, due.expires_at, turn.reckoning.name), said


def _pieces(turn: _Turn) -> list[Piece]:
    """The acceptance clock is quiet: it has no light, its due is nobody's but its department's, and most are over
    within minutes. It speaks when its due instant changes, and when it runs out."""
    was = turn.row.spoken.state
    if turn.subject is ClockSubject.ACCEPTANCE and was is not turn.state:
        return []
    return [piece for tell in TELLS.get((was, turn.state), ()) if (piece := tell(turn)) is not None]


def _started(turn: _Turn) -> Piece:
    clock, whose, due = turn.row.clock, turn.row.whose, turn.due
    if due is None:
        bare = clock._replace(pauses=tuple(one for one in clock.pauses if one.ended_at is not None))
        due = law.due(bare, turn.reckoning.calendar, whose.jurisdiction, whose.policies)
        assert due is not None
    return ClockStarted, clock.started_at, {"limit_days": clock.limit_days, **_due(due, turn)}


def _paused(turn: _Turn) -> Piece:
    clock = turn.row.clock
    began, _ = law.standing(clock)[-1]
    at = max(began, clock.started_at)
    reason = min(reason for reason, _ in clock.reasons)
    return ClockPaused, at, {"used_days": turn.used_days(at), "reason": reason}


def _resumed(turn: _Turn) -> Piece:
    clock = turn.row.clock
    at = max((clock.started_at, *(one.ended_at for one in clock.pauses if one.ended_at is not None)))
    assert turn.due is not None
    return ClockResumed, at, {"used_days": turn.used_days(at), **_due(turn.due, turn)}


def _due_changed(turn: _Turn) -> Piece | None:
    """Said only on a real change, and only while the clock runs (R14)."""
    former, due = turn.row.spoken.due_at, turn.due
    if due is None or former is None or former == due.at:
        return None
    cause = turn.cause.due or turn.reckoning.cause
    changed = {"former_due_at": former, "due_at": due.at, "due_on": due.on, "cause": cause}
    return DueChanged, turn.cause.at, {**changed, "calendar_version": turn.reckoning.calendar.version}


def _stopped(turn: _Turn) -> Piece:
    clock = turn.row.clock
    assert clock.ended_at is not None and clock.end is not None
    return ClockStopped, clock.ended_at, {"used_days": turn.used_days(clock.ended_at), "end": clock.end}


def _due(due: Due, turn: _Turn) -> dict[str, Any]:
    return {
        "due_at": due.at,
        "due_on": due.on,
        "provisional": due.provisional,
        "calendar_version": turn.reckoning.calendar.version,
    }


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


def _lit(turn: _Turn, due_at: datetime | None, at: datetime) -> Piece | None:
    """Return what says that the light changed, when it did (Art. 22). The acceptance clock has none (R21)."""
    if turn.subject is ClockSubject.ACCEPTANCE or turn.state not in (C.RUNNING, C.PAUSED):
        return None
    row = turn.row
    shown, remaining = lights.light_of(
        row.clock,
        at,
        turn.reckoning.calendar,
        row.whose.jurisdiction,
        overdue=due_at is not None and row.spoken.told == due_at,
        special_over=reminders.special_is_over(row.reminders, at),
        policies=row.whose.policies,
    )
    return None if shown is row.spoken.light else (LightChanged, at, {"light": shown, "remaining_days": remaining})


def relit(row: Tracked, at: datetime, cause: Cause, reckoning: Reckoning) -> tuple[Tracked, Said]:
    """Say that a light changed as time passed, when it did."""
    lit = _lit(_Turn(row, row.subject, row.state, None, cause, reckoning), row.spoken.due_at, at)
    if lit is None:
        return row, ()
    said = speech.numbered(row, [lit], cause)
    spoken = row.spoken._replace(light=lit[2]["light"], generation=row.spoken.generation + 1)
    return row._replace(spoken=spoken), said


def _missed(before: Tracked, after: Tracked, cause: Cause) -> Said:
    """The due instant passed before what now ends the clock, and that was not told yet (P17). An item's limit cannot
    be missed so: nothing is received of it after its due instant (R6)."""
    ended = after.clock.ended_at is not None or not before.is_same_clock(after.kept)
    at, expires = after.clock.ended_at or cause.at, before.expires_at
    if not ended or before.subject is ClockSubject.ITEM or expires is None or at <= expires:
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
    return proposed_at(tracked.expires_at, now, patience) if is_unanswered(tracked) else None


def proposed_at(expired_at: datetime, now: datetime, patience: timedelta) -> datetime:
    """Return when a recall that nobody answers is proposed again after `now`: after twice as long each time."""
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
    due_at = tracked.due_at
    tracked = tracked._replace(spoken=tracked.spoken._replace(told=due_at))
    tracked, lit = relit(tracked, due_at, Cause(speech.expiry_id(tracked), due_at, now), reckoning)
    return tracked, (*speech.overdue(tracked, now), *lit)


def proposed_again(tracked: Tracked, now: datetime) -> Said:
    """Call an item back once more, as the same event: a repeat has no further effect. The first call met a decision
    whose seal failed afterwards, or was not answered for long."""
    return speech.overdue(tracked, now)[1:]


def reminded(tracked: Tracked, at: datetime, now: datetime, *, declared_again: bool = False) -> tuple[Tracked, Said]:
    """Say what somebody has to be reminded of by `at`, each once (P12, R8, R10)."""
    kept = tracked.kept
    due = [one for one in tracked.reminders if one.due_at <= at and not one.told]
    if not due or not isinstance(kept, Attempt):
        return tracked, ()
    told = tuple(one._replace(told=one.told or one.due_at <= at) for one in kept.reminders)
    answered = ReminderKind.NOT_DECLARED_AGAIN if declared_again else None
    said = tuple(speech.reminder(tracked, one, now) for one in due if one.kind is not answered)
    return tracked._replace(kept=kept._replace(reminders=told)), said
