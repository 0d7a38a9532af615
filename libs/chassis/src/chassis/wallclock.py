"""What time it is, asked in one place and handed in everywhere else.

For a demonstration business time can run compressed: an affine map of real time, or several one after the other, so a
broker's append time converts exactly and every process agrees.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

from chassis.settings import Settings


class WallClock(Protocol):
    """Business time as UTC instants."""

    def now(self) -> datetime: ...

    def business(self, epoch_ms: int) -> datetime:
        """Return the business instant of a real instant in epoch milliseconds."""
        ...

    def epoch_ms(self, at: datetime) -> int:
        """Return the real instant, in epoch milliseconds, of the business instant `at`."""
        ...

    def seconds_until(self, at: datetime) -> float:
        """Return how many real seconds pass until the business instant `at` (negative when it has passed)."""
        ...


@dataclass(frozen=True, slots=True)
class RealClock:
    """Business time is real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def business(self, epoch_ms: int) -> datetime:
        return _from_ms(epoch_ms)

    def epoch_ms(self, at: datetime) -> int:
        return (at - _EPOCH) // _MS

    def seconds_until(self, at: datetime) -> float:
        return (at - datetime.now(UTC)).total_seconds()


@dataclass(frozen=True, slots=True)
class AffineClock:
    """Business time runs `factor` times as fast as real time, from `business_epoch` at `real_epoch` on."""

    real_epoch: datetime
    business_epoch: datetime
    factor: float

    def now(self) -> datetime:
        return self._of(datetime.now(UTC))

    def business(self, epoch_ms: int) -> datetime:
        return self._of(_from_ms(epoch_ms))

    def epoch_ms(self, at: datetime) -> int:
        return (self.real(at) - _EPOCH) // _MS

    def seconds_until(self, at: datetime) -> float:
        return (at - self.now()).total_seconds() / self.factor

    def real(self, at: datetime) -> datetime:
        """Return the real instant of the business instant `at`."""
        return self.real_epoch + (at - self.business_epoch) / self.factor

    def _of(self, real: datetime) -> datetime:
        return self.business_epoch + (real - self.real_epoch) * self.factor


@dataclass(frozen=True, slots=True)
class PiecewiseClock:
    """Business time changes its pace: each of `pieces` holds from its own epoch until the next one's."""

    pieces: tuple[AffineClock, ...]

    def now(self) -> datetime:
        return self._since(datetime.now(UTC)).now()

    def business(self, epoch_ms: int) -> datetime:
        return self._since(_from_ms(epoch_ms)).business(epoch_ms)

    def epoch_ms(self, at: datetime) -> int:
        return self._until(at).epoch_ms(at)

    def seconds_until(self, at: datetime) -> float:
        return (self._until(at).real(at) - datetime.now(UTC)).total_seconds()

    def _since(self, real: datetime) -> AffineClock:
        return next((one for one in reversed(self.pieces) if one.real_epoch <= real), self.pieces[0])

    def _until(self, at: datetime) -> AffineClock:
        return next((one for one in reversed(self.pieces) if one.business_epoch <= at), self.pieces[0])


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@lru_cache(4096)
def _from_ms(epoch_ms: int) -> datetime:
    """Return an instant; the records of one batch of the broker share theirs."""
    return _EPOCH + timedelta(milliseconds=epoch_ms)


def wallclock_from(settings: Settings) -> WallClock:
    """Return the clock that WALLCLOCK names. Raises ValueError when it is not understood."""
    return parsed(settings.wallclock)


def parsed(text: str) -> WallClock:
    """Return the clock of `text`: '' or `affine:<real iso>,<business iso>,<factor>`, and behind it
    `;<business iso>,<factor>` for each instant from which the pace is another.

    Raises ValueError when it is not understood.
    """
    if not text:
        return RealClock()
    kind, _, rest = text.partition(":")
    if kind != "affine":
        raise ValueError(f"WALLCLOCK must be empty or affine:…, not {kind}")
    first, *later = rest.split(";")
    real, business, factor = first.split(",")
    clock = AffineClock(datetime.fromisoformat(real), datetime.fromisoformat(business), float(factor))
    return PiecewiseClock(tuple(_pieces(clock, later))) if later else clock


def _pieces(first: AffineClock, changes: Iterable[str]) -> Iterator[AffineClock]:
    yield first
    for change in changes:
        business, factor = change.split(",")
        at = datetime.fromisoformat(business)
        if at <= first.business_epoch:
            raise ValueError(f"WALLCLOCK changes its pace at {business}, which is not after {first.business_epoch}")
        first = AffineClock(first.real(at), at, float(factor))
        yield first
