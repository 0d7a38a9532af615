"""The fonts that documents are set in, and poppler, which shows and checks PDFs: from Debian's packages, once."""

import os
import shutil
from pathlib import Path
from typing import Final

from local import packages
from local.caches import cache
from local.trouble import Trouble

PACKAGES: Final = ("fonts-noto-cjk", "fonts-hanazono", "poppler-utils")
UNPACKED: Final = cache() / "unpacked-fonts"
FILES: Final = ("NotoSerifCJK-Regular.ttc", "NotoSerifCJK-Bold.ttc", "HanaMinA.ttf", "HanaMinB.ttf")


def prepare() -> Path:
    """Return the folder with the pinned fonts and nothing else, made on first use."""
    folder = cache() / "fonts"
    found = find()
    if len(found) < len(FILES) or (os.geteuid() == 0 and shutil.which("pdfsig") is None):
        packages.fetch("fonts and poppler", PACKAGES, UNPACKED, carried=2)
        found = find()
    if missing := set(FILES) - found.keys():
        raise Trouble(f"fonts are missing: {', '.join(sorted(missing))}; install {', '.join(PACKAGES)}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in found.items():
        _link(folder / name, path)
    return folder


def find() -> dict[str, Path]:
    """Return where each pinned font stands, on the system or unpacked into the cache."""
    roots = (Path("/usr/share/fonts"), UNPACKED / "usr/share/fonts")
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
