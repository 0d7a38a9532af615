"""Who may do what: every endpoint of every service × every role × own and others', asserted cell by cell."""

import json
from typing import Any, Final

import httpx
import pytest

from contracts.envelope import derived_id
from contracts.terms import ProcessType, Role, Stage
from local.builder import BUILDER, FORM, People, eventually
from local.judge import read_topics
from local.posts import person
from local.suite import Suite

CODE: Final = "2018-210281-47-03-000300"
APPLICATION: Final = str(derived_id("application", CODE, 1))
ITEM: Final = "S1-09"
ASKER: Final = person("admin", "asker", jurisdiction="210281")
ROSTER_REQUEST: Final = str(derived_id("roster-request", f"admin:{ASKER.serial}", "matrix-roster-request"))
OTHER_USCC: Final = "91210281MA0XYU9874"
P, B, W, F, S = Role.PLATFORM, Role.BUILDER, Role.WINDOW, Role.OFFICER, Role.SUPERVISOR
L, A = Role.LEAD, Role.ADMIN
PROJECT, APPLIED, ITEM_OF = "/projects/{code}", "/applications/{application_id}", "/items/{item_id}"
ACT: Final = APPLIED + "/items/{item_code}"
CHANGE: Final = "/roster/requests/{request_id}"
RESULT: Final = f"{PROJECT}/results/{{sha256}}"
DOCUMENT: Final = f"{APPLIED}/documents/{{kind}}"
LOST: Final = "/certificates/{serial}"

MAY: Final[dict[tuple[str, str, str], set[Role]]] = {
    ("intake", "PUT", PROJECT): {P},
    ("intake", "GET", f"{PROJECT}/inquiry"): {P, B, W, S},
    ("intake", "GET", f"{PROJECT}/stages"): {P, B, W, S},
    ("intake", "POST", "/materials"): {B},
    ("intake", "POST", f"{PROJECT}/stages/{{stage}}/applications"): {B},
    ("intake", "GET", APPLIED): {P, B, W, S},
    ("intake", "POST", f"{ACT}/reapplications"): {B},
    ("intake", "POST", f"{ACT}/supplements"): {B},
    ("intake", "POST", f"{ACT}/withdrawals"): {B, W},
    ("intake", "POST", f"{APPLIED}/receipt"): {W},
    ("intake", "POST", f"{ACT}/issues"): {W},
    ("intake", "POST", DOCUMENT): {B, W},
    ("intake", "GET", DOCUMENT): {B, W},
    ("intake", "GET", "/notices"): {B},
    ("intake", "GET", f"{PROJECT}/results"): {P, B, W, S},
    ("intake", "GET", RESULT): {P, B, W, S},
    ("department-worker", "GET", "/desk"): {F},
    ("department-worker", "GET", ITEM_OF): {F},
    ("department-worker", "GET", f"{ITEM_OF}/document"): {F},
    ("department-worker", "GET", f"{ITEM_OF}/signatures"): {S},
    ("department-worker", "POST", f"{ITEM_OF}/steps"): {F},
    ("department-worker", "POST", f"{ITEM_OF}/steps/challenge"): {F},
    ("supervision", "GET", "/overview"): {S},
    ("supervision", "GET", "/lights"): {S},
    ("supervision", "GET", f"{PROJECT}/timeline"): {S},
    ("supervision", "GET", f"{PROJECT}/clocks"): {S},
    ("supervision", "GET", "/read-model/fingerprint"): {S},
    ("supervision", "POST", f"{ITEM_OF}/urges"): {S, L},
    ("supervision", "GET", "/indicators"): {S},
    ("supervision", "GET", "/urges"): {S, L, F},
    ("supervision", "GET", "/inspections"): {S, L, F},
    ("supervision", "GET", "/coordination-requests"): {S, L, F},
    ("supervision", "POST", f"{ITEM_OF}/inspections"): {S, L},
    ("supervision", "POST", f"{APPLIED}/coordination-requests"): {F},
    ("supervision", "POST", "/urges/{case_id}/receipt"): {F},
    ("supervision", "POST", "/urges/{case_id}/answer"): {F},
    ("supervision", "POST", "/inspections/{case_id}/rectification"): {F},
    ("supervision", "POST", "/inspections/{case_id}/closure"): {S, L},
    ("supervision", "POST", "/coordination-requests/{case_id}/assignment"): {L},
    ("supervision", "POST", "/coordination-requests/{case_id}/resolution"): {L},
    ("supervision", "GET", "/stages/{stage}/board"): {S, L},
    ("supervision", "GET", "/stages/{stage}/tasks"): {S, L},
    ("supervision", "POST", f"{ITEM_OF}/expiry-decision"): {L},
    ("supervision", "POST", f"{PROJECT}/special-handlings"): {L, F},
    ("supervision", "GET", "/special-handlings"): {S},
    ("supervision", "GET", "/signals"): {S},
    ("supervision", "GET", "/rules"): {S, A},
    ("supervision", "GET", "/exchange/rows"): {S},
    ("signing", "GET", "/login/refusals"): {A},
    ("signing", "GET", "/roster"): {A, S},
    ("signing", "GET", "/roster/requests"): {A, S},
    ("signing", "POST", "/roster/requests"): {A},
    ("signing", "POST", f"{CHANGE}/approval"): {A},
    ("signing", "POST", f"{CHANGE}/rejection"): {A},
    ("signing", "GET", "/certificates/suspended"): {A, S},
    ("signing", "POST", f"{LOST}/loss"): set(Role),
    ("signing", "POST", f"{LOST}/reinstatements"): {A},
    ("signing", "POST", f"{LOST}/reinstatements/{{request_id}}/approval"): {A},
    ("supervision", "GET", "/audit/projects/{code}"): {S},
    ("supervision", "GET", "/audit/ledgers/{ledger}"): {S, A},
    ("supervision", "GET", f"{LOST}/acts"): {S, A},
    ("supervision", "GET", f"{LOST}/open-items"): {S, A},
    ("department-worker", "POST", f"{ITEM_OF}/limit"): {A},
    ("intake", "POST", "/policies"): {A},
    ("intake", "GET", "/policies"): set(Role),
    ("intake", "GET", "/policies/{version}"): set(Role),
    ("intake", "POST", f"{APPLIED}/materials"): {B},
    ("intake", "GET", f"{PROJECT}/materials"): {P, B, W, S},
    ("intake", "GET", f"{ACT}/materials/{{material}}"): {F},
    ("intake", "GET", "/reports/first-recorders"): {S},
    ("intake", "GET", "/window/withdrawals"): {W},
    ("intake", "POST", f"{ACT}/withdrawals/answer"): {W},
    ("timer", "POST", "/calendar/preview"): {A},
    ("timer", "POST", "/calendar/amendments"): {A},
    ("timer", "GET", "/calendar/{year}"): set(Role),
    ("timer", "GET", "/reconciliation"): {A},
    ("timer", "POST", "/reconciliation"): {A},
}
"""The table that a lawyer can hold against Art. 4, 7, 10, 11, 18, 21: endpoint → who."""

OPEN: Final = {
    ("signing", "GET", "/login"),
    ("signing", "POST", "/login/challenge"),
    ("signing", "POST", "/login/session"),
    ("signing", "GET", "/login/session"),
    ("signing", "DELETE", "/login/session"),
    ("signing", "POST", "/login/token"),
    ("signing", "GET", "/verify"),
    ("signing", "POST", "/verify"),
    ("signing", "GET", "/verify/{document}"),
}
"""Where one proves who one is (`tests/e2e/test_login.py`, `tests/e2e/test_pages.py`), and where anybody verifies a
document (Art. 16, `tests/e2e/test_documents.py`); nothing else is open to whoever has not."""

BODIES: Final[dict[str, Any]] = {
    PROJECT: {"name": "项目", "process_type": 4, "jurisdiction": "210281", "builder": BUILDER},
    f"{PROJECT}/stages/{{stage}}/applications": {"form": FORM, "materials": [], "truthful": True},
    f"{ACT}/reapplications": {"form": FORM, "materials": [], "truthful": True},
    f"{ACT}/supplements": {"materials": [], "explanation": "补充"},
    f"{ACT}/withdrawals": {"reason": "不办了"},
    f"{ACT}/issues": {"recipient": "王工"},
    f"{ITEM_OF}/steps": {"step": "ACCEPT"},
    f"{ITEM_OF}/steps/challenge": {"step": "APPROVE"},
    f"{ITEM_OF}/urges": {"message": "请抓紧"},
    "/roster/requests": {
        "change": "ENTER",
        "serial": "CA-MATRIX",
        "holder": "丙",
        "role": "officer",
        "jurisdiction": "210281",
        "department": "RFB",
        "effective_at": "2100-01-01T00:00:00+08:00",
        "document": "名单变更单",
    },
    f"{CHANGE}/rejection": {"reason": "材料不全"},
    f"{LOST}/loss": {"reason": "遗失", "invalid_since": "2199-01-01T00:00:00Z"},
    f"{LOST}/reinstatements": {"reason": "找到了"},
    f"{ITEM_OF}/limit": {"limit_days": 9, "opinion": "案情复杂"},
    "/policies": {
        "version": "矩阵",
        "catalogue_version": "2018.1",
        "effective_at": "2100-01-01T00:00:00+08:00",
        "document": "大工改办〔2026〕1号",
        "reason": "演练",
    },
    f"{APPLIED}/materials": {"materials": []},
    f"{ACT}/withdrawals/answer": {"confirmed": True},
    f"{ITEM_OF}/inspections": {"finding": "久拖不办", "rectify_by": "2199-01-01T00:00:00Z"},
    f"{APPLIED}/coordination-requests": {"matter": "涉及多个部门", "item_code": ITEM},
    "/urges/{case_id}/answer": {"text": "今日办结"},
    "/inspections/{case_id}/rectification": {"text": "已整改"},
    "/inspections/{case_id}/closure": {"text": "整改到位"},
    "/coordination-requests/{case_id}/assignment": {"assigned_to": "李四", "resolve_by": "2199-01-01T00:00:00Z"},
    "/coordination-requests/{case_id}/resolution": {"text": "会商一致"},
    f"{ITEM_OF}/expiry-decision": {"decision": "CLOSE", "reason": "未予批准"},
    f"{PROJECT}/special-handlings": {
        "effect": "MORE_CORRECTIONS",
        "stage": 1,
        "item_code": ITEM,
        "reason": "材料确有缺漏",
        "evidence": "9f" * 32,
        "evidence_name": "说明.pdf",
    },
    "/calendar/preview": {
        "jurisdiction": "210200",
        "days": [{"day": "2027-03-01", "works": False}],
        "document": "停工",
    },
    "/calendar/amendments": {"jurisdiction": "210200", "days": [], "document": "停工"},
    "/reconciliation": {"repair": False},
}
CLAIMS: Final[dict[Role, dict[str, str]]] = {
    P: {},
    B: {"uscc": BUILDER["uscc"]},
    W: {"jurisdiction": "210281"},
    F: {"jurisdiction": "210281", "department": "RFB"},
    S: {"jurisdiction": "210281"},
    L: {"jurisdiction": "210281", "department": "GHJ"},
    A: {"jurisdiction": "210200"},
}
STRANGERS: Final[dict[Role, list[tuple[dict[str, str], set[int]]]]] = {
    B: [({"uscc": OTHER_USCC}, {404})],
    W: [({"jurisdiction": "210283"}, {403})],
    F: [
        ({"jurisdiction": "210283", "department": "RFB"}, {403}),
        ({"jurisdiction": "210281", "department": "GHJ"}, {403}),
    ],
    S: [({"jurisdiction": "210283"}, {403})],
    L: [
        ({"jurisdiction": "210283", "department": "GHJ"}, {403}),
        ({"jurisdiction": "210281", "department": "JW"}, {403}),
    ],
    A: [({"jurisdiction": "210283"}, {403}), ({"jurisdiction": "210281-CXD"}, {403})],
}
"""The same role from elsewhere, and how it is sent away."""


@pytest.fixture(scope="module")
def people(suite: Suite) -> People:
    return People(suite)


@pytest.fixture(scope="module")
def item_id(suite: Suite, people: People) -> str:
    people.push(CODE, ProcessType.SOCIAL_SMALL).raise_for_status()
    materials = people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)
    people.declare(CODE, Stage.LAND_USE, materials).raise_for_status()
    told = eventually(
        lambda: people.progress(APPLICATION), lambda told: any(i["state"] == "RECEIVED" for i in told.get("items", []))
    )
    eventually(lambda: people.supervise(f"/projects/{CODE}/timeline"), lambda events: len(events) > 4)
    found = next(item["item_id"] for item in told["items"] if item["item_code"] == ITEM)
    eventually(lambda: people.supervise("/stages/1/board", "210281"), lambda board: f'"{found}"' in json.dumps(board))
    _open_cases(people, found)
    return found


CASES: Final[dict[str, str]] = {}
"""One case of each kind, about the item."""


def _open_cases(people: People, item_id: str) -> None:
    """An urge, an inspection and a coordination request, so that there is one of each to follow up."""
    opening = {
        "urges": (f"{ITEM_OF}/urges", S),
        "inspections": (f"{ITEM_OF}/inspections", S),
        "coordination-requests": (f"{APPLIED}/coordination-requests", F),
    }
    for name, (path, role) in opening.items():
        headers = people.header(role.value, **CLAIMS[role])
        answer = ask(people, ("supervision", "POST", path), item_id, headers)
        assert answer.status_code == 202, answer.text
        CASES[name] = next(iter(answer.json().values()))


@pytest.fixture(scope="module", autouse=True)
def request_id(people: People) -> str:
    """A change of the roster that somebody asked for; the matrix's own administrator is another one."""
    headers = people.admin("210281", name="asker", key="matrix-roster-request")
    answer = people.http.post(
        f"{people.suite.url('signing')}/roster/requests", json=BODIES["/roster/requests"], headers=headers
    )
    assert answer.json()["request_id"] == ROSTER_REQUEST, answer.text
    return ROSTER_REQUEST


def ask(people: People, endpoint: tuple[str, str, str], item_id: str, headers: dict[str, str]) -> httpx.Response:
    service, method, path = endpoint
    names = {"code": CODE, "stage": "1", "application_id": APPLICATION, "item_code": ITEM, "item_id": item_id}
    names |= {"request_id": ROSTER_REQUEST, "version": "178/2018", "material": "M08", "year": "2026"}
    names |= {"serial": "CA-MATRIX", "sha256": "0" * 64, "kind": "RECEIPT", "ledger": "identity"}
    names["case_id"] = CASES.get(path.split("/")[1], "")
    url = people.suite.url(service) + path.format(**names)
    if path == "/materials":
        return people.http.post(url, content=b"%PDF-1.7", headers={**headers, "Content-Type": "application/pdf"})
    return people.http.request(method, url, json=BODIES.get(path) if method != "GET" else None, headers=headers)


def name_of(endpoint: tuple[str, str, str]) -> str:
    return " ".join(endpoint)


def test_the_table_names_every_endpoint(suite: Suite) -> None:
    found = {
        (name, method.upper(), path)
        for name in suite.ports
        if name in suite.children
        for path, methods in suite.http.get(f"{suite.url(name)}/openapi.json").json()["paths"].items()
        for method in methods
    }
    assert found == set(MAY) | OPEN


@pytest.mark.parametrize("endpoint", MAY, ids=name_of)
def test_nobody_comes_in_without_proof(people: People, item_id: str, endpoint: tuple[str, str, str]) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
        answer = ask(people, endpoint, item_id, {**headers, "Idempotency-Key": "without-proof"})
        assert answer.status_code == 401, answer.text
        assert answer.json()["code"] == "NOT_AUTHENTICATED"


@pytest.mark.parametrize("role", CLAIMS)
@pytest.mark.parametrize("endpoint", MAY, ids=name_of)
def test_each_role_is_let_in_or_sent_away(
    people: People, item_id: str, endpoint: tuple[str, str, str], role: Role
) -> None:
    answer = ask(people, endpoint, item_id, people.header(role.value, **CLAIMS[role]))
    if role in MAY[endpoint]:
        assert answer.status_code not in (401, 403, 404) or whole_city(endpoint) or has_none(endpoint), answer.text
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "NOT_YOUR_ROLE"), answer.text


def whole_city(endpoint: tuple[str, str, str]) -> bool:
    """What only the city's own supervisor may see; a loss is reported by those whom it concerns, and here is none."""
    named = ("/read-model/fingerprint", "/exchange/rows", "/audit/ledgers/{ledger}")
    return endpoint[2] in named or endpoint[2].startswith(LOST)


def has_none(endpoint: tuple[str, str, str]) -> bool:
    """What the item does not have yet: a result, a sealed document."""
    return endpoint[2] in (RESULT, f"{ITEM_OF}/document")


FOR_EVERYBODY = (
    f"{ITEM_OF}/steps/challenge",
    "/policies/{version}",
    "/stages/{stage}/board",
    "/stages/{stage}/tasks",
    "/calendar/{year}",
)
"""What is the same for everybody."""
ABOUT_ONE = [one for one in MAY if "{" in one[2] and one[1:] != ("PUT", PROJECT) and one[2] not in FOR_EVERYBODY]
ABOUT_ONE = [one for one in ABOUT_ONE if not one[2].startswith(LOST)]
"""Who reaches a certificate is shown in `tests/e2e/test_loss.py`."""
ABOUT_ONE += [one for one in MAY if one[2] in ("/calendar/preview", "/reconciliation")]


@pytest.mark.parametrize("endpoint", ABOUT_ONE, ids=name_of)
def test_nobody_reaches_what_is_anothers(people: People, item_id: str, endpoint: tuple[str, str, str]) -> None:
    """Another's project is not there (404); another's territory or department is none of one's business (403)."""
    for role in MAY[endpoint]:
        for claims, expected in STRANGERS.get(role, []):
            answer = ask(people, endpoint, item_id, people.header(role.value, **claims))
            assert answer.status_code in expected, (role, claims, answer.text)


def test_lists_show_only_ones_own(people: People, item_id: str) -> None:
    told = people.progress(APPLICATION)["items"]
    untouched = next(one["item_id"] for one in told if one["item_code"] == "S1-10")
    theirs = people.header("officer", jurisdiction="210283", department="WWJ")
    url = f"{people.suite.url('department-worker')}/desk?most=500"
    assert untouched not in people.http.get(url, headers=theirs).text
    ours = people.header("officer", jurisdiction="210281", department="WWJ")
    assert untouched in people.http.get(url, headers=ours).text
    notices = f"{people.suite.url('intake')}/notices"
    assert people.http.get(notices, headers=people.header("builder", uscc=OTHER_USCC)).json() == []
    away = people.header("supervisor", jurisdiction="210283")
    overview = people.http.get(f"{people.suite.url('supervision')}/overview", headers=away).json()
    assert sum(row["items"] for row in overview) == 0


def test_a_sessions_secret_is_no_proof_to_a_service(people: People, item_id: str) -> None:
    secret = people.suite.log_in("builder", uscc=BUILDER["uscc"]).secret
    url = f"{people.suite.url('intake')}/applications/{APPLICATION}"
    for scheme in ("Bearer", "Session"):
        assert people.http.get(url, headers={"Authorization": f"{scheme} {secret}"}).status_code == 401
    assert people.http.get(url, headers={"Cookie": f"lianshen_session={secret}"}).status_code == 401


BY_ITSELF: Final = {"ItemReceived", "ItemAccepted", "ItemRecalled", "ItemConcluded", "SealFailed"}
"""What the platform does where the law has it follow from somebody's act, or from silence."""


def test_whoever_acted_is_named_by_its_certificate(people: People, item_id: str) -> None:
    """Of all that stands on the topics of what this file's people did over HTTP."""
    told = [one for one in read_topics(people.suite) if one["event"].get("project_code") == CODE]
    acts = [(one["type"], who) for one in told for who in (one["event"].get("actor"),) if who is not None]
    tried = ((role, claims) for role, others in STRANGERS.items() for claims, _ in others)
    keys = {person(role.value, **claims).serial for role, claims in (*CLAIMS.items(), *tried)}
    assert [(kind, who) for kind, who in acts if kind not in BY_ITSELF and who["certificate"] not in keys] == []
    opened = {"ProjectRegistered", "StageApplied", "Urged", "InspectionOpened", "CoordinationRequested"}
    assert opened <= {kind for kind, who in acts if who["certificate"] in keys}
    assert all(who["certificate"] == "platform" for kind, who in acts if who["certificate"] not in keys)
