"""The software in place of the CA's hardware: SoftHSM2, and p11-kit before it; installed, or unpacked in the cache."""

import os
from pathlib import Path
from typing import Final

from local import packages
from local.caches import cache
from local.trouble import Trouble

PACKAGES: Final = ("softhsm2", "libsofthsm2", "p11-kit", "p11-kit-modules", "libp11-kit0")
SYSTEM: Final = Path("/")


def proxy() -> Path:
    """Return p11-kit's proxy: the module that everybody but the authority itself opens tokens with."""
    return library(installed(), "libp11-kit.so.0")


def library_path(root: Path) -> str:
    return "" if root == SYSTEM else ":".join(str(path) for path in root.glob("usr/lib/*-linux-*"))


def library(root: Path, name: str) -> Path:
    found = sorted(
        [
            *root.glob(f"usr/lib/*-linux-*/{name}"),
            *root.glob(f"usr/lib/softhsm/{name}"),
            *root.glob(f"usr/lib/*-linux-*/softhsm/{name}"),
            *root.glob(f"usr/lib/{name}"),
        ]
    )
    if not found:
        raise Trouble(f"{name} is missing; install softhsm2 and p11-kit, or set PKCS11_MODULE")
    return found[0]


def installed() -> Path:
    """Return the root under which the libraries stand: the system's, or what was unpacked into the cache."""
    unpacked = cache() / "softhsm"
    for root in (SYSTEM, unpacked):
        if list(root.glob("usr/lib/softhsm/libsofthsm2.so")) and list(root.glob("usr/lib/*-linux-*/libp11-kit.so.0")):
            return root
    packages.fetch("softhsm2 and p11-kit", PACKAGES, unpacked)
    return SYSTEM if os.geteuid() == 0 else unpacked
