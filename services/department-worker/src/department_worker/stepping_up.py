"""Signing a step: a nonce for one session and item, and the judgement of what answers it (Art. 19, 20)."""

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from chassis.database import Database, Work
from contracts.parts import OwnSignature
from contracts.terms import ItemStep
from department_worker import signatures, signed
from department_worker.signed import Nonce, SignatureMissing, SignatureWrong, TooManyChallenges
from evidence import step_up
from evidence.certificates import NotTrusted
from evidence.login import NotProved
from evidence.service_token import TOLD_ELSEWHERE
from evidence.trust import TrustList
from procedure.authority import Caller

Base64 = Annotated[str, Field(max_length=24 * 1024)]


class Signature(BaseModel):
    """An officer's signature, as its agent made it: over the origin, the facts and the nonce of a challenge."""

    model_config = ConfigDict(extra="forbid")

    nonce: Annotated[str, Field(max_length=100)]
    algorithm: Annotated[str, Field(max_length=20)]
    certificate: Base64
    signature: Base64


class Challenge(BaseModel):
    """What an officer's key is to sign, as the officer is shown it."""

    nonce: str
    origin: str
    facts: dict[str, str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """A step that has to be signed: what is asked (JSON), and the signature that came with it."""

    item_id: UUID
    step: ItemStep
    decision: str
    asked: str
    signature: Signature | None

    @property
    def facts(self) -> dict[str, str]:
        """What the officer is shown and signs."""
        return step_up.facts(self.item_id, self.step, self.decision, self.asked)


@dataclass(frozen=True, slots=True)
class StepUp:
    """Gives nonces and judges what answers them; whose certificate counts is said by `trust`."""

    database: Database
    trust: TrustList
    origin: str

    async def challenge(self, caller: Caller, asked: Asked) -> Challenge:
        """Give the caller's session a nonce for an item. Raises TooManyChallenges."""
        nonce, at = secrets.token_urlsafe(32), datetime.now(UTC)
        given = Nonce(nonce, caller.certificate, caller.session, asked.item_id, at + signed.NONCE_LASTS)
        async with self.database.work() as work:
            if not await signatures.give(work, given, at):
                raise TooManyChallenges
        return Challenge(nonce=nonce, origin=self.origin, facts=asked.facts, expires_at=given.expires_at)

    async def proved(self, work: Work, caller: Caller, asked: Asked) -> OwnSignature:
        """Return the caller's signature over a step, kept; the nonce is gone with this unit of work.

        Raises SignatureMissing, what `signed.hold` raises, or SignatureWrong.
        """
        if asked.signature is None:
            raise SignatureMissing
        at = datetime.now(UTC)
        signed.hold(await signatures.take(work, asked.signature.nonce), caller, asked.item_id, at)
        made = self._judged(caller, asked, asked.signature, at)
        await signatures.keep(work, signed.kept(asked.item_id, caller.certificate, made))
        return made

    def _judged(self, caller: Caller, asked: Asked, given: Signature, at: datetime) -> OwnSignature:
        text = step_up.text(self.origin, given.nonce, asked.facts)
        try:
            der, value = (base64.b64decode(one, validate=True) for one in (given.certificate, given.signature))
            held = step_up.prove(text, given.algorithm, der, value, self.trust, TOLD_ELSEWHERE, at)
        except (NotTrusted, NotProved, binascii.Error, ValueError):
            raise SignatureWrong from None
        if held.serial != caller.certificate:
            raise SignatureWrong
        proof = {"certificate_der": base64.b64encode(der).decode(), "signature": base64.b64encode(value).decode()}
        return OwnSignature(text=text, asked=asked.asked, algorithm=given.algorithm, **proof, signed_at=at)
