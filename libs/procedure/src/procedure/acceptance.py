"""The acceptance clock (行政许可法 Art. 32; P5, R21): how long a department may leave an item on its desk unaccepted.

It starts when the item is received and has no light. A correction asked for before acceptance stops it, the supplement
starts a new one; acceptance, non-acceptance and withdrawal end it.
"""

from collections.abc import Mapping
from typing import Final

from contracts import department_worker as items
from contracts.department_worker import ItemStepped
from contracts.terms import ClockEnd
from procedure import clock as law
from procedure.clock import Clock
from procedure.policies import policies_of

ENDS: Final[Mapping[type[ItemStepped], ClockEnd]] = {
    items.ItemAccepted: ClockEnd.ACCEPTED,
    items.ItemNotAccepted: ClockEnd.NOT_ACCEPTED,
    items.CorrectionRequested: ClockEnd.CORRECTION,
    items.ItemTakenBack: ClockEnd.WITHDRAWN,
}


def starts(step: ItemStepped) -> bool:
    """Whether an item stands complete on its department's desk from this step on."""
    return isinstance(step, items.ItemReceived) or (isinstance(step, items.CorrectionEnded) and step.before_acceptance)


def begun(step: ItemStepped) -> Clock:
    """Return the clock that `step` starts, with the days of the readings that the item runs under."""
    return Clock(policies_of(step.policies).acceptance_days, step.at)


def felt(clock: Clock, step: ItemStepped) -> Clock:
    """Return a running acceptance clock after a step of its item."""
    end = ENDS.get(type(step))
    return clock if end is None else law.stop(clock, end, step.at)
