"""Every part is killed with SIGKILL in turn under load; the judge looks only from outside."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.faults import VICTIMS, campaign
from local.suite import Suite


@pytest.fixture
def own_suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    folder: Path = tmp_path_factory.mktemp("faults")
    for path in (folder, *folder.parents[:3]):
        if path.stat().st_uid == os.getuid():
            path.chmod(path.stat().st_mode | 0o011)
    with Suite(folder / "suite") as suite:
        yield suite


def test_nothing_is_lost_and_nothing_happens_twice_when_any_part_is_killed(own_suite: Suite) -> None:
    found, accepted, faults = campaign(own_suite, VICTIMS)
    assert found == []
    assert faults == len(VICTIMS)
    assert accepted >= 3 * len(VICTIMS)
