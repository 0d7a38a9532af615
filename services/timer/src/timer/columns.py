"""How a row of the timer stands in its columns: the tables of columns and types, and the way there and back."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID
from zlib import crc32

import asyncpg
import orjson

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.parts import Policies as Versions
from contracts.terms import ClockEnd, ClockSubject, Light, OnExpiry, Outcome, Stage
from procedure import clock as law
from procedure import reminders, stage_clock
from procedure.clock import Clock
from procedure.item_clock import Attempt
from procedure.stage_clock import UNSTARTED, StageClock
from timer.one_instant import Split
from timer.tracked import Spoken, Tracked, Whose

LANES: Final = 64
"""Departments share so many lanes; stages have the one after, so that at one instant items come first (R19)."""

PLACE: Final = {"application_id": "uuid", "about": "uuid"}
WHOSE: Final = {
    "partition": "int",
    "project_code": "text",
    "stage": "int",
    "jurisdiction": "text",
    "versions": "text",
    "item_code": "text",
    "attempt": "int",
    "department": "text",
    "on_expiry": "text",
}
SPLIT: Final = {"lane": "int", "split": "text"}
KEPT: Final = {
    "subject": "text",
    "began": "int",
    "limit_days": "int",
    "extended_days": "int",
    "started_at": "timestamptz",
    "pauses": "text",
    "ended_at": "timestamptz",
    "ended": "text",
    "open": "text",
    "held": "bool",
    "reminders": "text",
    "outcome": "text",
    "seen": "int",
    "due_at": "timestamptz",
    "light": "text",
    "told": "timestamptz",
    "generation": "int",
    "expires_at": "timestamptz",
    "reckoned": "text",
    "act_at": "timestamptz",
}
"""Columns and their types: what a row is found by, what never changes, what a stage was split into, what changes."""


def arrays(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Return rows as one list a column, as statements over arrays take them."""
    return [list(column) for column in zip(*rows, strict=True)]


def lane_of(whose: Whose) -> int:
    """Return the lane in which a department's rows stand at one instant."""
    if whose.department is None:
        return LANES
    return crc32(f"{whose.jurisdiction}.{whose.department}".encode()) % LANES


def whose(one: Whose) -> tuple[Any, ...]:
    """Return what never changes of a row, by PLACE and WHOSE."""
    place = (one.application_id, one.about, one.partition, one.project_code, one.stage.value, one.jurisdiction)
    on_expiry = None if one.on_expiry is None else one.on_expiry.value
    item = (one.item_code, one.attempt, one.department, on_expiry)
    return (*place, one.versions.model_dump_json(), *item)


def split(one: Whose, of_stages: Mapping[UUID, Sequence[Split]]) -> tuple[int, str | None]:
    """Return the lane of a row and, of a stage, what it was split into, by SPLIT."""
    items = of_stages.get(one.about)
    return lane_of(one), None if items is None else _text([list(item) for item in items])


def kept(one: Tracked) -> tuple[Any, ...]:
    """Return what changes of a row, by KEPT without when it is acted on next."""
    clock, state, spoken = one.clock, one.kept, one.spoken
    started = None if clock.started_at == UNSTARTED else clock.started_at
    pauses = _text(law.pauses_as_record(clock)) if clock.pauses else None
    ended = None if clock.end is None else clock.end.value
    measured = (clock.limit_days, clock.extended_days, started, pauses, clock.ended_at, ended)
    said = (spoken.due_at, spoken.light.value, spoken.told, spoken.generation, one.expires_at, one.reckoned)
    if isinstance(state, StageClock):
        standing = _text(stage_clock.as_record(state.open)) if state.open else None
        return (ClockSubject.STAGE.value, 0, *measured, standing, False, None, None, 0, *said)
    waits = _text(reminders.as_record(state.reminders)) if state.reminders else None
    outcome = None if state.outcome is None else state.outcome.value
    return (state.subject.value, state.began, *measured, None, state.held, waits, outcome, state.seen, *said)


def _text(record: Any) -> str:
    return orjson.dumps(record).decode()


def splits(text: str) -> list[Split]:
    """Return what a stage was split into."""
    return [Split(ItemCode(code), tuple(map(ItemCode, after)), *rest) for code, after, *rest in orjson.loads(text)]


@lru_cache(1024)
def _versions(text: str) -> Versions:
    return Versions.model_validate_json(text)


def tracked(row: asyncpg.Record) -> Tracked:
    """Return a row as the timer thinks of it."""
    state = _stage(row) if row["subject"] == "STAGE" else _attempt(row)
    spoken = Spoken(due_at=row["due_at"], light=Light(row["light"]), told=row["told"], generation=row["generation"])
    found = Tracked(_whose_of(row), state, spoken, row["expires_at"], row["reckoned"])
    return found._replace(spoken=spoken._replace(state=found.state))


def _whose_of(row: asyncpg.Record) -> Whose:
    return Whose(
        application_id=row["application_id"],
        about=row["about"],
        partition=row["partition"],
        project_code=ProjectCode(row["project_code"]),
        stage=Stage(row["stage"]),
        jurisdiction=JurisdictionCode(row["jurisdiction"]),
        versions=_versions(row["versions"]),
        item_code=None if row["item_code"] is None else ItemCode(row["item_code"]),
        attempt=row["attempt"],
        department=None if row["department"] is None else DepartmentCode(row["department"]),
        on_expiry=None if row["on_expiry"] is None else OnExpiry(row["on_expiry"]),
    )


def _clock(row: asyncpg.Record) -> Clock:
    return Clock(
        limit_days=row["limit_days"],
        started_at=row["started_at"] or UNSTARTED,
        pauses=law.pauses_from_record(orjson.loads(row["pauses"])) if row["pauses"] else (),
        extended_days=row["extended_days"],
        ended_at=row["ended_at"],
        end=None if row["ended"] is None else ClockEnd(row["ended"]),
    )


def _stage(row: asyncpg.Record) -> StageClock:
    return StageClock(_clock(row), stage_clock.from_record(orjson.loads(row["open"])) if row["open"] else {})


def _attempt(row: asyncpg.Record) -> Attempt:
    return Attempt(
        subject=ClockSubject(row["subject"]),
        clock=_clock(row),
        began=row["began"],
        held=row["held"],
        reminders=reminders.from_record(orjson.loads(row["reminders"])) if row["reminders"] else (),
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        seen=row["seen"],
    )
