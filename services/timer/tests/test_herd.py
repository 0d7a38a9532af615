"""What a herd says as text is byte for byte what its deadlines say one by one, and its rows stand the same after."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.catalogue import load
from contracts import topics
from contracts.envelope import derived_id, encode
from contracts.terms import DueCause, ItemKind
from local.said import ItemStory, StageStory, at
from local.suite import CATALOGUE
from procedure import item_clock
from procedure.item_clock import Attempt
from timer import columns, domain, herd, tracked
from timer.columns import KEPT, PLACE, WHOSE
from timer.tracked import Cause, Reckoning, Tracked

CALENDAR = load(CATALOGUE).calendar
RECKONING = Reckoning(CALENDAR, CALENDAR.version, DueCause.CALENDAR, derived_id("calendar"))
PATIENCE = timedelta(minutes=1)
Step = Callable[[ItemStory, date], Any]
PAUSED_ONCE: tuple[Step, ...] = (
    lambda item, day: item.correction(*nine(day, 1)),
    lambda item, day: item.supplemented(*nine(day, 2)),
)


def nine(day: date, later: int = 0) -> tuple[int, ...]:
    on = day + timedelta(days=later)
    return (on.year, on.month, on.day, 9)


def expiring(item: ItemStory, day: date, *steps: Step) -> Tracked:
    """Return the row of an item accepted on `day`, with its light as it stands right before it expires."""
    given_ = [item.received(*nine(day)), item.accepted(*nine(day)), *(step(item, day) for step in steps)]
    kept = item_clock.felt(None, given_[0])
    assert kept is not None
    row, _ = domain.turned(
        tracked.opened(given_[0], kept, 3), kept, tracked.because(given_[0], at(*nine(day))), RECKONING
    )
    for step in given_[1:]:
        assert isinstance(row.kept, Attempt)
        felt = item_clock.felt(row.kept, step)
        assert felt is not None
        row, _ = domain.turned(row, felt, tracked.because(step, step.at), RECKONING)
    assert row.expires_at is not None
    while (turns := acts_at(row, row.clock.started_at)) is not None and turns < row.expires_at:
        row, _ = domain.relit(row, turns, Cause(derived_id(turns), turns, turns), RECKONING)
    return row


def acts_at(row: Tracked, now: datetime) -> datetime | None:
    return domain.acts_at(row, now, RECKONING, PATIENCE)


def record(row: Tracked, act_at: datetime | None) -> dict[str, Any]:
    """Return a row by its columns, as the database gives it."""
    names = (*PLACE, *WHOSE, *KEPT)
    return dict(zip(names, (*columns.whose(row.whose), *columns.kept(row), act_at), strict=True))


def plain(**more: Any) -> dict[str, Any]:
    row = expiring(StageStory().item(), date(2026, 3, 2))
    return record(row, row.expires_at) | more


@given(
    day=st.dates(date(2018, 1, 2), date(2026, 6, 30)),
    limit=st.integers(1, 60),
    attempt=st.integers(1, 9),
    kind=st.sampled_from(ItemKind),
    steps=st.sampled_from([(), PAUSED_ONCE]),
    late=st.timedeltas(timedelta(0), timedelta(days=30)),
)
def test_a_herd_says_what_each_deadline_says(
    day: date, limit: int, attempt: int, kind: ItemKind, steps: tuple[Step, ...], late: timedelta
) -> None:
    row = expiring(StageStory().item("S1-07", attempt=attempt, limit=limit, kind=kind, department="QXJ"), day, *steps)
    assert row.expires_at is not None
    now, columned = row.expires_at + late, record(row, row.expires_at)
    after, said = domain.expired(row, now, RECKONING)
    assert herd.is_plain(columned)
    assert list(herd.said(columned, now, "timer")) == [encode(one, topics.CLOCKS.name, "timer") for one in said]
    again = domain.proposed_at(row.expires_at, now, PATIENCE)
    kept = {"told": row.expires_at, "light": "RED", "generation": columned["generation"] + 1, "act_at": again}
    assert columned | kept == record(after, acts_at(after, now))


@pytest.mark.parametrize(
    "other",
    [
        {"act_at": at(2026, 3, 6)},
        {"told": at(2026, 3, 10)},
        {"subject": "ACCEPTANCE"},
        {"subject": "STAGE"},
        {"held": True},
        {"reminders": "[]"},
        {"light": "RED"},
        {"versions": '{"catalogue_version":"示范","policy_version":"试行","settings":{"office_close":true}}'},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_asks_for_more_thought_is_not_of_the_herd(other: dict[str, Any]) -> None:
    assert herd.is_plain(plain()) and plain()["due_at"] == at(2026, 3, 10)
    assert not herd.is_plain(plain(**other))
