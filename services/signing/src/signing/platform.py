"""The platform's own key: it signs service tokens inside its token, and nothing else."""

import asyncio
from hashlib import sha256
from typing import Protocol

from evidence.certificates import Certificate
from procedure.refusals import Refusal
from signing.token import TokenDoor, TokenUnavailable


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
    """The key of `certificate`, behind the token's door."""

    def __init__(self, token: TokenDoor, certificate: Certificate) -> None:
        self._token = token
        self.certificate = certificate

    async def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`. Raises PlatformKeyUnavailable."""
        digest = sha256(message).digest()
        try:
            made = await asyncio.get_running_loop().run_in_executor(self._token.executor, self._token.sign, [digest])
        except TokenUnavailable as trouble:
            raise PlatformKeyUnavailable from trouble
        return made[0].value
