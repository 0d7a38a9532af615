"""The token door: whatever is signed here is signed inside a token, through this one gate (Art. 10, 16).

PKCS#11 calls run in an executor of their own, few at a time, with few waiting. A call that fails or takes too long
closes the gate; those inside come out first, then the module begins a new life and the gate opens: nobody restarts
anything. Whoever comes to a closed gate is told at once and comes again; readiness says so, liveness does not.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore, Condition, Semaphore
from typing import Final, TypeVar

import pkcs11
import structlog

from evidence.certificates import Certificate
from signing.token.module import Module, ModuleFails, Signature
from signing.token.pins import Pins, TokenUnavailable
from signing.token.probe import bears_threads

__all__ = ["Limits", "Order", "Signature", "TokenDoor", "TokenUnavailable"]

TURN: Final = 0.05
"""Seconds for which a thread signs for one caller before it asks who else waits."""
TROUBLE: Final = (pkcs11.PKCS11Error, OSError, RuntimeError, ModuleFails)
Order = tuple[str, bytes]
Waiting = deque[tuple[int, Order]]
Result = TypeVar("Result")

log = structlog.get_logger()


class Full(TokenUnavailable):
    """As many wait for the tokens as may; come again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many calls run side by side, how many more may wait, and how long one may take."""

    threads: int = 2
    waiting: int = 16
    seconds: float = 5.0


USUAL: Final = Limits()


class TokenDoor:
    """Signs digests with the key of a token, named by its label; each signature is verified before it is given out."""

    def __init__(
        self,
        module: Path,
        pins: Path,
        latches: Path | None = None,
        *,
        own_label: str = "platform",
        limits: Limits = USUAL,
        allows_stand_in: bool = False,
        probe: Callable[[Path, str, Path, Path | None], bool] = bears_threads,
    ) -> None:
        self._path = module
        self._pins = Pins(pins, latches)
        self._own_label = own_label
        self._limits = limits
        self._allows_stand_in = allows_stand_in
        self._probe = lambda: probe(module, own_label, pins, latches)
        self._executor = ThreadPoolExecutor(limits.threads, thread_name_prefix="token")
        self._room = BoundedSemaphore(limits.threads + limits.waiting)
        self._side_by_side: Semaphore | None = None
        self._gate = Condition()
        self._module: Module | None = None
        self._opening = False
        self._inside = 0

    async def sign(self, orders: Sequence[Order]) -> list[Signature]:
        """Return a verified signature for each order (token's label, SHA-256 digest). Raises TokenUnavailable."""
        waiting, made = deque(enumerate(orders)), dict[int, Signature]()
        threads = min(self._limits.threads, len(orders))
        try:
            await asyncio.gather(*(self._keep_signing(waiting, made) for _ in range(threads)))
        finally:
            waiting.clear()  # for those who still sign when one has failed
        return [made[number] for number in range(len(orders))]

    async def _keep_signing(self, waiting: Waiting, made: dict[int, Signature]) -> None:
        while waiting:
            await self._call(lambda module: _sign_for_a_turn(module, waiting, made))

    async def certificate(self, label: str) -> Certificate:
        """Return the certificate in a token. Raises TokenUnavailable."""
        return await self._call(lambda module: module.login(label).certificate)

    async def refusals(self, labels: Collection[str]) -> dict[str, str]:
        """Return why some tokens may not be used until somebody mends them (a wrong PIN). Raises TokenUnavailable."""
        found = await self._call(lambda module: {label: module.refusal(label) for label in labels})
        return {label: why for label, why in found.items() if why is not None}

    async def is_open(self) -> bool:
        """Whether the platform's own token answers now; a closed gate is opened when it can be."""
        try:
            await self._call(lambda module: module.holds(self._own_label))
        except TokenUnavailable as trouble:
            log.warning("token.not_ready", trouble=str(trouble), wrong_pins=self._pins.latched())
            return False
        return True

    async def _call(self, use: Callable[[Module], Result]) -> Result:
        """Run `use` in the executor, within the time limit. Raises TokenUnavailable."""
        if not self._room.acquire(blocking=False):
            raise Full(f"{self._limits.waiting} wait for the tokens already")
        future: Future[Result] = self._executor.submit(self._enter, use)
        future.add_done_callback(lambda _: self._room.release())
        try:
            async with asyncio.timeout(self._limits.seconds):  # wait_for loses a cancellation that meets the answer
                return await asyncio.wrap_future(future)
        except TimeoutError as trouble:
            self._close(None, f"no answer within {self._limits.seconds} s")
            raise TokenUnavailable(f"no answer within {self._limits.seconds} s") from trouble

    # Below here: in the executor's threads --------------------------------------------------------------------------

    def _enter(self, use: Callable[[Module], Result]) -> Result:
        module = self._entered()
        try:
            return use(module)
        except TROUBLE as trouble:
            self._close(module, repr(trouble))
            raise TokenUnavailable(repr(trouble)) from trouble
        finally:
            self._left()

    def _entered(self) -> Module:
        """Return the module to a thread that may use it now. Raises TokenUnavailable while the gate is closed."""
        with self._gate:
            if not self._gate.wait_for(lambda: not self._opening, self._limits.seconds):
                raise TokenUnavailable("the gate is being opened")
            if self._module is not None:
                self._inside += 1
                module = self._module
            elif self._inside:
                raise TokenUnavailable("the gate is closed until those inside are out")
            else:
                self._opening = True
                module = None
        module = module or self._opened()
        assert self._side_by_side is not None
        self._side_by_side.acquire()
        return module

    def _opened(self) -> Module:
        module = None
        try:
            if self._side_by_side is None:
                self._side_by_side = Semaphore(self._sessions())
            module = Module(self._path, self._pins, allows_stand_in=self._allows_stand_in)
            return module
        except TROUBLE as trouble:
            raise TokenUnavailable(repr(trouble)) from trouble
        finally:
            self._has_opened(module)

    def _has_opened(self, module: Module | None) -> None:
        with self._gate:
            self._opening = False
            self._module = module
            self._inside += module is not None
            self._gate.notify_all()

    def _sessions(self) -> int:
        return self._limits.threads if self._limits.threads == 1 or self._probe() else 1

    def _left(self) -> None:
        assert self._side_by_side is not None
        self._side_by_side.release()
        with self._gate:
            self._inside -= 1

    def _close(self, module: Module | None, why: str) -> None:
        """Close the gate on `module` (None: on the one that is open); a later life pays for no earlier one's fault."""
        with self._gate:
            if self._module is not None and module in (None, self._module):
                log.error("token.closed", why=why)
                self._module = None


def _sign_for_a_turn(module: Module, waiting: Waiting, made: dict[int, Signature]) -> None:
    """Sign what waits, one after the other, beside other threads that do the same, until the turn is over."""
    until = time.monotonic() + TURN
    while time.monotonic() < until and (taken := _taken(waiting)):
        number, (label, digest) = taken
        made[number] = module.sign(label, digest)


def _taken(waiting: Waiting) -> tuple[int, Order] | None:
    try:
        return waiting.popleft()
    except IndexError:  # another thread was faster
        return None
