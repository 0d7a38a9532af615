"""The record of a decision: one text, made alike by who asks for its seal and by who gives it."""

from hashlib import sha256
from uuid import UUID

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.department_worker import ItemDecided
from contracts.parts import Actor
from contracts.terms import Outcome
from evidence import records
from local.samples import sample

FACTS = {
    "item_id": UUID(int=1),
    "project_code": ProjectCode("2018-210281-47-03-000123"),
    "item_code": ItemCode("S1-10"),
    "department": DepartmentCode("WWJ"),
    "jurisdiction": JurisdictionCode("210281"),
    "outcome": Outcome.GRANTED,
    "opinion": "同意，请“保护”遗址\n𱍏",
    "actor": Actor(holder="张三", certificate="5A01"),
    "document_dated_on": None,
    "special_handling": None,
}
DECIDED = sample(ItemDecided).model_copy(update=FACTS)


def test_a_record_is_spelled_in_one_way() -> None:
    assert records.record_of(DECIDED).decode() == (
        '{"actor":{"certificate":"5A01","holder":"张三"},'
        f'"decided_at":"{DECIDED.at.isoformat()}","department":"WWJ","item_code":"S1-10",'
        '"item_id":"00000000-0000-0000-0000-000000000001","jurisdiction":"210281",'
        '"opinion":"同意，请“保护”遗址\\n𱍏","outcome":"GRANTED","project_code":"2018-210281-47-03-000123"}'
    )
    assert records.digest_of(DECIDED) == sha256(records.record_of(DECIDED)).hexdigest()


def test_it_is_the_same_once_it_was_said_and_heard() -> None:
    heard = ItemDecided.model_validate_json(DECIDED.model_dump_json())
    assert records.record_of(heard) == records.record_of(DECIDED)
