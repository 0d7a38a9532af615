"""One real decision's document: sealed in its department's token, printed by the builder, verified offline.

What the builder prints is judged by our judge, by `./run verify` and by poppler's pdfsig; altered, it is not believed.
A notice that an item is not accepted goes the same way, and its item waits for none of it.
"""

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Browser, expect
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import DocumentSecurityStore, validate_pdf_signature

from contracts.codes import ItemCode
from contracts.envelope import derived_id
from contracts.terms import ProcessType, Stage
from dispatcher.domain import item_id_of
from evidence import confined
from evidence.documents import OWN_EVIDENCE, Finding
from local import verify
from local.builder import People, eventually
from local.suite import Suite

CODE = "2018-210281-47-03-000777"
TURNED_AWAY = "2018-210281-47-03-000778"
ITEM, OFFICE = ItemCode("S1-09"), "RFB"


@pytest.fixture(scope="module")
def notice(suite: Suite) -> dict[str, Any]:
    """The notice that an item was not accepted, as its builder finds it; the officer is there before any system."""
    people = People(suite)
    people.push(TURNED_AWAY, ProcessType.SOCIAL_SMALL).raise_for_status()
    materials = people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)
    people.declare(TURNED_AWAY, Stage.LAND_USE, materials).raise_for_status()
    item, officer = item_id_of(derived_id("application", TURNED_AWAY, 1), ITEM, 1), people.officer("210281", OFFICE)
    url = f"{suite.url('department-worker')}/items/{item}"
    eventually(lambda: people.http.get(url, headers=officer), lambda told: told.status_code == 200)
    step = {"step": "NOT_ACCEPT", "opinion": "申请事项依法不属于本机关职权范围"}
    told = eventually(lambda: people.step(str(item), step, officer), lambda answer: answer.status_code == 200)
    assert told.json()["state"] == "NOT_ACCEPTED"
    (found,) = eventually(lambda: get(people, "results", TURNED_AWAY).json(), lambda told: len(told) == 1)
    return found


@pytest.fixture(scope="module")
def departments(suite: Suite, notice: dict[str, Any]) -> Iterator[None]:
    """Every department's own system, as a process that speaks nothing but Kafka."""
    command = [sys.executable, "-m", "local.department", suite.bootstrap]
    systems = [
        suite.add_process(f"sealing-{place}", [*command, place, *codes], {})
        for place, codes in suite.departments().items()
    ]
    yield
    for one in systems:
        one.stop()


@pytest.fixture(scope="module")
def results(suite: Suite, departments: None) -> list[dict[str, Any]]:
    """The results of a stage that every department concluded, as its builder reads them."""
    people = People(suite)
    assert people.push(CODE, ProcessType.GOV_BUILDING).status_code == 201
    materials = people.materials(ProcessType.GOV_BUILDING, Stage.LAND_USE)
    declared = people.declare(CODE, Stage.LAND_USE, materials).json()
    eventually(lambda: people.progress(declared["application_id"]), lambda told: told["state"] == "CONCLUDED", 120)
    return eventually(lambda: concluded(people), lambda told: len(told) == 10)


def concluded(people: People) -> list[dict[str, Any]]:
    return [one for one in listed(people) if one["notice"] is None]


def listed(people: People) -> list[dict[str, Any]]:
    return get(people, "results").json()


def get(people: People, path: str, code: str = CODE) -> httpx.Response:
    return people.http.get(f"{people.suite.url('intake')}/projects/{code}/{path}", headers=people.builder())


@pytest.fixture(scope="module")
def document(results: list[dict[str, Any]]) -> str:
    return next(one["document"] for one in results if one["document"] is not None)


@pytest.fixture(scope="module")
def printed(suite: Suite, document: str) -> httpx.Response:
    return get(People(suite), f"results/{document}")


@pytest.fixture(scope="module")
def trust(suite: Suite) -> Path:
    assert suite.authority is not None
    return suite.authority.trust


def test_that_an_item_is_not_accepted_is_told_in_a_valid_document(
    suite: Suite, notice: dict[str, Any], trust: Path, tmp_path: Path
) -> None:
    assert (notice["notice"], notice["outcome"], notice["item_code"]) == ("NOT_ACCEPTED", None, ITEM)
    printed = get(People(suite), f"results/{notice['document']}", TURNED_AWAY)
    verdict = confined.judge(printed.content, trust)
    assert verdict.finding is Finding.VALID, verdict
    (tmp_path / "one.pdf").write_bytes(printed.content)
    text = subprocess.run(["pdftotext", tmp_path / "one.pdf", "-"], capture_output=True, check=True).stdout.decode()
    assert "不予受理通知书" in text


def test_what_leaves_the_house_is_a_file_and_an_opinion_is_not(results: list[dict[str, Any]]) -> None:
    assert {one["outcome"] for one in results} == {"GRANTED"}
    files = [one for one in results if one["document"] is not None]
    assert 0 < len(files) < len(results)


def test_that_a_permits_application_is_accepted_is_told_in_a_document(
    suite: Suite, results: list[dict[str, Any]], trust: Path
) -> None:
    told = {one["item_id"] for one in results if one["document"] is not None}
    found = eventually(
        lambda: [one for one in listed(People(suite)) if one["notice"] == "ACCEPTANCE"],
        lambda notices: {one["item_id"] for one in notices} == told,
    )
    content = get(People(suite), f"results/{found[0]['document']}").content
    assert confined.judge(content, trust).finding is Finding.VALID


def test_what_the_builder_prints_is_valid_without_the_platform(printed: httpx.Response, trust: Path) -> None:
    assert printed.headers["content-type"] == "application/pdf"
    verdict = confined.judge(printed.content, trust)
    assert verdict.finding is Finding.VALID, verdict
    assert verdict.organisation is not None and verdict.organisation.startswith(("瓦房店市", "大连市"))


def test_run_verify_says_so_too(printed: httpx.Response, trust: Path, tmp_path: Path) -> None:
    (tmp_path / "one.pdf").write_bytes(printed.content)
    assert verify.main([str(tmp_path / "one.pdf"), "--trust", str(trust)]) == 0
    (tmp_path / "one.pdf").write_bytes(printed.content + b"\n")
    assert verify.main([str(tmp_path / "one.pdf"), "--trust", str(trust)]) == 1


def test_it_is_valid_by_what_it_carries_where_no_list_is_at_hand(
    printed: httpx.Response, of_window: dict[str, httpx.Response], trust: Path, tmp_path: Path
) -> None:
    """PAdES B-LT: by pyHanko, which wants a list for each certificate, and by our own judge."""
    shutil.copytree(trust, tmp_path / "trust")
    lines = (trust / "trust.toml").read_text().splitlines(keepends=True)
    (tmp_path / "trust" / "trust.toml").write_text("".join(one for one in lines if not one.startswith("crl = ")))
    for pdf in (printed.content, of_window["RECEIPT"].content):
        verdict = confined.judge(pdf, tmp_path / "trust")
        assert (verdict.finding, verdict.detail) == (Finding.VALID, OWN_EVIDENCE)
        read = PdfFileReader(io.BytesIO(pdf))
        trusts = {"trust_roots": [load_cert_from_pemder(str(trust / "root.pem"))], "allow_fetching": False}
        context = DocumentSecurityStore.read_dss(read).as_validation_context({**trusts, "revocation_mode": "hard-fail"})
        (signature,) = read.embedded_signatures
        assert validate_pdf_signature(signature, context, context).bottom_line


def test_pdfsig_agrees(printed: httpx.Response, tmp_path: Path) -> None:
    (tmp_path / "one.pdf").write_bytes(printed.content)
    said = subprocess.run(["pdfsig", "-nocert", tmp_path / "one.pdf"], capture_output=True, check=False).stdout.decode()
    assert "Signature is Valid" in said
    assert "Total document signed" in said


def test_every_print_is_the_same_file_and_is_logged(suite: Suite, printed: httpx.Response, document: str) -> None:
    people = People(suite)
    before = next(one["prints"] for one in listed(people) if one["document"] == document)
    assert get(people, f"results/{document}").content == printed.content
    after = next(one["prints"] for one in listed(people) if one["document"] == document)
    assert after == before + 1
    said = eventually(lambda: prints(people, document), lambda told: len(told) >= after)
    assert len(said) == after


def prints(people: People, document: str) -> list[dict[str, Any]]:
    """What the timeline tells of a document's prints."""
    told = people.supervise(f"/projects/{CODE}/timeline")
    return [one for one in told if one["type"] == "ResultPrinted" and one["event"]["document"] == document]


def office_of(people: People, item: str) -> dict[str, str]:
    """Return where an item is handled, as the timeline tells it."""
    told = (one["event"] for one in people.supervise(f"/projects/{CODE}/timeline"))
    event = next(one for one in told if one.get("item_id") == item and "department" in one)
    return {name: event[name] for name in ("jurisdiction", "department")}


def test_the_office_that_made_it_reads_the_same_file_and_no_other_office_does(
    suite: Suite, results: list[dict[str, Any]], printed: httpx.Response, document: str
) -> None:
    people, item = People(suite), next(one["item_id"] for one in results if one["document"] == document)
    own = office_of(people, item)
    other = {**own, "department": "WWJ" if own["department"] != "WWJ" else "RFB"}

    def read(item_id: str, **office: str) -> httpx.Response:
        url = f"{suite.url('department-worker')}/items/{item_id}/document"
        return people.http.get(url, headers=people.header("officer", **office))

    assert read(item, **own).content == printed.content
    refused = read(item, **other)
    assert (refused.status_code, refused.json()["code"]) == (403, "NOT_YOUR_JURISDICTION")
    opinion = next(one["item_id"] for one in results if one["document"] is None)
    nothing = read(opinion, **office_of(people, opinion))
    assert (nothing.status_code, nothing.json()["code"]) == (404, "NO_SEALED_DOCUMENT")


# What the window is asked for ------------------------------------------------------------------------------------

TITLES: Final = {"RECEIPT": "收件回执", "WINDOW_NOTICE": "窗口报件通知书"}


@pytest.fixture(scope="module")
def of_window(suite: Suite, notice: dict[str, Any]) -> dict[str, httpx.Response]:
    """The documents of the window about a stage, as its builder asks for them and prints them."""
    people = People(suite)
    application = derived_id("application", TURNED_AWAY, 1)
    url = f"{suite.url('intake')}/applications/{application}/documents"
    for kind in TITLES:
        asked = people.http.post(f"{url}/{kind}", headers=people.builder())
        assert asked.status_code == 202, asked.text
        assert asked.json()["location"] == f"/applications/{application}/documents/{kind}"

    asking = {kind: partial(people.http.get, f"{url}/{kind}", headers=people.builder()) for kind in TITLES}
    return {kind: eventually(ask, is_there) for kind, ask in asking.items()}


def is_there(told: httpx.Response) -> bool:
    return told.status_code == 200


@pytest.mark.parametrize("kind", TITLES)
def test_what_the_window_is_asked_for_is_a_valid_document_of_its_own_seal(
    suite: Suite, of_window: dict[str, httpx.Response], kind: str, trust: Path, tmp_path: Path
) -> None:
    (tmp_path / "one.pdf").write_bytes(of_window[kind].content)
    verdict = confined.judge(of_window[kind].content, trust)
    assert (verdict.finding, verdict.organisation) == (Finding.VALID, "瓦房店市工程建设项目审批综合窗口")
    assert verify.main([str(tmp_path / "one.pdf"), "--trust", str(trust)]) == 0
    said = subprocess.run(["pdfsig", "-nocert", tmp_path / "one.pdf"], capture_output=True, check=False).stdout.decode()
    assert "Signature is Valid" in said
    text = subprocess.run(["pdftotext", tmp_path / "one.pdf", "-"], capture_output=True, check=True).stdout.decode()
    assert TITLES[kind] in text
    page, pdf = f"{suite.url('signing')}/verify", {"Content-Type": "application/pdf"}
    assert httpx.post(page, content=of_window[kind].content, headers=pdf, timeout=60).json()["finding"] == "VALID"


def test_a_receipt_names_every_material_by_its_digest(
    suite: Suite, of_window: dict[str, httpx.Response], tmp_path: Path
) -> None:
    (tmp_path / "one.pdf").write_bytes(of_window["RECEIPT"].content)
    text = subprocess.run(["pdftotext", tmp_path / "one.pdf", "-"], capture_output=True, check=True).stdout.decode()
    story = People(suite).supervise(f"/projects/{TURNED_AWAY}/timeline")
    declared = next(one["event"]["materials"] for one in story if one["type"] == "StageApplied")
    assert declared
    assert re.findall(r"[0-9a-f]{64}", text) == [one["sha256"] for one in declared]


def test_the_window_prints_the_very_same_file_and_each_print_is_told(
    suite: Suite, of_window: dict[str, httpx.Response]
) -> None:
    people = People(suite)
    url = f"{suite.url('intake')}/applications/{derived_id('application', TURNED_AWAY, 1)}/documents/RECEIPT"
    window = people.header("window", jurisdiction="210281")
    people.http.post(url, headers=window).raise_for_status()
    assert people.http.get(url, headers=window).content == of_window["RECEIPT"].content

    def told(kind: str) -> list[dict[str, Any]]:
        story = people.supervise(f"/projects/{TURNED_AWAY}/timeline")
        return [one["event"] for one in story if one["type"] == kind and one["event"]["kind"] == "RECEIPT"]

    prints = eventually(lambda: told("WindowDocumentPrinted"), lambda found: len(found) >= 2)
    assert {one["actor"]["holder"] for one in prints} == {"建设单位经办人", "综合窗口"}
    assert len(told("WindowDocumentRequested")) == len(told("WindowDocumentIssued")) == 1


def test_a_file_of_nobody_is_not_found(suite: Suite, printed: httpx.Response) -> None:
    assert get(People(suite), f"results/{'0' * 64}").status_code == 404


def test_anybody_verifies_a_file_at_the_page(suite: Suite, printed: httpx.Response) -> None:
    url, kind = f"{suite.url('signing')}/verify", {"Content-Type": "application/pdf"}
    told = httpx.post(url, content=printed.content, headers=kind, timeout=60).json()
    assert told["finding"] == "VALID"
    assert "真实有效" in told["sentence"]
    altered = httpx.post(url, content=printed.content.replace(b"%PDF", b"%PDE"), headers=kind, timeout=60).json()
    assert altered["finding"] == "ALTERED"
    assert httpx.post(url, content=b"", headers=kind, timeout=60).json()["finding"] == "UNSIGNED"


def test_a_citizen_is_told_in_a_browser(suite: Suite, printed: httpx.Response, chromium: Browser) -> None:
    """The page has no script; what it says is read as a citizen sees it."""
    page = chromium.new_context(locale="zh-CN", java_script_enabled=False).new_page()
    for content, said in ((printed.content, "真实有效"), (printed.content[:-1] + b"x", "被改动")):
        file = {"name": "批复.pdf", "mimeType": "application/pdf", "buffer": content}
        page.goto(f"{suite.url('signing')}/verify")
        page.get_by_label("选择文书文件").set_input_files(file)  # pyright: ignore[reportArgumentType]
        page.get_by_role("button", name="核验").click()
        expect(page.get_by_role("status")).to_contain_text(said)
    page.context.close()


def test_the_code_on_a_document_leads_to_its_seal(suite: Suite, printed: httpx.Response, tmp_path: Path) -> None:
    (tmp_path / "one.pdf").write_bytes(printed.content)
    text = subprocess.run(["pdftotext", tmp_path / "one.pdf", "-"], capture_output=True, check=True).stdout.decode()
    found = re.search(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
    assert found
    told = httpx.get(f"{suite.url('signing')}/verify/{found[0]}", timeout=60).json()
    assert told["organisation"] in text
    page = httpx.get(f"{suite.url('signing')}/verify", params={"document": found[0]}, timeout=60)
    assert told["organisation"] in page.text
    assert 'lang="zh-CN"' in page.text
    unknown = httpx.get(f"{suite.url('signing')}/verify/{'0' * 8}-0000-0000-0000-{'0' * 12}", timeout=60)
    assert (unknown.status_code, unknown.json()["article"]) == (404, "第十六条")
