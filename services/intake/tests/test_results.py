"""Which files a builder is handed: an item's result, and the notices on the way to it (Art. 10, 13)."""

from pathlib import Path

from chassis.filing import Filing
from contracts import topics
from contracts.codes import ItemCode, Sha256
from contracts.department_worker import DocumentIssued, ItemConcluded
from contracts.terms import DocumentKind, Outcome
from local.intake_alone import CODE, A, House, about, step

PATH = f"/projects/{CODE}/results"


async def kept(folder: Path, content: bytes) -> Sha256:
    return await Filing((folder / "documents").resolve().as_uri()).keep(content)


def issued(document: Sha256, kind: DocumentKind) -> DocumentIssued:
    place = {"jurisdiction": "210281", "department": "RFB"}
    made = about(DocumentIssued, item_code=ItemCode(A), document=document, kind=kind, **place)
    return made.model_copy(update={"request_id": made.event_id})


async def test_a_notice_stands_beside_the_result_and_each_is_printed_by_itself(house: House, tmp_path: Path) -> None:
    await house.push()
    notice, result = await kept(tmp_path, b"%PDF-notice"), await kept(tmp_path, b"%PDF-result")
    told = issued(notice, DocumentKind.CORRECTION)
    concluded = step(ItemConcluded, 5, outcome=Outcome.GRANTED, document=result)
    await house.hear(topics.ITEMS, told, told, concluded)
    printed = await house.ask("builder", "GET", f"{PATH}/{notice}")
    assert printed.content == b"%PDF-notice"
    found = {one["document"]: one for one in (await house.ask("builder", "GET", PATH)).json()}
    assert [(found[one]["outcome"], found[one]["notice"]) for one in (notice, result)] == [
        (None, "CORRECTION"),
        ("GRANTED", None),
    ]
    assert [found[one]["prints"] for one in (notice, result)] == [1, 0]
    (said,) = await house.said("ResultPrinted")
    assert said["document"] == notice


async def test_a_notice_of_another_project_is_nobodys(house: House, tmp_path: Path) -> None:
    await house.push()
    notice = await kept(tmp_path, b"%PDF-notice")
    elsewhere = issued(notice, DocumentKind.NOT_ACCEPTED).model_copy(
        update={"project_code": "2018-210281-47-03-000999"}
    )
    await house.hear(topics.ITEMS, elsewhere)
    assert (await house.ask("builder", "GET", f"{PATH}/{notice}")).status_code == 404
    assert (await house.ask("builder", "GET", PATH)).json() == []
