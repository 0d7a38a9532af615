"""An office made on the spot, for tests: it seals documents under any certificate, at any time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from asn1crypto import algos, cms, core, tsp, x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from evidence import documents, signatures
from evidence.certificates import Certificate, Purpose
from evidence.testing import NOW, Authority


@dataclass
class Signer:
    """A key with its certificate."""

    issuer: Authority
    holder: str
    purpose: Purpose | None
    changes: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.issuer.issue(self.holder, self.purpose, key=self.key.public_key(), **self.changes)

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message, ec.ECDSA(SHA256()))

    def over(self, digest: bytes) -> bytes:
        """Return a signature over a SHA-256 that is made already, as a token does."""
        return self.key.sign(digest, ec.ECDSA(Prehashed(SHA256())))


@dataclass
class Clock(Signer):
    """A timestamp authority."""

    at: datetime = NOW

    def token(self, message: bytes) -> bytes:
        told = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": "1.3.6.1.4.1.13762.3",
                "message_imprint": {
                    "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
                    "hashed_message": sha256(message).digest(),
                },
                "serial_number": 7,
                "gen_time": core.GeneralizedTime(self.at),
            }
        ).dump()
        signed = _attributes("tst_info", sha256(told).digest(), self.certificate)
        return _cms("v3", {"content_type": "tst_info", "content": core.ParsableOctetString(told)}, signed, self)


def _attributes(kind: str, digest: bytes, certificate: Certificate) -> cms.CMSAttributes:
    named = tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2({"cert_hash": sha256(certificate.der).digest()})]})
    told = [("content_type", kind), ("message_digest", digest), ("signing_certificate_v2", named)]
    return cms.CMSAttributes([cms.CMSAttribute({"type": name, "values": [value]}) for name, value in told])


def _cms(version: str, enclosed: dict[str, Any], signed: cms.CMSAttributes, signer: Signer) -> bytes:
    read = x509.Certificate.load(signer.certificate.der)
    sid = cms.IssuerAndSerialNumber({"issuer": read.issuer, "serial_number": read.serial_number})
    info = {
        "version": "v1",
        "sid": cms.SignerIdentifier(name="issuer_and_serial_number", value=sid),
        "digest_algorithm": {"algorithm": "sha256"},
        "signed_attrs": signed,
        "signature_algorithm": {"algorithm": "sha256_ecdsa"},
        "signature": signer.sign(signed.dump()),
    }
    data = {
        "version": version,
        "digest_algorithms": [{"algorithm": "sha256"}],
        "encap_content_info": enclosed,
        "certificates": [cms.CertificateChoices(name="certificate", value=read)],
        "signer_infos": [info],
    }
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(data)}).dump())


@dataclass
class Office:
    """A seal, and the clock that states when it was put."""

    seal: Signer
    clock: Clock

    def signature(self, digest: bytes) -> bytes:
        """Return the CMS over content of that SHA-256."""
        signed = signatures.attributes(digest, self.seal.certificate)
        value = self.seal.sign(signed)
        chain = (self.seal.issuer.certificate,)
        return signatures.assembled(signed, value, self.seal.certificate, chain, self.clock.token(value))

    def seals(self, prepared: bytes) -> bytes:
        """Return a prepared PDF with the signature in its gap."""
        gap = documents.gap_of(prepared)
        return documents.filled(prepared, self.signature(documents.digest_of(prepared, gap)))


def office(issuer: Authority, at: datetime = NOW, **changes: Any) -> Office:
    """Return an office under `issuer` whose clock stands at `at`; `changes` are its seal certificate's."""
    seal = Signer(issuer, "瓦房店市自然资源局", Purpose.SEAL, {"organisation": "瓦房店市自然资源局"} | changes)
    return Office(seal, Clock(issuer, "时间戳", Purpose.TIMESTAMP, at=at))


def prepared(text: str = "准予行政许可", room: int = 8192, carries: Iterable[bytes] = ()) -> bytes:
    """Return something like a PDF with a gap for a signature of `room` bytes, and with streams that it carries."""
    streams = b"".join(b"9 0 obj\n<<>>\nstream\n" + one + b"\nendstream\nendobj\n" for one in carries)
    before = f"%PDF-1.7\n% {text}\n".encode() + streams
    before += b"1 0 obj\n<</Type/Sig/SubFilter/ETSI.CAdES.detached/ByteRange "
    after = b">>\nendobj\ntrailer\n<</Root 1 0 R>>\nstartxref\n0\n%%EOF\n"
    start = len(before) + 48 + len("/Contents ")
    end = start + 2 + 2 * room
    span = f"[0 {start} {end} {len(after)}]".encode().ljust(48)
    return before + span + b"/Contents <" + b"00" * room + b">" + after
