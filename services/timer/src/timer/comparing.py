"""What differs between the rows that there are and those that the topics ask for."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel

from procedure.calendar import YearNotCovered
from procedure.clock import Due
from procedure.stage_clock import StageClock
from timer import domain
from timer.deriving import Derived
from timer.tracked import Kept, Place, Reckoning, Tracked

Kind = Literal["missing", "extra", "wrong"]
KINDS: Final[tuple[Kind, ...]] = ("missing", "extra", "wrong")


class When(NamedTuple):
    """When rows are compared: what time it is, how long a recall may stay unanswered, and by what is counted."""

    now: datetime
    patience: timedelta
    reckoning: Reckoning


class Difference(BaseModel):
    """One row that is not as the topics have it; `what` names the columns that differ."""

    kind: Kind
    application_id: UUID
    about: UUID
    project_code: str
    item_code: str | None
    what: list[str]


class Report(BaseModel):
    """What a reconciliation found: how many rows it compared, how many wait behind parked records, what differs (the
    first two hundred are shown), and how many of those were repaired."""

    at: datetime | None = None
    partitions: list[int] = []
    clocks: int = 0
    waiting: int = 0
    missing: int = 0
    extra: int = 0
    wrong: int = 0
    repaired: int = 0
    seconds: float = 0.0
    differences: list[Difference] = []

    @property
    def differing(self) -> int:
        return self.missing + self.extra + self.wrong


def differences(
    rows: Mapping[Place, Tracked], kept: Mapping[Place, Kept], derived: Derived, heard: Mapping[UUID, int], when: When
) -> Iterable[Difference]:
    """Return what differs between the rows that must be there and those that are kept; `heard` is the newest generation
    that was said of each clock before the rows were looked at."""
    for place in sorted({*rows, *kept}):
        should, held = rows.get(place), kept.get(place)
        if held is None and should is not None:
            yield _difference("missing", should, [])
        elif should is None and held is not None:
            yield _difference("extra", held[0], [])
        elif should is not None and held is not None:
            what = _wrong(should, held, derived, heard.get(should.clock_id, 0), when)
            if what:
                yield _difference("wrong", should, what)


def _difference(kind: Kind, row: Tracked, what: list[str]) -> Difference:
    whose = row.whose
    return Difference(
        kind=kind,
        application_id=whose.application_id,
        about=whose.about,
        project_code=whose.project_code,
        item_code=whose.item_code,
        what=what,
    )


def _wrong(should: Tracked, held: Kept, derived: Derived, heard: int, when: When) -> list[str]:
    """Return which parts of a row are not as the topics have them."""
    row, act_at = held
    spoken = derived.spoken(should.clock_id, row.spoken.generation)
    compared: dict[str, tuple[Any, Any]] = {
        "whose": (row.whose, should.whose),
        "facts": (_facts(row, when.now), _facts(should, when.now)),
        "light": (row.spoken.light, spoken.light),
        "told": (row.spoken.told, spoken.told),
        "generation": (row.spoken.generation, max(spoken.generation, heard)),
    }
    if row.reckoned in ("", when.reckoning.name):
        due = _due_of(should, when.reckoning)
        compared["due"] = (row.spoken.due_at, None if due is None else due.at)
        compared["expires"] = (row.expires_at, None if due is None else due.expires_at)
    wrong = [name for name, (is_so, should_be) in compared.items() if is_so != should_be]
    return wrong or ([] if _is_armed(row, act_at, when) else ["armed"])


def _due_of(row: Tracked, reckoning: Reckoning) -> Due | None:
    """Return when a clock expires; None too where the calendar does not reach."""
    try:
        return domain.due_of(row, reckoning)
    except YearNotCovered:
        return None


def _facts(row: Tracked, now: datetime) -> tuple[Any, ...]:
    """What of a row follows from the topics alone; whether a reminder of the past was told is no fact of that kind."""
    kept = row.kept
    if isinstance(kept, StageClock):
        return kept.clock, dict(kept.open)
    waiting = tuple((one.kind, one.since, one.due_at, one.told and one.due_at > now) for one in kept.reminders)
    return kept._replace(reminders=()), waiting


def _is_armed(row: Tracked, act_at: datetime | None, when: When) -> bool:
    """Whether a row will be acted on when it has to be; what is past may look again a little later."""
    should = domain.acts_at(row, when.now, when.reckoning, when.patience)
    if act_at is None or should is None:
        return act_at is should
    return should <= when.now or domain.is_unanswered(row) or act_at == should
