"""`./run test`: the lint, then every test, with the real parts it needs; the last line is pytest's own."""

import os
import subprocess
import sys

from local import lint
from local.suite import ROOT


def main(arguments: list[str]) -> int:
    """Run pytest with `arguments` (all tests without any). Exit code 0 only if lint and tests passed."""
    if "--help" in arguments or "-h" in arguments:
        print(
            "usage: ./run test [pytest arguments]   LIANSHEN_REQUIRE=kafka,postgres,pkcs11 turns a skip into a failure"
        )
        return 0
    linted = 0 if arguments else lint.main([])
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    tested = subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=environment)
    return tested.returncode or linted
