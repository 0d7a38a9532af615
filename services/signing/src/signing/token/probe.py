"""Whether the module bears sessions in several threads: tried in a process of its own, for one that does not may crash.

python-pkcs11 initialises a module without locking; behind the p11-kit proxy that is mended, on a bare module it is not.

    python -m signing.token.probe MODULE LABEL PIN_FOLDER [LATCH_FOLDER]    (0: it does; 3: nothing to try it on)
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pkcs11
import structlog

from signing.token.module import Module
from signing.token.pins import Pins, TokenUnavailable

THREADS: Final = 2
SECONDS: Final = 0.3
LIMIT_SECONDS: Final = 10.0
NOT_TRIED: Final = 3
DIGEST: Final = bytes(32)

log = structlog.get_logger()


def bears_threads(module: Path, label: str, pins: Path, latches: Path | None) -> bool:
    """Return whether two threads, a session each, could find and sign side by side with the key of `label`.

    Raises TokenUnavailable when the token was not there, or did not answer: then nothing is known.
    """
    command = [sys.executable, "-m", "signing.token.probe", *map(str, filter(None, (module, label, pins, latches)))]
    try:
        ended = subprocess.run(command, env=os.environ, capture_output=True, timeout=LIMIT_SECONDS).returncode
    except subprocess.TimeoutExpired as trouble:
        raise TokenUnavailable(f"the probe had no answer within {LIMIT_SECONDS} s") from trouble
    if ended == NOT_TRIED:
        raise TokenUnavailable(f"the probe could not open {label}")
    log.info("token.probed", bears_threads=ended == 0, ended=ended)
    return ended == 0


def main(path: str, label: str, pins: str, latches: str | None = None) -> int:
    """Find and sign in two threads for a while; whatever goes wrong ends this process, one way or another."""
    try:
        module = Module(Path(path), Pins(Path(pins), Path(latches) if latches else None), allows_stand_in=True)
        module.login(label)
    except (TokenUnavailable, pkcs11.PKCS11Error, OSError, RuntimeError) as trouble:
        log.warning("token.not_probed", trouble=repr(trouble))
        return NOT_TRIED
    until = time.monotonic() + SECONDS
    with ThreadPoolExecutor(THREADS) as pool:
        for one in [pool.submit(_use, module, label, until) for _ in range(THREADS)]:
            one.result()
    return 0


def _use(module: Module, label: str, until: float) -> None:
    while time.monotonic() < until:
        module.sign(label, DIGEST)
        module.holds(label)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
