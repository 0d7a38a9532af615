"""The department worker's SQL: items with their clocks, dossiers, first recorders, documents, urges, the desk."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from chassis.database import Connection, Work
from contracts import topics
from contracts.codes import ItemCode, MaterialCode, Sha256
from contracts.department_worker import ItemDecided, ItemStepped
from contracts.parts import Actor, MaterialRef, ResultRef
from contracts.supervision import SpecialHandlingGranted, UrgeAnswered, Urged, UrgeReceived
from contracts.terms import ItemStep, SealForm, UrgeLevel
from department_worker import domain, paper_store
from department_worker.domain import Document, Dossier, Paper, Result, seal_request
from department_worker.rows import (
    CHANGING,
    DOSSIER,
    FIXED,
    MATERIALS,
    RESULTS,
    arrays,
    changing,
    dossier_of,
    item_of,
    text,
    transposed,
)
from department_worker.rows import whole as row_of
from procedure.calendar import Calendar
from procedure.items import Act, Item
from procedure.refusals import CalendarDoesNotReach

PAGE: Final = 1000
"""How many open items are counted anew in one statement when the calendar is amended."""

_COLUMNS = ", ".join((*FIXED, *CHANGING))
_LOAD = f"SELECT {_COLUMNS} FROM items WHERE item_id = ANY($1::uuid[]) ORDER BY item_id FOR UPDATE"
_WHOLE = f"""
    SELECT {_COLUMNS}, {", ".join(DOSSIER)} FROM items JOIN dossiers USING (item_id) WHERE item_id = ANY($1::uuid[])
"""
_OF_APPLICATIONS = f"SELECT {_COLUMNS} FROM items WHERE application_id = ANY($1::uuid[]) ORDER BY item_id FOR UPDATE"
_INSERT = f"""
    WITH given AS (
        SELECT * FROM unnest({arrays({**FIXED, **CHANGING, **DOSSIER})}) AS given ({_COLUMNS}, {", ".join(DOSSIER)})
    ), filed AS (
        INSERT INTO dossiers (item_id, {", ".join(DOSSIER)}) SELECT item_id, {", ".join(DOSSIER)} FROM given
        ON CONFLICT (item_id) DO NOTHING
    )
    INSERT INTO items ({_COLUMNS}) SELECT {_COLUMNS} FROM given ON CONFLICT (item_id) DO NOTHING
"""
_UPDATE = f"""
    UPDATE items i SET {", ".join(f"{name} = u.{name}" for name in CHANGING)}
    FROM unnest($1::uuid[], {arrays(CHANGING, 2)}) AS u (item_id, {", ".join(CHANGING)})
    WHERE i.item_id = u.item_id
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


def _merged(column: str, key: str) -> str:
    """Return the statement that adds to a list of a dossier: what has the same key is replaced."""
    return f"""
        UPDATE dossiers d SET {column} = coalesce((
            SELECT jsonb_agg(held) FROM jsonb_array_elements(d.{column}) AS held WHERE NOT EXISTS (
                SELECT FROM jsonb_array_elements(u.given) AS one WHERE one ->> '{key}' = held ->> '{key}')
        ), '[]') || u.given
        FROM unnest($1::uuid[], $2::jsonb[]) AS u (item_id, given) WHERE d.item_id = u.item_id
    """


_ADD_MATERIALS, _ADD_RESULTS = _merged("materials", "code"), _merged("results", "item_code")
_RECORD = """
    WITH held AS (
        SELECT DISTINCT ON (u.project_code, m.code, m.sha256) u.*, m.*
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
            AS u (item_id, project_code, department, jurisdiction, holder, certificate, recorded_at)
        JOIN dossiers d ON d.item_id = u.item_id
        CROSS JOIN LATERAL jsonb_to_recordset(d.materials) AS m (code text, sha256 text, name text, size bigint)
        ORDER BY u.project_code, m.code, m.sha256, u.recorded_at, u.item_id
    ), recorded AS (
        INSERT INTO first_recorders (project_code, code, sha256, item_id, department, jurisdiction, holder, certificate,
                                     recorded_at)
        SELECT project_code, code, sha256, item_id, department, jurisdiction, holder, certificate, recorded_at FROM held
        ON CONFLICT (project_code, code, sha256) DO NOTHING RETURNING project_code, code, sha256
    )
    SELECT item_id, code, sha256, name, size FROM held JOIN recorded USING (project_code, code, sha256)
    ORDER BY item_id, code
"""
_FIRST = """
    SELECT code, sha256, department, jurisdiction, holder, certificate, recorded_at FROM first_recorders
    JOIN unnest($2::text[], $3::text[]) AS wanted (c, s) ON code = c AND sha256 = s WHERE project_code = $1
"""
_DESK = f"""
    SELECT {_COLUMNS} FROM items
    WHERE on_desk AND jurisdiction = $1 AND department = $2 AND ($4::uuid IS NULL OR
        (coalesce(due_at, 'infinity'), item_id) >
        (SELECT coalesce(due_at, 'infinity'), item_id FROM items WHERE item_id = $4))
    ORDER BY due_at NULLS LAST, item_id LIMIT $3
"""
_RUNNING = f"SELECT {_COLUMNS} FROM items WHERE on_desk AND due_at IS NOT NULL ORDER BY item_id FOR UPDATE"
_RESCHEDULE = """
    UPDATE items i SET due_at = u.due_at FROM unnest($1::uuid[], $2::timestamptz[]) AS u (item_id, due_at)
    WHERE i.item_id = u.item_id
"""
_URGE = """
    INSERT INTO urges (urge_id, item_id, level, message, holder, urged_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
    ON CONFLICT (urge_id) DO NOTHING
"""
_URGES_MET = """
    UPDATE urges SET received_at = coalesce(urges.received_at, u.received_at),
                     answered_at = coalesce(urges.answered_at, u.answered_at), answer = coalesce(urges.answer, u.answer)
    FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::text[])
        AS u (urge_id, received_at, answered_at, answer)
    WHERE urges.urge_id = u.urge_id
"""
_URGES = """
    SELECT urge_id, item_id, level, message, holder, urged_at, received_at, answered_at, answer FROM urges
    WHERE item_id = ANY($1::uuid[]) AND (answered_at IS NULL OR NOT $2::bool) ORDER BY urged_at, urge_id LIMIT $3
"""
_HANDLED = "SELECT handling_id FROM special_handlings WHERE handling_id = ANY($1::uuid[])"
_HANDLE = """
    INSERT INTO special_handlings (handling_id, item_id, effect)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[])
    ON CONFLICT (handling_id) DO NOTHING
"""


# A unit of work -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Batch:
    """The items of one unit of work, as they were found and as they become, and what else has to be kept of it.

    `unverified` are the items with materials that no officer has checked yet; `checked` is who checked them now, with
    the trace of the act; `materials` and `results` are what came for dossiers that are known.
    """

    items: dict[UUID, Item]
    unverified: set[UUID]
    new: dict[UUID, Dossier] = field(default_factory=dict[UUID, Dossier])
    changed: set[UUID] = field(default_factory=set[UUID])
    documents: list[Document] = field(default_factory=list[Document])
    checked: dict[UUID, tuple[ItemStepped, str]] = field(default_factory=dict[UUID, tuple[ItemStepped, str]])
    materials: dict[UUID, dict[MaterialCode, MaterialRef]] = field(
        default_factory=dict[UUID, dict[MaterialCode, MaterialRef]]
    )
    results: dict[UUID, dict[ItemCode, ResultRef]] = field(default_factory=dict[UUID, dict[ItemCode, ResultRef]])
    papers: list[Paper] = field(default_factory=list[Paper])

    def put(self, item: Item) -> None:
        """Let an item stand as it is now."""
        self.items[item.item_id] = item
        self.changed.add(item.item_id)

    def open(self, item: Item, dossier: Dossier) -> None:
        """Take in a new item with its dossier."""
        self.put(item)
        self.new[item.item_id] = dossier
        if dossier.materials:
            self.unverified.add(item.item_id)

    def add_materials(self, item_id: UUID, materials: Iterable[MaterialRef]) -> None:
        """Add to a dossier what a supplement brought: its officer has to check it."""
        given = {one.code: one for one in materials}
        if given:
            self.materials.setdefault(item_id, {}).update(given)
            self.unverified.add(item_id)
            self.changed.add(item_id)

    def pass_on(self, item: Item, results: Iterable[ResultRef]) -> None:
        """Add other departments' results to a dossier (Art. 8)."""
        self.put(item)
        self.results.setdefault(item.item_id, {}).update((one.item_code, one) for one in results)


async def load(work: Work, item_ids: Collection[UUID]) -> Batch:
    """Return the items that exist among `item_ids`, locked for this unit of work."""
    return _found(await work.fetch(_LOAD, list(item_ids)) if item_ids else [])


async def of_applications(work: Work, application_ids: Collection[UUID]) -> Batch:
    """Return the items of stage applications, locked for this unit of work."""
    return _found(await work.fetch(_OF_APPLICATIONS, list(application_ids)))


def _found(rows: Iterable[asyncpg.Record]) -> Batch:
    held = list(rows)
    return Batch({row["item_id"]: item_of(row) for row in held}, {row["item_id"] for row in held if row["unverified"]})


def take(work: Work, batch: Batch, result: Result, traceparent: str = "", form: SealForm = SealForm.DIGEST) -> None:
    """Take in what came of an act: say it, ask for the seal where a decision needs one, note who checked materials.

    With the `form` PDF, a document that leaves the house, a notice too, is noted to be printed; its seal is asked for
    after that.
    """
    item_id = result.item.item_id
    if result.item is not batch.items[item_id]:
        batch.put(result.item)
    work.say(topics.ITEMS, *result.said, traceparent=traceparent)
    if result.document is not None:
        decided = next(event for event in result.said if isinstance(event, ItemDecided))
        if form is SealForm.PDF and domain.leaves_the_house(result.item, result.document.kind):
            batch.papers.append(Paper(result.document.request_id, result.document.kind, decided, traceparent))
        else:
            batch.documents.append(result.document)
            asked = seal_request(result.item, result.document, decided)
            work.say(topics.SEAL_REQUESTS, asked, traceparent=traceparent)
    if form is SealForm.PDF:
        batch.papers.extend(domain.notices_of(result, traceparent))
    if item_id in batch.unverified and item_id not in batch.materials:
        _note_check(batch, result, traceparent)


def _note_check(batch: Batch, result: Result, traceparent: str) -> None:
    step = next((event for event in result.said if domain.checks_materials(event)), None)
    if isinstance(step, ItemStepped):
        batch.checked[step.item_id] = (step, traceparent)
        batch.unverified.discard(step.item_id)


async def keep(work: Work, batch: Batch, calendar: Calendar) -> None:
    """Keep what became of a batch: one statement for each kind of thing that happened in it, none for what did not.

    Raises CalendarDoesNotReach for an item that expires beyond the calendar.
    """
    changed = sorted(batch.changed - batch.new.keys())
    if batch.new:
        await work.execute(_INSERT, *transposed(_new(one, batch, calendar) for one in sorted(batch.new)))
    if changed:
        await work.execute(_UPDATE, *transposed((one, *_changed(one, batch, calendar)) for one in changed))
    if batch.documents:
        rows = ((d.request_id, d.item_id, d.kind.value, d.digest, d.content) for d in batch.documents)
        await work.execute(_DOCUMENTS, *transposed(rows))
    if batch.papers:
        await paper_store.write(work, batch.papers)
    if batch.checked:
        await _record(work, batch)
    if batch.materials:
        await work.execute(_ADD_MATERIALS, *transposed(_added(MATERIALS, batch.materials)))
    if batch.results:
        await work.execute(_ADD_RESULTS, *transposed(_added(RESULTS, batch.results)))


def _new(item_id: UUID, batch: Batch, calendar: Calendar) -> tuple[Any, ...]:
    return row_of(batch.items[item_id], batch.new[item_id], calendar, unverified=item_id in batch.unverified)


def _changed(item_id: UUID, batch: Batch, calendar: Calendar) -> tuple[Any, ...]:
    return changing(batch.items[item_id], calendar, unverified=item_id in batch.unverified)


def _added(kind: TypeAdapter[Any], given: Mapping[UUID, Mapping[Any, Any]]) -> Iterable[tuple[Any, ...]]:
    return ((item_id, text(kind, tuple(added.values()))) for item_id, added in given.items())


async def _record(work: Work, batch: Batch) -> None:
    """Make who checked materials that nobody in the project had checked their first recorder, and say so (Art. 12)."""
    rows = await work.fetch(_RECORD, *transposed(_check(step) for step, _ in batch.checked.values()))
    first: dict[UUID, list[MaterialRef]] = {}
    for row in rows:
        first.setdefault(row["item_id"], []).append(_material(row))
    for item_id, materials in first.items():
        step, traceparent = batch.checked[item_id]
        work.say(topics.ITEMS, domain.recorded(step, materials), traceparent=traceparent)


def _check(step: ItemStepped) -> tuple[Any, ...]:
    place = (step.item_id, step.project_code, step.department, step.jurisdiction)
    return (*place, step.actor.holder, step.actor.certificate, step.at)


def _material(row: asyncpg.Record) -> MaterialRef:
    code, digest = MaterialCode(row["code"]), Sha256(row["sha256"])
    return MaterialRef(code=code, sha256=digest, name=row["name"], size=row["size"])


async def receive(work: Work, receipts: Mapping[UUID, Act]) -> None:
    """Keep what the window received, by stage application: items that come later are received by it too."""
    rows = [(one, act.causation_id, act.at, act.actor.holder, act.actor.certificate) for one, act in receipts.items()]
    await work.execute(_RECEIVE, *transposed(rows))


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


async def reschedule(work: Work, calendar: Calendar) -> None:
    """Count the due instants of running clocks anew, a page at a time (P24, P25)."""
    cursor = await work.connection.cursor(_RUNNING)
    while page := await cursor.fetch(PAGE):
        dues = [(row["item_id"], _due(item_of(row), calendar), row["due_at"]) for row in page]
        changed = [(item_id, due) for item_id, due, former in dues if due != former]
        if changed:
            await work.execute(_RESCHEDULE, *transposed(changed))


def _due(item: Item, calendar: Calendar) -> datetime | None:
    try:
        return domain.due_of(item, calendar)
    except CalendarDoesNotReach:
        return None


# Urges and special handling -------------------------------------------------------------------------------------


class Urge(NamedTuple):
    """催办 of one item, and whether the desk received and answered it (Art. 22)."""

    urge_id: UUID
    item_id: UUID
    level: UrgeLevel
    message: str
    holder: str
    urged_at: datetime
    received_at: datetime | None
    answered_at: datetime | None
    answer: str | None


async def urge(work: Work, urges: Collection[Urged], met: Collection[UrgeReceived | UrgeAnswered]) -> None:
    """Keep urges, and that they were received or answered; a repeat changes nothing."""
    if urges:
        rows = ((u.urge_id, u.item_id, u.level.value, u.message, u.actor.holder, u.occurred_at) for u in urges)
        await work.execute(_URGE, *transposed(rows))
    if met:
        await work.execute(_URGES_MET, *transposed(_met(met)))


def _met(events: Iterable[UrgeReceived | UrgeAnswered]) -> Iterable[tuple[Any, ...]]:
    """One row an urge: when it was first received and first answered."""
    received: dict[UUID, datetime] = {}
    answered: dict[UUID, UrgeAnswered] = {}
    for event in events:
        if isinstance(event, UrgeAnswered):
            answered.setdefault(event.urge_id, event)
        else:
            received.setdefault(event.urge_id, event.occurred_at)
    for urge_id in received.keys() | answered.keys():
        answer = answered.get(urge_id)
        told = (None, None) if answer is None else (answer.occurred_at, answer.answer)
        yield (urge_id, received.get(urge_id), *told)


async def urges(connection: Connection, item_ids: Collection[UUID], *, open_only: bool, most: int) -> list[Urge]:
    """Return the urges of items, the oldest first."""
    rows = await connection.fetch(_URGES, list(item_ids), open_only, most) if item_ids else []
    return [Urge(*row)._replace(level=UrgeLevel(row["level"])) for row in rows]


async def handled(work: Work, handling_ids: Collection[UUID]) -> set[UUID]:
    """Return which special handlings have had their effect here."""
    return {row["handling_id"] for row in await work.fetch(_HANDLED, list(handling_ids))}


async def handle(work: Work, granted: Sequence[SpecialHandlingGranted]) -> None:
    """Note that special handlings have had their effect, or were refused."""
    if granted:
        await work.execute(_HANDLE, *transposed((g.handling_id, g.item_id, g.effect.value) for g in granted))


# What is asked --------------------------------------------------------------------------------------------------


class FirstRecorder(NamedTuple):
    """首录人: the officer who checked a material against its original, and answers for it (Art. 12)."""

    department: str
    jurisdiction: str
    holder: str
    certificate: str
    recorded_at: datetime


async def desk(connection: Connection, jurisdiction: str, department: str, most: int, after: UUID | None) -> list[Item]:
    """Return a page of a department's open items, the earliest due first, beginning after the item `after`."""
    return [item_of(row) for row in await connection.fetch(_DESK, jurisdiction, department, most, after)]


async def find(connection: Connection, item_id: UUID) -> Item | None:
    """Return an item, or None."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM items WHERE item_id = $1", item_id)
    return None if row is None else item_of(row)


async def whole(work: Work, item_ids: Sequence[UUID]) -> dict[UUID, tuple[Item, Dossier]]:
    """Return items as they stand, each with its dossier."""
    rows = await work.fetch(_WHOLE, list(item_ids)) if item_ids else []
    return {row["item_id"]: (item_of(row), dossier_of(row)) for row in rows}


async def dossier(connection: Connection, item_id: UUID) -> Dossier | None:
    """Return an item's dossier; None for one that was given out before there were any."""
    row = await connection.fetchrow(f"SELECT {', '.join(DOSSIER)} FROM dossiers WHERE item_id = $1", item_id)
    return None if row is None else dossier_of(row)


async def first_recorders(
    connection: Connection, project_code: str, materials: Iterable[MaterialRef]
) -> dict[tuple[str, str], FirstRecorder]:
    """Return who in the project first checked which of `materials`, by code and SHA-256."""
    wanted = [(one.code, one.sha256) for one in materials]
    rows = await connection.fetch(_FIRST, project_code, *transposed(wanted)) if wanted else []
    return {(row["code"], row["sha256"]): FirstRecorder(*list(row)[2:]) for row in rows}
