"""Signatures over documents as CMS (RFC 5652) in the profile of PAdES: made from their parts, and judged strictly.

What is signed is never a bare digest: it is a set of attributes that names the content's digest and the very
certificate (ESSCertIDv2), so neither can be exchanged. Everything in a signature has one form; any other
bytes are refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

from asn1crypto import algos, cms, core, tsp, x509

from evidence.certificates import Certificate, NotTrusted, parse

LARGEST: Final = 64 * 1024
TIMESTAMP: Final = "signature_time_stamp_token"
SIGNATURE_ALGORITHMS: Final = {"ecdsa-p256-sha256": "sha256_ecdsa", "rsa-sha256": "sha256_rsa"}
"""How CMS names the algorithms of the trust list. SM2 comes through an adapter of its own."""
ACCEPTED: Final = {
    "ecdsa-p256-sha256": ("sha256_ecdsa",),
    "rsa-sha256": ("sha256_rsa", "rsassa_pkcs1v15"),
}
SEQUENCE, SET, OCTETS, FIRST, SECOND = b"\x30", b"\x31", b"\x04", b"\xa0", b"\xa1"
"""DER tags; `FIRST` and `SECOND` are the context's own [0] and [1]."""
SIGNED_DATA_OID: Final = cms.ContentType("signed_data").dump()
TIMESTAMP_OID: Final = cms.CMSAttributeType(TIMESTAMP).dump()
HOLE: Final = sha256(b"the digest stands here").digest()
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
    before, after = _around_digest(certificate.der)
    return before + digest + after


@lru_cache(1024)
def _around_digest(der: bytes) -> tuple[bytes, bytes]:
    """The attributes of a certificate's holder before and behind the digest: nothing else in them changes."""
    certificate_id = tsp.ESSCertIDv2({"cert_hash": sha256(der).digest()})
    told = [
        {"type": "content_type", "values": ["data"]},
        {"type": "message_digest", "values": [HOLE]},
        {"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2({"certs": [certificate_id]})]},
    ]
    before, after = cms.CMSAttributes([cms.CMSAttribute(one) for one in told]).dump().split(HOLE)
    return before, after


def assembled(
    signed: bytes, value: bytes, certificate: Certificate, chain: Iterable[Certificate], timestamp: bytes
) -> bytes:
    """Return the CMS: attributes `signed` under the signature `value` (ECDSA: DER), with its `timestamp` (DER)."""
    parts = _parts(certificate.der, certificate.algorithm, tuple(one.der for one in chain))
    stamped = _der(SEQUENCE, TIMESTAMP_OID, _der(SET, timestamp))
    signature = _der(OCTETS, value)
    info = _der(SEQUENCE, parts.signer, _retagged(FIRST, signed), parts.algorithm, signature, _der(SECOND, stamped))
    data = _der(SEQUENCE, parts.head, _der(SET, info))
    return _der(SEQUENCE, SIGNED_DATA_OID, _der(FIRST, data))


class _Parts(NamedTuple):
    """What all signatures by one certificate share: the data's beginning, the signer's, and the algorithm's name."""

    head: bytes
    signer: bytes
    algorithm: bytes


@lru_cache(1024)
def _parts(der: bytes, algorithm: str, chain: tuple[bytes, ...]) -> _Parts:
    read = x509.Certificate.load(der)
    named = cms.IssuerAndSerialNumber({"issuer": read.issuer, "serial_number": read.serial_number})
    hashed = algos.DigestAlgorithm({"algorithm": "sha256"}).dump()
    one = core.Integer(1).dump()
    carried = cms.CertificateSet(
        [cms.CertificateChoices("certificate", x509.Certificate.load(x)) for x in (der, *chain)]
    )
    head = one + _der(SET, hashed) + cms.ContentInfo({"content_type": "data"}).dump() + _retagged(FIRST, carried.dump())
    signature = algos.SignedDigestAlgorithm({"algorithm": SIGNATURE_ALGORITHMS[algorithm]})
    return _Parts(head, one + named.dump() + hashed, signature.dump())


def _der(tag: bytes, *parts: bytes) -> bytes:
    """Return one DER element of `parts`: two kilobytes of them are put together for every seal."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return tag + len(body).to_bytes() + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return tag + (0x80 | len(length)).to_bytes() + length + body


def _retagged(tag: bytes, element: bytes) -> bytes:
    return tag + element[1:]


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
    signed, certificate = signed_bytes(info), parse(signer_of(data, info).dump())
    verify(info, certificate, "data", digest)
    timestamp, value = _timestamp(info), info["signature"].native
    others = [parse(one.dump()) for one in data["certificates"] if one.dump() != certificate.der]
    if assembled(signed, value, certificate, others, timestamp.dump()) != der:
        raise BadSignature("the signature is not in the one form")
    return Signed(certificate, value, timestamp, tuple(one.der for one in others))


def signed_bytes(info: Any) -> bytes:
    """Return what a signer signed: its attributes as a SET of their own. Asked before they are read: the bytes are the
    very ones that came then, and cost nothing."""
    return _retagged(SET, info["signed_attrs"].dump())


def is_absent(field: Any) -> bool:
    """Whether an optional field is not there; reading it whole to find out would take half a second."""
    return isinstance(field, core.Void)


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
    signed, told = signed_bytes(info), _attributes(info["signed_attrs"])
    if told.get("content_type") != kind or told.get("message_digest") != digest:
        raise BadSignature("the signature is over something else")
    if not _names(told, certificate):
        raise BadSignature("the signature names another certificate")
    if not certificate.has_signed(signed, info["signature"].native):
        raise BadSignature("the signature does not verify")


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
