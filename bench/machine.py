"""What a figure was measured on, and what every process spent."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from local.suite import Suite

CPUS = Path("/proc/cpuinfo")


def machine() -> dict[str, Any]:
    """Return the machine that the figures hold for."""
    lines = CPUS.read_text().splitlines() if CPUS.exists() else []
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    memory = psutil.virtual_memory().total // 2**30
    return {"cores": os.cpu_count(), "cpu": model, "memory_gib": memory, "python": platform.python_version()}


def cpu_seconds(suite: Suite) -> dict[str, float]:
    """Return the CPU seconds spent until now by every part: services, Kafka, PostgreSQL, load."""
    spent = {name: _tree(child.pid) for name, child in suite.children.items() if not name.startswith("department-2")}
    load = sum(_tree(child.pid) for name, child in suite.children.items() if name.startswith("department-2"))
    own = psutil.Process().cpu_times()
    spent |= {"kafka": _tree(suite.kafka.pid), "postgres": _tree(suite.postgres.pid)}
    return {**spent, "load": load + own.user + own.system}


def _tree(pid: int | None) -> float:
    if pid is None:
        return 0.0
    process = psutil.Process(pid)
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}
