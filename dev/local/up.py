"""`./run up`: the whole suite on fixed ports, kept up; a process that dies is said loudly and started again."""

import os
import signal
import time
from pathlib import Path
from typing import Final

from local import ports
from local.kafka import Kafka
from local.postgres import Postgres
from local.suite import ROOT, Child, Suite
from local.trouble import Trouble

FOLDER: Final = Path(os.environ.get("LIANSHEN_FOLDER") or ROOT / ".local" / "up")
LOCK: Final = FOLDER / "pid"
LONGEST_BACKOFF: Final = 30.0


def main(arguments: list[str]) -> int:
    """Keep the suite up until Ctrl-C or `./run down`."""
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: ./run up   (ports: LIANSHEN_PORT_BASE, default 8100; data: LIANSHEN_FOLDER, default .local/up)")
        return 0
    lock()
    try:
        with Suite(FOLDER, ports.fixed(), say=print) as suite:
            _print_table(suite)
            _keep_up(suite)
    finally:
        LOCK.unlink(missing_ok=True)
    return 0


def lock() -> None:
    """Take the folder for this process. Raises Trouble when another suite runs or a port is taken."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if (pid := running()) is not None:
        raise Trouble(f"the suite is already up (pid {pid}); ./run down stops it")
    for name, port in ports.fixed().items():
        if ports.is_taken(port):
            raise Trouble(
                f"port {port} ({name}) is taken by {ports.taken_by(port)}; set LIANSHEN_PORT_BASE to move all"
            )
    LOCK.write_text(str(os.getpid()))


def running() -> int | None:
    """Return the pid of the suite that is up; a lock left by a crash does not count."""
    if not LOCK.exists():
        return None
    pid = int(LOCK.read_text() or "0")
    cmdline = Path(f"/proc/{pid}/cmdline")
    alive = cmdline.exists() and b"local" in cmdline.read_bytes()
    return pid if alive else None


def _print_table(suite: Suite) -> None:
    print(f"\nall ready after {suite.seconds['all ready']:.1f} s\n")
    for name in ports.SERVICES:
        print(f"  {name:18} {suite.url(name)}   /health/ready /metrics /asyncapi.json /openapi.json")
    print(f"  {'kafka':18} {suite.bootstrap}\n  {'postgres':18} 127.0.0.1:{suite.postgres.port}")
    print(f"  {'authority':18} {suite.url('authority')}   /issuing.crl /ocsp /tsa")
    print(f"  {'ca-agent':18} {suite.url('ca-agent')}   the persons' keys; heard from {suite.url('signing')} alone")
    print(f"  {'pages':18} {suite.url('signing')}/login   {suite.url('signing')}/verify")
    print(f"\nlogs in {FOLDER / 'logs'}; Ctrl-C or ./run down stops everything\n", flush=True)


class _Stopped(Exception):
    pass


def _keep_up(suite: Suite) -> None:
    def stop(*_: object) -> None:
        raise _Stopped

    signal.signal(signal.SIGTERM, stop)
    backoff: dict[str, float] = {}
    due: dict[str, float] = {}
    try:
        while True:
            for part in (*_basics(suite), *suite.children.values()):
                _watch(part, backoff, due)
            time.sleep(0.5)
    except (_Stopped, KeyboardInterrupt):
        print("stopping …", flush=True)


def _basics(suite: Suite) -> list[Child | Kafka | Postgres]:
    """Kafka, PostgreSQL, the certificate authority and the agent, as far as they are this suite's own."""
    return [part for part in (suite.kafka, suite.postgres, *suite.offices) if part.process is not None]


def _watch(part: Child | Kafka | Postgres, backoff: dict[str, float], due: dict[str, float]) -> None:
    if part.alive:
        return
    if part.name not in due:
        wait = backoff[part.name] = min(backoff.get(part.name, 0.5) * 2, LONGEST_BACKOFF)
        due[part.name] = time.monotonic() + wait
        code = part.process.returncode if part.process else None
        print(f"!! {part.name} DIED (exit {code}); starting again in {wait:.0f} s; see {part.log}", flush=True)
    elif time.monotonic() >= due[part.name]:
        del due[part.name]
        part.start()
