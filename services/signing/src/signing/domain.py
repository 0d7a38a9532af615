"""What signing alone decides: what it answers to a request for a seal."""

import base64
from datetime import datetime

from contracts.department_worker import SealRequested
from contracts.envelope import derived_id
from contracts.signing import SealCompleted


def completed(
    request: SealRequested, algorithm: str, signature: bytes, certificate: str, at: datetime
) -> SealCompleted:
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
        algorithm=algorithm,
        signature=base64.b64encode(signature).decode(),
        certificate=certificate,
        signed_at=at,
    )
