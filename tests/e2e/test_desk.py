"""The desk from outside: over HTTP and over the reports topic, with what timer, lead and supervision say of it."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from chassis.outbox import send_all
from contracts import topics
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.department import ItemReport
from contracts.dispatcher import ItemDispatched, ResultsPassedOn
from contracts.envelope import Event, derived_id, encode
from contracts.intake import StageApplied, StageForm
from contracts.parts import Actor, Builder, MaterialRef, Policies, ResultRef, Setting
from contracts.supervision import SpecialHandlingGranted, UrgeAnswered, Urged, UrgeReceived
from contracts.terms import (
    ItemKind,
    ItemStep,
    OnExpiry,
    Outcome,
    ProcessType,
    SpecialEffect,
    Stage,
    Submission,
    UrgeLevel,
)
from contracts.timer import AcceptanceOverdue
from contracts.topics import Topic
from dispatcher.domain import item_id_of
from local.builder import BUILDER, FORM, People, eventually
from local.posts import officers_certificate
from local.suite import Suite

PLACE = JurisdictionCode("210281")
OFFICES = {"S1-03": "FGW", "S1-09": "RFB", "S1-10": "WWJ"}
LEAD = Actor(holder="牵头部门", certificate="CA-LEAD")
T = ItemStep
numbers: Iterator[int] = count(850)
Body = dict[str, Any]


class Case:
    """One declaration of a small project's first stage, and everybody who has to do with its items."""

    def __init__(self, suite: Suite, settings: dict[str, Setting] | None = None) -> None:
        self.suite = suite
        self.people = People(suite)
        self.code = ProjectCode(f"2018-210281-47-03-{next(numbers):06d}")
        self.application_id = derived_id("application", self.code, 1)
        if settings is None:
            self._declare()
        else:
            say(suite, topics.APPLICATIONS, self._applied(settings))
        for item_code in OFFICES:
            eventually(lambda code=item_code: self.answer(code).status_code, lambda status: status == 200)
            self.wait(item_code, "RECEIVED")

    def _declare(self) -> None:
        self.people.push(self.code, ProcessType.SOCIAL_SMALL).raise_for_status()
        materials = self.people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)
        self.people.declare(self.code, Stage.LAND_USE, materials).raise_for_status()

    def _applied(self, settings: dict[str, Setting]) -> StageApplied:
        """A declaration that was admitted under other readings of the regulation."""
        catalogue = self.suite.city.catalogue.version
        made = derived_id("applied", self.code)
        return StageApplied(
            event_id=made,
            causation_id=made,
            occurred_at=datetime.now(UTC),
            project_code=self.code,
            application_id=self.application_id,
            stage=Stage.LAND_USE,
            version=1,
            project_name="示例项目",
            process_type=ProcessType.SOCIAL_SMALL,
            jurisdiction=PLACE,
            builder=Builder.model_validate(BUILDER),
            submission=Submission.ONLINE,
            form=StageForm.model_validate(FORM),
            materials=(material("M07"), material("M08")),
            policies=Policies(catalogue_version=catalogue, policy_version="示例", settings=settings),
            actor=LEAD,
        )

    def item_id(self, code: str, attempt: int = 1) -> UUID:
        return item_id_of(self.application_id, ItemCode(code), attempt)

    def officer(self, code: str) -> dict[str, str]:
        return self.people.header("officer", jurisdiction=PLACE, department=OFFICES[code])

    def url(self, code: str, attempt: int = 1) -> str:
        return f"{self.suite.url('department-worker')}/items/{self.item_id(code, attempt)}"

    def answer(self, code: str, attempt: int = 1) -> httpx.Response:
        return self.people.http.get(self.url(code, attempt), headers=self.officer(code))

    def item(self, code: str, attempt: int = 1) -> Body:
        return self.answer(code, attempt).json()

    def wait(self, code: str, state: str, attempt: int = 1) -> Body:
        return eventually(lambda: self.item(code, attempt), lambda item: item.get("state") == state)

    def step(
        self, code: str, step: ItemStep, *, attempt: int = 1, by: str | None = None, **more: Any
    ) -> httpx.Response:
        """An officer takes a step: of the item's own department, unless it is `by` the one that handles another."""
        item = str(self.item_id(code, attempt))
        return self.people.step(item, {"step": step.value, **more}, self.officer(by or code))

    def steps(self, code: str, *steps: ItemStep) -> None:
        """Steps that are taken in order."""
        for step in steps:
            self.step(code, step, **NEEDS.get(step, {})).raise_for_status()

    def report(self, code: str, step: ItemStep, *, by: str | None = None, **more: Any) -> None:
        """A department's own system reports a step."""
        made = uuid4()
        told = ItemReport(
            event_id=made,
            causation_id=made,
            occurred_at=datetime.now(UTC),
            project_code=self.code,
            item_id=self.item_id(code),
            item_code=ItemCode(code),
            department=DepartmentCode(OFFICES[by or code]),
            jurisdiction=PLACE,
            step=step,
            actor=Actor(
                holder=f"{OFFICES[by or code]}经办人", certificate=officers_certificate(PLACE, OFFICES[by or code])
            ),
            **more,
        )
        say(self.suite, topics.department_reports(PLACE, told.department), told)

    def told(self, code: str, kind: str) -> list[Body]:
        """What was said of an item on the items topic, as supervision has it."""
        story = self.people.supervise(f"/projects/{self.code}/timeline")
        item_id = str(self.item_id(code))
        if not isinstance(story, list):  # supervision, which listens behind the others, does not know the project yet
            return []
        return [one["event"] for one in story if one["type"] == kind and one["event"].get("item_id") == item_id]

    def about(self, code: str, *parts: object, attempt: int = 1) -> Body:
        """What every event about an item carries."""
        return {
            "event_id": derived_id(self.code, code, attempt, *parts),
            "causation_id": UUID(int=9),
            "occurred_at": datetime.now(UTC),
            "project_code": self.code,
            "application_id": self.application_id,
            "stage": Stage.LAND_USE,
            "item_id": self.item_id(code, attempt),
            "item_code": ItemCode(code),
            "attempt": attempt,
            "department": DepartmentCode(OFFICES[code]),
            "jurisdiction": PLACE,
        }


NEEDS: dict[ItemStep, Body] = {
    T.START_CORRECTION: {"opinion": "请补充范围图"},
    T.CONCLUDE: {"outcome": "GRANTED", "opinion": "准予"},
    T.EXTEND: {"opinion": "案情复杂", "approved_by": "局长"},
}


def material(code: str, content: str = "") -> MaterialRef:
    digest = Sha256((derived_id(code, content).hex * 2)[:64])
    return MaterialRef(code=MaterialCode(code), sha256=digest, name=f"{code}.pdf", size=1000)


def say(suite: Suite, topic: Topic, *events: Event) -> None:
    """Say something in its speaker's name."""

    async def send() -> None:
        producer: Any = AIOKafkaProducer(bootstrap_servers=suite.bootstrap, acks="all")
        await producer.start()
        try:
            await send_all(producer, [encode(event, topic.name, topic.speaker) for event in events])
        finally:
            await producer.stop()

    asyncio.run(send())


@pytest.fixture(scope="module")
def case(suite: Suite) -> Case:
    return Case(suite)


# The desk and the dossier ---------------------------------------------------------------------------------------


def desk(case: Case, code: str, query: str = "most=500") -> Body:
    url = f"{case.suite.url('department-worker')}/desk?{query}"
    return case.people.http.get(url, headers=case.officer(code)).json()


def test_who_accepts_first_checks_the_originals_and_the_next_department_need_not(case: Case) -> None:
    before = case.item("S1-10")
    assert {one["code"] for one in before["materials"]} == {"M07", "M08"}
    assert all(one["duty"] and not one["verified"] for one in before["materials"])
    case.steps("S1-09", T.ACCEPT)
    [recorded] = eventually(lambda: case.told("S1-09", "MaterialsRecorded"), lambda told: len(told) > 0)
    assert [one["code"] for one in recorded["materials"]] == ["M07", "M08"]
    after = case.item("S1-10")
    assert all(one["verified"] and not one["duty"] for one in after["materials"])
    assert {one["first_recorder"]["department"] for one in after["materials"]} == {"RFB"}
    assert {one["first_recorder"]["recorded_at"] for one in after["materials"]} == {recorded["at"]}
    case.steps("S1-10", T.ACCEPT)
    eventually(lambda: case.told("S1-10", "ItemAccepted"), lambda told: len(told) == 1)
    assert case.told("S1-10", "MaterialsRecorded") == []


def test_the_desk_shows_how_the_time_of_each_item_stands(case: Case) -> None:
    row = next(one for one in desk(case, "S1-09")["items"] if one["item_id"] == str(case.item_id("S1-09")))
    assert (row["state"], row["used_days"], row["remaining_days"]) == ("ACCEPTED", 0, row["limit_days"])
    assert row["due_at"] is not None and row["light"] == "GREEN" and row["paused_by"] == []
    waiting = next(one for one in desk(case, "S1-03")["items"] if one["item_id"] == str(case.item_id("S1-03")))
    assert (waiting["state"], waiting["due_at"], waiting["light"]) == ("RECEIVED", None, None)


def test_the_desk_comes_in_pages_ordered_by_due(suite: Suite, case: Case) -> None:
    other = Case(suite)
    other.steps("S1-09", T.ACCEPT, T.EXTEND)
    whole = desk(case, "S1-09")["items"]
    dues = [one["due_at"] or "9999" for one in whole]
    assert len(whole) >= 2 and dues == sorted(dues)
    seen, query = [], "most=1"
    while True:
        page = desk(case, "S1-09", query)
        seen += [one["item_id"] for one in page["items"]]
        if page["next"] is None:
            break
        query = f"most=1&after={page['next']}"
    assert seen == [one["item_id"] for one in whole]
    for wrong in ("most=0", "most=501", "after=x"):
        assert desk(case, "S1-09", wrong)["code"] == "INVALID_REQUEST"


def test_urges_stand_on_the_desk_until_they_are_answered(suite: Suite, case: Case) -> None:
    urge_id = derived_id("urge", case.code)
    common: Body = {"causation_id": urge_id, "project_code": case.code, "urge_id": urge_id, "actor": LEAD}
    at = datetime.now(UTC)
    pressed = {"level": UrgeLevel.UTMOST, "message": "请抓紧办理"}
    say(suite, topics.SUPERVISION, Urged(**{**case.about("S1-09", "urged"), **common, **pressed}))
    [told] = eventually(lambda: case.item("S1-09")["urges"], lambda urges: len(urges) == 1)
    assert (told["level"], told["message"], told["received_at"]) == ("u", "请抓紧办理", None)
    received = UrgeReceived(event_id=derived_id("r", urge_id), occurred_at=at, **common)
    answered = UrgeAnswered(event_id=derived_id("a", urge_id), occurred_at=at, answer="今日办结", **common)
    say(suite, topics.SUPERVISION, received, answered)
    [told] = eventually(lambda: case.item("S1-09")["urges"], lambda urges: urges[0]["answered_at"] is not None)
    assert told["answer"] == "今日办结" and told["received_at"] is not None
    row = next(one for one in desk(case, "S1-09")["items"] if one["item_id"] == str(case.item_id("S1-09")))
    assert row["urges"] == []


# Steps ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["http", "topic"])
def way(request: pytest.FixtureRequest) -> str:
    return request.param


def test_more_time_a_dated_document_and_a_revocation(suite: Suite, way: str) -> None:
    case = Case(suite)

    def take(step: ItemStep, **more: Any) -> None:
        if way == "topic":
            case.report("S1-09", step, **more)
        else:
            told = {**more, "document_dated_on": str(more["document_dated_on"])} if "outcome" in more else more
            case.step("S1-09", step, **told).raise_for_status()

    case.steps("S1-09", T.ACCEPT)
    before = case.item("S1-09")
    take(T.EXTEND, opinion="案情复杂", approved_by="局长")
    longer = eventually(lambda: case.item("S1-09"), lambda item: item["version"] == before["version"] + 1)
    assert longer["remaining_days"] == before["remaining_days"] + 10 and longer["due_at"] > before["due_at"]
    case.steps("S1-09", T.REVIEW, T.APPROVE)
    take(T.CONCLUDE, outcome=Outcome.GRANTED, opinion="准予", document_dated_on=date(2026, 3, 2))
    case.wait("S1-09", "CONCLUDED")
    take(T.REVOKE, opinion="以欺骗手段取得")
    assert case.wait("S1-09", "REVOKED")["outcome"] is None
    [revoked] = eventually(lambda: case.told("S1-09", "ItemRevoked"), lambda told: len(told) > 0)
    assert revoked["opinion"] == "以欺骗手段取得"
    assert [one["document_dated_on"] for one in case.told("S1-09", "ItemConcluded")] == ["2026-03-02"]
    assert [one["approved_by"] for one in case.told("S1-09", "ItemExtended")] == ["局长"]


def test_a_special_procedure_stops_the_clock_and_the_desk_shows_why(suite: Suite) -> None:
    case = Case(suite)
    case.steps("S1-09", T.ACCEPT)
    asked = {"kind": "EXPERT_REVIEW", "reason": "专家评审", "due_on": "2099-01-04"}
    case.step("S1-09", T.START_SPECIAL, special=asked).raise_for_status()
    item = case.item("S1-09")
    assert (item["state"], item["due_at"], item["paused_by"]) == ("SPECIAL", None, ["SPECIAL"])
    [started] = eventually(lambda: case.told("S1-09", "SpecialStarted"), lambda told: len(told) > 0)
    assert started["special"] == asked
    case.step("S1-09", T.END_SPECIAL).raise_for_status()
    assert case.item("S1-09")["paused_by"] == [] and case.item("S1-09")["due_at"] is not None


def test_the_administrator_amends_a_limit_and_nobody_below_what_is_used(case: Case) -> None:
    def amend(days: int, opinion: str = "案情复杂", place: str = "210200") -> httpx.Response:
        headers = case.people.header("admin", jurisdiction=place)
        body = {"limit_days": days, "opinion": opinion}
        return case.people.http.post(f"{case.url('S1-10')}/limit", json=body, headers=headers)

    before = case.item("S1-10")
    answer = amend(before["limit_days"] + 4)
    assert (answer.status_code, answer.json()["remaining_days"]) == (200, before["remaining_days"] + 4)
    assert answer.json()["due_at"] > before["due_at"]
    assert case.item("S1-10")["limit_days"] == before["limit_days"] + 4
    assert (amend(5, "").status_code, amend(5, "").json()["code"]) == (422, "OPINION_MISSING")
    assert (amend(366).status_code, amend(366).json()["code"]) == (422, "CALENDAR_DOES_NOT_REACH")
    assert amend(0).json()["code"] == "INVALID_REQUEST"
    assert (amend(9, place="210283").status_code, amend(9, place="210283").json()["article"]) == (403, "第十八条")
    assert case.item("S1-10")["limit_days"] == before["limit_days"] + 4


class Forbidden(NamedTuple):
    """A step that is refused after other steps: the status, the name of the situation, and the article.

    `by` takes it who handles another item; the name over the topic is given where it differs.
    """

    after: tuple[ItemStep, ...]
    step: ItemStep
    more: Body
    refusal: tuple[int, str, str]
    by: str | None = None
    on_topic: str | None = None


GRANTS, TO_APPROVAL = NEEDS[T.CONCLUDE], (T.ACCEPT, T.REVIEW, T.APPROVE)
OUT_OF_ORDER, NOT_A_STEP = (409, "STEP_OUT_OF_ORDER", "第十条"), (422, "NOT_A_DEPARTMENTS_STEP", "第十条")
FORBIDDEN: dict[str, Forbidden] = {
    "a review before acceptance": Forbidden((), T.REVIEW, {}, OUT_OF_ORDER),
    "an approval before the review": Forbidden((T.ACCEPT,), T.APPROVE, {}, OUT_OF_ORDER),
    "a decision before the approval": Forbidden((T.ACCEPT, T.REVIEW), T.CONCLUDE, GRANTS, OUT_OF_ORDER),
    "a resumption without a pause": Forbidden((T.ACCEPT,), T.END_SPECIAL, {}, OUT_OF_ORDER),
    "a decision while the clock stands still": Forbidden(
        (*TO_APPROVAL, T.START_CORRECTION), T.CONCLUDE, GRANTS, (409, "ITEM_PAUSED", "第十三条")
    ),
    "a second decision": Forbidden(
        (*TO_APPROVAL, T.CONCLUDE),
        T.CONCLUDE,
        {"outcome": "REFUSED", "opinion": "改主意了"},
        (409, "ITEM_ALREADY_ENDED", "第十条"),
    ),
    "a decision for another's item": Forbidden(
        TO_APPROVAL,
        T.CONCLUDE,
        GRANTS,
        (403, "NOT_YOUR_JURISDICTION", "第十八条"),
        by="S1-03",
        on_topic="NOT_THIS_DEPARTMENTS_ITEM",
    ),
    "a decision without an outcome": Forbidden(TO_APPROVAL, T.CONCLUDE, {}, (422, "OUTCOME_MISSING", "第十条")),
    "a refusal without a reason": Forbidden(
        TO_APPROVAL, T.CONCLUDE, {"outcome": "REFUSED"}, (422, "OPINION_MISSING", "第十五条")
    ),
    "a second extension": Forbidden(
        (T.ACCEPT, T.EXTEND), T.EXTEND, NEEDS[T.EXTEND], (409, "EXTENDED_ALREADY", "第十三条")
    ),
    "an extension that nobody gave": Forbidden(
        (T.ACCEPT,), T.EXTEND, {"opinion": "案情复杂"}, (422, "APPROVER_MISSING", "第十三条")
    ),
    "a revocation of what is not concluded": Forbidden((T.ACCEPT,), T.REVOKE, {"opinion": "…"}, OUT_OF_ORDER),
    "a special procedure without its reason": Forbidden(
        (T.ACCEPT,), T.START_SPECIAL, {}, (422, "SPECIAL_MISSING", "第十三条")
    ),
    "an amended limit": Forbidden((T.ACCEPT,), T.AMEND_LIMIT, {"opinion": "…"}, NOT_A_STEP),
    "an entered decision": Forbidden((T.ACCEPT,), T.ENTER_DECISION, GRANTS, NOT_A_STEP),
    "a recall": Forbidden((T.ACCEPT,), T.RECALL, {}, NOT_A_STEP),
}


@pytest.mark.parametrize("row", FORBIDDEN.values(), ids=list(FORBIDDEN))
def test_what_the_law_forbids_is_refused_by_name_recorded_and_changes_nothing(suite: Suite, row: Forbidden) -> None:
    """Over HTTP (one item) and over the reports topic (another item of the same project) alike."""
    case, (status, name, article) = Case(suite), row.refusal
    named = {"S1-09": name, "S1-10": row.on_topic or name}
    for code in named:
        case.steps(code, *row.after)
        if T.CONCLUDE in row.after:
            case.wait(code, "CONCLUDED")
    before = {code: case.item(code) for code in named}
    answer = case.step("S1-09", row.step, by=row.by, **row.more)
    typed = {"outcome": Outcome(row.more["outcome"])} if "outcome" in row.more else {}
    case.report("S1-10", row.step, by=row.by, **{**row.more, **typed})
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["code"], problem["article"]) == (status, name, article)
    for code, expected in named.items():
        [told] = eventually(lambda code=code: case.told(code, "ItemActRefused"), lambda told: len(told) > 0)
        assert (told["code"], told["article"], told["step"]) == (expected, article, row.step.value)
        assert (told["state"], told["version"]) == (before[code]["state"], before[code]["version"])
        assert case.item(code) == before[code]


def test_a_refusal_is_one_answer_to_one_request(case: Case) -> None:
    headers = case.officer("S1-03")
    answers = [
        case.people.http.post(f"{case.url('S1-03')}/steps", json={"step": "REVIEW"}, headers=headers) for _ in range(3)
    ]
    assert {answer.text for answer in answers} == {answers[0].text} and answers[0].status_code == 409
    eventually(lambda: case.told("S1-03", "ItemActRefused"), lambda told: len(told) > 0)
    assert len(case.told("S1-03", "ItemActRefused")) == 1


def test_with_four_eyes_who_reviewed_does_not_approve(suite: Suite) -> None:
    case = Case(suite, {"four_eyes": True})
    case.steps("S1-09", T.ACCEPT, T.REVIEW)
    refused = case.step("S1-09", T.APPROVE)
    assert (refused.status_code, refused.json()["code"]) == (409, "SAME_OFFICER")
    other = Case(suite)
    other.steps("S1-09", T.ACCEPT, T.REVIEW, T.APPROVE)


# What others say ------------------------------------------------------------------------------------------------


def overdue(case: Case, code: str, due_at: datetime) -> AcceptanceOverdue:
    told = {"clock_id": UUID(int=7), "generation": 1, "due_at": due_at, "detected_at": due_at, "deems": True}
    return AcceptanceOverdue(**case.about(code, "overdue"), **told)


def test_silence_accepts_what_was_left_undone_and_nothing_else(suite: Suite) -> None:
    case = Case(suite, {"acceptance_expiry": "deem_accepted"})
    case.steps("S1-03", T.ACCEPT)
    case.steps("S1-09", T.START_CORRECTION)
    before = {code: case.item(code) for code in ("S1-03", "S1-09")}
    due_at = datetime.now(UTC)
    say(suite, topics.CLOCKS, *(overdue(case, code, due_at) for code in ("S1-03", "S1-09", "S1-10")))
    case.wait("S1-10", "ACCEPTED")
    [accepted] = eventually(lambda: case.told("S1-10", "ItemAccepted"), lambda told: len(told) > 0)
    assert accepted["deemed"] and datetime.fromisoformat(accepted["at"]) == due_at
    assert {code: case.item(code) for code in before} == before
    assert all(one["duty"] for one in case.item("S1-10")["materials"])
    assert case.told("S1-03", "ItemActRefused") == case.told("S1-09", "ItemActRefused") == []


def granted(case: Case, code: str, effect: SpecialEffect, number: int = 1, **more: Any) -> SpecialHandlingGranted:
    about = {name: held for name, held in case.about(code, effect, number).items() if name != "attempt"}
    filed = {
        "reason": "系统故障期间作出",
        "evidence": material("M07").sha256,
        "evidence_name": "说明.pdf",
        "actor": LEAD,
    }
    return SpecialHandlingGranted(handling_id=about["event_id"], effect=effect, **about, **filed, **more)


def test_a_decision_made_during_an_outage_is_entered_once_and_marked(suite: Suite) -> None:
    case = Case(suite)
    case.steps("S1-09", T.ACCEPT)
    handling = granted(
        case, "S1-09", SpecialEffect.ENTER_DECISION, outcome=Outcome.GRANTED, decided_on=date(2026, 3, 2)
    )
    early = granted(case, "S1-10", SpecialEffect.ENTER_DECISION, outcome=Outcome.GRANTED, decided_on=date(2026, 3, 2))
    say(suite, topics.SUPERVISION, handling, handling, early, early)
    case.wait("S1-09", "CONCLUDED")
    say(suite, topics.SUPERVISION, handling)
    [concluded] = eventually(lambda: case.told("S1-09", "ItemConcluded"), lambda told: len(told) > 0)
    assert concluded["special_handling"] == str(handling.handling_id)
    assert (concluded["document_dated_on"], concluded["opinion"]) == ("2026-03-02", "系统故障期间作出")
    assert concluded["actor"] == LEAD.model_dump()
    [refused] = eventually(lambda: case.told("S1-10", "ItemActRefused"), lambda told: len(told) > 0)
    assert (refused["code"], refused["step"], refused["state"]) == ("STEP_OUT_OF_ORDER", "ENTER_DECISION", "RECEIVED")
    assert case.told("S1-09", "ItemActRefused") == []


def test_special_handling_allows_one_correction_more(suite: Suite) -> None:
    case, ask = Case(suite), NEEDS[T.START_CORRECTION]
    case.steps("S1-09", T.ACCEPT, T.START_CORRECTION)
    url = f"{suite.url('intake')}/applications/{case.application_id}/items/S1-09/supplements"
    body = {"materials": [], "explanation": "已补充"}
    eventually(lambda: _progress(case, "S1-09"), lambda state: state == "CORRECTION")
    case.people.http.post(url, json=body, headers=case.people.builder()).raise_for_status()
    case.wait("S1-09", "ACCEPTED")
    assert case.step("S1-09", T.START_CORRECTION, **ask).json()["code"] == "CORRECTION_ALREADY_TOLD"
    say(suite, topics.SUPERVISION, granted(case, "S1-09", SpecialEffect.MORE_CORRECTIONS))
    eventually(lambda: case.step("S1-09", T.START_CORRECTION, **ask).status_code, lambda status: status == 200)
    assert case.item("S1-09")["paused_by"] == ["CORRECTION"] and case.item("S1-09")["light"] == "GREY"


def _progress(case: Case, code: str) -> str | None:
    told = case.people.progress(str(case.application_id))
    return next((one["state"] for one in told["items"] if one["item_code"] == code), None)


def given(case: Case, code: str, attempt: int, **more: Any) -> ItemDispatched:
    """Another attempt of an item, as the dispatcher would give it out."""
    return ItemDispatched(
        **case.about(code, "dispatched", attempt=attempt),
        applied_at=datetime.now(UTC),
        name="文物保护意见",
        kind=ItemKind.CONSULT,
        limit_days=5,
        on_expiry=OnExpiry.DEEM_NO_OBJECTION,
        submission=Submission.ONLINE,
        project_name="示例项目",
        builder=Builder.model_validate(BUILDER).uscc,
        materials=(material("M07"),),
        policies=Policies(catalogue_version=case.suite.city.catalogue.version, policy_version="178/2018"),
        **more,
    )


def test_a_missing_result_holds_the_acceptance_until_it_is_passed_on(suite: Suite) -> None:
    case = Case(suite)
    topic = topics.department_items(PLACE, DepartmentCode("WWJ"))
    say(suite, topic, given(case, "S1-10", 2, missing_results=(ItemCode("S1-03"),)))
    eventually(lambda: case.answer("S1-10", 2).status_code, lambda status: status == 200)
    assert case.item("S1-10", 2)["missing_results"] == ["S1-03"]
    refused = case.step("S1-10", T.ACCEPT, attempt=2)
    assert (refused.status_code, refused.json()["code"]) == (409, "RESULT_STILL_MISSING")
    assert refused.json()["article"] == "第八条" and "S1-03" in refused.json()["detail"]
    told = eventually(lambda: case.people.supervise(f"/projects/{case.code}/timeline"), _tells("RESULT_STILL_MISSING"))
    assert len([one for one in told if one["event"].get("code") == "RESULT_STILL_MISSING"]) == 1
    ref = ResultRef(
        item_code=ItemCode("S1-03"), item_id=case.item_id("S1-03"), name="备案证明", outcome=Outcome.GRANTED
    )
    say(suite, topic, ResultsPassedOn(**case.about("S1-10", "passed", attempt=2), results=(ref,)))
    item = eventually(lambda: case.item("S1-10", 2), lambda item: item["missing_results"] == [])
    assert [(one["item_code"], one["name"]) for one in item["results"]] == [("S1-03", "备案证明")]
    assert case.step("S1-10", T.ACCEPT, attempt=2).status_code == 200


def _tells(code: str) -> Any:
    return lambda story: isinstance(story, list) and any(one["event"].get("code") == code for one in story)


def test_an_item_opened_again_after_its_recall_begins_at_that_instant_with_the_full_limit(suite: Suite) -> None:
    case = Case(suite)
    reopened_at = datetime.now(UTC) - timedelta(minutes=1)
    say(suite, topics.department_items(PLACE, DepartmentCode("WWJ")), given(case, "S1-10", 2, reopened_at=reopened_at))
    eventually(lambda: case.answer("S1-10", 2).status_code, lambda status: status == 200)
    item = case.item("S1-10", 2)
    assert (item["state"], item["version"], item["remaining_days"]) == ("ACCEPTED", 2, 5)
