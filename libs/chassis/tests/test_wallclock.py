"""Business time and real time convert into each other, compressed or not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.wallclock import parsed

ONE_PACE = "affine:2026-11-25T01:00:00+00:00,2026-03-02T01:00:00+00:00,43200.0"
PACES = f"{ONE_PACE};2026-03-04T01:00:00+00:00,3600.0;2026-03-05T01:00:00+00:00,86400.0"
"""Four seconds at half a day a second, twenty-four at an hour a second, then a day a second."""
CLOCKS = ("", ONE_PACE, PACES)


@given(epoch_ms=st.integers(1_795_000_000_000, 1_796_000_000_000), text=st.sampled_from(CLOCKS))
def test_a_broker_instant_comes_back_from_business_time(epoch_ms: int, text: str) -> None:
    clock = parsed(text)
    assert abs(clock.epoch_ms(clock.business(epoch_ms)) - epoch_ms) <= 1


def test_seconds_until_agree_with_the_real_instant() -> None:
    clock = parsed(f"affine:{datetime.now(UTC).isoformat()},2026-03-02T01:00:00+00:00,43200.0")
    at = clock.now() + timedelta(days=3)
    left = clock.epoch_ms(at) / 1000 - datetime.now(UTC).timestamp()
    assert abs(clock.seconds_until(at) - left) < 0.5


@pytest.mark.parametrize(
    ("seconds", "business"),
    [
        (-1, "2026-03-01T13:00:00"),
        (2, "2026-03-03T01:00:00"),
        (4, "2026-03-04T01:00:00"),
        (10, "2026-03-04T07:00:00"),
        (29, "2026-03-06T01:00:00"),
    ],
)
def test_a_clock_changes_its_pace_and_never_jumps(seconds: int, business: str) -> None:
    clock, real = parsed(PACES), datetime(2026, 11, 25, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert clock.business(int(real.timestamp() * 1000)) == datetime.fromisoformat(f"{business}+00:00")


def test_what_is_left_until_an_instant_is_counted_through_every_pace() -> None:
    now = datetime.now(UTC)
    opens, slow, quick = (datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2, 3))
    text = f"affine:{now.isoformat()},{opens.isoformat()},86400;{slow.isoformat()},8640;{quick.isoformat()},86400"
    assert parsed(text).seconds_until(quick + timedelta(days=1)) == pytest.approx(12, abs=0.5)


def test_a_pace_that_changes_before_its_time_is_refused() -> None:
    with pytest.raises(ValueError, match="changes its pace"):
        parsed(f"{ONE_PACE};2026-03-02T01:00:00+00:00,3600")


def test_a_clock_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="not linear"):
        parsed("linear:1")
