"""What is signed together: documents that stay on the platform, by one token operation a seal and batch (ADR 10).

A document that leaves the house keeps a signature of its own. Which kind takes which form is a table; a seal whose
token forbids batches signs one by one. What is signed is always a tree's root, if only of one leaf: a bare digest that
was handed in could be that of anything, of another document's signed attributes too.
"""

import base64
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from contracts.codes import Sha256
from contracts.department_worker import SealRequested
from contracts.envelope import derived_id
from contracts.signing import BatchProof, SealCompleted
from contracts.terms import DocumentKind
from evidence import hash_tree, seals
from evidence.hash_tree import Tree


class Form(StrEnum):
    """How a kind of document is sealed."""

    OWN = "OWN"
    BATCH = "BATCH"


FORMS: Final = {
    DocumentKind.DECISION: Form.OWN,
    DocumentKind.REFUSAL: Form.OWN,
    DocumentKind.OPINION: Form.BATCH,
}
"""Kind of document → form of its seal: an opinion stays on the platform. What is not listed is signed alone."""
EVERY_SEAL: Final = "*"


class Operation(NamedTuple):
    """One use of a token: the tree whose root it signs, and the requests that are its leaves."""

    seal: str
    requests: tuple[SealRequested, ...]
    tree: Tree


class Made(NamedTuple):
    """What a token made of one operation: signature, algorithm, and the certificate: its serial, and itself (DER)."""

    algorithm: str
    signature: bytes
    certificate: str
    certificate_der: bytes | None = None


def operations(requests: Iterable[SealRequested], forbidding: Collection[str] = ()) -> list[Operation]:
    """Return what the tokens have to sign for `requests`; `forbidding` names the seals that make no batches."""
    alone: list[SealRequested] = []
    together: defaultdict[str, list[SealRequested]] = defaultdict(list)
    for request in requests:
        (together[request.seal] if _may_share(request, forbidding) else alone).append(request)
    return [*(_operation([one]) for one in alone), *map(_operation, together.values())]


def _may_share(request: SealRequested, forbidding: Collection[str]) -> bool:
    if request.seal in forbidding or EVERY_SEAL in forbidding:
        return False
    return FORMS.get(request.document_kind) is Form.BATCH


def _operation(requests: Sequence[SealRequested]) -> Operation:
    """Return the one use of a token for requests of one seal."""
    return Operation(requests[0].seal, tuple(requests), Tree([_leaf(request) for request in requests]))


def _leaf(request: SealRequested) -> bytes:
    return hash_tree.leaf(request.document_kind.value, request.request_id, bytes.fromhex(request.digest))


def completed(operation: Operation, made: Made, at: datetime) -> list[SealCompleted]:
    """Return the answer to each request of an operation: one request, one answer, whoever asks again."""
    algorithm = seals.TREE + made.algorithm
    return [
        _answer(request, algorithm, made, at, _proof(operation.tree, place, request))
        for place, request in enumerate(operation.requests)
    ]


def _proof(tree: Tree, place: int, request: SealRequested) -> BatchProof:
    """Return a request's proof, led to the root before it is given out."""
    path = tree.path(place)
    assert hash_tree.root_from(_leaf(request), place, tree.count, path) == tree.root
    nodes = tuple(Sha256(one.hex()) for one in path)
    return BatchProof(kind=request.document_kind, index=place, count=tree.count, path=nodes)


def _answer(request: SealRequested, algorithm: str, made: Made, at: datetime, proof: BatchProof) -> SealCompleted:
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
        signature=base64.b64encode(made.signature).decode(),
        certificate=made.certificate,
        signed_at=at,
        proof=proof,
        certificate_der=None if made.certificate_der is None else base64.b64encode(made.certificate_der).decode(),
    )
