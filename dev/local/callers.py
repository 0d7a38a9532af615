"""Caller tokens for development: at most ten minutes, signed with a key that only the runner holds.

A department's officer carries the certificate under which its own system reports; the development roster lists it.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zlib import crc32

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.terms import Role

SECONDS: Final = 600


class Callers:
    """Mints tokens; the public key in `folder` is what services verify with."""

    def __init__(self, folder: Path) -> None:
        self.public = folder / "callers.pub"
        self._private = folder / "callers.key"
        if not self._private.exists():
            self._make()
        self._key = self._private.read_text()

    def _make(self) -> None:
        key = Ed25519PrivateKey.generate()
        self._private.parent.mkdir(parents=True, exist_ok=True)
        self._private.touch(mode=0o600)
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        self._private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
        public = serialization.PublicFormat.SubjectPublicKeyInfo
        self.public.write_bytes(key.public_key().public_bytes(pem, public))

    def mint(self, role: str, name: str, *, seconds: int = SECONDS, **claims: str) -> str:
        """Return a token for a caller of `role`.

        Claims: certificate; uscc (builder); jurisdiction (window, supervisor, admin); and department (officer, lead).
        """
        now = int(time.time())
        proof = {"certificate": _certificate(role, name, claims), **claims}
        payload = {"sub": f"{role}:{name}", "name": name, "role": role, **proof}
        return jwt.encode(
            {**payload, "aud": "lianshen", "iat": now, "exp": now + seconds}, self._key, algorithm="EdDSA"
        )


def officers_certificate(jurisdiction: str, department: str) -> str:
    """Return the serial under which a department's officer, and its own system, act in development."""
    return f"CA-{jurisdiction}-{department}"


def _certificate(role: str, name: str, claims: Mapping[str, str]) -> str:
    if role == Role.OFFICER and "jurisdiction" in claims and "department" in claims:
        return officers_certificate(claims["jurisdiction"], claims["department"])
    return f"DEV-{role}-{crc32(name.encode()):08X}"
