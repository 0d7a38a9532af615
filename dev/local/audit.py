"""`./run audit`: audit chains of a project or a ledger exported as a file; such a file judged without the platform."""

import argparse
import os
import sys
from pathlib import Path

import httpx

from contracts.terms import Ledger
from evidence import trust
from evidence.bundle import Judged, Trusts, judged
from evidence.certificates import Purpose
from evidence.seals import Holds
from evidence.sm2 import OpenSslMissing
from local import ports
from local.explain import supervision_token
from local.trouble import Trouble


def main(arguments: list[str]) -> int:
    """export OWNER FILE, or verify FILE --trust DIR; exit 1 when something is wrong with the file, 2 when it cannot be
    judged."""
    options = _parser().parse_args(arguments)
    if options.verb == "export":
        return export(options.owner, options.file)
    try:
        return verify(options.file, options.trust)
    except Trouble as trouble:
        print(f"run audit: {trouble}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run audit", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("export", help="fetch sealed chains from supervision")
    one.add_argument("owner", help=f"project code, 2018-210281-47-03-000123, or a ledger: {', '.join(Ledger)}")
    one.add_argument("file", type=Path)
    other = verbs.add_parser("verify", help="hold a file against its seal, offline")
    other.add_argument("file", type=Path)
    other.add_argument("--trust", type=Path, required=True, metavar="DIR", help="folder with trust.toml")
    return parser


# Export ---------------------------------------------------------------------------------------------------------


def export(owner: str, file: Path) -> int:
    """Write what supervision exports of a project or ledger to `file`. Raises Trouble with the problem's sentence."""
    url = os.environ.get("SUPERVISION_URL", f"http://127.0.0.1:{ports.fixed()['supervision']}")
    kind = "ledgers" if owner in frozenset(Ledger) else "projects"
    headers = {"Authorization": f"Bearer {supervision_token()}"}
    try:
        answer = httpx.get(f"{url}/audit/{kind}/{owner}", headers=headers, timeout=60)
    except httpx.HTTPError as trouble:
        raise Trouble(f"supervision does not answer at {url}: {trouble}") from trouble
    if answer.status_code != 200:
        raise Trouble(answer.json().get("detail", answer.text))
    file.write_bytes(answer.content)
    records = len(answer.content.splitlines()) - 2
    print(f"{file}: {records} records")
    return 0


# Verify ---------------------------------------------------------------------------------------------------------


def verify(file: Path, folder: Path) -> int:
    """Print what the file is and every fault that is found; 0 when there is none."""
    try:
        content = file.read_bytes()
    except OSError as trouble:
        raise Trouble(f"{file} cannot be read: {trouble.strerror}") from trouble
    try:
        verdict = judged(content, trusting(folder))
    except OpenSslMissing as trouble:
        raise Trouble(str(trouble)) from trouble
    print(said(verdict))
    return 1 if verdict.findings else 0


def trusting(folder: Path) -> Trusts:
    """Return who may have sealed, and who have signed, by a trust folder and the revocation lists in it. Raises
    Trouble."""
    try:
        listed = trust.load(folder)
        revocations = listed.revocations()
    except trust.BadTrustList as trouble:
        raise Trouble(str(trouble)) from trouble

    def held_to(purpose: Purpose) -> Holds:
        return lambda certificate, at: listed.hold(certificate, purpose, at, revocations)

    return Trusts(held_to(Purpose.SEAL), held_to(Purpose.LOGIN))


def said(verdict: Judged) -> str:
    """Return a verdict in words: one line a fault, or whose file it is and as of when."""
    if verdict.findings:
        found = [f"line {one.line}: {one.fault}: {one.detail}" for one in verdict.findings]
        return "\n".join([f"NOT WHOLE: {len(found)} faults", *found])
    return f"WHOLE: {verdict.owner}, {verdict.records} records, closed {verdict.closed_at}, sealed by {verdict.signer}"
