"""The one table of processes: what runs, on which port, and what each waits for; compose and Kubernetes repeat it."""

import sys
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Process:
    """One service as a process."""

    name: str
    package: str
    waits_for: tuple[str, ...]
    settings: tuple[tuple[str, str], ...] = ()
    niceness: int = 0

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", self.package)


BASICS: Final = ("kafka", "postgres", "topics", "migrations")
PROCESSES: Final = (
    Process("intake", "intake", BASICS, (("PACE_MS", "100"),)),
    Process("dispatcher", "dispatcher", BASICS),
    Process("department-worker", "department_worker", BASICS, (("PACE_MS", "20"),), 5),
    Process("timer", "timer", BASICS, (("PACE_MS", "100"),), 5),
    Process("signing", "signing", (*BASICS, "token"), (("PACE_MS", "20"),), 5),
    Process("supervision", "supervision", BASICS, (("PACE_MS", "200"), ("AUDIT_CLOSE_SECONDS", "10")), 10),
)
"""PACE_MS and niceness: who can wait reads fewer, fuller batches, and leaves the cores to whom a builder waits for.
Audit chains are closed sooner than in production, so that an export need not be waited for."""
