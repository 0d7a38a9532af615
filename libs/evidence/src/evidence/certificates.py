"""Certificates as this house reads them: who holds one, what for, from when to when (Art. 19).

Reading judges nothing but form: a certificate that is expired, weak or from nowhere is read all the same, because
whoever is refused must be told why. `evidence.trust` judges.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, TypeAlias, TypeVar

from asn1crypto import keys
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, Hash, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ExtensionOID, NameOID

from evidence import sm2

LARGEST: Final = 16 * 1024
CHINESE: Final = "1.2.156.10197."  # the arc of SM2, SM3 and SM4
SMALLEST_RSA: Final = 2048
STRONG: Final = (SHA256, SHA384, SHA512)

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
Kind = TypeVar("Kind", bound=x509.ExtensionType)

UNREADABLE: Final = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class Purpose(StrEnum):
    """What a certificate may be used for; the word is the one of trust.toml."""

    LOGIN = "login"
    SEAL = "seal"
    SERVICE = "service"
    TIMESTAMP = "timestamp"
    OCSP = "ocsp"


USAGES: Final = {
    Purpose.LOGIN: ExtendedKeyUsageOID.CLIENT_AUTH,
    Purpose.SEAL: x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),
    Purpose.SERVICE: x509.ObjectIdentifier("2.25.271829537906929462527728498136709255819"),
    Purpose.TIMESTAMP: ExtendedKeyUsageOID.TIME_STAMPING,
    Purpose.OCSP: ExtendedKeyUsageOID.OCSP_SIGNING,
}
UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
    }
)


class Reason(StrEnum):
    """Why a certificate is not trusted."""

    MALFORMED = "MALFORMED"
    WEAK = "WEAK"
    UNKNOWN_CA = "UNKNOWN_CA"
    WRONG_PURPOSE = "WRONG_PURPOSE"
    UNKNOWN_SEAL = "UNKNOWN_SEAL"
    NOT_YET_VALID = "NOT_YET_VALID"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    REVOCATION_STALE = "REVOCATION_STALE"


class NotTrusted(Exception):
    """A certificate, or what speaks of one, is not trusted; `detail` is for the log, never for the law."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, read. `serial` is upper-case hexadecimal without leading zeros; instants are UTC.

    `holder` is the subject's CN, `organisation` its O, `uscc` its organizationIdentifier (a builder's unified social
    credit code). `algorithm` names what the key signs with: `ecdsa-p256-sha256`, `rsa-sha256`, `sm2-sm3`; any other
    key is named `weak:…` and never trusted.
    """

    der: bytes = field(repr=False)
    serial: str
    holder: str
    organisation: str | None
    uscc: str | None
    not_before: datetime
    not_after: datetime
    purposes: frozenset[Purpose]
    algorithm: str
    is_authority: bool
    key_id: bytes = field(repr=False)
    authority_key_id: bytes | None = field(repr=False)
    ocsp_url: str | None
    read: x509.Certificate = field(repr=False, compare=False)

    @property
    def public_key(self) -> PublicKey:
        """The holder's public key. Raises NotTrusted (WEAK) for a key that only an adapter can use (SM2)."""
        key = _key(self.read)
        if key is None:
            raise NotTrusted(Reason.WEAK, f"a key for {self.algorithm} is not for this library")
        return key

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole certificate, lower-case hexadecimal."""
        return sha256(self.der).hexdigest()

    def key_hash(self, kind: HashAlgorithm) -> bytes:
        """The hash of the key's own bits, of whatever kind, as OCSP names who issued or answers (RFC 6960, 4.1.1)."""
        hashed = Hash(kind)
        hashed.update(keys.PublicKeyInfo.load(sm2.key_of(self.der))["public_key"].contents[1:])
        return hashed.finalize()

    def check_validity(self, at: datetime) -> None:
        """Raise NotTrusted (NOT_YET_VALID, EXPIRED) when the instant `at` is outside its days."""
        if at < self.not_before:
            raise NotTrusted(Reason.NOT_YET_VALID, f"{self.serial} begins {self.not_before.isoformat()}")
        if at > self.not_after:
            raise NotTrusted(Reason.EXPIRED, f"{self.serial} ended {self.not_after.isoformat()}")

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` (ECDSA: DER; RSA: PKCS #1 v1.5) is this holder's over `message` with SHA-256."""
        try:
            _verify(self.public_key, message, signature)
        except (InvalidSignature, ValueError):
            return False
        return True


def parse(der: bytes) -> Certificate:
    """Return the certificate in `der` (at most 16 kB). Raises NotTrusted (MALFORMED)."""
    if len(der) > LARGEST:
        raise NotTrusted(Reason.MALFORMED, f"{len(der)} bytes are more than a certificate has")
    try:
        read = x509.load_der_x509_certificate(der)
        if read.serial_number <= 0:
            raise ValueError("a serial number that is not positive")
        hold_to_whole_bytes(der, read.signature)
        return _certificate(der, read)
    except UNREADABLE as trouble:
        raise NotTrusted(Reason.MALFORMED, str(trouble)) from trouble


def hold_to_whole_bytes(der: bytes, signature: bytes) -> None:
    """Hold what is signed to the one spelling of its signature: as bits it could be cut off behind its last one, and
    would be another file with the same signature. Raises ValueError."""
    if b"\x00" + signature not in der:
        raise ValueError("a signature that does not end with a byte")


def parse_pem(pem: bytes) -> Certificate:
    """Return the one certificate in `pem`. Raises NotTrusted (MALFORMED)."""
    if len(pem) > 2 * LARGEST:
        raise NotTrusted(Reason.MALFORMED, f"{len(pem)} bytes are more than a certificate has")
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as trouble:
        raise NotTrusted(Reason.MALFORMED, str(trouble)) from trouble
    if len(found) != 1:
        raise NotTrusted(Reason.MALFORMED, f"{len(found)} certificates where one was meant")
    return parse(found[0].public_bytes(Encoding.DER))


def serial_text(number: int) -> str:
    """Return a serial number as events name it: upper-case hexadecimal without leading zeros."""
    return f"{number:X}"


def is_issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether `issuer` is named in `certificate` and signed it. Raises OpenSslMissing where SM2 cannot be judged."""
    if issuer.algorithm == "sm2-sm3":
        return sm2.is_issued_by(certificate.der, issuer.der)
    try:
        certificate.read.verify_directly_issued_by(issuer.read)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _certificate(der: bytes, read: x509.Certificate) -> Certificate:
    extensions = read.extensions
    _refuse_unknown(extensions)
    authority = _value(extensions, x509.AuthorityKeyIdentifier)
    return Certificate(
        der=der,
        serial=serial_text(_positive(read.serial_number)),
        holder=_required(_name(read.subject, NameOID.COMMON_NAME)),
        organisation=_name(read.subject, NameOID.ORGANIZATION_NAME),
        uscc=_name(read.subject, NameOID.ORGANIZATION_IDENTIFIER),
        not_before=read.not_valid_before_utc,
        not_after=read.not_valid_after_utc,
        purposes=_purposes(extensions),
        algorithm=_algorithm(read),
        is_authority=_is_authority(extensions),
        key_id=_key_id(read, extensions),
        authority_key_id=authority.key_identifier if authority else None,
        ocsp_url=_ocsp_url(extensions),
        read=read,
    )


def _refuse_unknown(extensions: x509.Extensions) -> None:
    unknown = [one.oid.dotted_string for one in extensions if one.critical and one.oid not in UNDERSTOOD]
    if unknown:
        raise ValueError(f"critical extensions that are not understood: {unknown}")


def _positive(number: int) -> int:
    if number <= 0:
        raise ValueError("a serial number is positive")
    return number


def _name(subject: x509.Name, oid: x509.ObjectIdentifier) -> str | None:
    """Return the one value of a kind in `subject`; two of them, or one that shows as something else, are refused."""
    values = [one.value for one in subject.get_attributes_for_oid(oid)]
    if not values:
        return None
    if len(values) > 1 or not isinstance(values[0], str) or not values[0].isprintable() or not values[0].strip():
        raise ValueError(f"the subject's {oid.dotted_string} is not one printable text")
    return values[0]


def _required(holder: str | None) -> str:
    if holder is None:
        raise ValueError("the subject names no holder (CN)")
    return holder


def _purposes(extensions: x509.Extensions) -> frozenset[Purpose]:
    usage = _extension(extensions, x509.ExtendedKeyUsage)
    if usage is None or not _may_sign(extensions):
        return frozenset()
    named = set(usage.value)
    purposes = {purpose for purpose, oid in USAGES.items() if oid in named}
    if not usage.critical or len(named) > 1:
        purposes.discard(Purpose.TIMESTAMP)  # RFC 3161, 2.3: critical, and nothing else
    return frozenset(purposes)


def _may_sign(extensions: x509.Extensions) -> bool:
    usage = _value(extensions, x509.KeyUsage)
    return usage is None or usage.digital_signature or usage.content_commitment


def _is_authority(extensions: x509.Extensions) -> bool:
    basic, usage = _value(extensions, x509.BasicConstraints), _value(extensions, x509.KeyUsage)
    return basic is not None and basic.ca and (usage is None or usage.key_cert_sign)


def _algorithm(read: x509.Certificate) -> str:
    key = _key(read)
    if key and not isinstance(read.signature_hash_algorithm, STRONG):
        return "weak:signed with no hash of today"
    if isinstance(key, rsa.RSAPublicKey):
        return "rsa-sha256" if key.key_size >= SMALLEST_RSA else f"weak:rsa-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ecdsa-p256-sha256" if isinstance(key.curve, ec.SECP256R1) else f"weak:{key.curve.name}"
    return "sm2-sm3" if read.signature_algorithm_oid.dotted_string.startswith(CHINESE) else "weak:unknown"


def _key(read: x509.Certificate) -> PublicKey | None:
    try:
        key = read.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) else None


def _key_id(read: x509.Certificate, extensions: x509.Extensions) -> bytes:
    stated = _value(extensions, x509.SubjectKeyIdentifier)
    return stated.digest if stated else sha256(read.tbs_certificate_bytes).digest()[:20]


def _ocsp_url(extensions: x509.Extensions) -> str | None:
    access = _value(extensions, x509.AuthorityInformationAccess) or ()
    urls = [one.access_location.value for one in access if one.access_method == AuthorityInformationAccessOID.OCSP]
    return next((url for url in urls if isinstance(url, str)), None)


def _extension(extensions: x509.Extensions, kind: type[Kind]) -> x509.Extension[Kind] | None:
    try:
        return extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _value(extensions: x509.Extensions, kind: type[Kind]) -> Kind | None:
    found = _extension(extensions, kind)
    return found.value if found else None


def _verify(key: PublicKey, message: bytes, signature: bytes) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, message, padding.PKCS1v15(), SHA256())
    else:
        key.verify(signature, message, ec.ECDSA(SHA256()))
