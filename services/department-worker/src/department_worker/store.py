"""The department worker's SQL: items with their clocks, registered documents, the desk."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from chassis.database import Connection, Work
from contracts import topics
from contracts.codes import CreditCode, DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.department_worker import ItemDecided
from contracts.parts import Actor, Policies
from contracts.terms import ItemKind, ItemState, ItemStep, OnExpiry, Outcome, Stage
from department_worker.domain import Document, Result, is_on_desk, seal_request
from procedure import clock as clocks
from procedure.items import Act, Decision, Item

_COLUMNS = """item_id, project_code, application_id, stage, item_code, attempt, department, jurisdiction, kind,
    limit_days, on_expiry, builder, versions, applied_at, state, version, clock, before_pause, corrections,
    decision, outcome"""
_LOAD = f"SELECT {_COLUMNS} FROM items WHERE item_id = ANY($1::uuid[]) ORDER BY item_id FOR UPDATE"
_OF_APPLICATIONS = f"SELECT {_COLUMNS} FROM items WHERE application_id = ANY($1::uuid[]) ORDER BY item_id FOR UPDATE"
_INSERT = f"""
    INSERT INTO items ({_COLUMNS}, on_desk, due_at)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::text[], $6::int[], $7::text[], $8::text[],
                         $9::text[], $10::int[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::text[],
                         $16::int[], $17::text[], $18::text[], $19::int[], $20::text[], $21::text[], $22::bool[],
                         $23::timestamptz[])
    ON CONFLICT (item_id) DO NOTHING
"""
_UPDATE = """
    UPDATE items i SET state = u.s, version = u.v, clock = u.c, before_pause = u.b, corrections = u.n, decision = u.d,
                       outcome = u.o, on_desk = u.k, due_at = u.a
    FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[],
                $9::bool[], $10::timestamptz[]) AS u (id, s, v, c, b, n, d, o, k, a)
    WHERE i.item_id = u.id
"""
_DOCUMENTS = """
    INSERT INTO documents (request_id, item_id, kind, digest, content)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[]) ON CONFLICT DO NOTHING
"""
_RECEIVE = """
    INSERT INTO window_receipts (application_id, event_id, received_at, holder, certificate)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[]) ORDER BY 1
    ON CONFLICT (application_id) DO UPDATE SET event_id = excluded.event_id, received_at = excluded.received_at,
        holder = excluded.holder, certificate = excluded.certificate
"""
_RECEIPTS = """
    INSERT INTO window_receipts (application_id) SELECT unnest($1::uuid[]) ORDER BY 1
    ON CONFLICT (application_id) DO UPDATE SET application_id = excluded.application_id
    RETURNING application_id, event_id, received_at, holder, certificate
"""
_DESK = f"""
    SELECT {_COLUMNS}, due_at FROM items
    WHERE on_desk AND jurisdiction = $1 AND department = $2 ORDER BY due_at NULLS LAST, item_id LIMIT $3
"""


async def load(work: Work, item_ids: Collection[UUID]) -> dict[UUID, Item]:
    """Return the items that exist among `item_ids`, locked for this unit of work."""
    return {row["item_id"]: item_of(row) for row in await work.fetch(_LOAD, list(item_ids))} if item_ids else {}


async def of_applications(work: Work, application_ids: Collection[UUID]) -> list[Item]:
    """Return the items of stage applications, locked for this unit of work."""
    return [item_of(row) for row in await work.fetch(_OF_APPLICATIONS, list(application_ids))]


async def receive(work: Work, receipts: Mapping[UUID, Act]) -> None:
    """Keep what the window received, by stage application: items that come later are received by it too."""
    rows = [(one, act.causation_id, act.at, act.actor.holder, act.actor.certificate) for one, act in receipts.items()]
    await work.execute(_RECEIVE, *_columns(rows))


async def receipts(work: Work, application_ids: Collection[UUID]) -> dict[UUID, Act]:
    """Return what the window has received among `application_ids`.

    The row is made where it is missing: it is the lock on which a receipt and an item that cross each other meet.
    """
    if not application_ids:
        return {}
    rows = await work.fetch(_RECEIPTS, list(application_ids))
    return {row["application_id"]: _receipt(row) for row in rows if row["event_id"] is not None}


def _receipt(row: asyncpg.Record) -> Act:
    actor = Actor(holder=row["holder"], certificate=row["certificate"])
    return Act(ItemStep.RECEIVE, actor, row["received_at"], row["event_id"])


async def add(work: Work, items: Collection[tuple[Item, datetime | None]]) -> None:
    """Keep new items, each with the due instant of its clock."""
    if items:
        await work.execute(_INSERT, *_columns(_whole(item, due) for item, due in items))


async def update(work: Work, items: Collection[tuple[Item, datetime | None]]) -> None:
    """Keep what changed of known items, each with the due instant of its clock."""
    if items:
        await work.execute(_UPDATE, *_columns((item.item_id, *_changing(item, due)) for item, due in items))


async def register(work: Work, documents: Collection[Document]) -> None:
    """Register the documents that seals are asked for."""
    if documents:
        rows = ((d.request_id, d.item_id, d.kind.value, d.digest, d.content) for d in documents)
        await work.execute(_DOCUMENTS, *_columns(rows))


async def desk(
    connection: Connection, jurisdiction: str, department: str, most: int
) -> list[tuple[Item, datetime | None]]:
    """Return a department's open items, the earliest due first."""
    rows = await connection.fetch(_DESK, jurisdiction, department, most)
    return [(item_of(row), row["due_at"]) for row in rows]


async def find(connection: Connection, item_id: UUID) -> Item | None:
    """Return an item, or None."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM items WHERE item_id = $1", item_id)
    return None if row is None else item_of(row)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _whole(item: Item, due: datetime | None) -> tuple[Any, ...]:
    who = (item.item_id, item.project_code, item.application_id, item.stage.value, item.item_code, item.attempt)
    place = (item.department, item.jurisdiction, item.kind.value, item.limit_days, item.on_expiry.value, item.builder)
    state = _changing(item, due)
    return (*who, *place, item.versions.model_dump_json(), item.applied_at, *state)


def _changing(item: Item, due: datetime | None) -> tuple[Any, ...]:
    clock = None if item.clock is None else orjson.dumps(clocks.as_record(item.clock)).decode()
    resting = None if item.before_pause is None else item.before_pause.value
    state = (item.state.value, item.version, clock, resting, item.corrections, _decision_text(item.decision))
    return (*state, None if item.outcome is None else item.outcome.value, is_on_desk(item), due)


def _decision_text(decision: Decision | None) -> str | None:
    if decision is None:
        return None
    actor = [decision.actor.holder, decision.actor.certificate]
    row = [decision.outcome.value, decision.opinion, decision.at.isoformat(), str(decision.request_id), actor]
    return orjson.dumps([*row, decision.before.value]).decode()


def _decision_of(text: str | None) -> Decision | None:
    if text is None:
        return None
    outcome, opinion, at, request_id, (holder, certificate), before = orjson.loads(text)
    actor = Actor(holder=holder, certificate=certificate)
    return Decision(Outcome(outcome), opinion, datetime.fromisoformat(at), UUID(request_id), actor, ItemState(before))


@lru_cache(64)
def _policies(text: str) -> Policies:
    return Policies.model_validate_json(text)


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
    )


def say(work: Work, result: Result, traceparent: str) -> None:
    """Say what came of an act, and ask for the seal where a decision needs one."""
    work.say(topics.ITEMS, *result.said, traceparent=traceparent)
    decided = next((event for event in result.said if isinstance(event, ItemDecided)), None)
    if result.document is not None and decided is not None:
        request = seal_request(result.item, result.document, decided)
        work.say(topics.SEAL_REQUESTS, request, traceparent=traceparent)
