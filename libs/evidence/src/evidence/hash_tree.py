"""A hash tree over all that waits: one signature over its root proves each leaf alone (batch-hash signing).

SHA-256 with separated domains: a leaf is never read as a node, a node never as a leaf, and what is signed is neither.
The root binds the number of leaves, so a path has one length and one shape at each place. A level's last node that has
no neighbour goes up as it is (the shape of RFC 6962).
"""

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import Final
from uuid import UUID

LEAF: Final = b"\x00"
NODE: Final = b"\x01"
ROOT: Final = b"Lianshen hash tree 1\n"
MOST_LEAVES: Final = 1 << 32


class WrongShape(ValueError):
    """The path is not one that this place in a tree of this size has."""


def leaf(kind: str, request_id: UUID, digest: bytes) -> bytes:
    """Return the leaf of one request: what kind of document, which request, which digest (32 bytes)."""
    if len(digest) != 32:
        raise ValueError(f"a digest of {len(digest)} bytes")
    return sha256(LEAF + kind.encode() + request_id.bytes + digest).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return the node over two others."""
    return sha256(NODE + left + right).digest()


def root(top: bytes, count: int) -> bytes:
    """Return what is signed: the digest over a tree's top node and its number of leaves."""
    return sha256(ROOT + count.to_bytes(8) + top).digest()


class Tree:
    """The tree over `leaves` (at least one, each 32 bytes); building it costs one hash a leaf."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        if not leaves:
            raise ValueError("a tree has at least one leaf")
        self.count = len(leaves)
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            self._levels.append(_above(self._levels[-1]))

    @cached_property
    def root(self) -> bytes:
        """What is signed."""
        return root(self._levels[-1][0], self.count)

    def path(self, index: int) -> tuple[bytes, ...]:
        """Return the neighbours on the way from leaf `index` to the top."""
        found: list[bytes] = []
        for level in self._levels[:-1]:
            if index ^ 1 < len(level):
                found.append(level[index ^ 1])
            index >>= 1
        return tuple(found)


def _above(level: Sequence[bytes]) -> list[bytes]:
    pairs = [node(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return [*pairs, level[-1]] if len(level) % 2 else pairs


def root_from(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes:
    """Return the root that `leaf` at `index` of `count` leads to by `path`. Raises WrongShape."""
    if not 0 <= index < count <= MOST_LEAVES or any(len(one) != 32 for one in path):
        raise WrongShape(f"place {index} of {count} by {len(path)} nodes")
    top, left, width = leaf, list(reversed(path)), count
    while width > 1:
        if index ^ 1 < width:
            neighbour = _next(left)
            top = node(neighbour, top) if index & 1 else node(top, neighbour)
        index, width = index >> 1, (width + 1) >> 1
    if left:
        raise WrongShape("the path is too long")
    return root(top, count)


def _next(left: list[bytes]) -> bytes:
    if not left:
        raise WrongShape("the path is too short")
    return left.pop()
