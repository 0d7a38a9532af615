"""Whether a certificate was revoked at an instant: revocation lists (CRL) and single answers (OCSP), over bytes alone.

A certificate counts as revoked from the earlier of the revocation date and the invalidity date (RFC 5280, 5.3.2): what
it signed before stays valid (Art. 16, 20). Who has nothing fresh to say about a certificate says so: the door closes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, Hash, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from evidence import sm2
from evidence.certificates import (
    STRONG,
    UNREADABLE,
    Certificate,
    NotTrusted,
    Purpose,
    Reason,
    hold_to_whole_bytes,
    is_issued_by,
    parse,
    serial_text,
)

LARGEST_LIST: Final = 16 * 1024 * 1024
LARGEST_ANSWER: Final = 64 * 1024
MOST_CERTIFICATES: Final = 4
EXPIRED_ON_LIST: Final = x509.ObjectIdentifier("2.5.29.60")
GENERALIZED_TIME: Final = "\x18\x0f%Y%m%d%H%M%SZ"
"""DER (X.690 11.7), tag and length first."""
SKEW: Final = timedelta(minutes=5)
"""How far a responder's clock may be ahead."""


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
    """A CRL whose signature is verified; it names what was revoked, though expired, since `keeps_since`."""

    issuer_key_id: bytes = field(repr=False)
    number: int
    this_update: datetime
    next_update: datetime
    revoked: Mapping[str, Revoked] = field(repr=False)
    keeps_since: datetime | None = None

    def speaks_of(self, certificate: Certificate) -> bool:
        """Whether a certificate that is not on it was not revoked: it may have been forgotten at its end."""
        has_not_expired = self.this_update <= certificate.not_after
        return has_not_expired or (self.keeps_since is not None and self.keeps_since <= certificate.not_after)


def parse_list(der: bytes, issuer: Certificate) -> RevocationList:
    """Return the CRL in `der` (at most 16 MB), which `issuer` signed.

    Raises NotTrusted (MALFORMED, UNKNOWN_CA), or OpenSslMissing where a list of SM2 cannot be judged.
    """
    if len(der) > LARGEST_LIST:
        raise NotTrusted(Reason.MALFORMED, f"a revocation list of {len(der)} bytes")
    try:
        read = x509.load_der_x509_crl(der)
        hold_to_whole_bytes(der, read.signature)
        if read.issuer != issuer.read.subject or not _is_signed_by(read, der, issuer):
            raise NotTrusted(Reason.UNKNOWN_CA, f"the revocation list is not signed by {issuer.holder}")
        return _list(read, issuer)
    except UNREADABLE as trouble:
        raise NotTrusted(Reason.MALFORMED, f"revocation list: {trouble}") from trouble


def _is_signed_by(read: x509.CertificateRevocationList, der: bytes, issuer: Certificate) -> bool:
    if issuer.algorithm == "sm2-sm3":
        return sm2.has_signed_list(der, issuer.der)
    if not isinstance(read.signature_hash_algorithm, STRONG):
        raise ValueError("signed with no hash of today")
    return read.is_signature_valid(issuer.public_key)


def _list(read: x509.CertificateRevocationList, issuer: Certificate) -> RevocationList:
    critical = [one.oid.dotted_string for one in read.extensions if one.critical]
    if critical or read.next_update_utc is None:
        raise ValueError(f"a partial list, or one without an end: {critical}")
    return RevocationList(
        issuer_key_id=issuer.key_id,
        number=_number(read),
        this_update=read.last_update_utc,
        next_update=read.next_update_utc,
        revoked=MappingProxyType({serial_text(one.serial_number): _revoked(one) for one in read}),
        keeps_since=_keeps_since(read),
    )


def _keeps_since(read: x509.CertificateRevocationList) -> datetime | None:
    try:
        told = read.extensions.get_extension_for_oid(EXPIRED_ON_LIST).value.public_bytes()
    except x509.ExtensionNotFound:
        return None
    return datetime.strptime(told.decode("latin-1"), GENERALIZED_TIME).replace(tzinfo=UTC)


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


# One certificate's standing (OCSP, RFC 6960) ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What a responder said of one certificate; its signature and its authority to say so are verified."""

    issuer_key_id: bytes = field(repr=False)
    serial: str
    this_update: datetime
    next_update: datetime
    revoked: Revoked | None

    def check(self, certificate: Certificate, at: datetime) -> None:
        """Hold this to speak of `certificate` and of `at`. Raises NotTrusted (UNKNOWN_CA, REVOCATION_STALE)."""
        if (self.serial, self.issuer_key_id) != (certificate.serial, certificate.authority_key_id):
            raise NotTrusted(Reason.UNKNOWN_CA, f"an answer about {self.serial}, not {certificate.serial}")
        if not self.this_update - SKEW <= at < self.next_update:
            told = f"from {self.this_update.isoformat()} to {self.next_update.isoformat()}"
            raise NotTrusted(Reason.REVOCATION_STALE, f"an answer about {self.serial} {told}")


def question(certificate: Certificate, issuer: Certificate, nonce: bytes) -> bytes:
    """Return the OCSP request (DER) about a certificate of `issuer`."""
    names = SHA1()  # of issuer's name and key, not of anything signed: what every responder knows (RFC 5019, 2.1.1)
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        _name_hash(issuer, names), issuer.key_hash(names), int(certificate.serial, 16), names
    )
    return builder.add_extension(x509.OCSPNonce(nonce), critical=False).build().public_bytes(Encoding.DER)


def parse_answer(der: bytes, issuer: Certificate, nonce: bytes | None = None) -> Answer:
    """Return the OCSP response in `der` (at most 64 kB) about a certificate of `issuer`.

    It must be signed by the issuer, or by a responder that the issuer itself made one; a `nonce` that was asked with
    must come back when any does. Raises NotTrusted (any reason but REVOKED and REVOCATION_STALE), or OpenSslMissing
    where an answer of SM2 cannot be judged.
    """
    if len(der) > LARGEST_ANSWER:
        raise NotTrusted(Reason.MALFORMED, f"an answer of {len(der)} bytes")
    try:
        read = ocsp.load_der_ocsp_response(der)
        if read.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise ValueError(f"the responder says {read.response_status.name}")
        hold_to_whole_bytes(der, read.signature)
        _check_signature(read, issuer)
        _check_nonce(read, nonce)
        return _answer(read, issuer)
    except UNREADABLE as trouble:
        raise NotTrusted(Reason.MALFORMED, f"OCSP response: {trouble}") from trouble


def _check_signature(read: ocsp.OCSPResponse, issuer: Certificate) -> None:
    responder = _responder(read, issuer)
    if not _has_answered(responder, read):
        raise NotTrusted(Reason.UNKNOWN_CA, f"the answer is not signed by {responder.holder}")


def _has_answered(responder: Certificate, read: ocsp.OCSPResponse) -> bool:
    if responder.algorithm == "sm2-sm3":
        is_sm2 = read.signature_algorithm_oid.dotted_string == sm2.SM2_WITH_SM3
        return is_sm2 and sm2.verifies(sm2.key_of(responder.der), read.signature, read.tbs_response_bytes)
    if not isinstance(read.signature_hash_algorithm, SHA256):
        raise NotTrusted(Reason.WEAK, "an answer signed with another hash than SHA-256")
    return responder.has_signed(read.tbs_response_bytes, read.signature)


def _responder(read: ocsp.OCSPResponse, issuer: Certificate) -> Certificate:
    """Return who signed: the issuer, or one whom it made a responder, and who was one at that moment."""
    if _is_named(read, issuer):
        return issuer
    sent = [parse(one.public_bytes(Encoding.DER)) for one in read.certificates[:MOST_CERTIFICATES]]
    named = next((one for one in sent if _is_named(read, one)), None)
    if named is None or not is_issued_by(named, issuer):
        raise NotTrusted(Reason.UNKNOWN_CA, f"the responder is not of {issuer.holder}")
    if named.is_authority or Purpose.OCSP not in named.purposes or not _needs_no_check(named):
        raise NotTrusted(Reason.WRONG_PURPOSE, f"{named.holder} is no responder")
    named.check_validity(read.produced_at_utc)
    return named


def _is_named(read: ocsp.OCSPResponse, one: Certificate) -> bool:
    if read.responder_name is not None:
        return read.responder_name == one.read.subject
    return read.responder_key_hash == one.key_hash(SHA1())


def _needs_no_check(responder: Certificate) -> bool:
    """Whether its issuer vouches for it while it lives; otherwise it would have to be asked about, and so on."""
    return any(isinstance(one.value, x509.OCSPNoCheck) for one in responder.read.extensions)


def _check_nonce(read: ocsp.OCSPResponse, nonce: bytes | None) -> None:
    told = [one.value.nonce for one in read.extensions if isinstance(one.value, x509.OCSPNonce)]
    if nonce is not None and told and told != [nonce]:
        raise ValueError("the answer is to another question")


def _answer(read: ocsp.OCSPResponse, issuer: Certificate) -> Answer:
    [one, *others] = read.responses
    if others or one.next_update_utc is None:
        raise ValueError("one certificate's standing is wanted, with an end")
    meant = (_name_hash(issuer, one.hash_algorithm), issuer.key_hash(one.hash_algorithm))
    if meant != (one.issuer_name_hash, one.issuer_key_hash):
        raise NotTrusted(Reason.UNKNOWN_CA, f"the answer is about a certificate of another issuer than {issuer.holder}")
    if one.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise NotTrusted(Reason.UNKNOWN_CA, f"{issuer.holder} knows no {serial_text(one.serial_number)}")
    return Answer(
        issuer_key_id=issuer.key_id,
        serial=serial_text(one.serial_number),
        this_update=one.this_update_utc,
        next_update=one.next_update_utc,
        revoked=_revoked_since(one),
    )


def _name_hash(issuer: Certificate, kind: HashAlgorithm) -> bytes:
    hashed = Hash(kind)
    hashed.update(issuer.read.subject.public_bytes())
    return hashed.finalize()


def _revoked_since(one: ocsp.OCSPSingleResponse) -> Revoked | None:
    if one.certificate_status is not ocsp.OCSPCertStatus.REVOKED or one.revocation_time_utc is None:
        return None
    reason = one.revocation_reason.value if one.revocation_reason else "unspecified"
    return Revoked(one.revocation_time_utc, None, reason)


# All that is known --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Revocations:
    """What is known of revocation, by issuer's key. Frozen: `with_list`, `with_answer` return new ones to swap in."""

    lists: Mapping[bytes, RevocationList] = field(default_factory=dict[bytes, RevocationList])
    answers: Mapping[tuple[bytes, str], Answer] = field(default_factory=dict[tuple[bytes, str], Answer])

    def with_list(self, one: RevocationList) -> "Revocations":
        """Return these with `one`, unless a later one of the same issuer is here already: a list never goes back."""
        held = self.lists.get(one.issuer_key_id)
        if held and (held.number, held.this_update) >= (one.number, one.this_update):
            return self
        return replace(self, lists={**self.lists, one.issuer_key_id: one})

    def with_answer(self, one: Answer) -> "Revocations":
        """Return these with `one`, unless a later answer about the same certificate is here already."""
        held = self.answers.get((one.issuer_key_id, one.serial))
        if held and held.this_update >= one.this_update:
            return self
        return replace(self, answers={**self.answers, (one.issuer_key_id, one.serial): one})

    def check(self, certificate: Certificate, issuer: Certificate, at: datetime, grace: timedelta) -> None:
        """Raise NotTrusted (REVOKED, or REVOCATION_STALE when nothing fresh at `at` speaks of the certificate)."""
        serial = certificate.serial
        known, answered = self.lists.get(issuer.key_id), self.answers.get((issuer.key_id, serial))
        for revoked in (known and known.revoked.get(serial), answered and answered.revoked):
            if revoked and revoked.since <= at:
                raise NotTrusted(Reason.REVOKED, f"{serial} since {revoked.since.isoformat()}: {revoked.reason}")
        if known and serial not in known.revoked and not known.speaks_of(certificate):
            known = None
        ends = [one.next_update for one in (known, answered) if one]
        if not ends or at > max(ends) + grace:
            told = max(ends).isoformat() if ends else "never, or after its end"
            raise NotTrusted(Reason.REVOCATION_STALE, f"what is known of {serial} ended: {told}")
