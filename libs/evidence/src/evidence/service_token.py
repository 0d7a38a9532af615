"""What is shown to a service for its caller: a JWT of at most a minute, made inside the platform's own token (Art. 19).

It carries the certificate of the key that signed it (x5c). Whoever reads it trusts that certificate for this purpose by
its own trust list, and nothing else: a key is changed by issuing another certificate.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import jwt

from evidence.certificates import Certificate, NotTrusted, Purpose, parse
from evidence.login import from_der
from evidence.revocation import Revocations
from evidence.trust import TrustList

ALGORITHM: Final = "ES256"
AUDIENCE: Final = "lianshen"
LONGEST_SECONDS: Final = 60
SKEW_SECONDS: Final = 5
LARGEST: Final = 8 * 1024


class NoServiceToken(Exception):
    """A text is no service token that counts now; the message is for the log."""


class _ToldElsewhere(Revocations):
    """Whether the platform's own certificate is suspended stands on the identity topic, which every service reads."""

    def check(self, *_: object, **__: object) -> None: ...


TOLD_ELSEWHERE: Final = _ToldElsewhere()


def unsigned(claims: Mapping[str, Any], certificate: Certificate, at: datetime) -> str:
    """Return the part of a token that is signed: `claims`, from `at` on, for a minute."""
    issued = int(at.timestamp())
    head = {"alg": ALGORITHM, "typ": "JWT", "x5c": [base64.b64encode(certificate.der).decode()]}
    body = {**claims, "aud": AUDIENCE, "iat": issued, "exp": issued + LONGEST_SECONDS}
    return f"{_part(head)}.{_part(body)}"


def signed(part: str, signature: bytes) -> str:
    """Return the token whose signed part is `part`; `signature` is ECDSA with SHA-256 over it, in DER."""
    return f"{part}.{_encoded(from_der(signature))}"


def certificate_of(token: str) -> bytes:
    """Return the certificate (DER, unread) that a token carries. Raises NoServiceToken."""
    if len(token) > LARGEST:
        raise NoServiceToken(f"{len(token)} bytes")
    try:
        (first,) = jwt.get_unverified_header(token)["x5c"]
        return base64.b64decode(first, validate=True)
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, binascii.Error) as trouble:
        raise NoServiceToken(repr(trouble)) from None


def trusted(der: bytes, trust: TrustList, at: datetime) -> Certificate:
    """Return the platform's certificate in `der`. Raises NoServiceToken when it is not trusted for service tokens at
    `at`."""
    try:
        certificate = parse(der)
        trust.hold(certificate, Purpose.SERVICE, at, TOLD_ELSEWHERE)
    except NotTrusted as trouble:
        raise NoServiceToken(str(trouble)) from None
    return certificate


def claims_of(token: str, certificate: Certificate) -> dict[str, Any]:
    """Return what `certificate`'s holder says in `token`. Raises NoServiceToken: forged, ended, or too long-lived."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            certificate.public_key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            leeway=SKEW_SECONDS,
            options={"require": ["exp", "iat", "sub"]},
        )
    except (jwt.InvalidTokenError, NotTrusted, ValueError, TypeError) as trouble:
        raise NoServiceToken(repr(trouble)) from None
    if claims["exp"] - claims["iat"] > LONGEST_SECONDS:
        raise NoServiceToken(f"lives for {claims['exp'] - claims['iat']} s")
    return claims


def _part(value: Mapping[str, Any]) -> str:
    return _encoded(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
