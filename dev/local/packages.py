"""Debian's packages on a developer's machine: installed by root, unpacked into the cache by anybody else."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from local.trouble import Trouble


def fetch(what: str, packages: Sequence[str], unpacked: Path, carried: int | None = None) -> None:
    """Install `packages`; who is not root has the first `carried` of them (all by default) below `unpacked` instead.

    Raises Trouble, with a sentence that says what to do by hand.
    """
    if shutil.which("apt-get") is None:
        raise Trouble(f"{what}: missing; install {', '.join(packages)} with this system's package manager")
    if os.geteuid() == 0:
        return _install(what, packages)
    return _unpack(what, packages[:carried], unpacked)


def _install(what: str, packages: Sequence[str]) -> None:
    print(f"installing {what} (apt, once) …", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(command, env=environment, capture_output=True)
        if done.returncode:
            raise Trouble(f"{' '.join(command[:3])} failed: {done.stderr.decode().strip()[-300:]}")


def _unpack(what: str, packages: Sequence[str], root: Path) -> None:
    print(f"unpacking {what} into the cache (once) …", flush=True)
    root.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["apt-get", "download", *packages], cwd=root, capture_output=True).returncode:
        raise Trouble(f"{what} could not be downloaded; ask an administrator to install {', '.join(packages)}")
    for package in root.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
