"""`./run lock`: pins what requirements.in asks for, with hashes and without the address of any index."""

import subprocess

from local.suite import ROOT


def main(arguments: list[str]) -> int:
    """Write requirements.lock; `--upgrade` takes the newest versions that fit."""
    if arguments and arguments != ["--upgrade"]:
        print("usage: ./run lock [--upgrade]")
        return 0 if arguments[0] in ("-h", "--help") else 2
    command = [
        *("uv", "pip", "compile", "requirements.in", "--output-file", "requirements.lock"),
        *("--generate-hashes", "--universal", "--python-version", "3.11", "--no-emit-index-url", "--no-annotate", "-q"),
        *arguments,
    ]
    return subprocess.run([ROOT / ".venv" / "bin" / command[0], *command[1:]], cwd=ROOT).returncode
