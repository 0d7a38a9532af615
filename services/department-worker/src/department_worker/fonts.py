"""The fonts that documents are set in: pinned files, and which characters they have.

A name with a rare character must not lose it: of what no font has, the code point is printed in its place.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import Final

FILES: Final = ("NotoSerifCJK-Regular.ttc", "NotoSerifCJK-Bold.ttc", "HanaMinA.ttf", "HanaMinB.ttf")
"""What has to stand in the folder; it is searched in this order, and no other font is."""
PROBES: Final = "𠮷㐂䶮𬭎犇喆堃鑫瞾翀垚祎旻甪朤龘靐𠀾𣇈𤧛𪚥𫖯𬱖𬴂镕玥赟璟濋鱻𬎆𤇣𤩰𪻐"
"""Rare characters of names and places, from several blocks of Unicode: without all of them nothing is printed."""
UNICODE_FULL: Final = {(3, 10), (0, 4), (0, 6)}


class FontsIncomplete(Exception):
    """A pinned font is missing, unreadable, or together they lack characters that names have."""


class Fonts:
    """The fonts of `folder`. Raises FontsIncomplete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        spans = sorted(span for name in FILES for span in _coverage(folder / name))
        self._starts = [start for start, _ in spans]
        self._ends = list(_furthest(end for _, end in spans))
        if missing := [letter for letter in PROBES if not self.has(letter)]:
            raise FontsIncomplete(f"{folder}: no glyph for {''.join(missing)}")

    def has(self, letter: str) -> bool:
        """Whether some font has the character."""
        at = bisect_right(self._starts, ord(letter)) - 1
        return at >= 0 and ord(letter) <= self._ends[at]

    def legible(self, text: str) -> str:
        """Return `text` with the code point in place of each character that no font has: 〔U+3134F〕."""
        if all(letter.isspace() or self.has(letter) for letter in text):
            return text
        return "".join(one if one.isspace() or self.has(one) else f"〔U+{ord(one):04X}〕" for one in text)


def _furthest(ends: Iterable[int]) -> Iterable[int]:
    """Spans of several fonts overlap: each reaches as far as any before it, and a gap between two fonts' spans is
    closed only where one of them covers it."""
    reach = -1
    for end in ends:
        reach = max(reach, end)
        yield reach


def _coverage(path: Path) -> list[tuple[int, int]]:
    """Return the spans of code points that a font (the first of a collection) has, from its `cmap` of format 12."""
    try:
        data = path.read_bytes()
        table = _table(data, struct.unpack_from(">I", data, 12)[0] if data[:4] == b"ttcf" else 0)
        return _spans(data, table)
    except (OSError, struct.error, LookupError) as wrong:
        raise FontsIncomplete(f"{path}: {wrong!r}") from wrong


def _table(data: bytes, font: int) -> int:
    for number in range(struct.unpack_from(">H", data, font + 4)[0]):
        tag, _, offset, _ = struct.unpack_from(">4sIII", data, font + 12 + 16 * number)
        if tag == b"cmap":
            return offset
    raise LookupError("no table cmap")


def _spans(data: bytes, table: int) -> list[tuple[int, int]]:
    for number in range(struct.unpack_from(">H", data, table + 2)[0]):
        platform, encoding, offset = struct.unpack_from(">HHI", data, table + 4 + 8 * number)
        at = table + offset
        if (platform, encoding) in UNICODE_FULL and struct.unpack_from(">H", data, at)[0] == 12:
            groups = struct.unpack_from(">I", data, at + 12)[0]
            return [(start, end) for start, end, _ in struct.iter_unpack(">III", data[at + 16 : at + 16 + 12 * groups])]
    raise LookupError("no cmap of format 12")
