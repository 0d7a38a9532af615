"""A decision as a record (Art. 10, 14): its facts in one canonical text, whose digest bears the seal where no document
leaves the house. Who asks for that seal and who gives it make the same text of the same event, and so can a court.
"""

import json
from hashlib import sha256

from contracts.codes import Sha256
from contracts.department_worker import ItemDecided


def record_of(decided: ItemDecided) -> bytes:
    """Return the record: JSON in UTF-8, keys in order, no blanks."""
    facts: dict[str, object] = {
        "item_id": str(decided.item_id),
        "project_code": decided.project_code,
        "item_code": decided.item_code,
        "department": decided.department,
        "jurisdiction": decided.jurisdiction,
        "outcome": decided.outcome.value,
        "opinion": decided.opinion,
        "decided_at": decided.at.isoformat(),
        "actor": decided.actor.model_dump(),
    }
    if decided.document_dated_on is not None:
        facts["document_dated_on"] = decided.document_dated_on.isoformat()
    if decided.special_handling is not None:
        facts["special_handling"] = str(decided.special_handling)
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest_of(decided: ItemDecided) -> Sha256:
    """Return the SHA-256 of the record, over which its seal stands."""
    return Sha256(sha256(record_of(decided)).hexdigest())
