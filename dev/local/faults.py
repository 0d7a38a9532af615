"""`./run faults`: kill -9 of every part under load, and a judge that looks only from outside.

Real processes, real Kafka and PostgreSQL, declarations over HTTP all the while; a caller repeats a request that failed
with the same idempotency key, as it should. In the end every accepted declaration must have exactly one outcome.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from contracts.terms import ProcessType, Stage
from local.builder import People, eventually
from local.judge import complaints, read_topics
from local.people import Refused
from local.suite import Suite

VICTIMS: Final = (
    "intake",
    "dispatcher",
    "department-worker",
    "timer",
    "signing",
    "supervision",
    "kafka",
    "postgres",
)
TYPE, STAGE = ProcessType.SOCIAL_SMALL, Stage.LAND_USE
SETTLE_SECONDS: Final = 120.0
PAUSE_SECONDS: Final = 0.1
"""Between two declarations: a load that the suite carries, so that what lags lags because of a fault."""


def main(arguments: list[str]) -> int:
    """Run a campaign; exit 0 only if the judge has no complaint."""
    parser = argparse.ArgumentParser(prog="./run faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    chance = random.Random(options.seed)
    until = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory(prefix="lianshen-faults-") as folder:
        Path(folder).chmod(0o711)
        with Suite(Path(folder) / "suite", settings={"LOG_LEVEL": "WARNING"}) as suite:
            victims = (chance.choice(VICTIMS) for _ in iter(lambda: time.monotonic() < until, False))
            found, accepted, faults = campaign(suite, victims)
    for complaint in found[:50]:
        print(f"✗ {complaint}")
    print(f"{faults} faults, {accepted} declarations accepted, {len(found)} complaints")
    return 1 if found else 0


def campaign(suite: Suite, victims: Iterable[str]) -> tuple[list[str], int, int]:
    """Kill `victims` one after the other under load; return the judge's complaints, and how much happened."""
    start_departments(suite)
    load = Load(suite)
    load.start()
    faults = 0
    try:
        for victim in victims:
            strike(suite, victim)
            load.wait_for_more(3)
            faults += 1
    finally:
        load.finish()
    accepted = load.accepted
    unsettled = settle(People(suite), accepted)
    return [*unsettled, *complaints(read_topics(suite), accepted)], len(accepted), faults


def settle(people: People, accepted: Mapping[str, str]) -> list[str]:
    """Wait until the builder is shown the end of every declaration; return what is not at its end in time, and how."""
    until = time.monotonic() + SETTLE_SECONDS
    left = dict(accepted)
    shown: dict[str, Any] = {}
    while left and time.monotonic() < until:
        shown = {code: people.progress(application_id) for code, application_id in left.items()}
        left = {code: accepted[code] for code, told in shown.items() if told.get("state") != "CONCLUDED"}
        time.sleep(0.2)
    return [f"{code}: the builder is still shown {_short(shown[code])}" for code in left]


def _short(told: dict[str, Any]) -> str:
    items = [f"{one['item_code']} {one['state']}" for one in told.get("items", ())]
    return f"{told.get('state', told)} {' '.join(items)}"


def start_departments(suite: Suite) -> None:
    """Start one process for all departments of each jurisdiction."""
    for place, codes in suite.departments().items():
        command = [sys.executable, "-m", "local.department", suite.bootstrap, place, *codes]
        suite.add_process(f"departments-{place}", command, {})


def strike(suite: Suite, victim: str) -> None:
    """Kill a part with SIGKILL and start it again at once; return when it answers."""
    part = {"kafka": suite.kafka, "postgres": suite.postgres}.get(victim) or suite.process(victim)
    part.kill()
    part.start()
    part.wait_ready()


class Load(threading.Thread):
    """Declares stages one after the other, all the time; a failed request is repeated with the same key."""

    def __init__(self, suite: Suite) -> None:
        super().__init__(name="load")
        self.accepted: dict[str, str] = {}
        self._people = People(suite)
        self._materials = self._people.materials(TYPE, STAGE)
        self._stopping = threading.Event()

    def run(self) -> None:
        number = 0
        while not self._stopping.wait(PAUSE_SECONDS):
            number += 1
            code = f"2018-210281-47-03-{number:06d}"
            self._until_answered(lambda code=code: self._people.push(code, TYPE, key=f"push-{code}"))
            answer = self._until_answered(
                lambda code=code: self._people.declare(code, STAGE, self._materials, key=f"declare-{code}")
            )
            assert answer.status_code == 202, answer.text
            self.accepted[code] = answer.json()["application_id"]

    def _until_answered(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        while True:
            try:
                answer = ask()
            except httpx.HTTPError:
                pass
            except Refused as refused:  # the token that is asked for first, while signing or its database is struck
                if refused.answer.status_code < 500:
                    raise
            else:
                if answer.status_code < 500:
                    return answer
            time.sleep(0.05)

    def wait_for_more(self, count: int) -> None:
        """Return when so many more declarations were accepted: the suite works again."""
        wanted = len(self.accepted) + count
        eventually(lambda: len(self.accepted), lambda now: now >= wanted, 60)

    def finish(self) -> None:
        self._stopping.set()
        self.join(60)
