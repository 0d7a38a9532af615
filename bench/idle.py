"""Idle and start: what six services cost while nothing happens, how soon they are ready, and how soon after a kill."""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from bench.machine import cpu_seconds, difference, machine
from local.processes import PROCESSES
from local.suite import Suite

RESULT = Path(__file__).parent / "results" / "idle.json"
CALM_SECONDS = 15
"""What a start leaves behind (JIT, first fetches, vacuum) is over by then."""


def main(arguments: list[str]) -> int:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(prog="./run bench idle", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lianshen-bench-") as folder:
        Path(folder).chmod(0o711)
        with Suite(Path(folder) / "suite", settings={"LOG_LEVEL": "WARNING"}) as suite:
            figures = {"start_seconds": _rounded(suite.seconds), **_idle(suite, options.seconds), **_resumed(suite)}
    figures |= {"machine": machine()}
    print(json.dumps(figures, indent=2))
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in figures.items()}


def _idle(suite: Suite, seconds: int) -> dict[str, Any]:
    time.sleep(CALM_SECONDS)
    before = cpu_seconds(suite)
    time.sleep(seconds)
    spent = difference(cpu_seconds(suite), before)
    names = [process.name for process in PROCESSES]
    memory = {name: psutil.Process(suite.process(name).pid).memory_full_info().pss / 2**20 for name in names}
    percent = {name: 100 * spent[name] / seconds for name in (*names, "kafka", "postgres")}
    return {
        "pss_mib": {**_rounded(memory), "services": round(sum(memory.values()), 1)},
        "percent_of_a_core": {**_rounded(percent), "services": round(sum(percent[name] for name in names), 2)},
    }


def _resumed(suite: Suite) -> dict[str, Any]:
    """From kill -9 of each service to ready again, started at once as an orchestrator would."""
    found: dict[str, float] = {}
    for process in PROCESSES:
        child = suite.process(process.name)
        began = time.monotonic()
        child.kill()
        child.start()
        child.wait_ready()
        found[process.name] = time.monotonic() - began
    return {"kill_to_ready_seconds": _rounded(found)}
