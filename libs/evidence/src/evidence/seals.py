"""A seal judged alone and offline: given a digest and who has to have signed, the platform is not asked (Art. 16).

Two forms, told apart by `algorithm`: a signature of the document's own, or one over the root of a hash tree (`tree/…`),
with the path from the document to it.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from contracts.signing import SealCompleted
from evidence import algorithms, hash_tree, sm2
from evidence.certificates import Certificate, parse

Holds: TypeAlias = Callable[[Certificate, datetime], object]
"""Raises NotTrusted for a certificate that is not trusted to seal, or to log in, at an instant."""

TREE: Final = "tree/"
LARGEST: Final = 16 * 1024
LONGEST_PATH: Final = 32


class Reason(StrEnum):
    """Why a seal proves nothing; the first that holds, in this order."""

    MALFORMED = "MALFORMED"
    OTHER_DOCUMENT = "OTHER_DOCUMENT"
    OTHER_CERTIFICATE = "OTHER_CERTIFICATE"
    UNKNOWN_ALGORITHM = "UNKNOWN_ALGORITHM"
    WRONG_SIGNATURE = "WRONG_SIGNATURE"


class NoProof(Exception):
    """The seal does not prove the document, for one reason."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason.value)
        self.reason = reason


class Signer(NamedTuple):
    """Whose seal it has to be: its certificate's serial, as events write it, and its key (SubjectPublicKeyInfo)."""

    serial: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """One document of a batch: the leaf's inputs, its place, the path to the root, and the root's signature."""

    algorithm: str
    certificate: str
    kind: str
    request_id: UUID
    digest: bytes
    index: int
    count: int
    path: tuple[bytes, ...]
    signature: bytes


def signer_of(certificate: Certificate) -> Signer:
    """Return who signs with a certificate, of whatever algorithm."""
    return Signer(certificate.serial, sm2.key_of(certificate.der))


def judge(seal: SealCompleted, digest: bytes, holds: Holds) -> None:
    """Judge a seal that brings its certificate, from the document's digest and whoever `holds` certificates alone.

    Raises NotTrusted or NoProof.
    """
    signer = parse(_bytes(seal.certificate_der or ""))
    holds(signer, seal.signed_at)
    hold(seal, digest, signer_of(signer))


def hold(seal: SealCompleted, digest: bytes, signer: Signer) -> None:
    """Hold a seal, of either form, against the document's digest and its signer. Raises NoProof."""
    if seal.algorithm.startswith(TREE):
        hold_proof(proof_of(seal), digest, signer)
        return
    if bytes.fromhex(seal.digest) != digest:
        raise NoProof(Reason.OTHER_DOCUMENT)
    _hold_signature(seal.algorithm, seal.certificate, _bytes(seal.signature), digest, signer)


def hold_proof(proof: Proof, digest: bytes, signer: Signer) -> None:
    """Hold a batch's proof against the document's digest and its signer. Raises NoProof."""
    if proof.digest != digest:
        raise NoProof(Reason.OTHER_DOCUMENT)
    if not proof.algorithm.startswith(TREE):
        raise NoProof(Reason.UNKNOWN_ALGORITHM, proof.algorithm)
    algorithm = proof.algorithm.removeprefix(TREE)
    _hold_signature(algorithm, proof.certificate, proof.signature, root_of(proof), signer)


def root_of(proof: Proof) -> bytes:
    """Return the root that a proof leads to. Raises NoProof."""
    try:
        leaf = hash_tree.leaf(proof.kind, proof.request_id, proof.digest)
        return hash_tree.root_from(leaf, proof.index, proof.count, proof.path)
    except ValueError as trouble:
        raise NoProof(Reason.MALFORMED, str(trouble)) from trouble


def proof_of(seal: SealCompleted) -> Proof:
    """Return the proof that a seal of a batch carries. Raises NoProof when it carries none."""
    held = seal.proof
    if held is None:
        raise NoProof(Reason.MALFORMED, "a seal of a batch without its path")
    path = tuple(map(bytes.fromhex, held.path))
    signed = (seal.algorithm, seal.certificate, held.kind.value, seal.request_id, bytes.fromhex(seal.digest))
    return Proof(*signed, held.index, held.count, path, _bytes(seal.signature))


def _hold_signature(algorithm: str, serial: str, signature: bytes, digest: bytes, signer: Signer) -> None:
    if serial != signer.serial:
        raise NoProof(Reason.OTHER_CERTIFICATE, serial)
    try:
        verified = algorithms.verifies(algorithm, signer.key, signature, digest)
    except algorithms.UnknownAlgorithm as trouble:
        raise NoProof(Reason.UNKNOWN_ALGORITHM, str(trouble)) from trouble
    if not verified:
        raise NoProof(Reason.WRONG_SIGNATURE)


# A proof as a record of its own ---------------------------------------------------------------------------------


def encoded(proof: Proof) -> bytes:
    """Return a proof as a record that stands alone: canonical JSON, in which every byte matters."""
    fields: dict[str, Any] = {
        **asdict(proof),
        "request_id": str(proof.request_id),
        "digest": proof.digest.hex(),
        "path": [one.hex() for one in proof.path],
        "signature": proof.signature.hex(),
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def decoded(record: bytes) -> Proof:
    """Return the proof in a record. Raises NoProof (MALFORMED) for anything but what `encoded` writes."""
    if len(record) > LARGEST:
        raise NoProof(Reason.MALFORMED, f"{len(record)} bytes")
    try:
        proof = _read(json.loads(record))
        if encoded(proof) == record:
            return proof
    except (ValueError, TypeError, KeyError, RecursionError) as trouble:
        raise NoProof(Reason.MALFORMED, repr(trouble)[:200]) from trouble
    raise NoProof(Reason.MALFORMED, "not the one way in which this proof is written")


def _read(fields: Mapping[str, Any]) -> Proof:
    path = tuple(bytes.fromhex(one) for one in fields["path"][: LONGEST_PATH + 1])
    return Proof(
        algorithm=fields["algorithm"],
        certificate=fields["certificate"],
        kind=fields["kind"],
        request_id=UUID(fields["request_id"]),
        digest=bytes.fromhex(fields["digest"]),
        index=int(fields["index"]),
        count=int(fields["count"]),
        path=path,
        signature=bytes.fromhex(fields["signature"]),
    )


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as trouble:
        raise NoProof(Reason.MALFORMED, "not Base64") from trouble
