"""How fast the law counts, on one core: due dates of clocks with three pauses each, and one clock explained.

Every clock is another one, so no answer can be remembered. Medians of several rounds.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.machine import machine
from chassis.catalogue import load
from contracts.terms import PauseReason
from local.suite import CATALOGUE
from procedure import clock as law
from procedure.calendar import Calendar
from procedure.clock import Clock, Pause
from procedure.explain import explain
from procedure.history import History

RESULT = Path(__file__).parent / "results" / "clock.json"
ROUNDS: Final = 7
CLOCKS: Final = 20_000
EXPLAINED: Final = 500
PAUSES: Final = 3
PLACE: Final = "210281"
FIRST: Final = datetime(2018, 3, 1, tzinfo=UTC)
YEARS: Final = 8
BARS: Final = {"due_per_second": 50_000, "explain_ms": 5.0}


def main(arguments: list[str]) -> int:
    """Measure, print and write the figures; exit 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="./run bench clock", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    calendar, chance = load(CATALOGUE).calendar, random.Random(0)
    histories = [_history(chance) for _ in range(CLOCKS)]
    figures: dict[str, Any] = {
        "due_per_second": round(CLOCKS / _seconds(lambda: _due(histories, calendar), options.rounds)),
        "used_per_second": round(CLOCKS / _seconds(lambda: _used(histories, calendar), options.rounds)),
        "explain_ms": _explain_ms(histories[:EXPLAINED], calendar, options.rounds),
        "calendar_table_ms": round(1000 * _seconds(lambda: load(CATALOGUE).calendar.table(PLACE), 3), 2),
        "pauses_each": PAUSES,
        "bars": BARS,
        "machine": machine(),
    }
    print(json.dumps(figures, indent=2))
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    held = figures["due_per_second"] >= BARS["due_per_second"] and figures["explain_ms"] <= BARS["explain_ms"]
    return 0 if held else 1


def _history(chance: random.Random) -> History:
    """A running clock of 20 working days with three pauses of up to six days, somewhere in eight years."""
    started = at = FIRST + timedelta(seconds=chance.randrange(YEARS * 365 * 86400))
    pauses: list[Pause] = []
    for number in range(PAUSES):
        began = at + timedelta(seconds=chance.randrange(3 * 86400))
        at = began + timedelta(seconds=chance.randrange(6 * 86400))
        pauses.append(Pause(PauseReason.CORRECTION, f"S1-{number:02}", began, at))
    return History(Clock(20, started, tuple(pauses)), PLACE, True, ())


def _due(histories: Sequence[History], calendar: Calendar) -> None:
    for history in histories:
        law.due(history.clock, calendar, PLACE)


def _used(histories: Sequence[History], calendar: Calendar) -> None:
    for history in histories:
        law.used_days(history.clock, history.clock.started_at + timedelta(days=25), calendar, PLACE)


def _explain_ms(histories: Sequence[History], calendar: Calendar, rounds: int) -> float:
    def run() -> None:
        for history in histories:
            explain(history, history.clock.started_at + timedelta(days=25), calendar)

    return round(1000 * _seconds(run, rounds) / len(histories), 3)


def _seconds(run: Callable[[], object], rounds: int) -> float:
    """Return the median of the CPU seconds that `run` takes: what other processes do on the core is not its affair."""
    spent: list[float] = []
    for _ in range(rounds):
        began = time.process_time()
        run()
        spent.append(time.process_time() - began)
    return median(spent)
