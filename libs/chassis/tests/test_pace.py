"""Who can wait reads fewer, fuller batches: the fuller, the longer a batch takes, and never for long."""

import pytest

from chassis.bus import LONGEST_STRETCH, paced


@pytest.mark.parametrize(
    ("pace", "took", "apart"),
    [(0.0, 3.0, 0.0), (0.2, 0.05, 0.2), (0.2, 0.3, 0.6), (0.2, 30.0, 0.2 * LONGEST_STRETCH)],
    ids=["who cannot wait", "calm", "under load", "at most"],
)
def test_batches_lie_twice_as_far_apart_as_the_last_one_took(pace: float, took: float, apart: float) -> None:
    assert paced(pace, took) == apart
