"""The platform's own key: it signs service tokens inside its token, and nothing else."""

from hashlib import sha256
from typing import Protocol

from evidence.certificates import Certificate
from procedure.refusals import Refusal
from signing.token.door import TokenDoor, TokenUnavailable


class PlatformKeyUnavailable(Refusal):
    """平台密钥暂时不可用，请稍后再试"""

    article = None
    status = 503


class Platform(Protocol):
    """Whoever signs for the platform; `sign` returns ECDSA with SHA-256, in DER."""

    @property
    def certificate(self) -> Certificate: ...

    async def sign(self, message: bytes) -> bytes: ...


class PlatformKey:
    """The key of `certificate`, in the token `label`, behind the token door."""

    def __init__(self, token: TokenDoor, label: str, certificate: Certificate) -> None:
        self._token = token
        self._label = label
        self.certificate = certificate

    async def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`. Raises PlatformKeyUnavailable."""
        try:
            (made,) = await self._token.sign([(self._label, sha256(message).digest())])
        except TokenUnavailable as trouble:
            raise PlatformKeyUnavailable from trouble
        return made.value
