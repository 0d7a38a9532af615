"""How often one address may ask to log in: a bucket that fills by the minute, for a bounded number of addresses."""

import time
from collections import OrderedDict
from typing import Final

from signing.domain.sessions import TooManyLogins

ADDRESSES: Final = 10_000


class Rates:
    """Buckets of `per_minute`, one per address; whoever was not seen for longest is forgotten first."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = float(per_minute)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> None:
        """Count one request of `address`. Raises TooManyLogins."""
        now = time.monotonic()
        left, at = self._left.pop(address, (self._per_minute, now))
        left = min(self._per_minute, left + (now - at) * self._per_minute / 60)
        self._left[address] = (max(0.0, left - 1), now)
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)
        if left < 1:
            raise TooManyLogins
