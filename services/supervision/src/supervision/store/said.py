"""What supervision itself said, taken in alike when it is said and when it comes back from its topic."""

from collections.abc import Sequence

from chassis.database import Work
from contracts.envelope import Event
from contracts.supervision import ExpiryDecided, SignalRaised, SpecialHandlingGranted
from supervision.cases import Following, Opening
from supervision.store import cases, handlings, signals


async def take(work: Work, events: Sequence[Event]) -> None:
    """Take in events of supervision, in order; repeats change nothing."""
    if not events:
        return
    await cases.take(work, [one for one in events if isinstance(one, Opening | Following)])
    await handlings.grant(work, [one for one in events if isinstance(one, SpecialHandlingGranted)])
    await handlings.decide(work, [one for one in events if isinstance(one, ExpiryDecided)])
    await signals.keep(work, [one for one in events if isinstance(one, SignalRaised)])
