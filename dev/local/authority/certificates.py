"""What the development authority's certificates look like, kind by kind (ADR 0010)."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from evidence.certificates import USAGES, Purpose

DAY: Final = timedelta(days=1)
YEAR: Final = timedelta(days=365)
ROOT: Final = "联审开发用根证书"
ISSUING: Final = "联审开发用签发机构"
FUNCTION: Final = {"tsa": ("联审开发用时间戳", Purpose.TIMESTAMP), "ocsp": ("联审开发用证书状态查询", Purpose.OCSP)}

Subject = dict[x509.ObjectIdentifier, str | None]


def name(subject: Subject) -> x509.Name:
    """Return the name with those parts that are there."""
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in subject.items() if value])


def authority(holder: str, public_key: ec.EllipticCurvePublicKey, above: x509.Certificate | None, key: Any) -> bytes:
    """Return the certificate (DER) of an authority; without one `above` it is a root, and signs itself."""
    issuer = above.subject if above else name({NameOID.COMMON_NAME: holder})
    signer = above.public_key() if above else public_key
    now = datetime.now(UTC)
    builder = (
        _builder(name({NameOID.COMMON_NAME: holder}), issuer, public_key, signer, None)
        .not_valid_before(now - YEAR)
        .not_valid_after(now + 20 * YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0 if above else 1), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
    )
    return _signed(builder, key)


def holder(
    subject: Subject,
    purpose: Purpose,
    public_key: ec.EllipticCurvePublicKey,
    issuer: x509.Certificate,
    key: Any,
    url: str,
    serial: str | None = None,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> bytes:
    """Return the certificate (DER) of a holder, for one purpose."""
    begin = not_before or datetime.now(UTC) - DAY
    builder = (
        _builder(name(subject), issuer.subject, public_key, issuer.public_key(), serial)
        .not_valid_before(begin)
        .not_valid_after(not_after or begin + 3 * YEAR)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([USAGES[purpose]]), critical=purpose is Purpose.TIMESTAMP)
        .add_extension(_lists(url), critical=False)
        .add_extension(_access(url), critical=False)
    )
    if purpose is Purpose.OCSP:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    return _signed(builder, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: Any, signer: Any, serial: str | None
) -> x509.CertificateBuilder:
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(int(serial, 16) if serial else secrets.randbits(127) | 1 << 126)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(signed_by, critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _lists(url: str) -> x509.CRLDistributionPoints:
    where = [x509.UniformResourceIdentifier(f"{url}/issuing.crl")]
    return x509.CRLDistributionPoints([x509.DistributionPoint(where, None, None, None)])


def _access(url: str) -> x509.AuthorityInformationAccess:
    where = x509.UniformResourceIdentifier(f"{url}/ocsp")
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)])


def _signed(builder: x509.CertificateBuilder, key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)
