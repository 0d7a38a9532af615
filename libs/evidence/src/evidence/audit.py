"""Audit chains: what was said of a project on each topic, record by record, under roots that were sealed.

    entry    H(prev ‖ topic, partition, offset, type, event id ‖ SHA-256 of the raw value, in which the actor stands)
    chain    one per owner, topic and partition; it begins with H(owner, topic, partition)
    owner    a project, or a ledger of what belongs to none; a leaf over all of its chains: how many entries each has,
             and its last entry
    root     a hash tree over the owners that moved; its number, instant and predecessor are signed with it

A chain follows one partition's own order, so it is the same however the topics are interleaved, and a read model built
anew has the same. An act is covered by the seal over the root that contains its entry: nothing before that entry can be
changed, left out, moved or added afterwards, and no chain of its owner can be missing.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final, NamedTuple

from contracts.supervision import AuditRootClosed
from evidence.hash_tree import LEAF, Tree

CHAIN: Final = b"Lianshen audit chain 1\n"
ENTRY: Final = b"Lianshen audit entry 1\n"
PROJECT: Final = LEAF + b"Lianshen audit project 1\n"
ROOT: Final = b"Lianshen audit root 1\n"
NO_ROOT: Final = "0" * 64


class Place(NamedTuple):
    """Which chain of an owner: the records of one partition of a topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class Record(NamedTuple):
    """A record as it stood on the bus: where, what it is, and its raw value."""

    place: Place
    offset: int
    type: str
    event_id: str
    value: bytes


class Head(NamedTuple):
    """How far a chain reaches: how many entries, and the last of them (32 bytes)."""

    entries: int
    last: bytes


class Root(NamedTuple):
    """What is signed besides the tree: the root's running number, its instant (ISO 8601) and its predecessor (hex)."""

    number: int
    closed_at: str
    previous: str


def beginning(owner: str, place: Place) -> Head:
    """Return a chain without entries."""
    return Head(0, sha256(CHAIN + f"{owner}\n{place.topic}\n{place.partition}\n".encode()).digest())


def entry(previous: bytes, record: Record) -> bytes:
    """Return the entry of `record` after `previous`."""
    (topic, partition), offset, kind, event_id, value = record
    told = f"{topic}\n{partition}\n{offset}\n{kind}\n{event_id}\n".encode()
    return sha256(ENTRY + previous + told + sha256(value).digest()).digest()


def extended(owner: str, heads: Mapping[Place, Head], records: Iterable[Record]) -> dict[Place, Head]:
    """Return the heads that `records`, each partition in its order, move; `heads` are those that exist."""
    moved: dict[Place, Head] = {}
    for record in records:
        place = record.place
        before = moved.get(place) or heads.get(place) or beginning(owner, place)
        moved[place] = Head(before.entries + 1, entry(before.last, record))
    return moved


def leaf(owner: str, chains: Mapping[Place, Head]) -> bytes:
    """Return an owner's leaf: every chain that it has, with its length and last entry."""
    told = [f"{place.topic}\n{place.partition}\n{chains[place].entries}\n" for place in sorted(chains)]
    lasts = [chains[place].last for place in sorted(chains)]
    listed = b"".join(line.encode() + last for line, last in zip(told, lasts, strict=True))
    return sha256(PROJECT + f"{owner}\n{len(told)}\n".encode() + listed).digest()


def signed(root: Root, tree_root: bytes) -> bytes:
    """Return the digest that is signed for a root."""
    return sha256(ROOT + f"{root.number}\n{root.closed_at}\n{root.previous}\n".encode() + tree_root).digest()


def root_of(event: AuditRootClosed) -> bytes:
    """Return the digest that has to be signed for what a root's event says that it closes."""
    root = Root(event.number, event.closed_at.isoformat(), event.previous)
    return signed(root, tree_of(event).root)


def tree_of(event: AuditRootClosed) -> Tree:
    """Return the tree of a root: a leaf an owner, as its event lists them."""
    return Tree([bytes.fromhex(one.leaf) for one in event.owners])


def in_order(records: Iterable[Record]) -> list[Record]:
    """Return records in the order of an export: chain by chain, each by offset."""
    return sorted(records, key=lambda one: (one.place, one.offset))
