"""The PINs of the tokens: one file each, mode 0400, named by the token's label; and the latch of one that was wrong.

A real token locks for good after a few wrong PINs (SoftHSM never does), so a PIN that was wrong once is not tried
again: `LABEL.wrong-pin` stands beside the PINs, survives a restart, and goes when an operator, having mended the PIN,
deletes it.
"""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

SUFFIX: Final = ".wrong-pin"
WANTED_MODE: Final = 0o400
LABEL_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_")
LONGEST_LABEL: Final = 32


class TokenUnavailable(Exception):
    """The token is not there, or does not answer; requests wait."""


class TokenRefused(TokenUnavailable):
    """This one token may not be used until somebody has mended it; the others go on."""


class WrongPin(TokenRefused):
    """The PIN was wrong once and is not tried again: an operator mends the PIN file and deletes the latch."""


class PinFileUnsafe(TokenRefused):
    """The PIN file is not there, or others may read it; or were it wrong, that could not be remembered."""


class Pins:
    """The PIN files of `folder`, and the latches in `latches` (the same folder, unless that is read-only)."""

    def __init__(self, folder: Path, latches: Path | None = None) -> None:
        self._folder = folder
        self._latches = latches or folder

    def read(self, label: str) -> str:
        """Return a token's PIN. Raises WrongPin while it is latched, PinFileUnsafe when others may read it or when it
        could not be latched: every start and every probe would try it again, until a real token locks."""
        if not label or len(label) > LONGEST_LABEL or not LABEL_CHARACTERS.issuperset(label):
            raise PinFileUnsafe(f"no token is called {label!r}")
        if self._latch(label).exists():
            raise WrongPin(f"the PIN of {label} was wrong; it is not tried again while {self._latch(label)} stands")
        if not os.access(self._latches, os.W_OK | os.X_OK):
            raise PinFileUnsafe(f"{self._latches} cannot be written, so a wrong PIN could not be latched")
        file = self._folder / label
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
            if mode != WANTED_MODE:
                raise PinFileUnsafe(f"{file} has mode {mode:04o}, not {WANTED_MODE:04o}")
            return file.read_text().strip()
        except OSError as trouble:
            raise PinFileUnsafe(f"{file}: {trouble.strerror}") from trouble

    def latch(self, label: str) -> None:
        """Remember that the PIN of a token was wrong. Raises OSError when that cannot be written."""
        told = f"{datetime.now(UTC).isoformat()} the token {label} refused its PIN; see docs/tokens.md\n"
        self._latch(label).write_text(told)

    def latched(self) -> list[str]:
        """Return the labels of the tokens whose PIN was wrong."""
        return sorted(file.name.removesuffix(SUFFIX) for file in self._latches.glob(f"*{SUFFIX}"))

    def _latch(self, label: str) -> Path:
        return self._latches / f"{label}{SUFFIX}"
