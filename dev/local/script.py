"""A department of the demo: it speaks nothing but Kafka, and follows a script of one story with every turn in it.

`python -m local.script BOOTSTRAP JURISDICTION DEPARTMENT WALLCLOCK`.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final

from chassis.wallclock import WallClock, parsed
from contracts.department import ItemReport
from contracts.dispatcher import ItemDispatched, ItemSupplemented
from contracts.envelope import Event
from contracts.parts import Special
from contracts.terms import ItemStep, Outcome, SpecialKind
from local.department import report, serve

CORRECTED: Final = "S1-10"
RETURNED: Final = "S1-08"
SILENT: Final = "S1-09"
REFUSED: Final = "S1-07"
LATE: Final = "S1-11"
SPECIAL: Final = "S1-06"

HOUR: Final = timedelta(hours=1)
Planned = tuple[timedelta, ItemReport]


def opening(item: ItemDispatched) -> list[Planned]:
    """Return what the department does with an item it is given: reports, each after so much business time."""
    if item.item_code == SILENT:
        return _after(item, (1, ItemStep.ACCEPT))
    if item.item_code == CORRECTED:
        told = report(item, ItemStep.START_CORRECTION, opinion="请补充文物勘探范围图（一次性告知）")
        return [*_after(item, (1, ItemStep.ACCEPT)), (26 * HOUR, told)]
    if item.item_code == RETURNED and item.attempt == 1:
        told = report(item, ItemStep.RETURN, opinion="水土保持方案与规划范围不符，退回")
        return [*_after(item, (1, ItemStep.ACCEPT)), (30 * HOUR, told)]
    if item.item_code == REFUSED:
        steps = _after(item, (1, ItemStep.ACCEPT), (20, ItemStep.REVIEW), (30, ItemStep.APPROVE))
        return [
            *steps,
            (48 * HOUR, conclusion(item, Outcome.REFUSED, "选址涉及生态保护红线，不予批准")),
        ]
    if item.item_code == LATE:
        return [*_after(item, (1, ItemStep.ACCEPT)), *closing(item, 24 * 8)]
    if item.item_code == SPECIAL:
        special = Special(kind=SpecialKind.EXPERT_REVIEW, reason="组织节能专家评审")
        begins = (24 * HOUR, report(item, ItemStep.START_SPECIAL, special=special))
        ends = (72 * HOUR, report(item, ItemStep.END_SPECIAL))
        return [*_after(item, (1, ItemStep.ACCEPT)), begins, ends, *closing(item, 80)]
    return [*_after(item, (1, ItemStep.ACCEPT)), *closing(item, 12)]


def closing(item: ItemDispatched, hours: int) -> list[Planned]:
    """Return review, approval and grant, from so many hours on."""
    steps = _after(item, (hours, ItemStep.REVIEW), (hours + 4, ItemStep.APPROVE))
    return [*steps, ((hours + 8) * HOUR, conclusion(item, Outcome.GRANTED, "符合要求，准予"))]


def conclusion(item: ItemDispatched, outcome: Outcome, opinion: str) -> ItemReport:
    return report(item, ItemStep.CONCLUDE, outcome=outcome, opinion=opinion)


def _after(item: ItemDispatched, *steps: tuple[int, ItemStep]) -> list[Planned]:
    return [(hours * HOUR, report(item, step)) for hours, step in steps]


class Script:
    """Remembers what it was given, so that a supplement can be answered."""

    def __init__(self, wallclock: WallClock, later: Callable[[float, ItemReport], None]) -> None:
        self._items: dict[str, ItemDispatched] = {}
        self._wallclock = wallclock
        self._later = later

    def __call__(self, event: Event) -> Sequence[ItemReport]:
        if isinstance(event, ItemDispatched):
            self._items[event.item_code] = event
            self._plan(opening(event))
        if isinstance(event, ItemSupplemented):
            self._plan(closing(self._items[event.item_code], 6))
        return ()

    def _plan(self, planned: Iterable[Planned]) -> None:
        now = self._wallclock.now()
        for after, one in planned:
            self._later(self._wallclock.seconds_until(now + after), one)


async def main(bootstrap: str, jurisdiction: str, department: str, wallclock: str) -> None:
    """Run one department."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[ItemReport] = asyncio.Queue()
    script = Script(parsed(wallclock), lambda seconds, one: _call_later(loop, seconds, queue, one))
    await serve(bootstrap, jurisdiction, [department], script, asyncio.Event(), queue)


def _call_later(
    loop: asyncio.AbstractEventLoop, seconds: float, queue: asyncio.Queue[ItemReport], one: ItemReport
) -> None:
    loop.call_later(max(seconds, 0), queue.put_nowait, one)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
