"""An independent judge of a stage's clock: the acts on its items one by one, from Articles 7, 13 and 14.

The judge looks at how every item stood just before an instant and says whether the stage's clock ran; `local.oracle`
walks the days.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

from local.oracle import DAY, NEVER, Days, Walk, local_day, midnight
from procedure.policies import Policies


class Happened(NamedTuple):
    """An act on an item: when it counts, the attempt and the version that say it, and what it needs besides."""

    at: datetime
    code: str
    what: str
    attempt: int
    version: int
    detail: Any = None


class Stood(NamedTuple):
    """How one item stood at an instant, as far as the stage has to know it."""

    open: bool = False
    reasons: frozenset[str] = frozenset()
    returned: bool = False


PAUSES: Final = {"corrected": "correction", "special": "special"}
RESUMES: Final = {"answered": "correction", "special ended": "special"}
CLOSES: Final = ("concluded", "deemed", "withdrawn", "not accepted", "closed")


def stood(before: Stood, act: Happened, policies: Policies) -> Stood:
    """Return how an item stands after an act (Art. 13; P4, P21, R3, R24, R25)."""
    if act.what in PAUSES:
        return before._replace(reasons=before.reasons | {PAUSES[act.what]})
    if act.what in RESUMES:
        return before._replace(reasons=before.reasons - {RESUMES[act.what]})
    if act.what == "accepted":
        return Stood(open=True)
    if act.what == "returned":
        return Stood(returned=True)
    if act.what == "expired":
        return before._replace(reasons=frozenset())
    if act.what in CLOSES:
        return Stood()
    if act.what == "declared again":
        waits = before.returned and policies.stage_resumes_at == "reacceptance"
        return Stood(returned=waits)
    return before


@dataclass
class StageCase(Walk):
    """One random stage under one random calendar."""

    days: Days
    policies: Policies
    limit: int
    dispatched: datetime
    codes: tuple[str, ...]
    acts: list[Happened] = field(default_factory=list[Happened])
    accepted: datetime | None = None
    concluded: datetime | None = None
    asked: datetime = NEVER

    def held_before(self, at: datetime) -> bool:
        held = False
        for since, then in self._held:
            if since >= at:
                break
            held = then
        return held

    @cached_property
    def _held(self) -> list[tuple[datetime, bool]]:
        """Whether the stage stood still after each act, in order."""
        standings = dict.fromkeys(self.codes, Stood())
        held: list[tuple[datetime, bool]] = []
        for act in self._in_order():
            standings[act.code] = stood(standings[act.code], act, self.policies)
            held.append((act.at, self._is_held(standings.values())))
        return held

    def _is_held(self, standings: Collection[Stood]) -> bool:
        """P1: under ANY whatever stops an item stops the stage; under ALL_OPEN a return does, and otherwise only that
        every accepted open item stands still (R24)."""
        if any(one.returned for one in standings):
            return True
        if self.policies.stage_pause_policy == "ANY":
            return any(one.reasons for one in standings)
        opened = [one for one in standings if one.open]
        return bool(opened) and all(one.reasons for one in opened)

    def _in_order(self) -> list[Happened]:
        return sorted(self.acts, key=lambda act: act.at)

    @cached_property
    def started(self) -> datetime:
        """P3: the acceptance of the stage, or what was declared again after a return, if the limit begins anew then."""
        assert self.accepted is not None
        again = [at for at in self._declared_again() if at >= self.accepted]
        return max([self.accepted, *again]) if self.policies.stage_restart_on_return else self.accepted

    def _declared_again(self) -> Iterable[datetime]:
        """The instants at which a returned item let its stage run again (P4)."""
        standings = dict.fromkeys(self.codes, Stood())
        ends = "accepted" if self.policies.stage_resumes_at == "reacceptance" else "declared again"
        for act in self._in_order():
            if act.what == ends and standings[act.code].returned:
                yield act.at
            standings[act.code] = stood(standings[act.code], act, self.policies)

    @property
    def ended(self) -> datetime | None:
        return self.concluded

    def due(self) -> datetime | None:
        """As of any clock; but once its due instant has passed while it ran, that due stays, whatever stops the stage
        then (R23)."""
        last = max((act.at for act in self.acts), default=self.dispatched)
        day, used = local_day(self.started), 0
        while used + (self.counts(day) or self.counts(day, self.closes(day))) < self.total:
            if midnight(day) > last and self.held_before(NEVER):
                return None
            used += self.counts(day)
            day += DAY
        return None if self.ended is not None else self.closes(day)

    @property
    def total(self) -> int:
        return self.limit

    @property
    def runs_at_all(self) -> bool:
        """Whether the stage was accepted; a limit of 0 has no clock (R18)."""
        return self.accepted is not None and self.limit > 0

    def until(self, at: datetime) -> "StageCase":
        """The same stage as it stood at an earlier instant."""
        acts = [act for act in self.acts if act.at <= at]
        accepted = self.accepted if self.accepted is not None and self.accepted <= at else None
        concluded = self.concluded if self.concluded is not None and self.concluded <= at else None
        return replace(self, acts=acts, accepted=accepted, concluded=concluded)
