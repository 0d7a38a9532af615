"""Bad input over HTTP: each an RFC 9457 problem with a stable code and a Chinese sentence; nothing half stored."""

from typing import Any

import httpx
import pytest

from contracts.terms import ProcessType, Stage
from local.builder import FORM, People, scan
from local.suite import Suite

CODE = "2019-210281-48-01-000777"


@pytest.fixture(scope="module")
def people(suite: Suite) -> People:
    people = People(suite)
    assert people.push(CODE, ProcessType.SOCIAL_SMALL).status_code in (200, 201)
    return people


@pytest.fixture(scope="module")
def materials(people: People) -> list[dict[str, str]]:
    return people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert any("\u4e00" <= letter <= "\u9fff" for letter in problem["detail"])
    return answer.status_code, problem["code"]


def post(people: People, body: bytes, kind: str = "application/json") -> httpx.Response:
    url = f"{people.suite.url('intake')}/projects/{CODE}/stages/1/applications"
    return people.http.post(url, content=body, headers={**people.builder(), "Content-Type": kind})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", (400, "MALFORMED_JSON")),
        (b'{"form": {}, "surprise": 1}', (422, "INVALID_REQUEST")),
        (b'{"form": "x"}', (422, "INVALID_REQUEST")),
        (b"[" * 200, (400, "TOO_DEEP")),
        (b'{"form": "\\u0000"}', (400, "ILLEGIBLE_TEXT")),
        (b'{"form": "\\ud800"}', (400, "ILLEGIBLE_TEXT")),
        (b'{"form": "\xff"}', (400, "ILLEGIBLE_TEXT")),
        (b" " * (10 * 1024 * 1024), (413, "TOO_LARGE")),
    ],
)
def test_a_body_that_cannot_be_understood_is_refused(people: People, body: bytes, expected: tuple[int, str]) -> None:
    assert code_of(post(people, body)) == expected


def test_another_content_type_is_refused(people: People) -> None:
    assert code_of(post(people, b"a=b", "application/x-www-form-urlencoded"))[0] == 415


def test_a_project_code_and_a_credit_code_are_checked(people: People) -> None:
    assert code_of(people.push("2018-210281-47-03-12", ProcessType.SOCIAL_SMALL)) == (422, "INVALID_REQUEST")
    assert code_of(people.push("2018-310101-47-03-000123", ProcessType.SOCIAL_SMALL)) == (422, "OUT_OF_SCOPE")
    assert code_of(people.push("2018-210281-47-03-000555", ProcessType.WATER)) == (422, "OUT_OF_SCOPE")
    other = People(people.suite, "91210281MA0ABC123X")
    assert code_of(other.push("2018-210281-47-03-000556", ProcessType.SOCIAL_SMALL)) == (422, "INVALID_REQUEST")


def test_stages_are_declared_in_order_and_once(people: People, materials: list[dict[str, str]]) -> None:
    assert code_of(people.declare(CODE, Stage.CONSTRUCTION, [])) == (409, "STAGE_NOT_YET_OPEN")
    code = "2019-210281-48-01-000778"
    people.push(code, ProcessType.SOCIAL_SMALL)
    assert people.declare(code, Stage.LAND_USE, materials).status_code == 202
    assert code_of(people.declare(code, Stage.LAND_USE, materials)) == (409, "STAGE_ALREADY_DECLARED")


def test_one_set_of_materials_is_held_to_what_the_stage_needs(people: People, materials: list[dict[str, str]]) -> None:
    assert code_of(people.declare(CODE, Stage.LAND_USE, materials[1:])) == (422, "MATERIAL_MISSING")
    issued = {**materials[0], "code": "M23"}
    assert code_of(people.declare(CODE, Stage.LAND_USE, [*materials, issued])) == (400, "RESULT_NOT_REQUIRED")
    stray = {**materials[0], "code": "M48"}
    assert code_of(people.declare(CODE, Stage.LAND_USE, [*materials, stray])) == (422, "MATERIAL_NOT_NEEDED")
    unknown = {**materials[0], "sha256": "0" * 64}
    assert code_of(people.declare(CODE, Stage.LAND_USE, [unknown])) == (422, "MATERIAL_NOT_YOURS")
    untrue = people.declare(CODE, Stage.LAND_USE, materials, truthful=False)
    assert code_of(untrue) == (400, "TRUTHFULNESS_NOT_STATED")


def test_an_upload_must_be_a_scan(people: People) -> None:
    url, headers = f"{people.suite.url('intake')}/materials", people.builder()
    wrong = people.http.post(url, content=b"GIF89a", headers={**headers, "Content-Type": "application/pdf"})
    assert code_of(wrong) == (415, "NOT_A_SCAN")
    kind = people.http.post(url, content=b"hello", headers={**headers, "Content-Type": "application/octet-stream"})
    assert code_of(kind) == (415, "NOT_A_SCAN")
    assert people.upload(scan("同一份"))["sha256"] == people.upload(scan("同一份"))["sha256"]


def test_the_same_key_is_one_act_and_never_another(people: People, materials: list[dict[str, str]]) -> None:
    code = "2019-210281-48-01-000779"
    people.push(code, ProcessType.SOCIAL_SMALL)
    first = people.declare(code, Stage.LAND_USE, materials, key="the-same-key-1")
    again = people.declare(code, Stage.LAND_USE, materials, key="the-same-key-1")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    other = people.declare(code, Stage.LAND_USE, materials[:1], key="the-same-key-1")
    assert code_of(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    headers = {name: held for name, held in people.builder().items() if name != "Idempotency-Key"}
    url = f"{people.suite.url('intake')}/projects/{code}/stages/1/applications"
    bare = people.http.post(url, json={"form": FORM, "truthful": True}, headers=headers)
    assert code_of(bare) == (400, "IDEMPOTENCY_KEY_MISSING")


ENDPOINTS: list[tuple[str, str, str, str]] = [
    ("intake", "PUT", f"/projects/{CODE}", "platform"),
    ("intake", "GET", f"/projects/{CODE}/inquiry", "builder"),
    ("intake", "GET", f"/projects/{CODE}/stages", "builder"),
    ("intake", "POST", "/materials", "builder"),
    ("intake", "POST", f"/projects/{CODE}/stages/1/applications", "builder"),
    ("intake", "GET", "/notices", "builder"),
    ("intake", "POST", "/applications/5f0c4bd4-4a10-5f55-9a3f-35d6bd2b8a10/receipt", "window"),
    ("department-worker", "GET", "/desk", "officer"),
    ("department-worker", "POST", "/items/5f0c4bd4-4a10-5f55-9a3f-35d6bd2b8a10/steps", "officer"),
    ("supervision", "GET", "/overview", "supervisor"),
    ("supervision", "GET", "/lights", "supervisor"),
    ("supervision", "GET", f"/projects/{CODE}/timeline", "supervisor"),
    ("supervision", "GET", "/read-model/fingerprint", "supervisor"),
]
ROLES = ("platform", "builder", "window", "officer", "supervisor")
READERS = ("builder", "window", "supervisor", "platform")


@pytest.mark.parametrize(("service", "method", "path", "role"), ENDPOINTS)
def test_nobody_comes_in_without_a_token_and_nobody_in_anothers_role(
    people: People, service: str, method: str, path: str, role: str
) -> None:
    url = f"{people.suite.url(service)}{path}"
    body: dict[str, Any] = {"json": {}} if method != "GET" and path != "/materials" else {}
    assert code_of(people.http.request(method, url, **body)) == (401, "NOT_AUTHENTICATED")
    forged = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
    assert code_of(people.http.request(method, url, headers=forged, **body)) == (401, "NOT_AUTHENTICATED")
    allowed = READERS if path.endswith(("/inquiry", "/stages")) else (role,)
    for other in set(ROLES) - set(allowed):
        headers = people.header(other, uscc=people.uscc, jurisdiction="210281", department="GHJ")
        assert code_of(people.http.request(method, url, headers=headers, **body)) == (403, "NOT_YOUR_ROLE")


def test_anothers_project_is_not_found_and_anothers_territory_forbidden(people: People) -> None:
    intake = people.suite.url("intake")
    other = People(people.suite, "91210200MA0DEF456B")
    answer = other.http.get(f"{intake}/projects/{CODE}/inquiry", headers=other.builder())
    assert code_of(answer) == (404, "NOT_FOUND")
    elsewhere = people.header("window", jurisdiction="210283")
    answer = people.http.get(f"{intake}/projects/{CODE}/inquiry", headers=elsewhere)
    assert code_of(answer) == (403, "NOT_YOUR_JURISDICTION")
    county = people.header("supervisor", jurisdiction="210281")
    answer = people.http.get(f"{people.suite.url('supervision')}/read-model/fingerprint", headers=county)
    assert code_of(answer) == (403, "NOT_YOUR_JURISDICTION")
