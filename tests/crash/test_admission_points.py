"""Intake's own story killed at every await: policies, special handling, withdrawals, materials, calendar, reminders."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from chassis.catalogue import load
from contracts import department_worker as items
from contracts import topics
from contracts.codes import ItemCode, MaterialCode
from contracts.dispatcher import ItemClosed
from contracts.envelope import Event
from contracts.terms import CloseCause, Outcome, ReminderKind, SpecialEffect, Stage
from contracts.timer import CalendarAmended, ClockStarted, ReminderDue
from contracts.topics import Topic
from local.builder import FORM
from local.intake_alone import (
    CODE,
    LATER,
    A,
    B,
    House,
    about,
    alone,
    application_id,
    clocked,
    granted,
    on,
    recorded,
    split,
    step,
    two_versions,
)
from local.postgres import Postgres, create_databases
from local.samples import sample
from local.suite import migrate

APPLIED: Final = f"/applications/{application_id()}"
POLICY: Final = {
    "version": "2026-1",
    "catalogue_version": LATER,
    "settings": {"max_corrections": 2},
    "document": "大工改办〔2026〕1号",
    "reason": "试行",
}
Told = tuple[list[Any], list[Any]]


class Teller:
    """Lives through the story; with `deaths` every act dies at each of its awaits before it lives."""

    def __init__(self, house: House, deaths: Counter[str] | None) -> None:
        self._house = house
        self._deaths = deaths
        self._asked = 0

    async def tell(self, folder: Path) -> Told:
        house, city = self._house, load(folder)
        await house.push()
        materials = await house.set_of(city, Stage.LAND_USE, "M07")
        later = await house.scanned("M07")
        await self._ask("admin", "/policies", POLICY)
        promise = {"material": MaterialCode("M07"), "promised_on": on(4).date()}
        await self._hear(topics.SUPERVISION, granted(SpecialEffect.DEFER_MATERIAL, Stage.LAND_USE, **promise))
        await self._hear(topics.SUPERVISION, granted(SpecialEffect.SKIP_STAGE_ORDER, Stage.ENGINEERING))
        body = {"form": FORM, "materials": materials, "truthful": True}
        await self._ask("builder", f"/projects/{CODE}/stages/1/applications", body)
        await self._hear(topics.STAGES, split())
        accepted = (step(items.ItemReceived, 1), step(items.ItemAccepted, 2))
        await self._hear(topics.ITEMS, *accepted, recorded(A, materials[0], "甲"))
        await self._hear(topics.CLOCKS, clocked(ClockStarted, 1, on(2), limit_days=5))
        await self._ask("builder", f"{APPLIED}/materials", {"materials": [later]})
        await self._act("view", lambda: house.ask("officer", "GET", f"{APPLIED}/items/{A}/materials/M07"))
        gone = f"{APPLIED}/items/{A}/withdrawals"
        await self._ask("builder", gone, {"reason": "项目调整"})
        await self._ask("window", f"{gone}/answer", {"confirmed": False, "reason": "决定即将作出"})
        await self._ask("builder", gone, {"reason": "仍要撤件"})
        await self._ask("window", f"{gone}/answer", {"confirmed": True})
        await self._hear(topics.CALENDAR, sample(CalendarAmended))
        closing = {"cause": CloseCause.WAIVED, "outcome": Outcome.WAIVED, "version": 2}
        await self._hear(topics.STAGES, about(ItemClosed, item_code=ItemCode(B), **closing))
        reminder = about(ReminderDue, item_code=ItemCode(A), kind=ReminderKind.CORRECTION_UNANSWERED)
        await self._hear(topics.CLOCKS, reminder)
        return await self._stands()

    async def _ask(self, role: str, path: str, body: Any) -> None:
        self._asked += 1
        key = f"story-{self._asked:04d}"
        answer = await self._act(path, lambda: self._house.ask(role, "POST", path, body, key))
        assert answer.status_code in (201, 202), answer.text

    async def _hear(self, topic: Topic, *events: Event) -> None:
        self._house.append(topic, *events)
        await self._act(topic.name, self._house.read_on)

    async def _act(self, name: str, act: Callable[[], Any]) -> Any:
        if self._deaths is None:
            return await act()
        answer, deaths = await self._house.member.survives(act)
        self._deaths[name] += deaths
        return answer

    async def _stands(self) -> Told:
        """What was said, and what everybody is shown."""
        paths = (APPLIED, f"/projects/{CODE}/materials", f"/projects/{CODE}/inquiry", "/policies", "/notices")
        shown = [await self._house.get("builder", path) for path in paths]
        shown.append(await self._house.get("window", "/window/withdrawals"))
        return await self._house.everything_said(), shown


@pytest.fixture(scope="module")
def told(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Told, Counter[str]]:
    """The story lived through once without a death, and once with all of them; and how often each act died."""
    url = create_databases(postgres.admin_url, ["intake-dying"], "test")["intake-dying"]
    migrate([f"intake={url}"])
    folder = tmp_path_factory.mktemp("story")
    catalogue, deaths = two_versions(folder), Counter[str]()

    async def lived(how: Counter[str] | None) -> Told:
        async with alone(url, catalogue, folder) as house:
            return await Teller(house, how).tell(catalogue)

    return asyncio.run(lived(None)), asyncio.run(lived(deaths)), deaths


def test_the_story_is_whole(told: tuple[Told, Told, Counter[str]]) -> None:
    (said, _), _, _ = told
    kinds = Counter(kind for kind, _ in said)
    assert kinds["PolicyPublished"] == kinds["StageApplied"] == kinds["MaterialViewed"] == 1
    assert (kinds["WithdrawalRequested"], kinds["DeferredMaterialsSubmitted"], kinds["NoticeSent"]) == (3, 1, 4)


def test_dying_at_every_await_changes_nothing(told: tuple[Told, Told, Counter[str]]) -> None:
    (said, shown), (survived, shown_then), _ = told
    assert survived == said
    assert shown_then == shown


def test_nothing_was_spared(told: tuple[Told, Told, Counter[str]]) -> None:
    _, _, deaths = told
    assert min(deaths.values()) >= 2, deaths
    assert len(deaths) == 11 and sum(deaths.values()) > 100, deaths
