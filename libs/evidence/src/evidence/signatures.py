"""Signatures over documents as CMS (RFC 5652) in the profile of PAdES: made from their parts, and judged strictly.

What is signed is never a bare digest: it is a set of attributes that names the content's digest and the very
certificate (ESSCertIDv2), so neither can be exchanged. Everything in a signature has one form; any other
bytes are refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from asn1crypto import algos, cms, core, tsp, x509

from evidence.certificates import Certificate, NotTrusted, parse

LARGEST: Final = 64 * 1024
SET: Final = b"\x31"
TIMESTAMP: Final = "signature_time_stamp_token"
SIGNATURE_ALGORITHMS: Final = {"ecdsa-p256-sha256": "sha256_ecdsa", "rsa-sha256": "sha256_rsa"}
"""How CMS names the algorithms of the trust list. SM2 comes through an adapter of its own."""
ACCEPTED: Final = {
    "ecdsa-p256-sha256": ("sha256_ecdsa",),
    "rsa-sha256": ("sha256_rsa", "rsassa_pkcs1v15"),
}
UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


class BadSignature(Exception):
    """A signature that cannot be read, is not in the one form, or does not fit what it is said to sign."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that fits its content and is in the one form; whose it is, is `certificate`'s to say."""

    certificate: Certificate
    value: bytes
    timestamp: cms.ContentInfo
    others: tuple[bytes, ...]


# Made ------------------------------------------------------------------------------------------------------------


def attributes(digest: bytes, certificate: Certificate) -> bytes:
    """Return what the holder of `certificate` signs for content of that SHA-256: the attributes, as DER of a SET."""
    certificate_id = tsp.ESSCertIDv2({"cert_hash": sha256(certificate.der).digest()})
    told = [
        {"type": "content_type", "values": ["data"]},
        {"type": "message_digest", "values": [digest]},
        {"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2({"certs": [certificate_id]})]},
    ]
    return bytes(cms.CMSAttributes([cms.CMSAttribute(one) for one in told]).dump())


def assembled(
    signed: bytes, value: bytes, certificate: Certificate, chain: Iterable[Certificate], timestamp: bytes
) -> bytes:
    """Return the CMS: attributes `signed` under the signature `value` (ECDSA: DER), with its `timestamp` (DER)."""
    read = x509.Certificate.load(certificate.der)
    info = {
        "version": "v1",
        "sid": cms.SignerIdentifier(
            name="issuer_and_serial_number",
            value=cms.IssuerAndSerialNumber({"issuer": read.issuer, "serial_number": read.serial_number}),
        ),
        "digest_algorithm": _sha256(),
        "signed_attrs": cms.CMSAttributes.load(signed),
        "signature_algorithm": {"algorithm": SIGNATURE_ALGORITHMS[certificate.algorithm]},
        "signature": value,
        "unsigned_attrs": [{"type": TIMESTAMP, "values": [cms.ContentInfo.load(timestamp)]}],
    }
    carried = [read, *(x509.Certificate.load(one.der) for one in chain)]
    data = {
        "version": "v1",
        "digest_algorithms": [_sha256()],
        "encap_content_info": {"content_type": "data"},
        "certificates": [cms.CertificateChoices(name="certificate", value=one) for one in carried],
        "signer_infos": [info],
    }
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(data)}).dump())


def _sha256() -> algos.DigestAlgorithm:
    return algos.DigestAlgorithm({"algorithm": "sha256"})


# Judged ----------------------------------------------------------------------------------------------------------


def read(der: bytes, digest: bytes) -> Signed:
    """Return the signature in `der` (at most 64 kB) over content of that SHA-256. Raises BadSignature.

    It has a timestamp, which is not judged here, nor whether its certificate is trusted; the rest is.
    """
    try:
        return _read(der, digest)
    except (*UNREADABLE, NotTrusted) as trouble:
        raise BadSignature(f"a signature that cannot be read: {trouble}") from trouble


def _read(der: bytes, digest: bytes) -> Signed:
    if len(der) > LARGEST:
        raise BadSignature(f"a signature of {len(der)} bytes")
    content = cms.ContentInfo.load(der, strict=True)
    if content["content_type"].native != "signed_data":
        raise BadSignature("not a signature")
    data = content["content"]
    info = only(data["signer_infos"])
    certificate = parse(signer_of(data, info).dump())
    verify(info, certificate, "data", digest)
    timestamp, value = _timestamp(info), info["signature"].native
    others = [parse(one.dump()) for one in data["certificates"] if one.dump() != certificate.der]
    if assembled(_signed(info), value, certificate, others, timestamp.dump()) != der:
        raise BadSignature("the signature is not in the one form")
    return Signed(certificate, value, timestamp, tuple(one.der for one in others))


def is_absent(thing: Any) -> bool:
    """Whether an optional part is not there; to ask for its `native` value would unfold all of it."""
    return isinstance(thing, core.Void)


def only(things: Any) -> Any:
    """Return the one thing in a set. Raises BadSignature."""
    if len(things) != 1:
        raise BadSignature(f"{len(things)} where one was meant")
    return things[0]


def signer_of(data: Any, info: Any) -> Any:
    """Return the certificate that a signature names among those it carries. Raises BadSignature."""
    named = info["sid"]
    if named.name != "issuer_and_serial_number":
        raise BadSignature("the signer is not named by issuer and serial number")
    wanted = (named.chosen["issuer"].dump(), named.chosen["serial_number"].native)
    found = [
        one.chosen for one in data["certificates"] if (one.chosen.issuer.dump(), one.chosen.serial_number) == wanted
    ]
    if len(found) != 1:
        raise BadSignature("the signer's certificate is not in the signature")
    return found[0]


def verify(info: Any, certificate: Certificate, kind: str, digest: bytes) -> None:
    """Hold one signer's attributes and value to content of that kind and SHA-256. Raises BadSignature."""
    if info["digest_algorithm"]["algorithm"].native != "sha256":
        raise BadSignature("hashed with something else than SHA-256")
    if info["signature_algorithm"]["algorithm"].native not in ACCEPTED.get(certificate.algorithm, ()):
        raise BadSignature(f"the certificate is for {certificate.algorithm}")
    told = _attributes(info["signed_attrs"])
    if told.get("content_type") != kind or told.get("message_digest") != digest:
        raise BadSignature("the signature is over something else")
    if not _names(told, certificate):
        raise BadSignature("the signature names another certificate")
    if not certificate.has_signed(_signed(info), info["signature"].native):
        raise BadSignature("the signature does not verify")


def _signed(info: Any) -> bytes:
    """Return what was signed: the attributes as a SET, not under the tag that carries them (RFC 5652, 5.4)."""
    return SET + info["signed_attrs"].dump()[1:]


def _attributes(attributes: Any) -> dict[str, Any]:
    told = {str(one["type"].native): only(one["values"]).native for one in attributes}
    if len(told) != len(attributes):
        raise BadSignature("an attribute comes twice")
    return told


def _names(told: dict[str, Any], certificate: Certificate) -> bool:
    """Whether the attributes name the certificate by its hash: SHA-256 in the second version, SHA-1 in the first, which
    timestamp authorities still use."""
    second, first = told.get("signing_certificate_v2"), told.get("signing_certificate")
    named = (second or first or {"certs": []})["certs"]
    if not named:
        return False
    if second:
        hashed = named[0]["hash_algorithm"]["algorithm"] == "sha256" and named[0]["cert_hash"]
        return bool(hashed == sha256(certificate.der).digest())
    return bool(named[0]["cert_hash"] == x509.Certificate.load(certificate.der).sha1)


def _timestamp(info: Any) -> cms.ContentInfo:
    unsigned = info["unsigned_attrs"]
    if is_absent(unsigned) or only(unsigned)["type"].native != TIMESTAMP:
        raise BadSignature("the signature has no timestamp")
    return only(unsigned[0]["values"])
