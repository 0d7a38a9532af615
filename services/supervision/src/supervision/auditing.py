"""How audit chains are closed: all that moved, under one root (`evidence.audit` says what is hashed).

A project is closed whole: its leaf covers each of its chains, so none can be missing. One that is still being read anew
waits until every chain reaches at least as far as it was closed before.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from contracts.codes import ProjectCode, Sha256
from contracts.envelope import derived_id
from contracts.supervision import AuditedChain, AuditedProject, AuditRootClosed
from evidence import audit
from evidence.audit import NO_ROOT, Head, Place, Record, Root
from evidence.bundle import Sealed

Chains = Mapping[Place, Head]


def closed(last: AuditRootClosed | None, projects: Mapping[str, Chains], at: datetime) -> AuditRootClosed:
    """Return the root after `last` that closes `projects`, as its event says it."""
    leaves = tuple(_closed(code, chains) for code, chains in sorted(projects.items()))
    number, previous = (1, Sha256(NO_ROOT)) if last is None else (last.number + 1, last.root)
    unsigned = AuditRootClosed(
        event_id=derived_id("audit-root", number, previous, *(one.leaf for one in leaves)),
        causation_id=derived_id("audit-root", previous),
        occurred_at=at,
        number=number,
        closed_at=at,
        previous=previous,
        root=previous,
        projects=leaves,
    )
    return unsigned.model_copy(update={"root": Sha256(audit.root_of(unsigned).hex())})


def _closed(code: str, chains: Chains) -> AuditedProject:
    listed = tuple(
        AuditedChain(topic=place.topic, partition=place.partition, entries=chains[place].entries)
        for place in sorted(chains)
    )
    leaf = Sha256(audit.leaf(code, chains).hex())
    return AuditedProject(project_code=ProjectCode(code), leaf=leaf, chains=listed)


def covered(records: Iterable[Record], project: AuditedProject) -> list[Record]:
    """Return those of a project's records that a root covers: of each chain as many as were closed."""
    left = {Place(chain.topic, chain.partition): chain.entries for chain in project.chains}
    found: list[Record] = []
    for record in audit.in_order(records):
        if left.get(record.place, 0):
            left[record.place] -= 1
            found.append(record)
    return found


def sealed(event: AuditRootClosed, index: int, seal: Sequence[str], signature: bytes, der: bytes) -> Sealed:
    """Return what an export says of its root: the project's place in it, and the seal (algorithm, certificate)."""
    root = Root(event.number, event.closed_at.isoformat(), event.previous)
    algorithm, certificate = seal
    path = audit.tree_of(event).path(index)
    return Sealed(root, index, len(event.projects), path, algorithm, signature, certificate, der)
