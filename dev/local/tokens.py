"""A software token in place of the CA's hardware: SoftHSM2 behind p11-kit, with a random PIN in a 0400 file."""

import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.caches import cache
from local.trouble import Trouble

PACKAGES: Final = ("softhsm2", "libsofthsm2", "p11-kit", "p11-kit-modules", "libp11-kit0")
LABEL: Final = "lianshen-dev"
SYSTEM: Final = Path("/")


@dataclass(frozen=True, slots=True)
class Token:
    """Where a token is and how it is opened; `environment` is what the module's libraries need."""

    module: Path
    label: str
    pin_file: Path
    environment: dict[str, str]


def prepare(folder: Path) -> Token:
    """Return the development token of `folder`, made on first use."""
    root = installed()
    token = _describe(folder, root)
    if not token.pin_file.exists():
        _make(folder, root, token)
    return token


def _describe(folder: Path, root: Path) -> Token:
    environment = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf"), "P11_KIT_STRICT": "1"}
    environment["XDG_CONFIG_HOME"] = str(folder / "config")
    return Token(library(root, "libp11-kit.so.0"), LABEL, folder / "pin", environment)


def _make(folder: Path, root: Path, token: Token) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tokens").mkdir(parents=True)
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    modules = folder / "config" / "pkcs11" / "modules"
    modules.mkdir(parents=True)
    (modules / "softhsm2.module").write_text(f"module: {library(root, 'libsofthsm2.so')}\ncritical: yes\n")
    (folder / "config" / "pkcs11" / "pkcs11.conf").write_text("user-config: only\n")
    pin = secrets.token_hex(8)
    tool = next(path for path in (root / "usr/bin/softhsm2-util", Path("/usr/bin/softhsm2-util")) if path.exists())
    command = [str(tool), "--init-token", "--free", "--label", LABEL, "--pin", pin, "--so-pin", secrets.token_hex(8)]
    environment = {**os.environ, **token.environment, "LD_LIBRARY_PATH": library_path(root)}
    command += ["--module", str(library(root, "libsofthsm2.so"))]
    made = subprocess.run(command, env=environment, capture_output=True)
    if made.returncode:
        raise Trouble(f"the development token could not be made: {made.stderr.decode().strip()}")
    token.pin_file.touch(mode=0o600)
    token.pin_file.write_text(pin)
    token.pin_file.chmod(0o400)


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
