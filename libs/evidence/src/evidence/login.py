"""Proving who one is with a key: Web eID's authentication token, judged without the platform (Art. 19).

The holder's key signs hash(origin) ‖ hash(nonce): the origin that the holder was shown, the nonce that was given to
this browser alone. A token says nothing of roles; it proves a holder.
"""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from evidence.certificates import Certificate, Purpose, parse
from evidence.revocation import Revocations
from evidence.trust import TrustList

FORMAT: Final = "web-eid:1.0"
LARGEST: Final = 24 * 1024
LONGEST_SIGNATURE: Final = 1024
ALGORITHMS: Final = {"ES256": "ecdsa-p256-sha256", "RS256": "rsa-sha256"}
"""The token's algorithm (JWA), and the kind of key that makes it."""
FIELDS: Final = {"format", "algorithm", "unverifiedCertificate", "signature"}
MAY_ALSO: Final = {"appVersion"}
HALF: Final = 32
"""Bytes of each half of a P-256 signature as JWA writes it."""


class Fault(StrEnum):
    """Why a token proves nothing, besides what `NotTrusted` says of its certificate."""

    MALFORMED = "MALFORMED"
    WRONG_SIGNATURE = "WRONG_SIGNATURE"


class NotProved(Exception):
    """A token proves nothing; `detail` is for the log."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(f"{fault}: {detail}" if detail else fault.value)
        self.fault = fault
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Token:
    """An authentication token, read: a certificate that is not yet trusted, and a signature not yet verified."""

    algorithm: str
    certificate: Certificate
    signature: bytes = field(repr=False)


def signed_bytes(origin: str, nonce: str) -> bytes:
    """Return what the key signs (with SHA-256): 64 bytes, hash(origin) ‖ hash(nonce)."""
    return sha256(origin.encode()).digest() + sha256(nonce.encode()).digest()


def make(certificate: Certificate, origin: str, nonce: str, sign: Callable[[bytes], bytes]) -> dict[str, str]:
    """Return the token of whoever holds `certificate`; `sign` signs a message with SHA-256 (ECDSA: DER)."""
    algorithm = next(name for name, kind in ALGORITHMS.items() if kind == certificate.algorithm)
    made = sign(signed_bytes(origin, nonce))
    return {
        "format": FORMAT,
        "algorithm": algorithm,
        "unverifiedCertificate": base64.b64encode(certificate.der).decode(),
        "signature": base64.b64encode(from_der(made) if algorithm == "ES256" else made).decode(),
    }


def read(text: str | bytes) -> Token:
    """Return the token in `text` (JSON, at most 24 kB). Raises NotProved (MALFORMED) or NotTrusted (MALFORMED)."""
    told = _object(text)
    if not told.keys() >= FIELDS or not told.keys() <= FIELDS | MAY_ALSO:
        raise NotProved(Fault.MALFORMED, f"fields are {sorted(told)[:8]}")
    if told["format"] != FORMAT or told["algorithm"] not in ALGORITHMS:
        raise NotProved(Fault.MALFORMED, f"{told['format']} with {told['algorithm']}"[:100])
    signature = _bytes(told["signature"])
    if len(signature) > LONGEST_SIGNATURE:
        raise NotProved(Fault.MALFORMED, f"a signature of {len(signature)} bytes")
    return Token(told["algorithm"], parse(_bytes(told["unverifiedCertificate"])), signature)


def prove(
    token: Token, origin: str, nonce: str, trust: TrustList, revocations: Revocations, at: datetime
) -> Certificate:
    """Return the certificate whose holder answered `nonce` for `origin` at `at` (aware).

    The certificate is judged first (issuer, validity, purpose, revocation), the signature last. Raises NotTrusted or
    NotProved (WRONG_SIGNATURE: another key, another nonce or another origin).
    """
    trust.hold(token.certificate, Purpose.LOGIN, at, revocations)
    if not has_signed(token, signed_bytes(origin, nonce)):
        raise NotProved(Fault.WRONG_SIGNATURE, token.certificate.serial)
    return token.certificate


def has_signed(token: Token, message: bytes) -> bool:
    """Whether the token's signature is its certificate's holder's over `message`."""
    if ALGORITHMS[token.algorithm] != token.certificate.algorithm:
        return False
    if token.algorithm == "RS256":
        return token.certificate.has_signed(message, token.signature)
    return len(token.signature) == 2 * HALF and token.certificate.has_signed(message, to_der(token.signature))


def to_der(signature: bytes) -> bytes:
    """Return a P-256 signature r ‖ s (64 bytes) as DER."""
    return encode_dss_signature(int.from_bytes(signature[:HALF]), int.from_bytes(signature[HALF:]))


def from_der(signature: bytes) -> bytes:
    """Return a P-256 signature in DER as r ‖ s (64 bytes). Raises ValueError."""
    r, s = decode_dss_signature(signature)
    return r.to_bytes(HALF) + s.to_bytes(HALF)


def _object(text: str | bytes) -> dict[str, str]:
    if len(text) > LARGEST:
        raise NotProved(Fault.MALFORMED, f"{len(text)} bytes")
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError) as trouble:
        raise NotProved(Fault.MALFORMED, type(trouble).__name__) from None
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        raise NotProved(Fault.MALFORMED, "not an object of texts")
    return told  # pyright: ignore[reportUnknownVariableType]


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as trouble:
        raise NotProved(Fault.MALFORMED, str(trouble)) from None
