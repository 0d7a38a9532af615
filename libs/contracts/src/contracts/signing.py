"""What signing says: seals made inside the token, and who holds which certificate and which role."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import StringConstraints

from contracts.codes import CreditCode, DepartmentCode, ItemCode, JurisdictionCode, Sha256
from contracts.envelope import Event, Instant, Line, ProjectEvent, Text
from contracts.parts import Serial
from contracts.terms import Role

Subject = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z:._-]{1,80}$")]
Encoded64 = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z+/]+=*$", max_length=65536)]


class SealCompleted(ProjectEvent):
    """The signature over the registered document's digest, made inside the token and verified before it was said.

    `signature` and `certificate_der` are Base64; `algorithm` names how to verify (an adapter's name, data not code).
    """

    request_id: UUID
    item_id: UUID
    item_code: ItemCode
    digest: Sha256
    algorithm: Line
    signature: Encoded64
    certificate: Serial
    signed_at: Instant


class SealRejected(ProjectEvent):
    """The seal was refused; `code` names the situation, `message` says it in Chinese."""

    request_id: UUID
    item_id: UUID
    item_code: ItemCode
    code: Line
    message: Text


class IdentityEvent(Event):
    """The last known state of one subject (compacted by subject)."""

    KEY_FIELD: ClassVar[str] = "subject"

    subject: Subject


class CertificateRegistered(IdentityEvent):
    """A certificate, by serial, with its holder and the public key that verifies its seals (Base64 DER)."""

    serial: Serial
    holder: Line
    public_key: Encoded64
    not_before: Instant
    not_after: Instant


class CertificateSuspended(IdentityEvent):
    """Loss or compromise was reported: refused everywhere at once (Art. 20)."""

    serial: Serial
    suspended_at: Instant
    reason: Line


class RosterEntered(IdentityEvent):
    """A responsible person, by certificate, with role and place (Art. 18)."""

    serial: Serial
    holder: Line
    role: Role
    jurisdiction: JurisdictionCode | None = None
    department: DepartmentCode | None = None
    builder: CreditCode | None = None
    effective_at: Instant


class RosterLeft(IdentityEvent):
    """A responsible person no longer stands on the roster from `effective_at` (Art. 18)."""

    serial: Serial
    effective_at: Instant
