"""Which steps an officer signs with its own key, what is signed, and what a signature is good for (Art. 19, 20).

批准 and 办结 bind the office: each carries a fresh signature over the item, the step, the decision and the digest of
all that was asked, in answer to a nonce that was given for it. It is kept with the act and named in its event.
"""

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from contracts.codes import Sha256
from contracts.parts import OwnSignature
from contracts.terms import ItemStep
from procedure.authority import Caller
from procedure.refusals import Refusal

SIGNED: Final = (ItemStep.APPROVE, ItemStep.CONCLUDE)
NONCE_LASTS: Final = timedelta(minutes=5)


class SignatureMissing(Refusal):
    """批准、办结须由经办人用本人的 CA 锁签名确认"""

    article = "第十九条"
    status = 422


class NonceNotKnown(Refusal):
    """该签名所答的挑战不存在或已经用过，请重新签名"""

    article = "第十九条"


class SignedInAnotherSession(Refusal):
    """该签名不是在本次登录中作出的，请重新签名"""

    article = "第十九条"


class SignedForAnotherItem(Refusal):
    """该签名是为另一事项作出的，请重新签名"""

    article = "第十九条"


class SignatureTooOld(Refusal):
    """签名已超过五分钟，请重新签名"""

    article = "第十九条"


class SignatureWrong(Refusal):
    """签名与所办事项、决定或本人证书不符"""

    article = "第二十条"
    status = 403


class TooManyChallenges(Refusal):
    """待签名的事项过多，请稍后再试"""

    article = None
    status = 429


@dataclass(frozen=True, slots=True)
class Nonce:
    """What a signature has to answer: given to one session of one certificate, for one item (real time)."""

    nonce: str
    certificate: str
    session: str
    item_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that was verified: the text, the certificate (DER) and the signature over it; `digest` is what the
    event of the act names it by."""

    digest: Sha256
    item_id: UUID
    serial: str
    text: str
    algorithm: str
    certificate: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    signed_at: datetime


def kept(item_id: UUID, serial: str, own: OwnSignature) -> Signed:
    """Return an officer's own signature as it is kept."""
    certificate, signature = (base64.b64decode(one) for one in (own.certificate_der, own.signature))
    return Signed(own.digest, item_id, serial, own.text, own.algorithm, certificate, signature, own.signed_at)


def hold(given: Nonce | None, caller: Caller, item_id: UUID, at: datetime) -> None:
    """Hold a signature to the nonce that it answers.

    Raises NonceNotKnown, SignedInAnotherSession, SignedForAnotherItem or SignatureTooOld.
    """
    if given is None:
        raise NonceNotKnown
    if (given.certificate, given.session) != (caller.certificate, caller.session):
        raise SignedInAnotherSession
    if given.item_id != item_id:
        raise SignedForAnotherItem
    if given.expires_at <= at:
        raise SignatureTooOld
