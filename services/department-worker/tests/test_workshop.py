"""The workshop's processes: bounded, begun anew when one dies, and gone when the process is that they work for."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from department_worker.making import prepare
from department_worker.workshop import Workshop, WorkshopFails
from evidence.long_term import NONE_AT_HAND
from local import fonts
from local.papers import FACTS

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from local.papers import FACTS
from department_worker.workshop import Workshop
from evidence.long_term import NONE_AT_HAND

async def main() -> None:
    shop = Workshop(Path(sys.argv[1]), Path("/nowhere"), 1, is_test=True)
    await shop.prepared(FACTS, NONE_AT_HAND)
    print(*shop.processes(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_the_processes_of_a_worker_that_is_killed_are_gone(tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    command = [sys.executable, str(tmp_path / "killed.py"), str(fonts.prepare())]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = [int(one) for one in done.stdout.split()]
    assert len(left) == 1
    until = time.monotonic() + 20
    while any(psutil.pid_exists(one) for one in left) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(psutil.pid_exists(one) for one in left)


async def test_a_process_that_dies_is_replaced_and_documents_are_as_before() -> None:
    shop = Workshop(fonts.prepare(), Path("/nowhere"), 1, is_test=True)
    first = await shop.prepared(FACTS, NONE_AT_HAND)
    assert first == prepare(FACTS, NONE_AT_HAND, fonts.prepare(), True)
    (process,) = shop.processes()
    os.kill(process, signal.SIGKILL)
    with pytest.raises(WorkshopFails):
        for _ in range(200):
            await shop.prepared(FACTS, NONE_AT_HAND)
            await asyncio.sleep(0.01)
    assert await shop.prepared(FACTS, NONE_AT_HAND) == first
    assert process not in shop.processes()
    shop.close()
