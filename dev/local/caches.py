"""Where what is fetched once stands, for every checkout."""

import os
from pathlib import Path


def cache() -> Path:
    """Return the folder for what is fetched once and serves every checkout."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("LIANSHEN_CACHE") or home / "lianshen")
