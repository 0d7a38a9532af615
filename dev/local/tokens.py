"""The software in place of the CA's hardware: SoftHSM2, and p11-kit before it; installed, or unpacked in the cache."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

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
    if shutil.which("apt-get") is None:
        raise Trouble("SoftHSM2 and p11-kit are missing; install them with this system's package manager")
    return _install_by_apt() if os.geteuid() == 0 else _unpack_by_apt(unpacked)


def _install_by_apt() -> Path:
    print("installing softhsm2 and p11-kit (apt, once) …", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
    ):
        done = subprocess.run(command, env=environment, capture_output=True)
        if done.returncode:
            raise Trouble(f"{' '.join(command[:3])} failed: {done.stderr.decode().strip()[-300:]}")
    return SYSTEM


def _unpack_by_apt(root: Path) -> Path:
    print("unpacking softhsm2 and p11-kit into the cache (once) …", flush=True)
    root.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["apt-get", "download", *PACKAGES], cwd=root, capture_output=True)
    if done.returncode:
        raise Trouble("softhsm2 and p11-kit could not be downloaded; ask an administrator to install them")
    for package in root.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
    return root
