"""Business time and real time convert into each other, compressed or not."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chassis.wallclock import parsed

CLOCKS = ("", "affine:2026-11-25T01:00:00+00:00,2026-03-02T01:00:00+00:00,43200.0")


@given(epoch_ms=st.integers(1_795_000_000_000, 1_796_000_000_000), text=st.sampled_from(CLOCKS))
def test_a_broker_instant_comes_back_from_business_time(epoch_ms: int, text: str) -> None:
    clock = parsed(text)
    assert abs(clock.epoch_ms(clock.business(epoch_ms)) - epoch_ms) <= 1


def test_seconds_until_agree_with_the_real_instant() -> None:
    clock = parsed(f"affine:{datetime.now(UTC).isoformat()},2026-03-02T01:00:00+00:00,43200.0")
    at = clock.now() + timedelta(days=3)
    left = clock.epoch_ms(at) / 1000 - datetime.now(UTC).timestamp()
    assert abs(clock.seconds_until(at) - left) < 0.5
