"""Intake over real tables, asked over HTTP and hearing what the others say; time is set by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.bus import Received
from chassis.catalogue import City
from chassis.parking import Raw
from contracts import department_worker as items
from contracts import topics
from contracts.codes import ItemCode, MaterialCode
from contracts.dispatcher import (
    ItemClosed,
    ItemResult,
    StageConcluded,
    StageResultAmended,
)
from contracts.parts import DayOrdered
from contracts.terms import (
    ClockSubject,
    CloseCause,
    ItemState,
    Outcome,
    PauseReason,
    ReminderKind,
    SpecialEffect,
    Stage,
    StageResult,
)
from contracts.timer import (
    CalendarAmended,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockStopped,
    ReminderDue,
)
from intake.handlers import Handlers
from local.intake_alone import (
    CODE,
    LATER,
    OPENS,
    A,
    B,
    House,
    about,
    application_id,
    clocked,
    granted,
    item_id,
    on,
    recorded,
    split,
    step,
)
from local.samples import sample
from procedure.policies import READINGS

APPLIED = f"/applications/{application_id()}"


def code_of(answer: httpx.Response) -> tuple[int, str, str | None]:
    problem = answer.json()
    assert any("\u4e00" <= letter <= "\u9fff" for letter in problem["detail"])
    return answer.status_code, problem["code"], problem["article"]


async def declared(house: House, city: City, *without: str) -> None:
    await house.push()
    answer = await house.declare(await house.set_of(city, Stage.LAND_USE, *without))
    assert answer.status_code == 202, answer.text
    await house.hear(topics.STAGES, split())


async def item(house: House, code: str = A) -> dict[str, Any]:
    told = await house.get("builder", APPLIED)
    return next(one for one in told["items"] if one["item_code"] == code)


# Policies and pinning -------------------------------------------------------------------------------------------

POLICY = {"version": "2026-1", "catalogue_version": LATER, "document": "大工改办〔2026〕1号", "reason": "试行"}


async def test_the_next_declaration_runs_under_what_was_published_and_running_ones_keep_theirs(
    house: House, city: City
) -> None:
    await declared(house, city)
    published = await house.ask("admin", "POST", "/policies", {**POLICY, "settings": {"max_corrections": 2}})
    assert published.status_code == 201, published.text
    other = "2018-210281-47-03-000124"
    await house.push(other)
    materials = await house.set_of(city)
    assert (await house.declare(materials, code=other)).status_code == 202
    before, after = await house.said("StageApplied")
    assert before["policies"] == {"catalogue_version": "2018.1", "policy_version": "178/2018", "settings": {}}
    assert after["policies"] == {
        "catalogue_version": LATER,
        "policy_version": "2026-1",
        "settings": {"max_corrections": 2},
    }
    inquiries = [await house.get("builder", f"/projects/{code}/inquiry") for code in (CODE, other)]
    assert [(one["stages"][0]["limit_days"], one["stages"][0]["policy_version"]) for one in inquiries] == [
        (15, "178/2018"),
        (14, "2026-1"),
    ]
    assert inquiries[0]["stages"][1]["catalogue_version"] == LATER
    told = await house.get("builder", APPLIED)
    assert (told["catalogue_version"], told["policy_version"], told["settings"]) == ("2018.1", "178/2018", {})


async def test_a_version_takes_effect_at_its_instant_and_not_before(house: House, city: City) -> None:
    starts = OPENS + timedelta(hours=1)
    await house.ask("admin", "POST", "/policies", {**POLICY, "effective_at": starts.isoformat()})
    materials = await house.set_of(city)
    for number, at in enumerate((starts - timedelta(microseconds=1), starts)):
        house.clock.at = at
        code = f"2018-210281-47-03-00020{number}"
        await house.push(code)
        await house.declare(materials, code=code)
    assert [one["policies"]["policy_version"] for one in await house.said("StageApplied")] == ["178/2018", "2026-1"]


async def test_a_published_version_never_changes(house: House) -> None:
    assert (await house.ask("admin", "POST", "/policies", POLICY)).status_code == 201
    again = await house.ask("admin", "POST", "/policies", {**POLICY, "settings": {"four_eyes": True}})
    assert code_of(again) == (409, "POLICY_VERSION_TAKEN", "第二十三条")
    told = await house.get("builder", "/policies/2026-1")
    assert (told["settings"], told["in_force"], told["published_by"]) == ({}, True, "admin")
    assert len(await house.said("PolicyPublished")) == 1


async def test_every_reading_is_told_with_its_question_its_value_and_its_default(house: House) -> None:
    await house.ask("admin", "POST", "/policies", {**POLICY, "settings": {"redeclare_days": 61}})
    told = await house.get("window", "/policies/2026-1")
    reading = next(one for one in told["readings"] if one["name"] == "redeclare_days")
    assert (reading["number"], reading["value"], reading["default"]) == ("R8", 61, 60)
    assert [one["name"] for one in told["readings"]] == list(READINGS)
    assert all(one["question"] and one["where"] for one in told["readings"])
    first = await house.get("supervisor", "/policies/178/2018")
    assert all(one["value"] == one["default"] for one in first["readings"]) and not first["in_force"]
    listed = await house.get("builder", "/policies")
    assert [(one["version"], one["reason"], one["certificate"] is None) for one in listed] == [
        ("178/2018", "规程公布施行", True),
        ("2026-1", "试行", False),
    ]
    assert code_of(await house.ask("builder", "GET", "/policies/no-such")) == (404, "NO_SUCH_POLICY", "第二十三条")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"settings": {"guess": 1}}, (422, "UNKNOWN_POLICY_SETTING", "第二十三条")),
        ({"settings": {"max_corrections": 99}}, (422, "POLICY_VALUE_NOT_ALLOWED", "第二十三条")),
        ({"settings": {"max_corrections": "2"}}, (422, "POLICY_VALUE_NOT_ALLOWED", "第二十三条")),
        ({"catalogue_version": "1999"}, (422, "NO_SUCH_CATALOGUE_VERSION", "第二十三条")),
        ({"effective_at": "2026-03-01T00:00:00+08:00"}, (422, "POLICY_EFFECTIVE_IN_THE_PAST", "第二十四条")),
        ({"reason": " "}, (422, "INVALID_REQUEST", None)),
        ({"version": "a b"}, (422, "INVALID_REQUEST", None)),
        ({"settings": {"x" * 61: 1}}, (422, "INVALID_REQUEST", None)),
    ],
)
async def test_an_impossible_publication_is_refused_and_nothing_is_kept(
    house: House, facts: dict[str, Any], expected: tuple[int, str, str | None]
) -> None:
    assert code_of(await house.ask("admin", "POST", "/policies", {**POLICY, **facts})) == expected
    assert len(await house.get("admin", "/policies")) == 1
    assert await house.said("PolicyPublished") == []


async def test_only_the_citys_administrator_publishes(house: House) -> None:
    county = await house.ask("admin", "POST", "/policies", POLICY, jurisdiction="210281")
    assert code_of(county) == (403, "NOT_YOUR_JURISDICTION", "第十八条")
    for role in ("builder", "window", "officer", "supervisor", "platform"):
        assert (await house.ask(role, "POST", "/policies", POLICY)).status_code == 403


async def test_nothing_is_declared_before_the_regulation_was_in_force(house: House, city: City) -> None:
    house.clock.at = datetime(2018, 12, 11, 15, 59, 59, tzinfo=UTC)
    await house.push()
    materials = await house.set_of(city)
    assert code_of(await house.declare(materials)) == (409, "NOT_YET_IN_FORCE", "第二十四条")
    assert await house.said("StageApplied") == []
    house.clock.at += timedelta(seconds=1)
    assert (await house.declare(materials)).status_code == 202


# Special handling at the declaration ----------------------------------------------------------------------------


async def test_a_stage_is_declared_out_of_its_order_by_special_handling_alone(house: House, city: City) -> None:
    await declared(house, city)
    materials = await house.set_of(city, Stage.ENGINEERING)
    too_early = await house.declare(materials, Stage.ENGINEERING)
    assert code_of(too_early) == (409, "STAGE_NOT_YET_OPEN", "第七条")
    skip = granted(SpecialEffect.SKIP_STAGE_ORDER, Stage.ENGINEERING)
    await house.hear(topics.SUPERVISION, skip)
    await house.hear(topics.SUPERVISION, skip)
    assert (await house.declare(materials, Stage.ENGINEERING)).status_code == 202
    assert [one["special_handling"] for one in await house.said("StageApplied")] == [None, str(skip.handling_id)]


async def test_the_next_stage_needs_only_a_declaration_where_the_city_reads_it_so(house: House, city: City) -> None:
    await house.ask("admin", "POST", "/policies", {**POLICY, "settings": {"next_stage_needs": "declared"}})
    await declared(house, city)
    materials = await house.set_of(city, Stage.ENGINEERING)
    assert (await house.declare(materials, Stage.ENGINEERING)).status_code == 202


async def test_a_deferred_material_comes_later_and_is_held_like_any_other(house: House, city: City) -> None:
    promise = {"material": MaterialCode("M07"), "promised_on": on(4).date()}
    await house.hear(topics.SUPERVISION, granted(SpecialEffect.DEFER_MATERIAL, Stage.LAND_USE, **promise))
    await declared(house, city, "M07")
    (applied,) = await house.said("StageApplied")
    assert applied["deferred"] == [{"code": "M07", "promised_on": "2026-03-04"}]
    told = (await house.get("builder", APPLIED))["deferred"]
    assert [(one["code"], one["given_at"], one["broken"]) for one in told] == [("M07", None, False)]
    house.clock.at = on(5)
    assert (await house.get("supervisor", APPLIED))["deferred"][0]["broken"]
    late = {"materials": [await house.scanned("M07")]}
    assert (await house.ask("builder", "POST", f"{APPLIED}/materials", late)).status_code == 202
    (said,) = await house.said("DeferredMaterialsSubmitted")
    assert [one["code"] for one in said["materials"]] == ["M07"] and said["version"] == 2
    told = (await house.get("builder", APPLIED))["deferred"][0]
    assert told["given_at"] is not None and told["broken"]
    needed = (await house.get("builder", f"/projects/{CODE}/inquiry"))["stages"][0]["items"]
    assert {one["how"] for need in needed for one in need["materials"] if one["code"] == "M07"} == {
        "已有，无需重复提交"
    }
    assert (await house.ask("officer", "GET", f"{APPLIED}/items/{A}/materials/M07")).status_code == 200


async def test_a_supplement_keeps_the_promise_too(house: House, city: City) -> None:
    promise = {"material": MaterialCode("M07"), "promised_on": on(4).date()}
    await house.hear(topics.SUPERVISION, granted(SpecialEffect.DEFER_MATERIAL, Stage.LAND_USE, **promise))
    await declared(house, city, "M07")
    asked = step(items.CorrectionRequested, 2, before_acceptance=True)
    await house.hear(topics.ITEMS, step(items.ItemReceived, 1), asked)
    answer = {"materials": [await house.scanned("M07")]}
    assert (await house.ask("builder", "POST", f"{APPLIED}/items/{A}/supplements", answer)).status_code == 202
    told = (await house.get("builder", APPLIED))["deferred"][0]
    assert told["given_at"] is not None and not told["broken"]


async def test_what_was_not_deferred_is_not_handed_in_later(house: House, city: City) -> None:
    await declared(house, city)
    stray = {"materials": [await house.scanned("M07")]}
    refused = await house.ask("builder", "POST", f"{APPLIED}/materials", stray)
    assert code_of(refused) == (422, "MATERIAL_NOT_DEFERRED", "第十七条")
    empty = await house.ask("builder", "POST", f"{APPLIED}/materials", {"materials": []})
    assert code_of(empty) == (422, "NOTHING_GIVEN", "第八条")
    others = {"materials": [{"code": "M07", "name": "x", "sha256": "0" * 64}]}
    foreign = await house.ask("builder", "POST", f"{APPLIED}/materials", others)
    assert code_of(foreign) == (422, "MATERIAL_NOT_YOURS", "第八条")
    stranger = await house.ask("builder", "POST", f"{APPLIED}/materials", stray, uscc="91210281MA0XYU9874")
    assert stranger.status_code == 404
    assert await house.said("DeferredMaterialsSubmitted") == []


async def test_what_another_service_carries_out_is_none_of_intakes_business(house: House, city: City) -> None:
    waive = granted(SpecialEffect.WAIVE, Stage.ENGINEERING, item_code=ItemCode("S2-01"))
    await house.hear(topics.SUPERVISION, waive)
    await declared(house, city)
    materials = await house.set_of(city, Stage.ENGINEERING)
    assert (await house.declare(materials, Stage.ENGINEERING)).status_code == 409


# Withdrawals ----------------------------------------------------------------------------------------------------

GONE = f"{APPLIED}/items/{A}/withdrawals"
DROPPED = {"reason": "项目调整"}


async def begun(house: House, city: City) -> None:
    await declared(house, city)
    await house.hear(topics.ITEMS, step(items.ItemReceived, 1), step(items.ItemAccepted, 2))


async def confirmations(house: House) -> list[bool]:
    return [one["confirmed"] for one in await house.said("WithdrawalRequested")]


async def test_before_handling_began_the_builders_word_is_enough(house: House, city: City) -> None:
    await declared(house, city)
    assert (await house.ask("builder", "POST", GONE, DROPPED)).status_code == 202
    assert await confirmations(house) == [True]
    assert await house.get("window", "/window/withdrawals") == []


async def test_once_handling_began_a_request_waits_for_the_window_which_confirms_it(house: House, city: City) -> None:
    await begun(house, city)
    assert (await house.ask("builder", "POST", GONE, DROPPED)).status_code == 202
    assert (await item(house))["withdrawal_waits"]
    again = await house.ask("builder", "POST", GONE, DROPPED)
    assert code_of(again) == (409, "WITHDRAWAL_WAITS", "第十条")
    (waiting,) = await house.get("window", "/window/withdrawals")
    assert (waiting["item_code"], waiting["reason"], waiting["asked_by"]) == (A, "项目调整", "builder")
    assert await house.get("window", "/window/withdrawals", jurisdiction="210283") == []
    away = await house.ask("window", "POST", f"{GONE}/answer", {"confirmed": True}, jurisdiction="210283")
    assert away.status_code == 403
    assert (await house.ask("window", "POST", f"{GONE}/answer", {"confirmed": True})).status_code == 202
    assert await confirmations(house) == [False, True]
    assert (await house.said("WithdrawalRequested"))[1]["reason"] == "项目调整"
    assert not (await item(house))["withdrawal_waits"]
    settled = await house.ask("window", "POST", f"{GONE}/answer", {"confirmed": True})
    assert code_of(settled) == (409, "NO_WITHDRAWAL_WAITS", "第十条")


async def test_what_the_window_does_not_confirm_is_handled_on_and_the_builder_is_told_why(
    house: House, city: City
) -> None:
    await begun(house, city)
    await house.ask("builder", "POST", GONE, DROPPED)
    silent = await house.ask("window", "POST", f"{GONE}/answer", {"confirmed": False})
    assert code_of(silent) == (422, "DECLINE_REASON_MISSING", "第十条")
    answer = {"confirmed": False, "reason": "决定即将作出"}
    assert (await house.ask("window", "POST", f"{GONE}/answer", answer)).status_code == 202
    assert await confirmations(house) == [False]
    notice = (await house.said("NoticeSent"))[-1]
    assert (notice["kind"], "决定即将作出" in notice["body"]) == ("REMINDER", True)
    assert (await house.ask("builder", "POST", GONE, DROPPED)).status_code == 202


async def test_the_windows_own_withdrawal_settles_what_waited(house: House, city: City) -> None:
    await begun(house, city)
    await house.ask("builder", "POST", GONE, DROPPED)
    assert (await house.ask("window", "POST", GONE, {"reason": "当面撤件"})).status_code == 202
    assert await confirmations(house) == [False, True]
    assert await house.get("window", "/window/withdrawals") == []


async def test_a_request_whose_item_ended_meanwhile_asks_for_nothing_any_more(house: House, city: City) -> None:
    await begun(house, city)
    await house.ask("builder", "POST", GONE, DROPPED)
    await house.hear(topics.ITEMS, step(items.ItemRecalled, 3, outcome=Outcome.DEEMED_NO_OPINION))
    assert await house.get("window", "/window/withdrawals") == []
    assert not (await item(house))["withdrawal_waits"]
    late = await house.ask("window", "POST", f"{GONE}/answer", {"confirmed": True})
    assert code_of(late) == (409, "WITHDRAWAL_NOT_POSSIBLE", "第十条")
    assert await confirmations(house) == [False]


async def test_a_returned_item_may_still_be_withdrawn(house: House, city: City) -> None:
    await begun(house, city)
    await house.hear(topics.ITEMS, step(items.ItemReturned, 3))
    assert (await house.ask("window", "POST", GONE, DROPPED)).status_code == 202
    assert await confirmations(house) == [True]


async def test_where_the_city_reads_it_so_no_window_is_needed(house: House, city: City) -> None:
    await house.ask("admin", "POST", "/policies", {**POLICY, "settings": {"withdrawal_needs_window": False}})
    await begun(house, city)
    await house.ask("builder", "POST", GONE, DROPPED)
    assert await confirmations(house) == [True]


# Materials ------------------------------------------------------------------------------------------------------


async def test_the_first_to_check_a_material_answers_for_it_and_new_bytes_have_a_new_one(
    house: House, city: City
) -> None:
    await declared(house, city)
    old = await house.scanned("M07")
    await house.hear(topics.ITEMS, recorded(A, old, "甲"), recorded(B, old, "乙"))
    await house.hear(topics.ITEMS, recorded(B, old, "乙"))
    asked = step(items.CorrectionRequested, 2, before_acceptance=True)
    await house.hear(topics.ITEMS, step(items.ItemReceived, 1), asked)
    new = await house.scanned("M07", "第二版")
    await house.ask("builder", "POST", f"{APPLIED}/items/{A}/supplements", {"materials": [new]})
    await house.hear(topics.ITEMS, recorded(A, new, "丙"))
    listed = await house.get("supervisor", f"/projects/{CODE}/materials")
    versions = next(one["versions"] for one in listed if one["code"] == "M07")
    assert [(one["first_recorder"]["holder"], one["first_recorder"]["department"]) for one in versions] == [
        ("甲", "RFB"),
        ("丙", "RFB"),
    ]
    assert [[used["item_code"] for used in one["used_by"]] for one in versions] == [[B], [A]]
    assert [one["item_code"] for one in versions] == [None, A]
    report = await house.get("supervisor", "/reports/first-recorders")
    assert sorted(one["first_recorder"]["holder"] for one in report) == ["丙", "甲"]
    assert await house.get("supervisor", "/reports/first-recorders", jurisdiction="210283") == []
    assert len(await house.get("supervisor", "/reports/first-recorders", jurisdiction="210200")) == 2


async def test_who_looked_at_a_material_is_said_once(house: House, city: City) -> None:
    await declared(house, city)
    path = f"{APPLIED}/items/{A}/materials/M07"
    for _ in range(2):
        answer = await house.ask("officer", "GET", path)
        assert answer.status_code == 200 and answer.headers["content-type"] == "application/pdf"
        assert answer.content.startswith(b"%PDF-") and len(answer.content) == int(answer.headers["content-length"])
    await house.ask("officer", "GET", path, name="另一人", certificate="CA-OTHER")
    views = await house.said("MaterialViewed")
    assert [(one["item_code"], one["material"], one["actor"]["holder"]) for one in views] == [
        (A, "M07", "officer"),
        (A, "M07", "另一人"),
    ]
    assert len({one["event_id"] for one in views}) == 2


async def test_nobody_else_opens_a_material(house: House, city: City) -> None:
    await declared(house, city)
    path = f"{APPLIED}/items/{A}/materials/M07"
    for claims in ({"department": "WWJ"}, {"jurisdiction": "210283"}, {"jurisdiction": "210200"}):
        away = await house.ask("officer", "GET", path, **claims)
        assert code_of(away) == (403, "NOT_YOUR_JURISDICTION", "第十八条")
    for role in ("builder", "window", "supervisor", "platform", "admin"):
        assert (await house.ask(role, "GET", path)).status_code == 403
    for unknown in (f"{APPLIED}/items/S1-01/materials/M07", f"/applications/{UUID(int=1)}/items/{A}/materials/M07"):
        assert (await house.ask("officer", "GET", unknown)).status_code == 404
    missing = await house.ask("officer", "GET", f"{APPLIED}/items/{A}/materials/M02")
    assert code_of(missing) == (404, "NO_SUCH_MATERIAL", "第八条")
    assert await house.said("MaterialViewed") == []


async def test_a_material_whose_bytes_are_lost_is_told_and_nobody_has_seen_it(
    house: House, city: City, tmp_path: Any
) -> None:
    await declared(house, city)
    for stored in (tmp_path / "materials").rglob("*"):
        if stored.is_file():
            stored.unlink()
    lost = await house.ask("officer", "GET", f"{APPLIED}/items/{A}/materials/M07")
    assert code_of(lost) == (404, "MATERIAL_BYTES_LOST", "第八条")
    assert await house.said("MaterialViewed") == []


# Progress -------------------------------------------------------------------------------------------------------


def days(told: dict[str, Any]) -> tuple[int | None, int | None, str]:
    return told["used_days"], told["remaining_days"], told["clock"]


async def test_the_days_used_now_follow_the_clock_through_a_pause(house: House, city: City) -> None:
    """Golden S2: accepted on the 2nd, a correction from the 4th to the 9th: one day used, due on the 13th."""
    await declared(house, city)
    assert days(await item(house)) == (None, None, "WAITING")
    await house.hear(topics.ITEMS, step(items.ItemReceived, 1), step(items.ItemAccepted, 2))
    await house.hear(topics.CLOCKS, clocked(ClockStarted, 1, on(2), limit_days=5))
    house.clock.at = on(4)
    assert days(await item(house)) == (1, 4, "RUNNING")
    await house.hear(topics.ITEMS, step(items.CorrectionRequested, 3))
    await house.hear(topics.CLOCKS, clocked(ClockPaused, 2, on(4, 2), used_days=1, reason=PauseReason.CORRECTION))
    house.clock.at = on(9, 6)
    told = await item(house)
    assert (days(told), told["paused_by"], told["due_at"]) == ((1, 4, "PAUSED"), ["CORRECTION"], None)
    await house.hear(topics.ITEMS, step(items.CorrectionEnded, 4))
    await house.hear(topics.CLOCKS, clocked(ClockResumed, 3, on(9, 7), used_days=1))
    house.clock.at = on(12)
    told = await item(house)
    assert (days(told), told["paused_by"], told["department_name"]) == ((3, 2, "RUNNING"), [], "人民防空办公室")
    await house.hear(topics.CLOCKS, clocked(ClockStopped, 4, on(12), used_days=3))
    house.clock.at = on(20)
    assert days(await item(house)) == (3, 2, "STOPPED")


async def test_a_pause_within_one_day_takes_no_day(house: House, city: City) -> None:
    await declared(house, city)
    await house.hear(topics.CLOCKS, clocked(ClockStarted, 1, on(2), limit_days=5))
    await house.hear(topics.CLOCKS, clocked(ClockPaused, 2, on(4, 2), used_days=1, reason=PauseReason.SPECIAL))
    await house.hear(topics.CLOCKS, clocked(ClockResumed, 3, on(4, 6), used_days=1))
    house.clock.at = on(5)
    assert days(await item(house))[0] == 2


async def test_a_day_that_is_ordered_off_is_not_used(house: House, city: City) -> None:
    await declared(house, city)
    await house.hear(topics.CLOCKS, clocked(ClockStarted, 1, on(2), limit_days=5))
    house.clock.at = on(5)
    before = await house.get("builder", APPLIED)
    typhoon = sample(CalendarAmended).model_copy(
        update={
            "released_year": None,
            "jurisdiction": "210281",
            "days": (DayOrdered(day=on(3).date(), works=False, name="台风"),),
            "calendar_version": "2026+1",
        }
    )
    await house.hear(topics.CALENDAR, typhoon)
    after = await house.get("builder", APPLIED)
    used = [next(one["used_days"] for one in told["items"] if one["item_code"] == A) for told in (before, after)]
    assert used == [2, 1] and after["calendar_version"] == "2026+1"


async def test_the_clock_of_acceptance_does_not_disturb_the_items(house: House, city: City) -> None:
    await declared(house, city)
    waiting = {"subject": ClockSubject.ACCEPTANCE, "limit_days": 5}
    await house.hear(topics.CLOCKS, clocked(ClockStarted, 1, on(2), **waiting))
    told = await item(house)
    assert (told["due_at"], told["light"], told["clock"]) == (None, None, "WAITING")
    await house.hear(topics.CLOCKS, clocked(ClockStarted, 1, on(3), limit_days=5))
    stopped = {"subject": ClockSubject.ACCEPTANCE, "used_days": 0}
    await house.hear(topics.CLOCKS, clocked(ClockStopped, 2, on(3), **stopped))
    told = await item(house)
    assert (told["light"], told["clock"]) == ("GREEN", "RUNNING") and told["due_at"] is not None


async def test_a_stage_that_stands_still_names_the_items_that_stop_it(house: House, city: City) -> None:
    await declared(house, city)
    await house.hear(topics.ITEMS, step(items.ItemReceived, 1), step(items.ItemAccepted, 2))
    await house.hear(topics.ITEMS, step(items.ItemReturned, 3), step(items.ItemReceived, 1, B))
    await house.hear(topics.CLOCKS, clocked(ClockStarted, 1, on(2), None, limit_days=15))
    running = await house.get("builder", APPLIED)
    assert running["paused_by"] == []
    await house.hear(topics.CLOCKS, clocked(ClockPaused, 2, on(3), None, used_days=0, reason=PauseReason.RETURNED))
    told = await house.get("builder", APPLIED)
    assert (told["clock"], told["light"], told["used_days"], told["remaining_days"]) == ("PAUSED", "GREY", 0, 15)
    assert told["paused_by"] == [{"item_code": A, "reason": "RETURNED"}]


# Endings and notices --------------------------------------------------------------------------------------------


def result(code: str, outcome: Outcome | None, state: ItemState = ItemState.CONCLUDED) -> ItemResult:
    return ItemResult(item_id=item_id(code), item_code=ItemCode(code), state=state, outcome=outcome, opinion="理由")


def concluded(first: Outcome) -> StageConcluded:
    ended = (result(A, first), result(B, Outcome.GRANTED))
    return about(StageConcluded, version=3, items=ended, result=StageResult.PARTLY_REFUSED)


async def test_a_refused_item_declared_again_and_granted_opens_the_next_stage(house: House, city: City) -> None:
    await declared(house, city)
    await house.hear(topics.STAGES, concluded(Outcome.REFUSED))
    materials = await house.set_of(city, Stage.ENGINEERING)
    assert code_of(await house.declare(materials, Stage.ENGINEERING))[1] == "STAGE_NOT_YET_OPEN"
    ended = (result(A, Outcome.GRANTED), result(B, Outcome.GRANTED))
    amended = about(StageResultAmended, version=4, items=ended, result=StageResult.ALL_GRANTED)
    await house.hear(topics.STAGES, amended)
    told = await house.get("builder", APPLIED)
    assert (told["state"], told["result"]) == ("CONCLUDED", "ALL_GRANTED")
    titles = [one["title"] for one in await house.get("builder", "/notices")]
    assert {"审批结果通知", "审批结果变更通知"} <= set(titles)
    assert (await house.declare(materials, Stage.ENGINEERING)).status_code == 202


async def test_a_permit_that_was_revoked_closes_the_next_stage_again(house: House, city: City) -> None:
    await declared(house, city)
    await house.hear(topics.STAGES, concluded(Outcome.GRANTED))
    ended = (result(A, None, ItemState.REVOKED), result(B, Outcome.GRANTED))
    amended = about(StageResultAmended, version=4, items=ended, result=StageResult.PARTLY_REFUSED)
    await house.hear(topics.STAGES, amended, concluded(Outcome.GRANTED))
    materials = await house.set_of(city, Stage.ENGINEERING)
    assert code_of(await house.declare(materials, Stage.ENGINEERING))[1] == "STAGE_NOT_YET_OPEN"


async def test_a_waived_item_is_told_as_waived_and_not_declared_again(house: House, city: City) -> None:
    await declared(house, city)
    closing = {"cause": CloseCause.WAIVED, "outcome": Outcome.WAIVED, "reason": "并入 S1-10", "version": 2}
    waived = about(ItemClosed, item_code=ItemCode(A), **closing)
    await house.hear(topics.STAGES, waived)
    await house.hear(topics.ITEMS, step(items.ItemTakenBack, 1))
    told = await item(house)
    assert (told["state"], told["outcome"], told["opinion"]) == ("WITHDRAWN", "WAIVED", "并入 S1-10")
    form = {"contact_name": "王工", "contact_phone": "0411-85600000", "summary": "再次申报"}
    body = {"form": form, "materials": [], "truthful": True}
    again = await house.ask("builder", "POST", f"{APPLIED}/items/{A}/reapplications", body)
    assert code_of(again) == (409, "ITEM_WAIVED", "第十七条")


async def test_the_builder_is_told_once_of_each_thing_that_befalls_an_item(house: House, city: City) -> None:
    await begun(house, city)
    extended = step(items.ItemExtended, 3, days=10, approved_by="李局长")
    due = {"item_code": ItemCode(A), "jurisdiction": "210281", "department": "RFB"}
    reminder = about(ReminderDue, kind=ReminderKind.NOT_DECLARED_AGAIN, **due)
    nobodys = about(ReminderDue, kind=ReminderKind.SPECIAL_OVERDUE, **due)
    for _ in range(2):
        await house.hear(topics.ITEMS, extended)
        await house.hear(topics.CLOCKS, reminder, nobodys)
    kinds = [one["kind"] for one in await house.get("builder", "/notices")]
    assert sorted(kinds) == ["EXTENDED", "REMINDER", "WINDOW_NOTICE"]
    assert (await item(house))["limit_days"] == 15


async def test_what_is_said_of_anothers_application_is_passed_over(house: House, city: City) -> None:
    await declared(house, city)
    stranger = {"application_id": UUID(int=5), "item_code": ItemCode(A)}
    await house.hear(topics.STAGES, about(ItemClosed, **stranger), about(StageConcluded, application_id=UUID(int=5)))
    await house.hear(topics.CLOCKS, about(ReminderDue, kind=ReminderKind.NOT_DECLARED_AGAIN, **stranger))
    await house.hear(topics.ITEMS, about(items.ItemReturned, **stranger))
    assert [one["kind"] for one in await house.get("builder", "/notices")] == ["WINDOW_NOTICE"]


# What a batch costs ---------------------------------------------------------------------------------------------


async def statements(city: City, house: House, count: int) -> int:
    """How many statements it takes to take in `count` steps and as many first records."""
    steps = [step(items.ItemReceived, number) for number in range(1, count + 1)]
    heard: list[Any] = [Received(event, RAW, on(2)) for event in [*steps, *first_records(count)]]
    asked: list[str] = []
    async with house.member.service.database.work() as work:
        connection: Any = work.connection
        connection.add_query_logger(log := lambda record: asked.append(record.query))
        await Handlers(city).on_items(heard, work)
        connection.remove_query_logger(log)
    return len(asked)


RAW = Raw("approval.items.v1", 0, 0, 0, CODE.encode(), b"", [])


def first_records(count: int) -> list[Any]:
    named = [{"code": "M07", "name": "M07.pdf", "sha256": f"{number:064x}"} for number in range(count)]
    return [recorded(A, one, "甲") for one in named]


async def test_a_batch_costs_the_same_however_large_it_is(house: House, city: City) -> None:
    await declared(house, city)
    assert await statements(city, house, 1) == await statements(city, house, 40) == 4
