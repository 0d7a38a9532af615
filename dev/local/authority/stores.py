"""Stores of tokens: a folder with SoftHSM2's configuration, p11-kit's, the tokens, and a PIN file (0400) for each.

python-pkcs11 cannot initialise a token, and a call of softhsm2-util for each takes longer than all the rest: the three
functions that it takes are called here as the standard spells them. One process opens one store at a time.
"""

import ctypes
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import Hash
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

from local import tokens
from local.trouble import Trouble

SERIAL_SESSION: Final = 0x4
READ_WRITE: Final = 0x2
SECURITY_OFFICER: Final = 0
RSA_BITS: Final = 2048
KEPT: Final = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class Store:
    """The tokens of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._module = tokens.library(tokens.installed(), "libsofthsm2.so")
        self._sessions: dict[str, Any] = {}
        if not (folder / "softhsm2.conf").exists():
            self._configure()

    def _configure(self) -> None:
        for name in ("tokens", "pins", "config/pkcs11/modules"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        kit = self.folder / "config" / "pkcs11"
        (kit / "modules" / "softhsm2.module").write_text(f"module: {self._module}\ncritical: yes\n")
        (kit / "pkcs11.conf").write_text("user-config: only\n")
        text = f"directories.tokendir = {self.folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
        (self.folder / "softhsm2.conf").write_text(text)

    def open(self) -> dict[str, Any]:
        """Make this the store that the module sees, and return its tokens by label."""
        os.environ["SOFTHSM2_CONF"] = str(self.folder / "softhsm2.conf")
        self._sessions = {}
        module = pkcs11.lib(str(self._module))
        module.reinitialize()
        return {one.label: one for one in module.get_tokens()}

    def make(self, wanted: Mapping[str, str]) -> None:
        """Make the tokens that are not there yet, each with a random PIN and a key that never leaves it; `wanted` is
        the algorithm of each label's key."""
        held = self.open()
        missing = [label for label in wanted if label not in held]
        if not missing:
            return
        pkcs11.lib(str(self._module)).finalize()
        _initialise(self._module, {label: self._pin(label) for label in missing})
        held = self.open()
        for label in missing:
            MAKE[wanted[label]](self._session(held[label]), label)

    def _pin(self, label: str) -> bytes:
        file = self.folder / "pins" / label
        if not file.exists():
            with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o400), "w") as written:
                written.write(secrets.token_hex(8))
        return file.read_bytes()

    def _session(self, token: Any) -> Any:
        if token.label not in self._sessions:
            self._sessions[token.label] = token.open(rw=True, user_pin=self._pin(token.label).decode())
        return self._sessions[token.label]

    def key(self, label: str) -> "TokenKey":
        """Return the key of a token of the store that is open."""
        held = {one.label: one for one in pkcs11.lib(str(self._module)).get_tokens()}
        if label not in held:
            raise Trouble(f"there is no token {label} in {self.folder}")
        return TokenKey(self._session(held[label]), label)

    def public_keys(self, labels: Iterable[str]) -> "dict[str, PublicKey]":
        """Return the public keys of many tokens, by label; the store is opened for it."""
        held = self.open()
        return {label: _public_key(self._session(held[label]), label) for label in labels}

    def keys(self, labels: Iterable[str]) -> dict[str, "TokenKey"]:
        """Return the keys of many tokens, by label; the store is opened for it."""
        held = self.open()
        return {label: TokenKey(self._session(held[label]), label) for label in labels}

    def put_certificates(self, certificates: Iterable[tuple[str, bytes]]) -> None:
        """Put each certificate (token's label, DER) beside its key, in place of the one before."""
        held = self.open()
        for label, der in certificates:
            _put_certificate(self._session(held[label]), label, der)


def _initialise(module: Path, pins: dict[str, bytes]) -> None:
    library = ctypes.CDLL(str(module))
    _check(library.C_Initialize(None), "C_Initialize")
    try:
        for label, pin in pins.items():
            _initialise_one(library, label, pin)
    finally:
        _check(library.C_Finalize(None), "C_Finalize")


def _initialise_one(library: Any, label: str, pin: bytes) -> None:
    slot, session = ctypes.c_ulong(_free_slot(library)), ctypes.c_ulong()
    officer = secrets.token_hex(8).encode()
    length = ctypes.c_ulong(len(officer))
    _check(library.C_InitToken(slot, officer, length, label.encode().ljust(32)), "C_InitToken")
    flags = ctypes.c_ulong(SERIAL_SESSION | READ_WRITE)
    _check(library.C_OpenSession(slot, flags, None, None, ctypes.byref(session)), "C_OpenSession")
    _check(library.C_Login(session, ctypes.c_ulong(SECURITY_OFFICER), officer, length), "C_Login")
    _check(library.C_InitPIN(session, pin, ctypes.c_ulong(len(pin))), "C_InitPIN")
    _check(library.C_Logout(session), "C_Logout")
    _check(library.C_CloseSession(session), "C_CloseSession")


def _free_slot(library: Any) -> int:
    """Return the slot that SoftHSM keeps for a token to come: its last."""
    count = ctypes.c_ulong()
    _check(library.C_GetSlotList(ctypes.c_ubyte(0), None, ctypes.byref(count)), "C_GetSlotList")
    slots = (ctypes.c_ulong * count.value)()
    _check(library.C_GetSlotList(ctypes.c_ubyte(0), slots, ctypes.byref(count)), "C_GetSlotList")
    return slots[count.value - 1]


def _check(code: int, what: str) -> None:
    if code:
        raise Trouble(f"{what} failed: 0x{code:x}")


def _make_elliptic(session: Any, label: str) -> None:
    curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    parameters = session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True)
    parameters.generate_keypair(store=True, label=label, id=label.encode(), private_template=KEPT)


def _make_rsa(session: Any, label: str) -> None:
    session.generate_keypair(
        pkcs11.KeyType.RSA, RSA_BITS, store=True, label=label, id=label.encode(), private_template=KEPT
    )


MAKE: Final = {"ecdsa-p256-sha256": _make_elliptic, "rsa-sha256": _make_rsa}
"""Algorithm → how a token makes a key for it."""


def _public_key(session: Any, label: str) -> PublicKey:
    held = session.get_key(pkcs11.ObjectClass.PUBLIC_KEY, label=label)
    encode = encode_rsa_public_key if held.key_type is pkcs11.KeyType.RSA else encode_ec_public_key
    key = load_der_public_key(encode(held))
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    return key


def _put_certificate(session: Any, label: str, der: bytes) -> None:
    for old in list(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE})):
        old.destroy()
    session.create_object(
        {
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE,
            pkcs11.Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
            pkcs11.Attribute.TOKEN: True,
            pkcs11.Attribute.PRIVATE: False,
            pkcs11.Attribute.LABEL: label,
            pkcs11.Attribute.ID: label.encode(),
            pkcs11.Attribute.SUBJECT: _subject(der),
            pkcs11.Attribute.VALUE: der,
        }
    )


def _subject(der: bytes) -> bytes:
    from cryptography import x509

    return x509.load_der_x509_certificate(der).subject.public_bytes()


class TokenKey(ec.EllipticCurvePrivateKey):
    """A private key inside a token, in the shape that `cryptography`'s builders sign with: all it does is sign."""

    def __init__(self, session: Any, label: str) -> None:
        self._key = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label=label)
        public = _public_key(session, label)
        assert isinstance(public, ec.EllipticCurvePublicKey)
        self._public = public

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Return the signature as X.509 and CMS want it (DER); a token gives two bare numbers."""
        kind = signature_algorithm.algorithm
        assert not isinstance(kind, Prehashed)
        digest = Hash(kind)
        digest.update(data)
        raw: bytes = self._key.sign(digest.finalize(), mechanism=pkcs11.Mechanism.ECDSA)
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))

    def exchange(self, algorithm: Any, peer_public_key: Any) -> bytes:
        raise TypeError("this key signs, and does nothing else")

    def private_numbers(self) -> Any:
        raise TypeError("this key never leaves its token")

    def private_bytes(self, encoding: Any, format: Any, encryption_algorithm: Any) -> bytes:
        raise TypeError("this key never leaves its token")

    def __copy__(self) -> "TokenKey":
        return self

    def __deepcopy__(self, memo: Any) -> "TokenKey":
        return self
