"""Whether a seal may be used now, whatever it seals: document, record or audit root (Art. 20).

Its certificate is held to its issuer's list and responder, and to what was reported to this platform: a seal whose key
is lost stops at the report, before any list tells of it.
"""

from collections.abc import Collection, Container
from typing import TypeAlias

from chassis.database import Work
from evidence.certificates import Certificate, NotTrusted, Purpose
from signing import store
from signing.domain.papers import SealNotTrusted
from signing.responders import Responders
from signing.sealing import LOST, CannotSeal, refused
from signing.token.door import TokenDoor

Standing: TypeAlias = Certificate | SealNotTrusted


def hold(standing: Standing) -> Certificate:
    """Return the certificate of a seal that may be used. Raises SealNotTrusted."""
    if isinstance(standing, SealNotTrusted):
        raise standing
    return standing


class SealCertificates:
    """The certificates in the tokens behind `door`, under what their issuers say to `responders`."""

    def __init__(self, door: TokenDoor, responders: Responders) -> None:
        self._door = door
        self._responders = responders

    async def of(self, seals: Collection[str], work: Work) -> dict[str, Standing]:
        """Return each seal's certificate while it may seal, or why it may not. Raises CannotSeal, TokenUnavailable."""
        found = {seal: await self._door.certificate(seal) for seal in seals}
        lost = await store.losses.among(work, [one.serial for one in found.values()])
        return {seal: await self._held(seal, one, lost) for seal, one in found.items()}

    async def _held(self, seal: str, certificate: Certificate, lost: Container[str]) -> Standing:
        if certificate.serial in lost:
            return SealNotTrusted(seal=seal, why=LOST)
        try:
            await self._responders.hold(certificate, Purpose.SEAL)
        except NotTrusted as doubt:
            told = refused(seal, doubt)
            if isinstance(told, CannotSeal):
                raise told from doubt
            return told
        return certificate
