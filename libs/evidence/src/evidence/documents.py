"""Whether a sealed document is what the office sealed (Art. 16): judged from the file and the trust list alone.

A sealed PDF of this house has one signature, and that signature covers every byte of the file but its own: the gap that
the signature stands in, hexadecimal digits between angle brackets. So nothing may be added after the seal, and no PDF
has to be understood to judge one. What the gap holds has one form, byte for byte (`evidence.signatures`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from evidence import signatures, timestamps
from evidence.certificates import Certificate, NotTrusted, Purpose, Reason
from evidence.long_term import Backed, carried
from evidence.revocation import Revocations
from evidence.signatures import BadSignature, Signed
from evidence.timestamps import Timestamp
from evidence.trust import TrustList

LARGEST: Final = 32 * 1024 * 1024
HEADER: Final = b"%PDF-"
RANGE: Final = re.compile(
    rb"/ByteRange\s{0,64}\[\s{0,64}(\d{1,9})\s{1,64}(\d{1,9})\s{1,64}(\d{1,9})\s{1,64}(\d{1,9})\s{0,64}\]"
)
TRACES: Final = (b"/ByteRange", b"/ETSI.CAdES.detached", b"/adbe.pkcs7.detached")
OWN_EVIDENCE: Final = "not revoked by the evidence in the file; nothing fresher is at hand"
HEXADECIMAL: Final = re.compile(rb"<(?:[0-9a-f]{2})+>")


class Finding(StrEnum):
    """What was found about a document."""

    VALID = "VALID"
    ALTERED = "ALTERED"
    REVOKED_BEFORE_SIGNING = "REVOKED_BEFORE_SIGNING"
    UNKNOWN_CA = "UNKNOWN_CA"
    UNKNOWN_SEAL = "UNKNOWN_SEAL"
    REVOCATION_UNKNOWN = "REVOCATION_UNKNOWN"
    UNSIGNED = "UNSIGNED"


SENTENCES: Final[Mapping[Finding, str]] = {
    Finding.VALID: "文书真实有效：由“{organisation}”签章，签章之后内容没有任何改动，与书面形式文件具有同等的行政效力。"
    "请核对该机关与文书落款一致。",
    Finding.ALTERED: "文书不可信：文件在签章之后被改动过，或者已经损坏，请勿采用，请向出具机关索取原件。",
    Finding.REVOKED_BEFORE_SIGNING: "文书不可信：签章时所用的证书已经被撤销或者挂失，该签章无效，请向出具机关核实。",
    Finding.UNKNOWN_CA: "无法认定：签章所用的证书不是由受信任的电子认证服务机构为签章签发的，请向出具机关核实。",
    Finding.UNKNOWN_SEAL: "文书不可信：签章的“{organisation}”不在用章机关名单上，不是联合审批平台出具的文书，请勿采用，"
    "请向有关机关核实。",
    Finding.REVOCATION_UNKNOWN: "暂时无法认定：没有签发机构最近的证书撤销名单，不能确定签章时证书是否有效；"
    "这不说明文书有问题，请稍后再核验，或向出具机关核实。",
    Finding.UNSIGNED: "这个文件没有电子签章，不是联合审批平台出具的文书。",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is found of a file, in a sentence for whoever holds it.

    `digest` is the SHA-256 of the whole file. `signer`, `organisation`, `certificate` (its serial), `signed_at` (the
    timestamp's instant) and `timestamped_by` are what the signature says, as far as it could be read; only of a VALID
    document may they be believed. `outside` says which bytes the signature does not cover; `detail` is for an expert.
    """

    finding: Finding
    digest: str
    signer: str | None = None
    organisation: str | None = None
    certificate: str | None = None
    signed_at: datetime | None = None
    timestamped_by: str | None = None
    outside: str = ""
    detail: str = ""

    @property
    def sentence(self) -> str:
        """What a citizen is told."""
        return SENTENCES[self.finding].format(organisation=self.organisation or self.signer)


class Gap(NamedTuple):
    """Where a signature stands: from its opening angle bracket (`start`) to after its closing one (`end`)."""

    start: int
    end: int

    @property
    def outside(self) -> str:
        """What the format leaves outside the signature, for whoever wants to know."""
        return f"第 {self.start} 至 {self.end - 1} 字节，即签章数据自身的位置；其余全部字节都在签章之内"


class NoSignature(Exception):
    """The file has no trace of a signature."""


def bears_traces(pdf: bytes) -> bool:
    """Whether anything in a file tells of a signature."""
    return any(trace in pdf for trace in TRACES)


def gap_of(pdf: bytes) -> Gap:
    """Return where the one signature of a sealed PDF stands. Raises NoSignature, or BadSignature when there are two, or
    when it leaves anything else outside: then something was added or taken away after the seal."""
    if len(pdf) > LARGEST:
        raise BadSignature(f"{len(pdf)} bytes are more than a document has")
    if not bears_traces(pdf):
        raise NoSignature("no signature")
    found = RANGE.findall(pdf)
    if len(found) != 1 or not pdf.startswith(HEADER):
        raise BadSignature(f"{len(found)} signatures where one was meant")
    first, start, end, rest = map(int, found[0])
    if first != 0 or not 0 < start < end or end + rest != len(pdf):
        raise BadSignature("the signature does not cover the whole file")
    if HEXADECIMAL.fullmatch(pdf, start, end) is None:
        raise BadSignature("more than the signature stands outside of it")
    return Gap(start, end)


def digest_of(pdf: bytes, gap: Gap) -> bytes:
    """Return the SHA-256 of all that a signature covers: everything but its gap."""
    hashed = sha256(memoryview(pdf)[: gap.start])
    hashed.update(memoryview(pdf)[gap.end :])
    return hashed.digest()


def signature_in(pdf: bytes, gap: Gap) -> bytes:
    """Return the signature (DER) in the gap, without the zeros that fill it up. Raises BadSignature."""
    held = bytes.fromhex(pdf[gap.start + 1 : gap.end - 1].decode("ascii"))
    length = _length(held)
    if held[length:].strip(b"\0"):
        raise BadSignature("something stands behind the signature")
    return held[:length]


def _length(held: bytes) -> int:
    """Return the length of the DER sequence that `held` begins with; it is the long form for any signature."""
    if len(held) < 4 or held[0] != 0x30 or held[1] not in (0x81, 0x82, 0x83):
        raise BadSignature("no signature stands in its place")
    size = held[1] - 0x80
    return 2 + size + int.from_bytes(held[2 : 2 + size])


class NoRoom(ValueError):
    """A signature is bigger than the gap that was kept for it."""


def filled(prepared: bytes, signature: bytes) -> bytes:
    """Return a prepared PDF with `signature` (DER) in its gap. Raises NoRoom, or BadSignature without a gap."""
    gap = gap_of(prepared)
    room = gap.end - gap.start - 2
    if 2 * len(signature) > room:
        raise NoRoom(f"{len(signature)} bytes in a gap for {room // 2}")
    held = signature.hex().ljust(room, "0").encode()
    return prepared[: gap.start + 1] + held + prepared[gap.end - 1 :]


def judge(pdf: bytes, trust: TrustList, revocations: Revocations) -> Verdict:
    """Return what is found of a file of any bytes, at most 32 MB; never raises for what stands in it.

    The certificate is judged as of the instant of the timestamp: a seal made before a revocation stays valid (Art. 20).
    Where `revocations` have nothing fresh to say, the evidence counts that the file carries (`evidence.long_term`).
    """
    digest = sha256(pdf).hexdigest()
    try:
        gap = gap_of(pdf)
        signed = signatures.read(signature_in(pdf, gap), digest_of(pdf, gap))
    except NoSignature as nothing:
        return Verdict(Finding.UNSIGNED, digest, detail=str(nothing))
    except BadSignature as bad:
        return Verdict(Finding.ALTERED, digest, detail=str(bad))
    verdict = _judged(signed, digest, gap, trust, revocations)
    if verdict.finding is not Finding.REVOCATION_UNKNOWN:
        return verdict
    backed = Backed(known=revocations, carries=carried(pdf, trust))
    return _judged(signed, digest, gap, trust, backed, OWN_EVIDENCE)


def _judged(
    signed: Signed, digest: str, gap: Gap, trust: TrustList, revocations: Revocations, detail: str = ""
) -> Verdict:
    """Judge a signature that fits its file: when was it made, and who says whose it is?"""
    timestamp = None
    try:
        timestamp = timestamps.judge(signed.timestamp, signed.value, trust, revocations)
        hold_signer(signed, timestamp, trust, revocations)
    except NotTrusted as doubt:
        return _told(FINDINGS.get(doubt.reason, Finding.UNKNOWN_CA), digest, signed, timestamp, gap, str(doubt))
    except BadSignature as bad:
        return _told(Finding.ALTERED, digest, signed, timestamp, gap, str(bad))
    return _told(Finding.VALID, digest, signed, timestamp, gap, detail)


FINDINGS: Final[Mapping[Reason, Finding]] = {
    Reason.REVOKED: Finding.REVOKED_BEFORE_SIGNING,
    Reason.REVOCATION_STALE: Finding.REVOCATION_UNKNOWN,
    Reason.UNKNOWN_SEAL: Finding.UNKNOWN_SEAL,
    Reason.MALFORMED: Finding.ALTERED,
}
"""What a doubt about a certificate makes of a document; any other doubt is that its authority is not known for it."""


def hold_signer(signed: Signed, timestamp: Timestamp, trust: TrustList, revocations: Revocations) -> None:
    """Hold the signer to the trust list at the timestamp's instant. Raises NotTrusted, or BadSignature when the
    signature carries certificates that have nothing to do with it."""
    issuer = trust.hold(signed.certificate, Purpose.SEAL, timestamp.at, revocations)
    if not {issuer.certificate.der, issuer.root.der}.issuperset(signed.others):
        raise BadSignature("the signature carries a certificate of somebody else")


def _told(finding: Finding, digest: str, signed: Signed, timestamp: Timestamp | None, gap: Gap, detail: str) -> Verdict:
    holder: Certificate = signed.certificate
    return Verdict(
        finding,
        digest,
        signer=holder.holder,
        organisation=holder.organisation,
        certificate=holder.serial,
        signed_at=None if timestamp is None else timestamp.at,
        timestamped_by=None if timestamp is None else timestamp.authority.holder,
        outside=gap.outside,
        detail=detail,
    )
