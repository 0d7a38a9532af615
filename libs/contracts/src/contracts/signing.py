"""What signing says: seals made inside the token, and who holds which certificate and which role."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, StringConstraints

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, Sha256
from contracts.envelope import Event, Instant, Line, ProjectEvent, Said, Text
from contracts.parts import Actor, Encoded64, Serial
from contracts.terms import DocumentKind, Role, SealForm

Subject = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z:._-]{1,80}$")]


class BatchProof(Said):
    """Where a sealed document stands in the hash tree whose root was signed: leaf `index` of `count`, and the nodes on
    its way to the root, the lowest first."""

    kind: DocumentKind
    index: Annotated[int, Field(ge=0)]
    count: Annotated[int, Field(ge=1)]
    path: Annotated[tuple[Sha256, ...], Field(max_length=32)]


class SealCompleted(ProjectEvent):
    """The signature over the registered document's digest, made inside the token and verified before it was said.

    `signature` is Base64; `algorithm` names how to verify (data, not code: `evidence.algorithms`). One that begins with
    `tree/` is over the root of a hash tree, to which `proof` leads from the document (`evidence.seals`). With the form
    PDF it is a whole CMS with certificates and timestamp, which goes into the document (`evidence.documents`); any
    other has `certificate_der` (Base64) beside it, so that it stands alone.
    """

    request_id: UUID
    item_id: UUID | None = None
    item_code: ItemCode | None = None
    digest: Sha256
    algorithm: Line
    signature: Encoded64
    certificate: Serial
    signed_at: Instant
    form: SealForm = SealForm.DIGEST
    proof: BatchProof | None = None
    certificate_der: Encoded64 | None = None


class SealRejected(ProjectEvent):
    """The seal was refused; `code` names the situation, `message` says it in Chinese."""

    request_id: UUID
    item_id: UUID | None = None
    item_code: ItemCode | None = None
    code: Line
    message: Text


class IdentityEvent(Event):
    """The state of one subject; the earlier ones stay on the topic, for the ledger of all of them is audited."""

    KEY_FIELD: ClassVar[str] = "subject"

    subject: Subject


class CertificateRegistered(IdentityEvent):
    """A certificate, by serial, with its holder and the public key that verifies its seals (Base64 DER)."""

    serial: Serial
    holder: Line
    public_key: Encoded64
    not_before: Instant
    not_after: Instant


class SuspendedSpan(Said):
    """From when to when a certificate did not count; it was reinstated at `until`."""

    since: Instant
    until: Instant


class CertificateSuspended(IdentityEvent):
    """Loss or compromise was reported: refused everywhere at once (Art. 20).

    `invalid_since` is when the key may have come into other hands: what it did from then on is to be looked at again.
    `earlier` are the suspensions before this one: the bus keeps the last word alone.
    """

    serial: Serial
    suspended_at: Instant
    reason: Line
    holder: Line | None = None
    invalid_since: Instant | None = None
    reported_by: Actor | None = None
    earlier: tuple[SuspendedSpan, ...] = ()


class CertificateReinstated(IdentityEvent):
    """A suspension was lifted: one person asked, another approved (Art. 20). `earlier` are this one and all before."""

    serial: Serial
    holder: Line
    reinstated_at: Instant
    reason: Line
    requested_by: Actor
    approved_by: Actor
    earlier: tuple[SuspendedSpan, ...] = ()


class RosterEntry(Said):
    """What a responsible person may do, where, and from when to when: `until` is open for one that holds.

    Confirmed by two people: who asked for the change, and another who approved it. `items` empty: all of the
    department's.
    """

    role: Role
    jurisdiction: JurisdictionCode
    department: DepartmentCode | None = None
    items: tuple[ItemCode, ...] = ()
    effective_at: Instant
    until: Instant | None = None
    requested_by: Line
    approved_by: Line
    document: Line


class RosterListed(IdentityEvent):
    """Everything the roster says of one holder, past, present and to come (Art. 18); `serial` is its certificate.

    Who asked for the change that this says, who approved it, and by which document; nobody for the initial list.
    """

    serial: Serial
    holder: Line
    entries: tuple[RosterEntry, ...]
    requested_by: Actor | None = None
    approved_by: Actor | None = None
    document: Line | None = None


class RosterChangeRefused(IdentityEvent):
    """A change of the roster that was asked for and is none: another rejected it (`REJECTED`), or who asked for it
    tried to decide it too (`OWN_REQUEST`), which is told once of a person (Art. 18)."""

    request_id: UUID
    serial: Serial
    holder: Line
    code: Line
    reason: Text
    requested_by: Actor
    actor: Actor


class RefusedLogins(Said):
    """How often one reason refused one certificate, and when last; no serial where nobody trusted made the certificate,
    who could have given it any."""

    code: Line
    serial: Serial | None
    times: Annotated[int, Field(ge=1)]
    last_at: Instant


class LoginsRefused(IdentityEvent):
    """Logins that were refused since this was told last, together: whoever asks to be refused a thousand times is one
    line. `times` are all of them; `refused` names the most frequent ones (Art. 19)."""

    times: Annotated[int, Field(ge=1)]
    refused: Annotated[tuple[RefusedLogins, ...], Field(max_length=50)]


class AuditRootSealed(Event):
    """The platform's seal over a root of the audit chains, made inside the token and verified before it was said.

    `certificate_der` (Base64) is the certificate of the key, so that an export stands alone.
    """

    KEY_FIELD: ClassVar[str] = "root"

    root: Sha256
    algorithm: Line
    signature: Encoded64
    certificate: Serial
    certificate_der: Encoded64 | None = None
    signed_at: Instant
