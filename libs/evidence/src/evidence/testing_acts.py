"""Acts signed by an officer's own key, made on the spot for tests."""

import json
from datetime import datetime
from typing import Any, TypeVar

from contracts.department_worker import ItemApproved, ItemDecided
from contracts.parts import Actor, OwnSignature
from evidence import step_up
from evidence.testing import NOW
from evidence.testing_documents import Signer

Signed = TypeVar("Signed", ItemApproved, ItemDecided)
ORIGIN = "http://signing.example"


def asked_for(act: ItemApproved | ItemDecided) -> dict[str, Any]:
    """Return the request that an act answers, as the worker has it."""
    decided = act if isinstance(act, ItemDecided) else None
    dated = None if decided is None else decided.document_dated_on
    return {
        "step": step_up.STEPS[type(act)].value,
        "outcome": None if decided is None else decided.outcome.value,
        "opinion": act.opinion,
        "special": None,
        "document_dated_on": None if dated is None else dated.isoformat(),
        "approved_by": None,
    }


def own_signature(
    act: ItemApproved | ItemDecided, by: Signer, at: datetime = NOW, facts: Any = None, **asked: Any
) -> OwnSignature:
    """Return the signature of whoever holds `by` over an act; `facts` and `asked` are what is signed instead."""
    decision = act.outcome.value if isinstance(act, ItemDecided) else ""
    text = json.dumps(asked_for(act) | asked, ensure_ascii=False, separators=(",", ":"))
    told = step_up.facts(act.item_id, step_up.STEPS[type(act)], decision, text) | (facts or {})
    signed = step_up.text(ORIGIN, "nonce", told)
    made = step_up.make(by.certificate, signed, by.sign)
    der = made.pop("certificate")
    return OwnSignature(text=signed, asked=text, signed_at=at, certificate_der=der, **made)


def signed(act: Signed, by: Signer, own: OwnSignature | None = None) -> Signed:
    """Return an act as the holder of `by` did and signed it."""
    own = own or own_signature(act, by)
    actor = Actor(holder=by.certificate.holder, certificate=by.certificate.serial)
    return act.model_copy(update={"actor": actor, "signature": own.digest, "own_signature": own})
