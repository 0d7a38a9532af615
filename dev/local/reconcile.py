"""`./run reconcile`: every clock of the timer held against the topics; `--repair` makes anew what differs."""

import argparse
import os
from typing import Any
from uuid import uuid4

import httpx

from contracts.codes import CITY
from contracts.terms import Role
from local import people, ports, up
from local.posts import person
from local.trouble import Trouble

KINDS = ("missing", "extra", "wrong")
LONGEST_SECONDS = 3600.0


def main(arguments: list[str]) -> int:
    """Print what differs; exit 1 when something differs and was not repaired."""
    options = _parser().parse_args(arguments)
    url = os.environ.get("TIMER_URL", f"http://127.0.0.1:{ports.fixed()['timer']}")
    report = ask(url, _token(), repair=options.repair)
    print(as_text(report), end="")
    differing = sum(report[kind] for kind in KINDS)
    return 1 if differing > report["repaired"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run reconcile", description=__doc__)
    parser.add_argument("--repair", action="store_true", help="rewrite the rows that differ, and arm them")
    return parser


def _token() -> str:
    if "TIMER_TOKEN" in os.environ:
        return os.environ["TIMER_TOKEN"]
    keyring = people.of_suite(up.FOLDER, ports.fixed())
    return people.Login(keyring, person(Role.ADMIN, jurisdiction=CITY)).token


def ask(url: str, token: str, *, repair: bool) -> dict[str, Any]:
    """Return the timer's report. Raises Trouble with the problem's sentence."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"reconcile-{uuid4().hex}"}
    body = {"repair": repair}
    try:
        answer = httpx.post(f"{url}/reconciliation", json=body, headers=headers, timeout=LONGEST_SECONDS)
    except httpx.HTTPError as trouble:
        raise Trouble(f"the timer does not answer at {url}: {trouble}") from trouble
    if answer.status_code != 200:
        raise Trouble(answer.json().get("detail", answer.text))
    return answer.json()


def as_text(report: dict[str, Any]) -> str:
    """Return a report as a person reads it: one line a row that differs, then the sum."""
    lines = [_line(**one) for one in report["differences"]]
    found = ", ".join(f"{report[kind]} {kind}" for kind in KINDS)
    repaired = f"{report['repaired']} repaired"
    lines.append(f"{report['clocks']} clocks compared in {report['seconds']:.1f} s: {found}; {repaired}")
    if report["waiting"]:
        lines.append(f"{report['waiting']} wait behind parked records: ./run dead-letters list")
    return "\n".join(lines) + "\n"


def _line(kind: str, project_code: str, item_code: str | None, about: str, what: list[str], **_: Any) -> str:
    return f"{kind:8} {project_code}  {item_code or 'stage':6} {about}  {', '.join(what)}"
