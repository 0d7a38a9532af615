"""An authority made on the spot, for tests: certificates and lists of every kind, good and bad."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from evidence.certificates import USAGES, Certificate, Purpose, parse

NOW: Final = datetime(2026, 5, 1, 8, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
YEAR: Final = timedelta(days=365)
ENDS: Final = NOW + 50 * YEAR
"""When certificates end unless a test says otherwise: also tests that judge as of today hold them good."""


def name(holder: str, **more: str) -> x509.Name:
    known = {"organisation": NameOID.ORGANIZATION_NAME, "uscc": NameOID.ORGANIZATION_IDENTIFIER}
    extra = [x509.NameAttribute(known[key], value) for key, value in more.items()]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, holder), *extra])


def key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip


@dataclass
class Authority:
    """A key and its certificate, which sign others; a root signs itself."""

    holder: str = "Root"
    above: "Authority | None" = None
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    next_serial: int = 0x0ABC

    def __post_init__(self) -> None:
        signer = self.above or self
        self.certificate = parse(signer.sign(name(self.holder), self.key.public_key(), ca=True))

    @property
    def key_id(self) -> x509.SubjectKeyIdentifier:
        return x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())

    def sign(
        self, subject: x509.Name, public_key: Any, *, ca: bool = False, hash_with: Any = None, **changes: Any
    ) -> bytes:
        self.next_serial += 1
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name(self.holder))
            .public_key(public_key)
            .serial_number(changes.get("serial", self.next_serial))
            .not_valid_before(changes.get("not_before", NOW - YEAR))
            .not_valid_after(changes.get("not_after", ENDS))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(changes.get("key_usage", key_usage(ca=ca)), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self.key_id), critical=False)
        )
        for extension, critical in changes.get("more", ()):
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, hash_with or SHA256()).public_bytes(Encoding.DER)

    def issue(self, holder: str = "王建国", purpose: Purpose | None = Purpose.LOGIN, **changes: Any) -> Certificate:
        key = changes.pop("key", None) or ec.generate_private_key(ec.SECP256R1()).public_key()
        named = {name: changes.pop(name) for name in ("organisation", "uscc") if name in changes}
        more = [*changes.pop("more", ())]
        if purpose:
            critical = changes.pop("critical", purpose is Purpose.TIMESTAMP)
            more.append((x509.ExtendedKeyUsage([USAGES[purpose]]), critical))
        return parse(self.sign(name(holder, **named), key, more=more, **changes))

    def revocations(
        self,
        entries: Sequence[Any] = (),
        *,
        at: datetime = NOW,
        number: int = 1,
        hash_with: Any = None,
        more: Sequence[x509.ExtensionType] = (),
    ) -> bytes:
        """A CRL of this authority from `at`, good for a day."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(name(self.holder))
            .last_update(at)
            .next_update(at + 24 * HOUR)
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        for extension in more:
            builder = builder.add_extension(extension, critical=False)
        for entry in entries:
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, hash_with or SHA256()).public_bytes(Encoding.DER)


def ocsp_response(
    issuer: Authority, certificate: Certificate, responder: tuple[Any, Certificate] | None = None, **changes: Any
) -> bytes:
    """An OCSP response about `certificate`, by the issuer itself or by a responder (its key and certificate)."""
    key, own = responder or (issuer.key, issuer.certificate)
    at = changes.get("at", NOW)
    since = changes.get("revoked_at")
    status = ocsp.OCSPCertStatus.REVOKED if since else changes.get("status", ocsp.OCSPCertStatus.GOOD)
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=certificate.read,
        issuer=changes.get("about", issuer).certificate.read,
        algorithm=SHA1(),
        cert_status=status,
        this_update=at,
        next_update=changes.get("next_update", at + HOUR),
        revocation_time=since,
        revocation_reason=x509.ReasonFlags.key_compromise if since else None,
    )
    builder = builder.responder_id(changes.get("named", ocsp.OCSPResponderEncoding.HASH), own.read)
    builder = builder.certificates([own.read]) if responder else builder
    if nonce := changes.get("nonce"):
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.sign(key, changes.get("hash_with", SHA256())).public_bytes(Encoding.DER)


def revoked(certificate: Certificate, at: datetime, invalid_since: datetime | None = None) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(int(certificate.serial, 16)).revocation_date(at)
    builder = builder.add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
    if invalid_since:
        builder = builder.add_extension(x509.InvalidityDate(invalid_since), critical=False)
    return builder.build()


def trust_folder(folder: Path, issuer: Authority, **changes: Any) -> Path:
    """A trust folder with one issuer; `changes` to its entry, as TOML text; None takes a line away."""
    assert issuer.above
    folder.mkdir(parents=True, exist_ok=True)
    for file, authority in {"issuing.pem": issuer, "root.pem": issuer.above}.items():
        (folder / file).write_bytes(authority.certificate.read.public_bytes(Encoding.PEM))
    (folder / "issuing.crl").write_bytes(issuer.revocations())
    entry = {
        "certificate": '"issuing.pem"',
        "root": '"root.pem"',
        "purposes": '["login", "seal", "timestamp"]',
        "algorithms": '["ecdsa-p256-sha256", "rsa-sha256"]',
        "crl": '"issuing.crl"',
        "grace_hours": "12",
    } | changes
    lines = [f"{key} = {value}" for key, value in entry.items() if value is not None]
    (folder / "trust.toml").write_text("\n".join(["[[issuer]]", *lines]))
    return folder
