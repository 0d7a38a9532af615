"""Documents of the window: made when somebody asks, once, of what intake recorded; read and printed by its own (Art. 9,
10)."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from chassis.catalogue import City
from chassis.filing import Filing
from contracts import topics
from contracts.codes import Sha256
from contracts.department_worker import WindowDocumentIssued
from contracts.signing import SealRejected
from contracts.terms import DocumentKind
from local.intake_alone import CODE, OPENS, A, B, House, about, application_id, split
from local.samples import sample
from procedure.notices import window_request_id

APPLICATION = f"/applications/{application_id()}"
RECEIPT, NOTICE = DocumentKind.RECEIPT, DocumentKind.WINDOW_NOTICE


def path(kind: DocumentKind) -> str:
    return f"{APPLICATION}/documents/{kind}"


async def declared(house: House, city: City, **more: Any) -> list[dict[str, str]]:
    await house.push()
    materials = await house.set_of(city)
    (await house.declare(materials, **more)).raise_for_status()
    return materials


def issued(kind: DocumentKind, document: Sha256) -> WindowDocumentIssued:
    request_id = window_request_id(application_id(), kind)
    return about(WindowDocumentIssued, jurisdiction="210281", kind=kind, request_id=request_id, document=document)


async def test_a_receipt_lists_by_their_digests_what_was_received_online_at_the_declaration(
    house: House, city: City
) -> None:
    materials = await declared(house, city)
    house.clock.at = OPENS.replace(hour=5)
    asked = await house.ask("builder", "POST", path(RECEIPT))
    assert (asked.status_code, asked.json()["location"]) == (202, path(RECEIPT))
    (said,) = await house.said("WindowDocumentRequested")
    assert (said["kind"], said["jurisdiction"], said["told_at"]) == ("RECEIPT", "210281", "2026-03-02T01:00:00Z")
    assert [(one["code"], one["sha256"]) for one in said["materials"]] == [
        (one["code"], one["sha256"]) for one in materials
    ]


async def test_who_asks_again_is_told_the_same_and_nothing_more_is_said(house: House, city: City) -> None:
    await declared(house, city)
    answers = [await house.ask(role, "POST", path(RECEIPT)) for role in ("builder", "builder", "window")]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert len(await house.said("WindowDocumentRequested")) == 1


async def test_nothing_is_said_of_a_stage_for_which_nobody_asks(house: House, city: City) -> None:
    await declared(house, city)
    await house.hear(topics.STAGES, split())
    assert await house.said("WindowDocumentRequested") == []


async def test_there_is_no_receipt_before_the_window_received_the_originals(house: House, city: City) -> None:
    await declared(house, city, submission="WINDOW")
    early = await house.ask("builder", "POST", path(RECEIPT))
    assert (early.status_code, early.json()["code"], early.json()["article"]) == (409, "NOT_RECEIVED_YET", "第十条")
    house.clock.at = OPENS.replace(hour=3)
    (await house.ask("window", "POST", f"{APPLICATION}/receipt")).raise_for_status()
    house.clock.at = OPENS.replace(hour=4)
    (await house.ask("window", "POST", f"{APPLICATION}/receipt")).raise_for_status()
    assert (await house.ask("window", "POST", path(RECEIPT))).status_code == 202
    (said,) = await house.said("WindowDocumentRequested")
    assert said["told_at"] == "2026-03-02T03:00:00Z"


async def test_a_receipt_says_what_had_come_when_it_was_received_whatever_came_later(house: House, city: City) -> None:
    materials = await declared(house, city)
    await house.member.service.database.pool.execute(
        "INSERT INTO given_materials (project_code, application_id, stage, material, sha256, name, size, given_at)"
        " SELECT project_code, application_id, stage, material, sha256, 'later', 1, given_at + interval '1 hour'"
        " FROM given_materials LIMIT 1"
    )
    assert (await house.ask("builder", "POST", path(RECEIPT))).status_code == 202
    (said,) = await house.said("WindowDocumentRequested")
    assert len(said["materials"]) == len(materials)


async def test_a_window_notice_tells_how_the_stage_was_split_and_what_to_bring_where(house: House, city: City) -> None:
    await declared(house, city)
    early = await house.ask("builder", "POST", path(NOTICE))
    assert (early.status_code, early.json()["code"], early.json()["article"]) == (409, "NOT_DISPATCHED_YET", "第九条")
    announced = split().model_copy(update={"window": "综合窗口（政务服务中心）", "originals": ("营业执照",)})
    await house.hear(topics.STAGES, announced)
    assert (await house.ask("builder", "POST", path(NOTICE))).status_code == 202
    (said,) = await house.said("WindowDocumentRequested")
    assert (said["place"], said["originals"], said["items"]) == (
        "综合窗口（政务服务中心）",
        ["营业执照"],
        sorted([A, B]),
    )


async def test_it_is_printed_once_it_is_sealed_always_the_same_file_and_every_print_is_said(
    house: House, city: City, tmp_path: Path
) -> None:
    await declared(house, city)
    for ask in (None, "POST"):
        if ask:
            (await house.ask("builder", ask, path(RECEIPT))).raise_for_status()
        waits = await house.ask("builder", "GET", path(RECEIPT))
        assert (waits.status_code, waits.json()["code"]) == (409, "DOCUMENT_NOT_ISSUED")
    filing = Filing((tmp_path / "documents").resolve().as_uri())
    file, other = await filing.keep(b"%PDF-receipt"), await filing.keep(b"%PDF-another")
    await house.hear(topics.ITEMS, issued(RECEIPT, file), issued(RECEIPT, other), issued(NOTICE, other))
    read = [await house.ask(role, "GET", path(RECEIPT)) for role in ("builder", "window")]
    assert [one.content for one in read] == [b"%PDF-receipt"] * 2
    printed = await house.said("WindowDocumentPrinted")
    assert [one["document"] for one in printed] == [file] * 2
    assert len({one["event_id"] for one in printed}) == 2
    assert await house.said("ResultPrinted") == []


def rejected(request_id: UUID, why: str) -> SealRejected:
    said = {"request_id": request_id, "project_code": CODE, "item_id": None, "item_code": None, "message": why}
    return sample(SealRejected).model_copy(update={**said, "event_id": uuid4()})


async def test_what_was_refused_is_made_anew_for_who_asks_again_and_the_refusal_stays_on_record(
    house: House, city: City, tmp_path: Path
) -> None:
    await declared(house, city)
    ids = [window_request_id(application_id(), RECEIPT, attempt) for attempt in (1, 2, 3)]
    why = "印章“210281.WINDOW”的证书不受信任，不予签章：证书已挂失"
    (await house.ask("builder", "POST", path(RECEIPT), key="once-and-again")).raise_for_status()
    await house.hear(topics.SEALS, rejected(uuid4(), "another's"), rejected(ids[0], why), rejected(ids[0], "later"))
    told = await house.ask("builder", "GET", path(RECEIPT))
    assert (told.status_code, told.json()["code"]) == (409, "DOCUMENT_REFUSED") and why in told.json()["detail"]
    (await house.ask("builder", "POST", path(RECEIPT), key="once-and-again")).raise_for_status()
    assert len(await house.said("WindowDocumentRequested")) == 1
    for role in ("builder", "window"):
        assert (await house.ask(role, "POST", path(RECEIPT))).status_code == 202
    said = await house.said("WindowDocumentRequested")
    assert [one["request_id"] for one in said] == [str(one) for one in ids[:2]]
    assert len({one["event_id"] for one in said}) == 2 and said[0]["materials"] == said[1]["materials"]
    file = await Filing((tmp_path / "documents").resolve().as_uri()).keep(b"%PDF-receipt")
    await house.hear(topics.ITEMS, issued(RECEIPT, file).model_copy(update={"request_id": ids[1]}))
    assert (await house.ask("builder", "GET", path(RECEIPT))).content == b"%PDF-receipt"
    (await house.ask("builder", "POST", path(RECEIPT))).raise_for_status()
    assert len(await house.said("WindowDocumentRequested")) == 2
    pool = house.member.service.database.pool
    kept = await pool.fetch("SELECT attempt, refusal, document FROM window_documents ORDER BY attempt")
    assert [tuple(row) for row in kept] == [(1, why, None), (2, None, file)]


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_anothers_project_is_not_there_and_another_window_has_no_say(
    house: House, city: City, method: str
) -> None:
    await declared(house, city)
    other = await house.ask("builder", method, path(RECEIPT), uscc="91210281MA0XYU9874")
    assert other.status_code == 404
    away = await house.ask("window", method, path(RECEIPT), jurisdiction="210283")
    assert (away.status_code, away.json()["code"]) == (403, "NOT_YOUR_JURISDICTION")
    assert (await house.ask("builder", method, f"{APPLICATION}/documents/DECISION")).status_code == 422
