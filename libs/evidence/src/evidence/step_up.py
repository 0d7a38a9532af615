"""An act signed by the officer's own key: a fresh signature over what is done, so that Art. 20 can be proved.

What is signed is a text that a person can read: one line a fact, the origin first, the nonce last. Whoever keeps the
text, the certificate and the signature can show years later who did it, without the platform.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import datetime

from evidence.certificates import Certificate, Purpose, parse
from evidence.login import ALGORITHMS, Fault, NotProved, Token, from_der, has_signed
from evidence.revocation import Revocations
from evidence.trust import TrustList

HEAD = "lianshen-act:1.0"


def text(origin: str, nonce: str, facts: Mapping[str, str]) -> str:
    """Return what is signed. A fact with a line break, which could pass for another fact, is refused (ValueError)."""
    lines = [HEAD, f"origin: {origin}", *(f"{name}: {facts[name]}" for name in sorted(facts)), f"nonce: {nonce}"]
    if any("\n" in line or "\r" in line for line in lines):
        raise ValueError("a fact that is signed stands in one line")
    return "\n".join(lines)


def make(certificate: Certificate, signed: str, sign: Callable[[bytes], bytes]) -> dict[str, str]:
    """Return the signature of whoever holds `certificate` over `signed`; `sign` gives ECDSA with SHA-256 in DER."""
    algorithm = next(name for name, kind in ALGORITHMS.items() if kind == certificate.algorithm)
    made = sign(signed.encode())
    return {
        "algorithm": algorithm,
        "certificate": base64.b64encode(certificate.der).decode(),
        "signature": base64.b64encode(from_der(made) if algorithm == "ES256" else made).decode(),
    }


def prove(
    signed: str,
    algorithm: str,
    certificate: bytes,
    signature: bytes,
    trust: TrustList,
    revocations: Revocations,
    at: datetime,
) -> Certificate:
    """Return the certificate (given as DER) whose holder signed the text at `at`.

    Raises NotTrusted (certificate) or NotProved (WRONG_SIGNATURE: another key or another text).
    """
    held = parse(certificate)
    trust.hold(held, Purpose.LOGIN, at, revocations)
    if algorithm not in ALGORITHMS or not has_signed(Token(algorithm, held, signature), signed.encode()):
        raise NotProved(Fault.WRONG_SIGNATURE, held.serial)
    return held
