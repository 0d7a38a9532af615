"""The fonts that documents are set in, and poppler, which shows and checks PDFs: from Debian's packages, once."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from local.caches import cache
from local.trouble import Trouble

PACKAGES: Final = ("fonts-noto-cjk", "fonts-hanazono", "poppler-utils")
FILES: Final = ("NotoSerifCJK-Regular.ttc", "NotoSerifCJK-Bold.ttc", "HanaMinA.ttf", "HanaMinB.ttf")


def prepare() -> Path:
    """Return the folder with the pinned fonts and nothing else, made on first use."""
    folder = cache() / "fonts"
    found = find()
    if len(found) < len(FILES) or (os.geteuid() == 0 and shutil.which("pdfsig") is None):
        _install()
        found = find()
    if missing := set(FILES) - found.keys():
        raise Trouble(f"fonts are missing: {', '.join(sorted(missing))}; install {', '.join(PACKAGES)}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in found.items():
        _link(folder / name, path)
    return folder


def find() -> dict[str, Path]:
    """Return where each pinned font stands, on the system or unpacked into the cache."""
    roots = (Path("/usr/share/fonts"), cache() / "unpacked-fonts" / "usr/share/fonts")
    paths = (path for root in roots if root.exists() for path in sorted(root.rglob("*.tt[cf]")))
    found: dict[str, Path] = {}
    for path in paths:
        if path.name in FILES:
            found.setdefault(path.name, path)
    return found


def _link(name: Path, path: Path) -> None:
    if name.is_symlink() and name.readlink() == path:
        return
    fresh = name.with_suffix(f".{os.getpid()}")
    fresh.symlink_to(path)
    fresh.replace(name)


def _install() -> None:
    if shutil.which("apt-get") is None:
        raise Trouble(f"fonts are missing; install {', '.join(PACKAGES)} with this system's package manager")
    return _by_apt() if os.geteuid() == 0 else _unpacked()


def _by_apt() -> None:
    print("installing fonts and poppler (apt, once) …", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
    ):
        done = subprocess.run(command, env=environment, capture_output=True)
        if done.returncode:
            raise Trouble(f"{' '.join(command[:3])} failed: {done.stderr.decode().strip()[-300:]}")


def _unpacked() -> None:
    print("unpacking fonts into the cache (once) …", flush=True)
    root = cache() / "unpacked-fonts"
    root.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["apt-get", "download", *PACKAGES[:2]], cwd=root, capture_output=True).returncode:
        raise Trouble("fonts could not be downloaded; ask an administrator to install them")
    for package in root.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
