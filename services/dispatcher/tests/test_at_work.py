"""The dispatcher over real tables: what waits, what is done once, what two of its processes leave for each other."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chassis.database import Work
from contracts import topics
from contracts.codes import ItemCode, ProjectCode, Sha256
from contracts.envelope import derived_id
from contracts.terms import ExpiryDecision, ItemState, Outcome, ProcessType, SpecialEffect, Stage, Submission
from dispatcher import store
from dispatcher.domain import with_lines
from dispatcher.results import Need, Result

SMALL = ProcessType.SOCIAL_SMALL
OTHER = "2018-210281-47-03-000124"
APPLICATIONS, ITEMS, SUPERVISION = topics.APPLICATIONS, topics.ITEMS, topics.SUPERVISION
KEY = (ProjectCode("2018-210281-47-03-000123"), ItemCode("S2-07"))
GIVEN = Result(derived_id("item"), Outcome.GRANTED, Sha256("d" * 64))


async def test_a_case_under_a_version_that_this_process_lacks_waits_and_the_others_go_on(
    at_work: Any, story: Any
) -> None:
    unknown, known = story(SMALL, version="2099"), story(SMALL, code=OTHER)
    at_work.append(unknown.applied, unknown.receipt(), known.applied)
    await at_work.turn()
    assert await at_work.parked() == [(APPLICATIONS.name, "failed")] * 2
    assert [one["project_code"] for one in await at_work.told("StageDispatched")] == [OTHER]
    await at_work.tell(known.accepted("S1-03"))
    assert [one["project_code"] for one in await at_work.told("StageAccepted")] == [OTHER]


async def test_a_case_is_judged_under_the_readings_of_its_admission_and_not_by_its_neighbours(
    at_work: Any, story: Any
) -> None:
    ours = story(SMALL, submission=Submission.WINDOW, stage_accepted_when="window_receipt")
    theirs = story(SMALL, code=OTHER)
    await at_work.tell(ours.applied, theirs.applied)
    await at_work.tell(ours.accepted("S1-03"), theirs.accepted("S1-03"))
    assert [one["project_code"] for one in await at_work.told("StageAccepted")] == [OTHER]
    receipt = ours.receipt()
    await at_work.tell(receipt)
    accepted = (await at_work.told("StageAccepted"))[-1]
    assert (accepted["project_code"], accepted["causation_id"]) == (ours.code, str(receipt.event_id))


async def test_everything_a_stage_is_comes_back_from_its_tables(at_work: Any, story: Any) -> None:
    told = story(SMALL, materials=("M07",))
    await at_work.tell(told.applied, told.handed_in("M01"))
    city = {"to_jurisdiction": "210200"}
    await at_work.tell(told.special(SpecialEffect.REROUTE, "S1-05", **city), told.supplemented("S1-09", "M08"))
    due_at, later = told.now(), told.concluded("S1-10")
    await at_work.tell(told.concluded("S1-03"), later)
    await at_work.tell(told.deemed("S1-09", due_at=due_at))
    dispatched = (await at_work.told("ItemDispatched"))[-1]
    assert (dispatched["item_code"], dispatched["jurisdiction"]) == ("S1-05", "210200")
    assert [one["code"] for one in dispatched["materials"]] == ["M01", "M08"]
    await at_work.tell(told.expired("S1-05", due_at=due_at), told.lead(ExpiryDecision.CLOSE, "S1-05"))
    (concluded,) = await at_work.told("StageConcluded")
    (closed,) = await at_work.told("ItemClosed")
    assert concluded["concluded_at"] == closed["at"]
    assert {one["item_code"]: one["outcome"] for one in concluded["items"]} == {
        "S1-03": "GRANTED",
        "S1-05": "CLOSED_NO_OPINION",
        "S1-09": "DEEMED_NO_OPINION",
        "S1-10": "GRANTED",
    }


# Orders across topics ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda told: told.lead(ExpiryDecision.CLOSE, "S1-03"), "ItemClosed"),
        (lambda told: told.lead(ExpiryDecision.REDISPATCH, "S1-03"), "ItemDispatched"),
        (lambda told: told.special(SpecialEffect.REOPEN, "S1-03"), "ItemDispatched"),
    ],
)
async def test_a_decision_that_is_read_before_the_recall_waits_for_it(
    at_work: Any, story: Any, make: Callable[[Any], Any], said: str
) -> None:
    told = story(SMALL)
    await at_work.tell(told.applied)
    before = await at_work.told(said)
    recalled = told.expired("S1-03")
    at_work.append(recalled, make(told))
    await at_work.turn(SUPERVISION)
    assert await at_work.parked() == [(SUPERVISION.name, "early")]
    assert await at_work.told(said) == before
    await at_work.turn(ITEMS)
    assert await at_work.parked() == []
    assert len(await at_work.told(said)) == len(before) + 1
    assert await at_work.told("SpecialHandlingRefused") == []


async def test_a_decision_about_an_item_that_did_not_expire_is_refused_once_everything_is_read(
    at_work: Any, story: Any
) -> None:
    told = story(SMALL)
    await at_work.tell(told.applied, told.accepted("S1-03"))
    decided = told.lead(ExpiryDecision.CLOSE, "S1-03")
    await at_work.tell(decided)
    (refused,) = await at_work.told("SpecialHandlingRefused")
    assert (refused["code"], refused["handling_id"]) == ("ITEM_NOT_EXPIRED", str(decided.event_id))


async def test_a_handling_of_a_stage_that_is_not_known_yet_waits_and_others_effects_do_not(
    at_work: Any, story: Any
) -> None:
    told = story(SMALL)
    await at_work.tell(told.special(SpecialEffect.SKIP_STAGE_ORDER, "S1-03"))
    assert await at_work.parked() == []
    waived = told.special(SpecialEffect.WAIVE, "S1-05")
    await at_work.tell(waived)
    assert await at_work.parked() == [(SUPERVISION.name, "early")]
    await at_work.tell(told.applied)
    assert [one["decided_by"] for one in await at_work.told("ItemClosed")] == [str(waived.event_id)]


async def test_a_declaration_by_item_that_is_read_before_the_refusal_waits_for_it(at_work: Any, story: Any) -> None:
    """Otherwise the refusal would not have concluded the stage, only because of an order of arrival."""
    told = story(SMALL)
    await at_work.tell(told.applied)
    await at_work.tell(told.concluded("S1-03"), told.deemed("S1-09"), told.deemed("S1-10"))
    at_work.append(told.refused("S1-05"), told.reapplied("S1-05"))
    await at_work.turn(APPLICATIONS)
    assert await at_work.parked() == [(APPLICATIONS.name, "early")]
    await at_work.turn(ITEMS)
    assert [one["result"] for one in await at_work.told("StageConcluded")] == ["PARTLY_REFUSED"]
    await at_work.database.pool.execute("UPDATE parked SET next_try_at = clock_timestamp()")
    assert await at_work.bus.retry_parked() == 1
    assert [one["attempt"] for one in await at_work.told("ItemDispatched") if one["item_code"] == "S1-05"] == [1, 2]


# Each effect once -------------------------------------------------------------------------------------------------


async def story_told(at_work: Any, told: Any, times: int, turn: Callable[[], Awaitable[None]]) -> list[Any]:
    """Everything said of one story, every event of which stands on its topic so many times."""

    async def tell(*events: Any) -> None:
        for event in events:
            at_work.append(*[event] * times)
        await turn()

    await tell(told.applied)
    await tell(told.accepted("S1-03"), told.expired("S1-03"), told.accepted("S1-09"))
    await tell(told.special(SpecialEffect.REOPEN, "S1-03"))
    told.again("S1-03")
    await tell(told.concluded("S1-03"), told.expired("S1-05"), told.deemed("S1-10"))
    await tell(told.special(SpecialEffect.WAIVE, "S1-09"), told.lead(ExpiryDecision.CLOSE, "S1-05"))
    await tell(told.withdrawn("S1-09"), told.revoked("S1-03"), told.lead(ExpiryDecision.CLOSE, "S1-10"))
    return [(kind, event["event_id"]) for _, kind, event in await at_work.said()]


async def test_repeats_change_nothing(at_work: Any, story: Any) -> None:
    said = await story_told(at_work, story(SMALL), 2, at_work.turn)
    assert len(set(said)) == len(said)
    kinds = [kind for kind, _ in said]
    assert kinds.count("StageConcluded") == 1 and kinds.count("SpecialHandlingRefused") == 1
    assert [kinds.count(kind) for kind in ("ItemClosed", "StageResultAmended", "ItemWithdrawn")] == [2, 1, 1]
    assert await at_work.parked() == []


async def test_a_handling_takes_effect_once_even_when_it_is_said_anew(at_work: Any, story: Any) -> None:
    told = story(SMALL)
    handled = told.special(SpecialEffect.WAIVE, "S1-05")
    anew = handled.model_copy(update={"event_id": derived_id("anew")})
    await at_work.tell(told.applied)
    await at_work.tell(handled, anew)
    await at_work.tell(anew.model_copy(update={"event_id": derived_id("and anew")}))
    assert len(await at_work.told("ItemClosed")) == 1
    assert await at_work.told("SpecialHandlingRefused") == []


async def test_dying_at_every_await_changes_nothing(at_work: Any, story: Any) -> None:
    survived = await story_told(at_work, story(SMALL), 1, at_work.turn_dying)
    assert at_work.deaths > 40
    await at_work.forget()
    assert survived == await story_told(at_work, story(SMALL), 1, at_work.turn)


# Results ----------------------------------------------------------------------------------------------------------


async def test_a_result_of_stage_1_reaches_what_builds_on_it_in_stage_1_and_2(at_work: Any, story: Any) -> None:
    first = story(SMALL)
    await at_work.tell(first.applied)
    granted, permit = first.concluded("S1-03"), first.concluded("S1-05")
    await at_work.tell(granted)
    await at_work.tell(permit)
    second = story(SMALL, Stage.ENGINEERING)
    await at_work.tell(second.applied)
    given = {one["item_code"]: one for one in await at_work.told("ItemDispatched")}
    for code, result in (("S1-05", granted), ("S2-01", permit)):
        (reference,) = given[code]["results"]
        assert (reference["item_id"], reference["document"]) == (str(result.item_id), result.document)
        assert given[code]["missing_results"] == []
    assert given["S2-02"]["results"] == []
    await at_work.tell(first.revoked("S1-05"))
    await at_work.tell(second.returned("S2-01"), second.reapplied("S2-01"))
    await at_work.database.pool.execute("UPDATE parked SET next_try_at = clock_timestamp()")
    await at_work.bus.retry_parked()
    again = (await at_work.told("ItemDispatched"))[-1]
    assert (again["attempt"], again["results"], again["missing_results"]) == (2, [], ["S1-05"])


async def test_a_result_that_comes_later_is_passed_on_to_whoever_waits(at_work: Any, story: Any) -> None:
    beside, land = story(SMALL, Stage.PARALLEL), story(SMALL, Stage.ENGINEERING)
    await at_work.tell(beside.applied, land.applied)
    missing = {one["item_code"]: one["missing_results"] for one in await at_work.told("ItemDispatched")}
    assert (missing["U-01"], missing["S2-01"]) == (["S2-07"], ["S1-05"])
    await at_work.tell(beside.not_accepted("U-06"), land.concluded("S2-01"))
    permit = land.concluded("S2-07")
    await at_work.tell(permit)
    passed = await at_work.told("ResultsPassedOn")
    assert [one["item_code"] for one in passed] == ["U-01", "U-02", "U-03", "U-04", "U-05"]
    for one in passed:
        assert [ref["document"] for ref in one["results"]] == [permit.document]
        assert (one["missing_results"], one["causation_id"]) == ([], str(permit.event_id))
    topic = topics.department_items(beside.applied.jurisdiction, "SZ").name  # type: ignore[arg-type]
    assert [name for name, kind, _ in await at_work.said() if kind == "ResultsPassedOn"] == [topic] * 5


async def test_a_late_result_tells_which_others_are_missing_still(at_work: Any, story: Any) -> None:
    drawings, land = story(SMALL, Stage.CONSTRUCTION), story(SMALL, Stage.ENGINEERING)
    await at_work.tell(drawings.applied, land.applied)
    await at_work.tell(drawings.special(SpecialEffect.WAIVE, "S3-01"))
    permit = [one for one in await at_work.told("ItemDispatched") if one["item_code"] == "S3-06"]
    assert [one["missing_results"] for one in permit] == [["S2-07", "S3-01"]]
    await at_work.tell(land.concluded("S2-01"))
    await at_work.tell(land.concluded("S2-07"))
    passed = {one["item_code"]: one["missing_results"] for one in await at_work.told("ResultsPassedOn")}
    assert passed["S3-06"] == ["S3-01"]


async def test_who_gives_a_result_and_who_asks_for_it_at_once_do_not_miss_each_other(at_work: Any) -> None:
    need = Need(*KEY, derived_id("application"))
    async with asyncio.timeout(20), at_work.database.work() as giving, at_work.database.work() as asking:
        await store.keep_results(giving, {KEY: GIVEN})
        assert await store.results(asking, {KEY}) == {}
        asked = asyncio.ensure_future(store.await_results(asking, [need]))
        await _blocked(at_work)
        await giving.execute("COMMIT")
        assert await asked == {KEY: GIVEN}


async def test_who_asks_for_a_result_first_is_seen_by_who_gives_it(at_work: Any) -> None:
    needs = [Need(*KEY, derived_id("application", number)) for number in (1, 2)]
    async with at_work.database.work() as work:
        assert await store.await_results(work, needs[:1]) == {}
    async with asyncio.timeout(20), at_work.database.work() as asking, at_work.database.work() as giving:
        assert await store.await_results(asking, needs[1:]) == {}
        gave = asyncio.ensure_future(store.keep_results(giving, {KEY: GIVEN}))
        await _blocked(at_work)
        await asking.execute("COMMIT")
        assert {key: set(who) for key, who in (await gave).items()} == {KEY: {need.application_id for need in needs}}


async def test_who_waits_for_a_stage_sees_its_lines_as_they_were_left(at_work: Any, story: Any) -> None:
    """A statement that waited for a lock sees the newest locked row, but what it joins as it stood before the wait."""
    told = story(SMALL)
    await at_work.tell(told.applied)
    async with asyncio.timeout(20), at_work.database.work() as first, at_work.database.work() as second:
        process = (await store.load(first, [told.application_id]))[told.application_id]
        later = asyncio.ensure_future(store.load(second, [told.application_id]))
        await _blocked(at_work)
        line = process.lines[ItemCode("S1-03")]._replace(state=ItemState.ACCEPTED, version=7)
        await store.update(first, [with_lines(process, line)])
        await first.execute("COMMIT")
        assert (await later)[told.application_id].lines["S1-03"] == line


async def _blocked(at_work: Any) -> None:
    """Return once somebody waits for another's lock."""
    while not await at_work.database.pool.fetchval("SELECT exists (SELECT FROM pg_locks WHERE NOT granted)"):
        await asyncio.sleep(0.01)


# What a batch costs -----------------------------------------------------------------------------------------------


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements of the handlers, by the first words of each."""
    asked: list[str] = []
    for name in ("fetch", "execute"):
        real = getattr(Work, name)

        async def counted(work: Work, query: str, *arguments: object, real: Any = real) -> Any:
            asked.extend([] if "INTO outbox" in query else [" ".join(query.split()[:3])])
            return await real(work, query, *arguments)

        monkeypatch.setattr(Work, name, counted)
    return asked


LOCK, READ, STAGES, LINES = "SELECT application_id FROM", "SELECT p.*, l.lines", "UPDATE processes p", "UPDATE lines l"
STEPPED = [LOCK, READ, STAGES, LINES]
KEEP, FIND, AWAIT = "WITH kept AS", "SELECT r.* FROM", "WITH asked AS"


async def test_a_batch_costs_no_statement_that_it_does_not_need(
    at_work: Any, story: Any, statements: list[str]
) -> None:
    told = [story(ProcessType.SOCIAL_GENERAL, code=f"2018-210281-47-03-{number:06d}") for number in range(20)]

    async def cost(make: Callable[[Any], Any]) -> list[str]:
        statements.clear()
        await at_work.tell(*(make(one) for one in told))
        return statements.copy()

    assert await cost(lambda one: one.applied) == [LOCK, "INSERT INTO processes", "INSERT INTO lines"]
    assert await cost(lambda one: one.received("S1-03")) == STEPPED
    assert await cost(lambda one: one.accepted("S1-03")) == STEPPED
    assert await cost(lambda one: one.concluded("S1-06")) == STEPPED, "no other item builds on it"
    assert await cost(lambda one: one.refused("S1-07")) == STEPPED
    assert await cost(lambda one: one.concluded("S1-03")) == [*STEPPED, KEEP], "given on in the same batch"
    assert await cost(lambda one: one.concluded("S1-05")) == [*STEPPED, KEEP], "nobody waits for it yet"
    assert await cost(lambda one: one.special(SpecialEffect.DEFER_MATERIAL, "S1-03")) == []
    assert len(await at_work.told("ItemDispatched")) == 20 * 8


async def test_results_are_looked_up_only_for_what_builds_on_some(
    at_work: Any, story: Any, statements: list[str]
) -> None:
    first, second = story(SMALL), story(SMALL, Stage.ENGINEERING)
    await at_work.tell(first.applied)
    await at_work.tell(first.concluded("S1-03"))
    await at_work.tell(first.concluded("S1-05"))
    statements.clear()
    await at_work.tell(second.applied)
    assert statements == [LOCK, "INSERT INTO processes", "INSERT INTO lines", FIND]
    statements.clear()
    await at_work.tell(story(SMALL, Stage.ENGINEERING, code=OTHER).applied)
    assert statements == [LOCK, "INSERT INTO processes", "INSERT INTO lines", FIND, AWAIT]


async def test_the_state_of_an_item_in_the_tables_is_the_one_that_was_folded(at_work: Any, story: Any) -> None:
    told = story(SMALL)
    await at_work.tell(told.applied)
    await at_work.tell(told.accepted("S1-09"), told.special(SpecialEffect.WAIVE, "S1-09"))
    async with at_work.database.work() as work:
        process = (await store.load(work, [told.application_id]))[told.application_id]
    line = process.lines[ItemCode("S1-09")]
    assert (line.state, line.outcome, line.opinion) == (ItemState.WITHDRAWN, Outcome.WAIVED, "系统故障")
    assert line.ended_at is not None and line.closed
