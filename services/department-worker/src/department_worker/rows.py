"""Items and dossiers as rows: the tables of columns that the SQL is made from, and what stands in each."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from pydantic import TypeAdapter

from contracts.codes import CreditCode, DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.parts import Actor, DeferredMaterial, MaterialRef, Policies, ResultRef
from contracts.terms import ItemKind, ItemState, OnExpiry, Outcome, Stage
from department_worker import domain
from department_worker.domain import Dossier
from procedure import clock as clocks
from procedure.calendar import Calendar
from procedure.items import Decision, Item

Columns = Mapping[str, str]

FIXED: Final[Columns] = {
    "item_id": "uuid",
    "project_code": "text",
    "application_id": "uuid",
    "stage": "int",
    "item_code": "text",
    "attempt": "int",
    "department": "text",
    "jurisdiction": "text",
    "kind": "text",
    "on_expiry": "text",
    "builder": "text",
    "versions": "text",
    "applied_at": "timestamptz",
}
CHANGING: Final[Columns] = {
    "limit_days": "int",
    "state": "text",
    "version": "int",
    "clock": "text",
    "before_pause": "text",
    "corrections": "int",
    "decision": "text",
    "outcome": "text",
    "reviewer": "text",
    "more_corrections": "int",
    "missing_results": "text",
    "deferred": "text",
    "received_at": "timestamptz",
    "unverified": "bool",
    "on_desk": "bool",
    "due_at": "timestamptz",
}
DOSSIER: Final[Columns] = {
    "name": "text",
    "project_name": "text",
    "materials": "jsonb",
    "results": "jsonb",
    "builder_name": "text",
}

MATERIALS: Final = TypeAdapter(tuple[MaterialRef, ...])
RESULTS: Final = TypeAdapter(tuple[ResultRef, ...])
_DEFERRED: Final = TypeAdapter(tuple[DeferredMaterial, ...])


def arrays(columns: Columns, first: int = 1) -> str:
    """Return the parameters of unnest: an array per column, numbered from `first`."""
    return ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(columns.values(), first))


def transposed(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Return rows as the arrays that a statement takes."""
    return [list(column) for column in zip(*rows, strict=True)]


def text(kind: TypeAdapter[Any], value: object) -> str:
    """Return a value as the JSON that a column keeps."""
    return kind.dump_json(value).decode()


def whole(item: Item, given: Dossier, calendar: Calendar, *, unverified: bool) -> tuple[Any, ...]:
    """Return the row of a new item with its dossier."""
    who = (item.item_id, item.project_code, item.application_id, item.stage.value, item.item_code, item.attempt)
    place = (item.department, item.jurisdiction, item.kind.value, item.on_expiry.value, item.builder)
    versions = (item.versions.model_dump_json(), item.applied_at)
    papers = (given.name, given.project_name, text(MATERIALS, given.materials), text(RESULTS, given.results))
    papers = (*papers, given.builder_name)
    return (*who, *place, *versions, *changing(item, calendar, unverified=unverified), *papers)


def changing(item: Item, calendar: Calendar, *, unverified: bool) -> tuple[Any, ...]:
    """Return what of an item's row changes. Raises CalendarDoesNotReach for one that expires beyond the calendar."""
    clock = None if item.clock is None else orjson.dumps(clocks.as_record(item.clock)).decode()
    resting = None if item.before_pause is None else item.before_pause.value
    state = (item.limit_days, item.state.value, item.version, clock, resting, item.corrections)
    outcome = None if item.outcome is None else item.outcome.value
    promised = text(_DEFERRED, item.deferred) if item.deferred else "[]"
    allowed = (item.reviewer, item.more_corrections, " ".join(item.missing_results), promised, item.received_at)
    shown = (unverified, domain.is_on_desk(item), domain.due_of(item, calendar))
    return (*state, _decision_text(item.decision), outcome, *allowed, *shown)


def dossier_of(row: asyncpg.Record) -> Dossier:
    """Return the dossier of a row."""
    materials, results = MATERIALS.validate_json(row["materials"]), RESULTS.validate_json(row["results"])
    return Dossier(row["name"], row["project_name"], materials, results, row["builder_name"])


def _decision_text(decision: Decision | None) -> str | None:
    if decision is None:
        return None
    actor = [decision.actor.holder, decision.actor.certificate]
    row = [decision.outcome.value, decision.opinion, decision.at.isoformat(), str(decision.request_id), actor]
    return orjson.dumps([*row, decision.before.value, decision.document_dated_on, decision.special_handling]).decode()


def _decision_of(text: str | None) -> Decision | None:
    if text is None:
        return None
    outcome, opinion, at, request_id, (holder, certificate), before, *written = orjson.loads(text)
    actor = Actor(holder=holder, certificate=certificate)
    made = Decision(Outcome(outcome), opinion, datetime.fromisoformat(at), UUID(request_id), actor, ItemState(before))
    if not any(written):  # an older row ends before these two
        return made
    dated_on, handling = written
    return made._replace(
        document_dated_on=None if dated_on is None else date.fromisoformat(dated_on),
        special_handling=None if handling is None else UUID(handling),
    )


@lru_cache(64)
def _policies(text: str) -> Policies:
    return Policies.model_validate_json(text)


@lru_cache(64)
def _deferred(text: str) -> tuple[DeferredMaterial, ...]:
    return _DEFERRED.validate_json(text)


def item_of(row: asyncpg.Record) -> Item:
    """Return the item of a row."""
    return Item(
        item_id=row["item_id"],
        project_code=ProjectCode(row["project_code"]),
        application_id=row["application_id"],
        stage=Stage(row["stage"]),
        item_code=ItemCode(row["item_code"]),
        attempt=row["attempt"],
        department=DepartmentCode(row["department"]),
        jurisdiction=JurisdictionCode(row["jurisdiction"]),
        kind=ItemKind(row["kind"]),
        limit_days=row["limit_days"],
        on_expiry=OnExpiry(row["on_expiry"]),
        builder=CreditCode(row["builder"]),
        versions=_policies(row["versions"]),
        applied_at=row["applied_at"],
        state=ItemState(row["state"]),
        version=row["version"],
        clock=None if row["clock"] is None else clocks.from_record(orjson.loads(row["clock"])),
        before_pause=None if row["before_pause"] is None else ItemState(row["before_pause"]),
        corrections=row["corrections"],
        decision=_decision_of(row["decision"]),
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        reviewer=row["reviewer"],
        more_corrections=row["more_corrections"],
        deferred=_deferred(row["deferred"]),
        missing_results=tuple(map(ItemCode, row["missing_results"].split())),
        received_at=row["received_at"],
    )
