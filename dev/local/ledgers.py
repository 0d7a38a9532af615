"""The worked examples of docs/clocks.md: events made by hand, told day by day by the law, filled into its gaps."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from chassis.catalogue import load
from contracts.envelope import Event
from local.said import ItemStory, StageStory, at
from local.suite import CATALOGUE, ROOT
from procedure import history
from procedure.explain import Explanation, due_text, explain
from procedure.history import History
from procedure.policies import DEFAULT, Policies

PAGE: Final = ROOT / "docs" / "clocks.md"
_GAP: Final = re.compile(r"(?<=<!-- ledger: )(?P<name>[a-z0-9-]+)(?P<after> -->\n).*?(?=<!-- end -->)", re.DOTALL)
ALL_OPEN: Final = Policies(stage_pause_policy="ALL_OPEN")


def made() -> str:
    """Return the page with every ledger as the law tells it now. Raises KeyError for a ledger that does not exist."""
    return _GAP.sub(lambda gap: gap["name"] + gap["after"] + LEDGERS[gap["name"]](), PAGE.read_text())


def spring_festival() -> Explanation:
    """S1-10, five working days, accepted before Spring Festival 2026 and corrected over it."""
    item = StageStory().item("S1-10", limit=5)
    events = [item.received(2026, 2, 11, 15), item.accepted(2026, 2, 12, 9), item.correction(2026, 2, 14, 10)]
    return _told(history.of_item([*events, item.supplemented(2026, 2, 24, 15)]), at(2026, 2, 24, 16))


def _returned() -> tuple[ItemStory, ItemStory, list[Event], list[Event], list[Event]]:
    """S2–S5: the first attempt, the second one, their events and those of the stage around them."""
    story = StageStory(limit=20)
    first, second = story.item("S1-10", limit=5), story.item("S1-10", attempt=2, limit=5)
    other = story.item("S1-07", limit=10)
    before = [first.received(2026, 3, 1), first.accepted(2026, 3, 2, 9), first.correction(2026, 3, 4, 10)]
    before += [first.supplemented(2026, 3, 9, 15), first.returned(2026, 3, 11, 9)]
    after = [second.received(2026, 3, 16, 9), second.accepted(2026, 3, 17, 9)]
    around = [story.dispatched(2026, 3, 1), story.accepted(2026, 3, 2, 9), other.accepted(2026, 3, 2, 9)]
    return first, second, before, after, around


def first_attempt() -> Explanation:
    _, _, before, _, _ = _returned()
    return _told(history.of_item(before), at(2026, 3, 17, 10))


def second_attempt() -> Explanation:
    _, _, _, after, _ = _returned()
    return _told(history.of_item(after), at(2026, 3, 17, 10))


def stage(policies: Policies = DEFAULT) -> Explanation:
    _, _, before, after, around = _returned()
    return _told(history.of_stage([*around, *before, *after], policies=policies), at(2026, 3, 17, 10), policies)


def _told(found: History | None, when: datetime, policies: Policies = DEFAULT) -> Explanation:
    assert found is not None
    return explain(found, when, load(CATALOGUE).calendar, policies)


def as_table(told: Explanation) -> str:
    """Return a ledger as Markdown: date, weekday, the how manieth counted day, why."""
    rows = [f"| {day.on} | {day.weekday} | {day.used if day.counted else '—'} | {day.why} |\n" for day in told.days]
    due = "none" if told.due is None else due_text(told.due)
    total = f"used {told.used_days} of {told.limit_days}, due {due}"
    return "\n| date | | counted | why |\n|---|---|---|---|\n" + "".join(rows) + f"\n{total}\n\n"


LEDGERS: Final[Mapping[str, Callable[[], str]]] = {
    "spring-festival": lambda: as_table(spring_festival()),
    "first-attempt": lambda: as_table(first_attempt()),
    "second-attempt": lambda: as_table(second_attempt()),
    "stage-any": lambda: as_table(stage()),
    "stage-all-open": lambda: as_table(stage(ALL_OPEN)),
}
"""Name of a gap in the page → what fills it."""
