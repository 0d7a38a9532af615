"""The golden scenarios S1–S10: who does what when, and the due days that a person counted by hand (Art. 13).

Limits of the catalogue 2018.1: S1-10 five working days, S1-07 ten, S1-03 one, stage 1 of a social investment twenty.
Played twice, against `procedure` alone and on the running suite in compressed time.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Final, Literal, NamedTuple

from contracts.terms import ItemStep, ProcessType, Stage

BEIJING: Final = timezone(timedelta(hours=8))
TYPE, STAGE = ProcessType.SOCIAL_GENERAL, Stage.LAND_USE
REAPPLY: Final = "REAPPLY"
"""再次申报 by item (Art. 7): a new attempt."""


class Act(NamedTuple):
    """Somebody does something about an item at an instant; SUPPLEMENT and REAPPLY are the builder's."""

    at: datetime
    item: str
    what: ItemStep | Literal["REAPPLY"]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BEIJING)  # type: ignore[arg-type]


def _accept(item: str, *when: int) -> Act:
    return Act(at(*when), item, ItemStep.ACCEPT)


SCENARIOS: Final[Mapping[str, tuple[Act, ...]]] = {
    "S1": (_accept("S1-10", 2026, 3, 2, 9),),
    "S2-S5": (
        _accept("S1-10", 2026, 3, 2, 9),
        _accept("S1-07", 2026, 3, 2, 9),
        Act(at(2026, 3, 4, 10), "S1-10", ItemStep.START_CORRECTION),
        Act(at(2026, 3, 9, 15), "S1-10", ItemStep.SUPPLEMENT),
        Act(at(2026, 3, 11, 9), "S1-10", ItemStep.RETURN),
        Act(at(2026, 3, 16, 9), "S1-10", REAPPLY),
        _accept("S1-10", 2026, 3, 17, 9),
    ),
    "S6": (_accept("S1-10", 2026, 2, 12, 9),),
    "S7": (_accept("S1-10", 2026, 9, 30, 9),),
    "S8": (
        _accept("S1-10", 2026, 9, 18, 9),
        Act(at(2026, 9, 23, 9), "S1-10", ItemStep.START_SPECIAL),
        Act(at(2026, 10, 9, 9), "S1-10", ItemStep.END_SPECIAL),
    ),
    "S9a": (_accept("S1-10", 2018, 12, 28, 9),),
    "S9b": (_accept("S1-10", 2019, 4, 26, 9),),
    "S9c": (_accept("S1-07", 2019, 2, 1, 9),),
    "S10": (_accept("S1-03", 2026, 12, 31, 9),),
}


class Expiry(NamedTuple):
    """One attempt whose department stays silent: what was due as it was accepted, and what at last."""

    scenario: str
    item: str
    attempt: int
    first_due_on: date
    due_on: date


def _expiry(scenario: str, item: str, due_on: date, *, attempt: int = 1, first: date | None = None) -> Expiry:
    return Expiry(scenario, item, attempt, first or due_on, due_on)


EXPIRIES: Final = (
    _expiry("S1", "S1-10", date(2026, 3, 9)),
    _expiry("S2-S5", "S1-10", date(2026, 3, 24), attempt=2),
    _expiry("S2-S5", "S1-07", date(2026, 3, 16)),
    _expiry("S6", "S1-10", date(2026, 2, 26)),
    _expiry("S7", "S1-10", date(2026, 10, 13)),
    _expiry("S8", "S1-10", date(2026, 10, 12), first=date(2026, 9, 24)),
    _expiry("S9a", "S1-10", date(2019, 1, 7)),
    _expiry("S9b", "S1-10", date(2019, 5, 6)),
    _expiry("S9c", "S1-07", date(2019, 2, 20)),
)
S2_DUE_ON: Final = date(2026, 3, 13)
"""After the correction; the return on 11 March ends the attempt before."""
S5_STAGE: Final = {"original": date(2026, 3, 30), "ANY": date(2026, 4, 10), "ALL_OPEN": date(2026, 4, 3)}
S9B_STAGE: Final = date(2019, 5, 27)
"""The stage of S9b, twenty working days from its first acceptance."""
S10_DUE_ON: Final = date(2027, 1, 4)
"""Provisional: New Year's Day 2027 is statutory, what else its notice brings is not known yet."""
