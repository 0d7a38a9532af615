"""The PKCS#11 door: the only place that knows the token. Keys never leave it; there is no raw-hash interface outside.

One login for the life of the process, a few sessions in an executor of their own. A token that is lost closes the gate;
the next use opens it anew. A wrong PIN is latched and never tried again: real tokens lock after a few.
"""

import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import pkcs11
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

ALGORITHM: Final = "ecdsa-p256-sha256"
REQUIRED: Final = {
    pkcs11.Attribute.SENSITIVE: True,
    pkcs11.Attribute.EXTRACTABLE: False,
    pkcs11.Attribute.ALWAYS_SENSITIVE: True,
    pkcs11.Attribute.NEVER_EXTRACTABLE: True,
    pkcs11.Attribute.LOCAL: True,
}

log = structlog.get_logger()


class TokenUnavailable(Exception):
    """The token is not there, or does not answer; requests wait."""


class WrongPin(TokenUnavailable):
    """The PIN was wrong once and is not tried again: an operator has to mend the PIN file and restart."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature (DER) with the serial of the key that made it."""

    value: bytes
    serial: str


@dataclass(slots=True)
class _Opened:
    sessions: "queue.SimpleQueue[tuple[Any, Any]]"
    public_key: ec.EllipticCurvePublicKey
    serial: str


class TokenDoor:
    """Signs registered digests inside the token and verifies every signature before it gives it out."""

    def __init__(
        self, module: Path, label: str, serial: str, pin_file: Path, threads: int, *, may_make_key: bool
    ) -> None:
        self._module = module
        self._label = label
        self._serial = serial
        self._pin_file = pin_file
        self._threads = threads
        self._may_make_key = may_make_key
        self._opened: _Opened | None = None
        self._wrong_pin = False
        self._lock = Lock()
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="token")

    def is_open(self) -> bool:
        """Whether the token can sign now; opens it when it can."""
        try:
            self._open()
        except TokenUnavailable:
            return False
        return True

    def sign(self, digests: Sequence[bytes]) -> list[Signature]:
        """Return a verified signature for each SHA-256 digest (32 bytes). Raises TokenUnavailable."""
        opened = self._open()
        session = opened.sessions.get()
        try:
            return [self._signed(opened, session[1], digest) for digest in digests]
        except pkcs11.PKCS11Error as trouble:
            self._close(repr(trouble))
            raise TokenUnavailable(repr(trouble)) from trouble
        finally:
            opened.sessions.put(session)

    def _signed(self, opened: _Opened, key: Any, digest: bytes) -> Signature:
        raw: bytes = key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)
        half = len(raw) // 2
        value = encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))
        try:
            opened.public_key.verify(value, digest, ec.ECDSA(Prehashed(SHA256())))
        except InvalidSignature as trouble:
            self._close("the token made a signature that does not verify")
            raise TokenUnavailable("a signature that does not verify") from trouble
        return Signature(value, opened.serial)

    def _open(self) -> _Opened:
        with self._lock:
            if self._wrong_pin:
                raise WrongPin("the PIN was wrong; it is not tried again")
            if self._opened is None:
                self._opened = self._log_in()
            return self._opened

    def _log_in(self) -> _Opened:
        try:
            pin = self._pin_file.read_text().strip()
            library = pkcs11.lib(str(self._module))
            library.reinitialize()
            token = self._token(library)
            anchor = token.open(user_pin=pin, rw=self._may_make_key)
            return self._prepared(token, anchor)
        except (pkcs11.PinIncorrect, pkcs11.PinLocked, pkcs11.PinLenRange, pkcs11.PinInvalid) as trouble:
            self._wrong_pin = True
            log.critical("token.wrong_pin", file=str(self._pin_file))
            raise WrongPin("the PIN is wrong") from trouble
        except (pkcs11.PKCS11Error, OSError, RuntimeError, AttributeError) as trouble:
            raise TokenUnavailable(repr(trouble)) from trouble

    def _token(self, library: Any) -> Any:
        wanted = {"token_label": self._label, **({"token_serial": self._serial.encode()} if self._serial else {})}
        found = list(library.get_tokens(**wanted))
        if len(found) != 1:
            raise TokenUnavailable(f"{len(found)} tokens match label {self._label} and serial {self._serial or 'any'}")
        return found[0]

    def _prepared(self, token: Any, anchor: Any) -> _Opened:
        if self._may_make_key and not list(anchor.get_objects({pkcs11.Attribute.LABEL: self._label})):
            _make_key(anchor, self._label)
        sessions: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
        for number in range(self._threads):
            session = anchor if number == 0 else token.open()
            sessions.put((session, _private_key(session, self._label)))
        public = anchor.get_key(pkcs11.ObjectClass.PUBLIC_KEY, label=self._label)
        key = load_der_public_key(encode_ec_public_key(public))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return _Opened(sessions, key, f"{token.serial.decode(errors='replace').strip()}:{self._label}")

    def _close(self, why: str) -> None:
        with self._lock:
            if self._opened is not None:
                log.error("token.closed", why=why)
            self._opened = None


def _make_key(session: Any, label: str) -> None:
    parameters = session.create_domain_parameters(
        pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True
    )
    template = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
    parameters.generate_keypair(store=True, label=label, private_template=template)


def _private_key(session: Any, label: str) -> Any:
    """Return the sealing key. Raises TokenUnavailable when it could ever have left the token."""
    key = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label=label)
    for attribute, value in REQUIRED.items():
        if key[attribute] != value:
            raise TokenUnavailable(f"the sealing key's {attribute.name} is not {value}")
    return key
