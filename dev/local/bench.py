"""`./run bench`: hands over to the scales in bench/."""

import importlib
import sys

from local.suite import ROOT

JOBS = {
    "job-8": "bench.job8",
    "job-t": "bench.jobt",
    "idle": "bench.idle",
    "seals": "bench.seals",
    "clock": "bench.clock",
    "oracle": "bench.oracle",
}


def main(arguments: list[str]) -> int:
    """Run one job."""
    if not arguments or arguments[0] in ("-h", "--help") or arguments[0] not in JOBS:
        print(f"usage: ./run bench {'|'.join(JOBS)} [its options; each has --help]")
        return 0 if arguments and arguments[0] in ("-h", "--help") else 2
    sys.path.insert(0, str(ROOT))
    return int(importlib.import_module(JOBS[arguments[0]]).main(arguments[1:]))
