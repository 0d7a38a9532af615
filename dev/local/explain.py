"""`./run explain CODE`: every deadline of a project day by day, from the supervision service that is up."""

import argparse
import os

import httpx

from contracts.codes import CITY
from contracts.terms import Role
from local import people, ports, up
from local.posts import person
from local.trouble import Trouble

SUPPOSED = ("limit-days", "due-day-ends", "stage-pause-policy", "day-off", "day-on")


def main(arguments: list[str]) -> int:
    """Print the explanation; exit 1 with the problem's sentence when there is none."""
    options = _parser().parse_args(arguments)
    url = os.environ.get("SUPERVISION_URL", f"http://127.0.0.1:{ports.fixed()['supervision']}")
    print(ask(url, supervision_token(), options.code, _query(options)), end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run explain", description=__doc__)
    parser.add_argument("code", help="project code, 2018-210281-47-03-000123")
    parser.add_argument("--at", help="as it stood at this instant, with its zone: 2026-03-05T17:00:00+08:00")
    parser.add_argument("--about", help="only this item_id or application_id")
    parser.add_argument("--subject", choices=("STAGE", "ITEM", "ACCEPTANCE"), help="only clocks of this kind")
    parser.add_argument("--form", choices=("text", "json", "csv"), default="text")
    what_if = parser.add_argument_group("what if")
    what_if.add_argument("--limit-days", type=int, help="another limit, in working days")
    what_if.add_argument("--count-start-day", action="store_true", help="P6: the first day counts")
    what_if.add_argument("--due-day-ends", choices=("midnight", "office_close"), help="P7")
    what_if.add_argument("--stage-pause-policy", choices=("ANY", "ALL_OPEN"), help="P1")
    what_if.add_argument("--day-off", action="append", metavar="DATE", help="P25: this day is off")
    what_if.add_argument("--day-on", action="append", metavar="DATE", help="P25: this day is worked")
    return parser


def _query(options: argparse.Namespace) -> dict[str, str | list[str]]:
    names = ("at", "about", "subject", "form", *(name.replace("-", "_") for name in SUPPOSED))
    query = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return {**query, "count_start_day": "true"} if options.count_start_day else query


def supervision_token() -> str:
    """Return a token to ask supervision with: `SUPERVISION_TOKEN`, or the one of the city's supervisor."""
    if "SUPERVISION_TOKEN" in os.environ:
        return os.environ["SUPERVISION_TOKEN"]
    keyring = people.of_suite(up.FOLDER, ports.fixed())
    return people.Login(keyring, person(Role.SUPERVISOR, jurisdiction=CITY)).token


def ask(url: str, token: str, code: str, query: dict[str, str | list[str]]) -> str:
    """Return the answer's text. Raises Trouble with the problem's sentence."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.get(f"{url}/projects/{code}/clocks", params=query, headers=headers, timeout=30)
    except httpx.HTTPError as trouble:
        raise Trouble(f"supervision does not answer at {url}: {trouble}") from trouble
    if answer.status_code != 200:
        raise Trouble(answer.json().get("detail", answer.text))
    return answer.text if answer.text.endswith("\n") else answer.text + "\n"
