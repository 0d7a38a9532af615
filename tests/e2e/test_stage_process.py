"""The stage as a process, on the real suite: officers act over HTTP, the lead's decisions and special handling come on
their topic, and what the dispatcher makes of it is read from the topics."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from chassis.outbox import send_all
from contracts import topics
from contracts.codes import ItemCode, JurisdictionCode, Sha256
from contracts.department_worker import ItemAccepted, ItemRecalled
from contracts.dispatcher import ItemDispatched
from contracts.envelope import Event, derived_id, encode
from contracts.intake import StageApplied
from contracts.parts import Actor, Policies
from contracts.supervision import ExpiryDecided, SpecialHandlingGranted
from contracts.terms import ExpiryDecision, ItemStep, Outcome, ProcessType, SpecialEffect, Stage
from local import judge
from local.builder import People, eventually
from local.department import ROUTINE
from local.suite import Suite

SMALL: Final = ProcessType.SOCIAL_SMALL
PLACE: Final = JurisdictionCode("210281")
LEAD: Final = Actor(holder="牵头部门", certificate="CA-LEAD")


class Project:
    """One project, told of by its topics and handled by officers."""

    def __init__(self, suite: Suite, number: int) -> None:
        self.suite = suite
        self.people = People(suite)
        self.code = f"2018-210281-47-03-{number:06d}"

    def push(self) -> "Project":
        self.people.push(self.code, SMALL).raise_for_status()
        return self

    def declare(self, stage: Stage) -> "Project":
        materials = self.people.materials(SMALL, stage)
        answer = eventually(lambda: self.people.declare(self.code, stage, materials), lambda told: told.is_success)
        assert answer.json()["application_id"] == str(self.application_id(stage))
        return self

    def application_id(self, stage: Stage) -> Any:
        return derived_id("application", self.code, stage.value)

    def progress(self, stage: Stage) -> dict[str, Any]:
        return self.people.progress(str(self.application_id(stage)))

    def events(self, kind: str, code: str = "") -> list[dict[str, Any]]:
        """Everything of one type that was said of this project, each event once, by its first place."""
        read = [one["event"] for one in judge.read_topics(self.suite) if one["type"] == kind]
        ours = {one["event_id"]: one for one in read if one["project_code"] == self.code}
        return [one for one in ours.values() if code in ("", one.get("item_code"))]

    def waits_for(self, kind: str, code: str = "", **facts: Any) -> dict[str, Any]:
        """The first event of one type that says `facts`, once it is there."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self.events(kind, code) if facts.items() <= one.items()]

        return eventually(found, bool)[0]

    def dispatched(self, code: str, attempt: int = 1) -> ItemDispatched:
        event = self.waits_for("ItemDispatched", code, attempt=attempt)
        return ItemDispatched.model_validate_json(orjson.dumps(event), extra="ignore")

    def step(self, item: ItemDispatched, step: ItemStep, **more: Any) -> None:
        """An officer of the item's department takes a step, once the item lies on its desk."""
        officer = partial(self.people.header, "officer", jurisdiction=item.jurisdiction, department=item.department)
        body = {"step": step.value, **more}
        eventually(lambda: self.people.step(str(item.item_id), body, officer()), lambda told: told.is_success)

    def decides(self, code: str, outcome: Outcome = Outcome.GRANTED) -> None:
        """Officers accept, review, approve and conclude an item."""
        item = self.dispatched(code)
        for step in ROUTINE:
            ending = {"outcome": outcome.value, "opinion": "意见"} if step is ItemStep.CONCLUDE else {}
            self.step(item, step, **ending)

    def says(self, topic: topics.Topic, event: Event) -> None:
        """Put an event on its topic twice, as a speaker does whose relay died between sending and deleting."""
        message = encode(event, topic.name, topic.speaker)

        async def send() -> None:
            producer: Any = AIOKafkaProducer(bootstrap_servers=self.suite.bootstrap, acks="all")
            await producer.start()
            try:
                await send_all(producer, [message, message])
            finally:
                await producer.stop()

        asyncio.run(send())

    def about(self, item: ItemDispatched, *parts: object) -> dict[str, Any]:
        names = ("project_code", "application_id", "stage", "item_id", "item_code", "department", "jurisdiction")
        event_id = derived_id("test", item.item_id, *parts)
        identity = {"event_id": event_id, "causation_id": item.event_id, "occurred_at": datetime.now(UTC)}
        return {**identity, **{name: getattr(item, name) for name in names}}

    def recalls(self, item: ItemDispatched, outcome: Outcome) -> None:
        """The department worker said that an accepted item was called back: days pass in no test."""
        accepted = self.waits_for("ItemAccepted", item.item_code)
        step = ItemAccepted.model_validate_json(orjson.dumps(accepted), extra="ignore")
        now = datetime.now(UTC)
        shared = {"attempt": item.attempt, "actor": step.actor, "policies": item.policies, "at": now, "due_at": now}
        about = self.about(item, "recalled")
        self.says(topics.ITEMS, ItemRecalled(**about, **shared, version=step.version + 1, outcome=outcome))

    def handles(self, item: ItemDispatched, effect: SpecialEffect, **more: Any) -> SpecialHandlingGranted:
        """Special handling is granted (Art. 17)."""
        about = self.about(item, effect)
        granted = SpecialHandlingGranted(
            **about,
            handling_id=derived_id("handling", about["event_id"]),
            effect=effect,
            reason="系统故障，附情况说明",
            evidence=Sha256("e" * 64),
            evidence_name="情况说明.pdf",
            actor=LEAD,
            **more,
        )
        self.says(topics.SUPERVISION, granted)
        return granted

    def leads(self, item: ItemDispatched, decision: ExpiryDecision) -> ExpiryDecided:
        """The lead decides about an item that expired (Art. 14, 22)."""
        about = self.about(item, decision)
        decided = ExpiryDecided(**about, attempt=item.attempt, decision=decision, reason="部门未反馈", actor=LEAD)
        self.says(topics.SUPERVISION, decided)
        return decided


@pytest.fixture(scope="module")
def permitted(suite: Suite) -> Project:
    """A project with its land-use permit; utilities were declared beside it before anything was decided."""
    project = Project(suite, 901).push().declare(Stage.PARALLEL).declare(Stage.LAND_USE)
    for code in ("S1-03", "S1-05", "S1-09", "S1-10"):
        project.decides(code)
    eventually(lambda: project.progress(Stage.LAND_USE), lambda told: told["state"] == "CONCLUDED")
    return project


def test_a_result_reaches_what_builds_on_it_with_the_digest_of_its_document(permitted: Project) -> None:
    concluded = permitted.waits_for("ItemConcluded", "S1-03")
    item = permitted.dispatched("S1-05")
    assert [(one.item_code, one.document) for one in item.results] == [("S1-03", concluded["document"])]
    assert item.missing_results == ()


def test_a_result_that_is_missing_is_told_and_passed_on_when_it_comes(permitted: Project) -> None:
    """Utilities build on the planning permit of stage 2, which was not even declared when they were."""
    waiting = permitted.dispatched("U-01")
    assert (waiting.results, waiting.missing_results) == ((), ("S2-07",))
    permitted.declare(Stage.ENGINEERING)
    permit = permitted.waits_for("ItemConcluded", "S1-05")
    assert [one.document for one in permitted.dispatched("S2-01").results] == [permit["document"]]
    permitted.decides("S2-01")
    permitted.decides("S2-07")
    passed = eventually(lambda: permitted.events("ResultsPassedOn"), lambda found: len(found) >= 6)
    assert sorted(one["item_code"] for one in passed) == [f"U-0{number}" for number in range(1, 7)]
    issued = permitted.waits_for("ItemConcluded", "S2-07")
    assert {one["results"][0]["document"] for one in passed} == {issued["document"]}
    assert {tuple(one["missing_results"]) for one in passed} == {()}


def test_a_waived_item_is_taken_back_from_its_department_and_its_stage_goes_on(suite: Suite) -> None:
    project = Project(suite, 902).push().declare(Stage.LAND_USE)
    item = project.dispatched("S1-03")
    project.step(item, ItemStep.ACCEPT)
    granted = project.handles(item, SpecialEffect.WAIVE)
    closed = project.waits_for("ItemClosed", "S1-03")
    assert (closed["outcome"], closed["decided_by"]) == ("WAIVED", str(granted.event_id))
    assert project.waits_for("ItemTakenBack", "S1-03")["item_id"] == str(item.item_id)
    assert project.dispatched("S1-05").missing_results == ("S1-03",), "a waived item has no document"
    assert len(project.events("ItemWithdrawn", "S1-03")) == 1


def test_a_recalled_item_is_opened_again_by_special_handling(suite: Suite) -> None:
    project = Project(suite, 903).push().declare(Stage.LAND_USE)
    item = project.dispatched("S1-09")
    project.step(item, ItemStep.ACCEPT)
    project.recalls(item, Outcome.DEEMED_NO_OPINION)
    granted = project.handles(item, SpecialEffect.REOPEN)
    again = project.dispatched("S1-09", attempt=2)
    assert (again.attempt, again.reopened_at) == (2, granted.occurred_at)
    received = project.waits_for("ItemReceived", "S1-09", attempt=2)
    assert received["item_id"] == str(again.item_id)
    assert project.events("SpecialHandlingRefused") == []


def test_a_rerouted_item_goes_to_the_citys_department_and_leaves_the_districts(suite: Suite) -> None:
    project = Project(suite, 904).push().declare(Stage.LAND_USE)
    item = project.dispatched("S1-10")
    project.handles(item, SpecialEffect.REROUTE, to_jurisdiction=JurisdictionCode("210200"))
    refused = project.handles(project.dispatched("S1-09"), SpecialEffect.REROUTE, to_jurisdiction=PLACE)
    told = project.waits_for("SpecialHandlingRefused")
    assert (told["code"], told["handling_id"]) == ("HANDLED_THERE_ALREADY", str(refused.handling_id))
    again = project.dispatched("S1-10", attempt=2)
    assert (again.jurisdiction, again.department) == ("210200", item.department)
    assert project.waits_for("ItemTakenBack", "S1-10")["item_id"] == str(item.item_id)


def test_the_lead_closes_an_expired_item_and_the_stage_concludes(suite: Suite) -> None:
    project = Project(suite, 905).push().declare(Stage.LAND_USE)
    item = project.dispatched("S1-03")
    project.step(item, ItemStep.ACCEPT)
    project.decides("S1-09")
    project.decides("S1-10")
    project.waits_for("ItemConcluded", "S1-10")
    project.recalls(item, Outcome.EXPIRED_NO_OPINION)
    decided = project.leads(item, ExpiryDecision.CLOSE)
    concluded = project.waits_for("StageConcluded")
    assert concluded["result"] == "PARTLY_REFUSED"
    outcomes = {one["item_code"]: one["outcome"] for one in concluded["items"]}
    assert (outcomes["S1-03"], outcomes["S1-05"]) == ("CLOSED_NO_OPINION", None)
    assert [one["because_of"] for one in project.events("ItemNotDispatched")] == ["S1-03"]
    assert [one["decided_by"] for one in project.events("ItemClosed")] == [str(decided.event_id)]
    project.leads(item, ExpiryDecision.REDISPATCH)
    assert project.waits_for("SpecialHandlingRefused")["code"] == "EXPIRY_DECIDED_ALREADY"


def test_a_decision_about_an_item_that_did_not_expire_is_answered_with_a_refusal(suite: Suite) -> None:
    project = Project(suite, 906).push().declare(Stage.LAND_USE)
    project.leads(project.dispatched("S1-03"), ExpiryDecision.REDISPATCH)
    refused = project.waits_for("SpecialHandlingRefused")
    assert (refused["code"], refused["article"]) == ("ITEM_NOT_EXPIRED", "第十四条")
    assert len(project.events("SpecialHandlingRefused")) == 1


def test_a_case_runs_under_the_readings_of_its_admission(suite: Suite) -> None:
    """Declared under another policy version: the milestone concludes the stage, and all items together accept it."""
    template = Project(suite, 907).push().declare(Stage.LAND_USE).waits_for("StageApplied")
    project = Project(suite, 908)
    applied = StageApplied.model_validate_json(orjson.dumps(template), extra="ignore")
    settings = {"stage_concludes_when": "milestone_all", "stage_accepted_when": "all_items"}
    policies = Policies(
        catalogue_version=applied.policies.catalogue_version, policy_version="178/2018-T", settings=settings
    )
    application_id = project.application_id(Stage.LAND_USE)
    changes = {"project_code": project.code, "application_id": application_id, "policies": policies}
    project.says(topics.APPLICATIONS, applied.model_copy(update={**changes, "event_id": derived_id(application_id)}))
    project.step(project.dispatched("S1-09"), ItemStep.ACCEPT)
    project.decides("S1-03")
    project.decides("S1-05")
    concluded = project.waits_for("StageConcluded")
    states = {ItemCode(one["item_code"]): one["state"] for one in concluded["items"]}
    assert (states["S1-05"], states["S1-09"], states["S1-10"]) == ("CONCLUDED", "ACCEPTED", "RECEIVED")
    assert project.events("StageAccepted") == [], "S1-10 was not accepted yet"
    assert {one["policies"]["policy_version"] for one in project.events("ItemConcluded")} == {"178/2018-T"}
