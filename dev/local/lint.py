"""`./run lint`: every rule of the house that a machine can hold, side by side."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from local.suite import ROOT

BIN: Final = Path(sys.executable).parent
TOOLS: Final = {
    "ruff format": [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
    "ruff check": [str(BIN / "ruff"), "check", "--quiet", "."],
    "imports": [str(BIN / "lint-imports"), "--no-cache"],
    "pyright": [str(BIN / "pyright")],
}


def main(arguments: list[str]) -> int:
    """Run every tool; print a line for each, and what it says when it fails."""
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: ./run lint   runs " + ", ".join(TOOLS))
        return 0
    with ThreadPoolExecutor(len(TOOLS)) as pool:
        return max(pool.map(_run, TOOLS.items()))


def _run(tool: tuple[str, list[str]]) -> int:
    name, command = tool
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seconds = time.monotonic() - began
    verdict = "ok" if done.returncode == 0 else f"FAILED\n{done.stdout[-6000:]}{done.stderr[-2000:]}"
    print(f"lint: {name:12} {seconds:5.1f} s  {verdict}", flush=True)
    return done.returncode
