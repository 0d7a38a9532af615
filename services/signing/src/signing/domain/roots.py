"""The platform's seal over the roots of the audit chains, each computed anew from what it closes beforehand."""

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import structlog

from contracts.envelope import derived_id
from contracts.signing import AuditRootSealed
from contracts.supervision import AuditRootClosed
from evidence import audit
from signing.domain.batches import Made

SEAL: Final = "audit"
"""The platform's seal for roots; its token is its own, so that no other key of the platform speaks for the past."""

log = structlog.get_logger()


def sound(events: Iterable[AuditRootClosed]) -> list[AuditRootClosed]:
    """Return those of `events` whose root is the one of their own projects; the others are told to the operator."""
    found: list[AuditRootClosed] = []
    for event in events:
        if audit.root_of(event).hex() == event.root:
            found.append(event)
        else:
            log.critical("audit.root_is_not_its_own", number=event.number, root=event.root)
    return found


def sealed(event: AuditRootClosed, made: Made, at: datetime) -> AuditRootSealed:
    """Return the answer to a root: one root, one seal."""
    return AuditRootSealed(
        event_id=derived_id("audit-root-sealed", event.root),
        causation_id=event.event_id,
        occurred_at=at,
        root=event.root,
        algorithm=made.algorithm,
        signature=base64.b64encode(made.signature).decode(),
        certificate=made.certificate,
        certificate_der=None if made.certificate_der is None else base64.b64encode(made.certificate_der).decode(),
        signed_at=at,
    )
