"""Judges a file from anywhere in a process of its own, with bounds on time and memory: what it holds harms nobody else.

`python -m evidence.confined TRUST [KEY:SIZE …]` reads the file from standard input and writes the verdict as one line
of JSON. Before the file stand revocation lists that were fetched, each of SIZE bytes, by the issuer with the identifier
KEY (hexadecimal).
"""

import json
import resource
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final

from evidence import documents, trust
from evidence.certificates import NotTrusted
from evidence.documents import LARGEST, Finding, Verdict
from evidence.revocation import Revocations, parse_list
from evidence.trust import TrustList

CPU_SECONDS: Final = 10
WALL_SECONDS: Final = 30.0
MEMORY_BYTES: Final = 1024 * 1024 * 1024


class CannotJudge(Exception):
    """The judge itself failed, as with a trust list that cannot be read; nothing is said of the file."""


NONE_FETCHED: Final[Mapping[bytes, bytes]] = MappingProxyType({})


def judge(
    pdf: bytes, folder: Path, seconds: float = WALL_SECONDS, *, fetched: Mapping[bytes, bytes] = NONE_FETCHED
) -> Verdict:
    """Return what is found of a file of any bytes, judged by the trust list of `folder`. Raises CannotJudge.

    `fetched` are revocation lists (DER) by their issuer's key identifier, newer than what the folder holds.
    """
    if (known := _at_a_glance(pdf)) is not None:
        return known
    lists = [f"{key.hex()}:{len(der)}" for key, der in fetched.items()]
    given = b"".join([*fetched.values(), pdf])
    try:
        done = subprocess.run([*_command(folder), *lists], input=given, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return _unjudgeable(pdf)
    return _answer(pdf, done.returncode, done.stdout, done.stderr)


def _command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "evidence.confined", str(folder)]


def _at_a_glance(pdf: bytes) -> Verdict | None:
    """What no process is started for: a file that is too big, and one without any trace of a signature."""
    if len(pdf) > LARGEST:
        return Verdict(
            Finding.ALTERED, sha256(pdf).hexdigest(), detail=f"{len(pdf)} bytes are more than a document has"
        )
    if not documents.bears_traces(pdf):
        return Verdict(Finding.UNSIGNED, sha256(pdf).hexdigest(), detail="no signature")
    return None


def _unjudgeable(pdf: bytes) -> Verdict:
    detail = f"it could not be judged within {CPU_SECONDS} s and {MEMORY_BYTES >> 20} MB"
    return Verdict(Finding.ALTERED, sha256(pdf).hexdigest(), detail=detail)


def _answer(pdf: bytes, code: int, said: bytes, complaint: bytes) -> Verdict:
    if code == 2:
        raise CannotJudge(complaint.decode("utf-8", "replace").strip()[-500:])
    return _unjudgeable(pdf) if code else read(json.loads(said))


def told(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON has it, with its sentence."""
    at = verdict.signed_at
    return asdict(verdict) | {"sentence": verdict.sentence, "signed_at": None if at is None else at.isoformat()}


def read(said: dict[str, Any]) -> Verdict:
    """Return the verdict that `told` told."""
    at = said["signed_at"]
    known: dict[str, Any] = {name: value for name, value in said.items() if name != "sentence"}
    known["finding"] = Finding(said["finding"])
    known["signed_at"] = None if at is None else datetime.fromisoformat(at)
    return Verdict(**known)


def main(folder: Path, lists: Iterable[str]) -> int:
    """Judge standard input within bounds; 2 when the trust list, or a revocation list, is no good."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        trusted = trust.load(folder)
        revocations = _with_fetched(trusted, lists, sys.stdin.buffer)
    except (trust.BadTrustList, NotTrusted) as wrong:
        print(wrong, file=sys.stderr)
        return 2
    verdict = documents.judge(sys.stdin.buffer.read(LARGEST + 1), trusted, revocations)
    print(json.dumps(told(verdict), ensure_ascii=True))
    return 0


def _with_fetched(trusted: TrustList, lists: Iterable[str], given: BinaryIO) -> Revocations:
    """Return what the folder's lists say, and those that stand before the file; one of an issuer that was taken out
    of the folder meanwhile says nothing. Raises BadTrustList, NotTrusted."""
    held = trusted.revocations()
    for one in lists:
        key, size = one.split(":")
        der, issuer = given.read(int(size)), trusted.issuers.get(bytes.fromhex(key))
        if issuer is not None:
            held = held.with_list(parse_list(der, issuer.certificate))
    return held


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
