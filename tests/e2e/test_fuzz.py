"""schemathesis on every published OpenAPI: whatever comes in, no crash, no 5xx, and answers as the document says."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.specs.openapi import checks

from local.builder import BUILDER, People
from local.suite import Suite

ROLE_OF = {
    "intake": "builder",
    "department-worker": "officer",
    "supervision": "supervisor",
    "signing": "admin",
    "timer": "admin",
}
CLAIMS = {"uscc": BUILDER["uscc"], "jurisdiction": "210200", "department": "GHJ"}
HELD = [
    CHECKS.get_one("not_a_server_error"),
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
schemathesis.openapi.media_type("application/pdf", st.binary(max_size=2000).map(lambda held: b"%PDF-1.7\n" + held))
GENTLY = settings(
    max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)


@pytest.mark.parametrize("name", ROLE_OF)
def test_whatever_comes_in_is_answered_as_the_document_says(suite: Suite, name: str) -> None:
    people = People(suite)
    schema = schemathesis.openapi.from_url(f"{suite.url(name)}/openapi.json")
    for found in schema.get_all_operations():
        attack(people, found.ok(), role_for(name, found.ok()))


def role_for(name: str, operation: Any) -> str:
    if operation.method.upper() == "PUT":
        return "platform"
    if operation.path.endswith("/limit") or operation.path.startswith("/policies"):
        return "admin"
    if "/withdrawals/answer" in operation.path or operation.path.startswith("/window"):
        return "window"
    if operation.path.startswith("/reports"):
        return "supervisor"
    if operation.path.endswith("/materials/{material}"):
        return "officer"
    return "window" if operation.path.endswith(("/receipt", "/issues")) else ROLE_OF[name]


def attack(people: People, operation: Any, role: str) -> None:
    @GENTLY
    @given(case=st.one_of(operation.as_strategy(), operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)))
    def once(case: Any) -> None:
        case.call_and_validate(headers=people.header(role, **CLAIMS), checks=HELD)

    once()
