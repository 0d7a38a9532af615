"""One life of the PKCS#11 module: the tokens that are logged in, their certificates, and a session and key per thread.

The login of a token belongs to the process and ends with the session that made it: that one, the anchor, is never used
to sign and stays open. When anything of the module fails, the whole life ends and another begins (`door`).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import pkcs11
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from evidence.certificates import Certificate, NotTrusted, PublicKey, parse
from signing.token.pins import Pins, TokenRefused, TokenUnavailable, WrongPin

REQUIRED: Final = {
    pkcs11.Attribute.SENSITIVE: True,
    pkcs11.Attribute.EXTRACTABLE: False,
    pkcs11.Attribute.ALWAYS_SENSITIVE: True,
    pkcs11.Attribute.NEVER_EXTRACTABLE: True,
    pkcs11.Attribute.LOCAL: True,
}
PIN_TROUBLE: Final = (pkcs11.PinIncorrect, pkcs11.PinLocked, pkcs11.PinLenRange, pkcs11.PinInvalid, pkcs11.PinExpired)
STAND_IN: Final = "SoftHSM"
SHA256_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")

log = structlog.get_logger()


class StandIn(TokenRefused):
    """A software token where a real one is needed."""


class BrokenToken(TokenRefused):
    """The token holds a key that could have left it, or no certificate of that key."""


class ModuleFails(TokenUnavailable):
    """What concerns the whole module: a token that should be there is not, or a signature does not verify."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A verified signature (ECDSA: DER; RSA: PKCS #1 v1.5) with the certificate of the key that made it."""

    value: bytes
    certificate: Certificate

    @property
    def algorithm(self) -> str:
        return self.certificate.algorithm

    @property
    def serial(self) -> str:
        return self.certificate.serial


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A token whose anchor session is logged in."""

    token: Any
    anchor: Any
    key_id: bytes
    certificate: Certificate


class _Key(NamedTuple):
    """A key in one thread's session, with all that signing and verification need of it."""

    private: Any
    public: PublicKey
    certificate: Certificate
    sign: Callable[[Any, bytes], bytes]
    verify: Callable[[PublicKey, bytes, bytes], bool]


class _Thread(threading.local):
    def __init__(self) -> None:
        self.keys: dict[str, _Key] = {}


class Module:
    """The module from one initialisation to the next; sessions of an earlier life are never touched again."""

    def __init__(self, path: Path, pins: Pins, *, allows_stand_in: bool) -> None:
        self._pins = pins
        self._allows_stand_in = allows_stand_in
        self._library = initialised(path)
        self._logged_in: dict[str, LoggedIn] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._thread = _Thread()

    def sign(self, label: str, digest: bytes) -> Signature:
        """Return a token's signature over a SHA-256 digest. Raises TokenUnavailable or PKCS11Error."""
        key = self._thread.keys.get(label) or self._key(label)
        value = key.sign(key.private, digest)
        if not key.verify(key.public, digest, value):
            raise ModuleFails(f"{label} made a signature that does not verify")
        return Signature(value, key.certificate)

    def _key(self, label: str) -> _Key:
        """Return a token's key in a session of this thread's own, which keeps it."""
        held = self.login(label)
        private, algorithm = private_key(held.token.open(), held.key_id), held.certificate.algorithm
        key = _Key(private, held.certificate.public_key, held.certificate, SIGN[algorithm], VERIFY[algorithm])
        self._thread.keys[label] = key
        return key

    def login(self, label: str) -> LoggedIn:
        """Return a token that is logged in; its first user in this life logs it in, once."""
        with self._lock:
            lock = self._locks.setdefault(label, threading.Lock())
        with lock:
            if label not in self._logged_in:
                self._logged_in[label] = self._log_in(label)
            return self._logged_in[label]

    def refusal(self, label: str) -> str | None:
        """Return why a token may not be used until somebody mends it; None for one that may. Raises as `sign` does."""
        try:
            self.login(label)
        except TokenRefused as trouble:
            return str(trouble)
        return None

    def holds(self, label: str) -> None:
        """Return when a token is there and its key can be found. Raises as `sign` does."""
        held = self.login(label)
        held.anchor.get_key(pkcs11.ObjectClass.PRIVATE_KEY, id=held.key_id)

    def _log_in(self, label: str) -> LoggedIn:
        pin = self._pins.read(label)
        token = self._token(label)
        try:
            anchor = token.open(user_pin=pin)
        except PIN_TROUBLE as trouble:
            self._pins.latch(label)
            log.critical("token.wrong_pin", token=label)
            raise WrongPin(f"the PIN of {label} is wrong") from trouble
        key_id, certificate = _certificate(anchor, label)
        private_key(anchor, key_id)
        log.info("token.logged_in", token=label, certificate=certificate.serial, holder=certificate.holder)
        return LoggedIn(token, anchor, key_id, certificate)

    def _token(self, label: str) -> Any:
        found = list(self._library.get_tokens(token_label=label))
        if len(found) != 1:
            raise ModuleFails(f"{len(found)} tokens are labelled {label}")
        if STAND_IN in str(found[0].manufacturer_id) and not self._allows_stand_in:
            raise StandIn(f"{label} is a software token")
        return found[0]


def initialised(path: Path) -> Any:
    """Return the module, initialised anew whatever state it was in."""
    library = pkcs11.lib(str(path))
    try:
        library.finalize()
    except pkcs11.PKCS11Error as trouble:
        log.warning("token.finalize", trouble=repr(trouble))
    library.initialize()
    return library


def private_key(session: Any, key_id: bytes) -> Any:
    """Return a private key. Raises BrokenToken when it could ever have left the token."""
    key = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, id=key_id)
    for attribute, value in REQUIRED.items():
        if key[attribute] != value:
            raise BrokenToken(f"the private key's {attribute.name} is not {value}")
    return key


def _certificate(session: Any, label: str) -> tuple[bytes, Certificate]:
    found = list(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE}))
    if len(found) != 1:
        raise BrokenToken(f"{label} holds {len(found)} certificates")
    try:
        certificate = parse(found[0][pkcs11.Attribute.VALUE])
    except NotTrusted as trouble:
        raise BrokenToken(f"{label}: {trouble}") from trouble
    if certificate.algorithm not in SIGN:
        raise BrokenToken(f"{label} signs with {certificate.algorithm}")
    return found[0][pkcs11.Attribute.ID], certificate


# What a signature is, by algorithm --------------------------------------------------------------------------------


def _ecdsa(key: Any, digest: bytes) -> bytes:
    raw: bytes = key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))


def _rsa(key: Any, digest: bytes) -> bytes:
    return key.sign(SHA256_INFO + digest, mechanism=pkcs11.Mechanism.RSA_PKCS)


def _is_ecdsa(key: PublicKey, digest: bytes, value: bytes) -> bool:
    return isinstance(key, ec.EllipticCurvePublicKey) and _holds(
        lambda: key.verify(value, digest, ec.ECDSA(Prehashed(SHA256())))
    )


def _is_rsa(key: PublicKey, digest: bytes, value: bytes) -> bool:
    return not isinstance(key, ec.EllipticCurvePublicKey) and _holds(
        lambda: key.verify(value, digest, padding.PKCS1v15(), Prehashed(SHA256()))
    )


def _holds(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except InvalidSignature:
        return False
    return True


SIGN: Final[dict[str, Callable[[Any, bytes], bytes]]] = {"ecdsa-p256-sha256": _ecdsa, "rsa-sha256": _rsa}
VERIFY: Final = {"ecdsa-p256-sha256": _is_ecdsa, "rsa-sha256": _is_rsa}
