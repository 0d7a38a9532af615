"""Seals documents: builds what is signed itself, has it signed in the seal's token, timestamped, and judges the result.

Nobody hands in what is signed: the attributes are made here, from the registered digest and the certificate in the
token. What is given out has been found VALID by the same judge that anybody can ask (`evidence.documents`).
"""

import asyncio
import base64
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from contracts.department_worker import SealRequested
from contracts.envelope import derived_id
from contracts.signing import SealCompleted
from contracts.terms import SealForm
from evidence import documents, signatures, timestamps
from evidence.certificates import Certificate, NotTrusted, Reason
from evidence.signatures import BadSignature
from signing.domain.papers import SealNotTrusted
from signing.responders import Responders
from signing.stamps import Stamps
from signing.token.door import TokenDoor

CMS: Final = "cms/"
PASSING: Final = (Reason.REVOCATION_STALE, Reason.NOT_YET_VALID)
"""Doubts that pass by themselves: requests wait."""
WHY: Final = {
    Reason.REVOKED: "证书已被吊销",
    Reason.EXPIRED: "证书已过期",
    Reason.WRONG_PURPOSE: "证书不是用于签章的证书",
    Reason.UNKNOWN_SEAL: "用章单位不在用章机关名单上",
    Reason.UNKNOWN_CA: "证书的签发机构不在受信任名单上",
    Reason.WEAK: "证书所用的密码算法不符合要求",
}
LOST: Final = "证书已挂失"


class CannotSeal(Exception):
    """Something that passes by itself is in the way: requests wait."""


class Sealer:
    """Seals with the tokens behind `door`, timestamps from `stamps`, judged under what issuers said to `responders`."""

    def __init__(self, door: TokenDoor, stamps: Stamps, responders: Responders) -> None:
        self._door = door
        self._stamps = stamps
        self._responders = responders

    async def seal(self, requests: Sequence[tuple[SealRequested, Certificate]]) -> list[bytes]:
        """Return the signature (CMS, DER) for each request. Raises CannotSeal, SealNotTrusted, NoTimestamp or
        TokenUnavailable."""
        signed = [signatures.attributes(bytes.fromhex(one.digest), certificate) for one, certificate in requests]
        orders = [(one.seal, sha256(told).digest()) for (one, _), told in zip(requests, signed, strict=True)]
        made = await self._door.sign(orders)
        stamped = await self._stamps.over([one.value for one in made])
        parts = zip(requests, signed, made, stamped, strict=True)
        return await asyncio.to_thread(
            lambda: [self._assembled(*request, told, one.value, token) for request, told, one, token in parts]
        )

    def _assembled(
        self, request: SealRequested, certificate: Certificate, told: bytes, value: bytes, token: bytes
    ) -> bytes:
        issuer = self._responders.trust.issuer_of(certificate).certificate
        made = signatures.assembled(told, value, certificate, (issuer,), token)
        self._hold(made, request)
        return made

    def _hold(self, made: bytes, request: SealRequested) -> None:
        """Judge what was made as anybody will. Raises SealNotTrusted or CannotSeal."""
        trust, revocations = self._responders.trust, self._responders.revoked.now
        try:
            signed = signatures.read(made, bytes.fromhex(request.digest))
            timestamp = timestamps.judge(signed.timestamp, signed.value, trust, revocations)
            documents.hold_signer(signed, timestamp, trust, revocations)
        except NotTrusted as doubt:
            raise refused(request.seal, doubt) from doubt
        except BadSignature as bad:
            raise CannotSeal(f"what was made does not verify: {bad}") from bad


def refused(seal: str, doubt: NotTrusted) -> SealNotTrusted | CannotSeal:
    """Return what a doubt about a seal's certificate means for those who ask for the seal."""
    if doubt.reason in PASSING:
        return CannotSeal(str(doubt))
    return SealNotTrusted(seal=seal, why=WHY.get(doubt.reason, doubt.reason.value))


def completed(request: SealRequested, certificate: Certificate, made: bytes, at: datetime) -> SealCompleted:
    """Return the answer to a request: one request, one answer, whoever asks again."""
    return SealCompleted(
        event_id=derived_id("sealed", request.request_id),
        causation_id=request.event_id,
        occurred_at=at,
        project_code=request.project_code,
        request_id=request.request_id,
        item_id=request.item_id,
        item_code=request.item_code,
        digest=request.digest,
        algorithm=CMS + certificate.algorithm,
        signature=base64.b64encode(made).decode(),
        certificate=certificate.serial,
        signed_at=at,
        form=SealForm.PDF,
    )
