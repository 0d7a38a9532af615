"""Every verb of `./run`."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from local.trouble import Trouble


class Verb(NamedTuple):
    """Where a verb's `main(arguments) -> exit code` stands, and what it is for."""

    module: str
    purpose: str


VERBS: Final = {
    "demo": Verb("local.demo", "set everything up, run the main job in compressed time, print what happened"),
    "test": Verb("local.testing", "run every test this machine can run"),
    "up": Verb("local.up", "keep the whole suite up on fixed ports"),
    "down": Verb("local.down", "stop a suite that `up` keeps up; --wipe forgets its data"),
    "doctor": Verb("local.doctor", "the table of what is needed and what is there"),
    "lint": Verb("local.lint", "format, lint, import rules, types"),
    "bench": Verb("local.bench", "measure: job-8, job-t, seals, idle, clock, oracle"),
    "faults": Verb("local.faults", "kill parts under load and judge from outside; --minutes N --seed S"),
    "ca-agent": Verb("local.agent", "the program beside a CA key: shows what will be signed, lets the key sign"),
    "dead-letters": Verb("local.dead_letters", "list, show and replay what nobody could understand"),
    "explain": Verb("local.explain", "why a project's deadlines are what they are, day by day; and what if"),
    "audit": Verb("local.audit", "export sealed audit chains of a project or a ledger; verify such a file offline"),
    "catalogue": Verb("local.catalogue", "hold a city's tables against themselves; show one item"),
    "calendar": Verb("local.calendar", "a year's working days; write a year's table from chinesecalendar"),
    "reconcile": Verb("local.reconcile", "hold every clock against the topics; --repair makes anew what differs"),
    "verify": Verb("local.verify", "judge a sealed document offline: FILE --trust DIR"),
    "lock": Verb("local.lock", "pin requirements.in into requirements.lock"),
    "schemas": Verb("local.schemas", "write or --check the JSON Schemas and the pages made from tables"),
}


def main(arguments: Sequence[str]) -> int:
    """Run one verb; trouble that a person can mend is one line."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print("usage: ./run VERB [--help]\n")
        for name, verb in VERBS.items():
            print(f"  {name:13} {verb.purpose}")
        return 0 if arguments else 2
    verb = VERBS.get(arguments[0])
    if verb is None:
        print(f"run: there is no verb {arguments[0]}; ./run --help lists them", file=sys.stderr)
        return 2
    try:
        return int(importlib.import_module(verb.module).main(list(arguments[1:])) or 0)
    except Trouble as trouble:
        print(f"run: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code) if code == 130 else sys.exit(code)
