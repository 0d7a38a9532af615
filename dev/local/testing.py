"""`./run test`: the lint, then every test, with the real parts it needs; the last line is pytest's own."""

import os
import subprocess
import sys
from typing import Final

from local import lint
from local.suite import ROOT

ALL: Final = ("-n2", "--dist=loadfile", "--no-loadscope-reorder")
"""Two workers, each with parts of its own, take file after file: half of the time a test waits, or uses one core."""


def main(arguments: list[str]) -> int:
    """Run pytest with `arguments` (all tests without any). Exit code 0 only if lint and tests passed."""
    if "--help" in arguments or "-h" in arguments:
        print(
            "usage: ./run test [pytest arguments]"
            "   LIANSHEN_REQUIRE=kafka,postgres,pkcs11,browser turns a skip into a failure"
        )
        return 0
    linted = 0 if arguments else lint.main([])
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", *(arguments or ALL)]
    tested = subprocess.run(command, cwd=ROOT, env=environment)
    return tested.returncode or linted
