"""How audit chains are closed: all that moved, under one root (`evidence.audit` says what is hashed).

A project is closed whole: its leaf covers each of its chains, so none can be missing. One that is still being read anew
waits until every chain reaches at least as far as it was closed before, and goes on only where its records are the very
ones that were closed: whatever is missing from a topic stays missing, however much is said after it. What belongs to no
project stands in the ledger of its topic, and is closed alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from contracts import topics
from contracts.codes import ProjectCode, Sha256
from contracts.envelope import derived_id
from contracts.supervision import AuditedChain, AuditedLedger, AuditedProject, AuditRootClosed
from contracts.terms import Ledger
from evidence import audit
from evidence.audit import NO_ROOT, Head, Place, Record, Root
from evidence.bundle import Sealed

Chains = Mapping[Place, Head]
CHAINED: Final = frozenset(topics.TOPICS) - {topics.AUDIT_ROOTS, topics.AUDIT_SEALS, topics.DEAD_LETTERS}
"""Topics whose records are entries of chains: each is kept for ever, or they could not be built anew (ADR 13)."""
LEDGERS: Final[Mapping[str, Ledger]] = {
    topics.IDENTITY.name: Ledger.IDENTITY,
    topics.CALENDAR.name: Ledger.CALENDAR,
    topics.POLICIES.name: Ledger.POLICIES,
}
"""Topic → the ledger that its records are entered in."""


def closed(last: AuditRootClosed | None, moved: Mapping[str, Chains], at: datetime) -> AuditRootClosed:
    """Return the root after `last` that closes the projects and ledgers that `moved`, as its event says it."""
    ledgers = tuple(_ledger(one, moved[one]) for one in Ledger if one in moved)
    projects = tuple(_project(code, moved[code]) for code in sorted(moved.keys() - frozenset(Ledger)))
    number, previous = (1, Sha256(NO_ROOT)) if last is None else (last.number + 1, last.root)
    unsigned = AuditRootClosed(
        event_id=derived_id("audit-root", number, previous, *(one.leaf for one in (*projects, *ledgers))),
        causation_id=derived_id("audit-root", previous),
        occurred_at=at,
        number=number,
        closed_at=at,
        previous=previous,
        root=previous,
        projects=projects,
        ledgers=ledgers,
    )
    return unsigned.model_copy(update={"root": Sha256(audit.root_of(unsigned).hex())})


def _project(code: str, chains: Chains) -> AuditedProject:
    return AuditedProject(project_code=ProjectCode(code), leaf=_leaf(code, chains), chains=_listed(chains))


def _ledger(ledger: Ledger, chains: Chains) -> AuditedLedger:
    return AuditedLedger(ledger=ledger, leaf=_leaf(ledger.value, chains), chains=_listed(chains))


def _leaf(owner: str, chains: Chains) -> Sha256:
    return Sha256(audit.leaf(owner, chains).hex())


def _listed(chains: Chains) -> tuple[AuditedChain, ...]:
    return tuple(
        AuditedChain(topic=place.topic, partition=place.partition, entries=chains[place].entries)
        for place in sorted(chains)
    )


def covered(records: Iterable[Record], closed: AuditedProject | AuditedLedger) -> list[Record]:
    """Return those of an owner's records that a root covers: of each chain as many as were closed."""
    left = {Place(chain.topic, chain.partition): chain.entries for chain in closed.chains}
    found: list[Record] = []
    for record in audit.in_order(records):
        if left.get(record.place, 0):
            left[record.place] -= 1
            found.append(record)
    return found


def continues(records: Iterable[Record], closed: AuditedProject | AuditedLedger) -> bool:
    """Whether an owner's records are, as far as a root covers them, the very ones that it closed."""
    return _leaf(closed.owner, audit.extended(closed.owner, {}, covered(records, closed))) == closed.leaf


def sealed(event: AuditRootClosed, index: int, seal: Sequence[str], signature: bytes, der: bytes) -> Sealed:
    """Return what an export says of its root: the owner's place in it, and the seal (algorithm, certificate)."""
    root = Root(event.number, event.closed_at.isoformat(), event.previous)
    algorithm, certificate = seal
    path = audit.tree_of(event).path(index)
    return Sealed(root, index, len(event.owners), path, algorithm, signature, certificate, der)
