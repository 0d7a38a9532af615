"""Whether a certificate was revoked at an instant: revocation lists (CRL) and single answers (OCSP), over bytes alone.

A certificate counts as revoked from the earlier of the revocation date and the invalidity date (RFC 5280, 5.3.2): what
it signed before stays valid (Art. 16, 20). Who has nothing fresh to say about a certificate says so: the door closes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from cryptography import x509

from evidence.certificates import STRONG, UNREADABLE, Certificate, NotTrusted, Reason, serial_text

LARGEST_LIST: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Revoked:
    """One revoked certificate: when it was listed, since when it may have been misused, and why."""

    revoked_at: datetime
    invalid_since: datetime | None = None
    reason: str = "unspecified"

    @property
    def since(self) -> datetime:
        """The instant from which nothing that it signed counts."""
        return min(self.revoked_at, self.invalid_since or self.revoked_at)


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A CRL whose signature is verified."""

    issuer_key_id: bytes = field(repr=False)
    number: int
    this_update: datetime
    next_update: datetime
    revoked: Mapping[str, Revoked] = field(repr=False)


def parse_list(der: bytes, issuer: Certificate) -> RevocationList:
    """Return the CRL in `der` (at most 16 MB), which `issuer` signed. Raises NotTrusted (MALFORMED, UNKNOWN_CA)."""
    if len(der) > LARGEST_LIST:
        raise NotTrusted(Reason.MALFORMED, f"a revocation list of {len(der)} bytes")
    try:
        read = x509.load_der_x509_crl(der)
        if read.issuer != issuer.read.subject or not read.is_signature_valid(issuer.public_key):
            raise NotTrusted(Reason.UNKNOWN_CA, f"the revocation list is not signed by {issuer.holder}")
        return _list(read, issuer)
    except UNREADABLE as trouble:
        raise NotTrusted(Reason.MALFORMED, f"revocation list: {trouble}") from trouble


def _list(read: x509.CertificateRevocationList, issuer: Certificate) -> RevocationList:
    if not isinstance(read.signature_hash_algorithm, STRONG):
        raise ValueError("signed with no hash of today")
    critical = [one.oid.dotted_string for one in read.extensions if one.critical]
    if critical or read.next_update_utc is None:
        raise ValueError(f"a partial list, or one without an end: {critical}")
    return RevocationList(
        issuer_key_id=issuer.key_id,
        number=_number(read),
        this_update=read.last_update_utc,
        next_update=read.next_update_utc,
        revoked=MappingProxyType({serial_text(one.serial_number): _revoked(one) for one in read}),
    )


def _number(read: x509.CertificateRevocationList) -> int:
    try:
        return read.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def _revoked(entry: x509.RevokedCertificate) -> Revoked:
    since, reason = None, "unspecified"
    for extension in entry.extensions:
        if isinstance(extension.value, x509.InvalidityDate):
            since = extension.value.invalidity_date_utc
        elif isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason.value
        elif extension.critical:
            raise ValueError(f"an entry with a critical {extension.oid.dotted_string}")
    return Revoked(entry.revocation_date_utc, since, reason)


@dataclass(frozen=True, slots=True)
class Revocations:
    """What is known of revocation, by issuer's key. Frozen: `with_list` returns a new one, which may be swapped in."""

    lists: Mapping[bytes, RevocationList] = field(default_factory=dict[bytes, RevocationList])

    def with_list(self, one: RevocationList) -> "Revocations":
        """Return these with `one`, unless a later one of the same issuer is here already: a list never goes back."""
        held = self.lists.get(one.issuer_key_id)
        if held and (held.number, held.this_update) >= (one.number, one.this_update):
            return self
        return replace(self, lists={**self.lists, one.issuer_key_id: one})

    def check(self, serial: str, issuer: Certificate, at: datetime, grace: timedelta) -> None:
        """Raise NotTrusted (REVOKED, or REVOCATION_STALE when nothing that is fresh at `at` speaks of this issuer)."""
        held = self.lists.get(issuer.key_id)
        revoked = held.revoked.get(serial) if held else None
        if revoked and revoked.since <= at:
            raise NotTrusted(Reason.REVOKED, f"{serial} since {revoked.since.isoformat()}: {revoked.reason}")
        if held is None or at > held.next_update + grace:
            told = held.next_update.isoformat() if held else "never"
            raise NotTrusted(Reason.REVOCATION_STALE, f"what is known of {issuer.holder} ended: {told}")
