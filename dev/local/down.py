"""`./run down`: stops the suite that `./run up` keeps up."""

import os
import shutil
import signal
import time

from local.trouble import Trouble
from local.up import FOLDER, running

SECONDS = 60


def main(arguments: list[str]) -> int:
    """Stop the suite and wait until it is gone; with --wipe forget its data."""
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: ./run down [--wipe]")
        return 0
    pid = running()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + SECONDS
        while running() is not None:
            if time.monotonic() > until:
                raise Trouble(f"the suite (pid {pid}) did not stop within {SECONDS} s; kill it by hand")
            time.sleep(0.1)
    print("stopped" if pid is not None else "nothing was up")
    if "--wipe" in arguments:
        shutil.rmtree(FOLDER, ignore_errors=True)
        print("data wiped")
    return 0
