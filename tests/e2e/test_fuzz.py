"""schemathesis on every published OpenAPI: whatever comes in, no crash, no 5xx, and answers as the document says."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS
from schemathesis.specs.openapi import checks

from local.builder import BUILDER, People
from local.suite import Suite

ROLE_OF = {"intake": "builder", "department-worker": "officer", "supervision": "supervisor"}
CLAIMS = {"uscc": BUILDER["uscc"], "jurisdiction": "210200", "department": "GHJ"}
HELD = [
    CHECKS.get_one("not_a_server_error"),
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
GENTLY = settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)


def document(suite: Suite, name: str) -> Any:
    return schemathesis.openapi.from_url(f"{suite.url(name)}/openapi.json")


@pytest.fixture(scope="module")
def intake_api(suite: Suite) -> Any:
    return document(suite, "intake")


@pytest.fixture(scope="module")
def worker_api(suite: Suite) -> Any:
    return document(suite, "department-worker")


@pytest.fixture(scope="module")
def supervision_api(suite: Suite) -> Any:
    return document(suite, "supervision")


intake = schemathesis.pytest.from_fixture("intake_api")
worker = schemathesis.pytest.from_fixture("worker_api")
supervision = schemathesis.pytest.from_fixture("supervision_api")


@pytest.fixture(scope="module")
def people(suite: Suite) -> People:
    return People(suite)


def hold(case: Any, people: People, role: str) -> None:
    case.call_and_validate(headers=people.header(role, **CLAIMS), checks=HELD)


@intake.parametrize()
@GENTLY
def test_intake(case: Any, people: People) -> None:
    platform = case.operation.method.upper() == "PUT"
    window = case.operation.path.endswith(("/receipt", "/issues"))
    hold(case, people, "platform" if platform else "window" if window else "builder")


@worker.parametrize()
@GENTLY
def test_department_worker(case: Any, people: People) -> None:
    hold(case, people, "officer")


@supervision.parametrize()
@GENTLY
def test_supervision(case: Any, people: People) -> None:
    hold(case, people, "supervisor")
