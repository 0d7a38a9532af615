"""Signature algorithms are data: contracts, trust lists and certificates name one, this table says how it is verified.

A key is always its SubjectPublicKeyInfo (DER), because not every library has a class for every key. A signature is over
a document's digest: an ECDSA or RSA signature over the SHA-256 digest *is* the one over the document. SM2 mixes the
signer's key into what it hashes, so with SM2 the digest is the message that is signed.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from evidence import sm2

Verifies: TypeAlias = Callable[[bytes, bytes, bytes], bool]
"""(SubjectPublicKeyInfo, signature, digest) → whether the signature is that key's over that digest."""

SMALLEST_RSA_BITS: Final = 2048
_PREHASHED: Final = Prehashed(SHA256())


class UnknownAlgorithm(ValueError):
    """No algorithm of that name is in the table."""


class Algorithm(NamedTuple):
    """How one algorithm is verified, and the digest of the documents that it signs."""

    verifies: Verifies
    digest_of: Callable[[bytes], bytes]


def verifies(name: str, key: bytes, signature: bytes, digest: bytes) -> bool:
    """Whether `signature` is over `digest` (32 bytes) by `key` (SubjectPublicKeyInfo).

    A key of another kind, or what is no key or no signature, verifies nothing. Raises UnknownAlgorithm.
    """
    return named(name).verifies(key, signature, digest)


def named(name: str) -> Algorithm:
    """Return the algorithm called `name`. Raises UnknownAlgorithm."""
    if name not in ALGORITHMS:
        raise UnknownAlgorithm(f"{name[:64]!r} is none of {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]


def _ecdsa_p256(key: bytes, signature: bytes, digest: bytes) -> bool:
    loaded = _loaded(key)
    if not isinstance(loaded, ec.EllipticCurvePublicKey) or not isinstance(loaded.curve, ec.SECP256R1):
        return False
    return _does(lambda: loaded.verify(signature, digest, ec.ECDSA(_PREHASHED)))


def _rsa(key: bytes, signature: bytes, digest: bytes) -> bool:
    loaded = _loaded(key)
    if not isinstance(loaded, rsa.RSAPublicKey) or loaded.key_size < SMALLEST_RSA_BITS:
        return False
    return _does(lambda: loaded.verify(signature, digest, padding.PKCS1v15(), _PREHASHED))


def _sha256(document: bytes) -> bytes:
    return sha256(document).digest()


def _does(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(256)
def _loaded(key: bytes) -> object:
    try:
        return load_der_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        return None


ALGORITHMS: Final = MappingProxyType(
    {
        "ecdsa-p256-sha256": Algorithm(_ecdsa_p256, _sha256),
        "rsa-sha256": Algorithm(_rsa, _sha256),
        "sm2-sm3": Algorithm(sm2.verifies, sm2.sm3),
    }
)
