"""The dispatcher's SQL: stage applications as processes, and the results that circulate, a batch at a time."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from chassis.database import Work
from contracts.codes import CreditCode, DepartmentCode, ItemCode, JurisdictionCode, ProjectCode, Sha256
from contracts.parts import DeferredMaterial, MaterialRef, Policies
from contracts.terms import ItemState, Outcome, ProcessType, Stage, Submission
from dispatcher.domain import ItemLine, StageProcess
from dispatcher.results import Key, Need, Result

_LOOK_AT = """
    SELECT p.*, l.lines FROM processes p
    JOIN LATERAL (
        SELECT json_agg(json_build_array(item_code, item_id, attempt, department, jurisdiction, after, optional, state,
                                         outcome, opinion, dispatched, version, ended_at)
                        ORDER BY item_code)::text AS lines
        FROM lines WHERE lines.application_id = p.application_id) l ON true
    WHERE p.application_id = ANY($1::uuid[])
"""
_LOCK = "SELECT application_id FROM processes WHERE application_id = ANY($1::uuid[]) ORDER BY application_id FOR UPDATE"
_INSERT = """
    INSERT INTO processes (application_id, project_code, stage, process_type, jurisdiction, builder, project_name,
                           submission, materials, policies, applied_at, limit_days, version, accepted_at, concluded_at,
                           deferred, builder_name)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::text[], $6::text[], $7::text[],
                         $8::text[], $9::text[], $10::text[], $11::timestamptz[], $12::int[], $13::int[],
                         $14::timestamptz[], $15::timestamptz[], $16::text[], $17::text[])
"""
_INSERT_LINES = """
    INSERT INTO lines (application_id, item_code, item_id, attempt, department, jurisdiction, after, optional, state,
                       outcome, opinion, dispatched, version)
    SELECT a, c, i, n, d, j, string_to_array(w, ' '), o, s, r, t, x, v
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::text[], $8::bool[],
                $9::text[], $10::text[], $11::text[], $12::bool[], $13::int[])
         AS line (a, c, i, n, d, j, w, o, s, r, t, x, v)
"""
_UPDATE = """
    UPDATE processes p SET version = u.v, accepted_at = u.a, concluded_at = u.c, materials = coalesce(u.m, p.materials)
    FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::text[]) AS u (id, v, a, c, m)
    WHERE p.application_id = u.id AND (p.version < u.v OR u.m IS NOT NULL)
"""
_UPDATE_LINES = """
    UPDATE lines l SET item_id = u.i, attempt = u.n, state = u.s, outcome = u.r, opinion = u.t, dispatched = u.x,
                       version = u.v, jurisdiction = u.j, ended_at = u.e
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::text[], $8::bool[],
                $9::int[], $10::text[], $11::timestamptz[]) AS u (a, c, i, n, s, r, t, x, v, j, e)
    WHERE l.application_id = u.a AND l.item_code = u.c
"""
_TAKE_EFFECT = """
    INSERT INTO decisions (decision_id) SELECT DISTINCT unnest($1::uuid[]) ON CONFLICT DO NOTHING RETURNING decision_id
"""
_KEEP_RESULTS = """
    WITH kept AS (
        INSERT INTO results (project_code, item_code, item_id, outcome, document, awaited_by)
        SELECT p, c, i, o, d, '{}' FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[])
             AS given (p, c, i, o, d) ORDER BY p, c
        ON CONFLICT (project_code, item_code)
        DO UPDATE SET item_id = excluded.item_id, outcome = excluded.outcome, document = excluded.document
        RETURNING project_code, item_code, awaited_by)
    SELECT * FROM kept WHERE awaited_by <> '{}'
"""
_RESULTS = """
    SELECT r.* FROM results r JOIN unnest($1::text[], $2::text[]) AS wanted (p, c)
    ON r.project_code = wanted.p AND r.item_code = wanted.c WHERE r.outcome IS NOT NULL
"""
_AWAIT = """
    WITH asked AS (
        INSERT INTO results AS r (project_code, item_code, awaited_by)
        SELECT p, c, array_agg(DISTINCT a) FROM unnest($1::text[], $2::text[], $3::uuid[]) AS need (p, c, a)
        GROUP BY p, c ORDER BY p, c
        ON CONFLICT (project_code, item_code) DO UPDATE
        SET awaited_by = (SELECT array_agg(DISTINCT a) FROM unnest(r.awaited_by || excluded.awaited_by) AS a)
        RETURNING *)
    SELECT * FROM asked WHERE outcome IS NOT NULL
"""
"""Whoever asks for a result and whoever gives it meet at one row, each sees what the other left there: however two
processes of this service interleave, a result that somebody waits for is passed on."""


async def load(work: Work, application_ids: Collection[UUID]) -> dict[UUID, StageProcess]:
    """Return the processes that exist among `application_ids`, locked for this unit of work.

    They are locked first and read after: one statement that waits for a lock would then see the newest process beside
    its lines of before the wait.
    """
    locked = [row["application_id"] for row in await work.fetch(_LOCK, list(application_ids))]
    return await look_at(work, locked) if locked else {}


async def look_at(work: Work, application_ids: Collection[UUID]) -> dict[UUID, StageProcess]:
    """Return the processes that exist among `application_ids` as they stand, not locked: only to tell of them."""
    rows = await work.fetch(_LOOK_AT, list(application_ids))
    return {row["application_id"]: _process(row) for row in rows}


async def add(work: Work, processes: Collection[StageProcess]) -> None:
    """Keep new processes with all their lines."""
    if not processes:
        return
    await work.execute(_INSERT, *_columns(_whole(process) for process in processes))
    lines = [(process.application_id, line) for process in processes for line in process.lines.values()]
    await work.execute(_INSERT_LINES, *_columns(_whole_line(*pair) for pair in lines))


async def update(work: Work, processes: Collection[StageProcess]) -> None:
    """Keep what changed of known processes."""
    if not processes:
        return
    await work.execute(_UPDATE, *_columns(_changing(process) for process in processes))
    lines = [(p.application_id, p.lines[code]) for p in processes for code in sorted(p.changed)]
    if lines:
        await work.execute(_UPDATE_LINES, *_columns(_changing_line(*pair) for pair in lines))


async def take_effect(work: Work, decision_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of `decision_ids` that have not taken effect before; from now on they have."""
    rows = await work.fetch(_TAKE_EFFECT, decision_ids) if decision_ids else []
    return {row["decision_id"] for row in rows}


async def keep_results(work: Work, given: Mapping[Key, Result]) -> dict[Key, list[UUID]]:
    """Keep the newest results; return the applications that have been waiting for one of them."""
    rows = await work.fetch(_KEEP_RESULTS, *_columns((*key, *result) for key, result in given.items()))
    return {_key(row): row["awaited_by"] for row in rows}


async def results(work: Work, keys: Collection[Key]) -> dict[Key, Result]:
    """Return the results that exist among `keys`."""
    return _held(await work.fetch(_RESULTS, *_columns(keys)))


async def await_results(work: Work, needs: Collection[Need]) -> dict[Key, Result]:
    """Note who waits for which result; return those that have come to exist meanwhile."""
    return _held(await work.fetch(_AWAIT, *_columns(needs)))


def _held(rows: Iterable[asyncpg.Record]) -> dict[Key, Result]:
    return {_key(row): _result(row) for row in rows}


def _key(row: asyncpg.Record) -> Key:
    return ProjectCode(row["project_code"]), ItemCode(row["item_code"])


def _result(row: asyncpg.Record) -> Result:
    document = row["document"]
    return Result(row["item_id"], Outcome(row["outcome"]), None if document is None else Sha256(document))


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _whole(p: StageProcess) -> tuple[Any, ...]:
    facts = (p.application_id, p.project_code, p.stage.value, p.process_type.value, p.jurisdiction, p.builder)
    declared = (p.project_name, p.submission.value, _materials_text(p), p.policies.model_dump_json(), p.applied_at)
    told = (p.limit_days, p.version, p.accepted_at, p.concluded_at)
    return (*facts, *declared, *told, _deferred_text(p), p.builder_name)


def _whole_line(application_id: UUID, line: ItemLine) -> tuple[Any, ...]:
    place = (line.department, line.jurisdiction, " ".join(line.after), line.optional)
    state = (line.state.value, line.outcome, line.opinion, line.dispatched, line.version)
    return (application_id, line.item_code, line.item_id, line.attempt, *place, *state)


def _changing(p: StageProcess) -> tuple[Any, ...]:
    materials = _materials_text(p) if p.more_materials else None
    return p.application_id, p.version, p.accepted_at, p.concluded_at, materials


def _changing_line(application_id: UUID, line: ItemLine) -> tuple[Any, ...]:
    state = (line.state.value, line.outcome, line.opinion, line.dispatched, line.version)
    return (application_id, line.item_code, line.item_id, line.attempt, *state, line.jurisdiction, line.ended_at)


def _materials_text(process: StageProcess) -> str:
    rows = [[m.code, m.sha256, m.name, m.size] for m in process.materials]
    return orjson.dumps(rows, default=str).decode()


@lru_cache(4096)
def _materials(text: str) -> tuple[MaterialRef, ...]:
    """A stage is loaded again for every step of its items: its materials are read once."""
    return tuple(MaterialRef(code=c, sha256=s, name=n, size=z) for c, s, n, z in orjson.loads(text))


def _deferred_text(process: StageProcess) -> str:
    return orjson.dumps([[one.code, one.promised_on] for one in process.deferred], default=str).decode()


@lru_cache(4096)
def _deferred(text: str) -> tuple[DeferredMaterial, ...]:
    return tuple(DeferredMaterial(code=code, promised_on=date.fromisoformat(day)) for code, day in orjson.loads(text))


@lru_cache(64)
def _policies(text: str) -> Policies:
    return Policies.model_validate_json(text)


def _process(row: asyncpg.Record) -> StageProcess:
    lines = [_line(*cells) for cells in orjson.loads(row["lines"])]
    return StageProcess(
        application_id=row["application_id"],
        project_code=ProjectCode(row["project_code"]),
        stage=Stage(row["stage"]),
        process_type=ProcessType(row["process_type"]),
        jurisdiction=JurisdictionCode(row["jurisdiction"]),
        builder=CreditCode(row["builder"]),
        builder_name=row["builder_name"],
        project_name=row["project_name"],
        submission=Submission(row["submission"]),
        materials=_materials(row["materials"]),
        policies=_policies(row["policies"]),
        deferred=_deferred(row["deferred"]),
        applied_at=row["applied_at"],
        limit_days=row["limit_days"],
        lines={line.item_code: line for line in lines},
        version=row["version"],
        accepted_at=row["accepted_at"],
        concluded_at=row["concluded_at"],
    )


def _line(
    code: str,
    item_id: str,
    attempt: int,
    department: str,
    jurisdiction: str,
    after: list[str],
    optional: bool,
    state: str,
    outcome: str | None,
    opinion: str,
    dispatched: bool,
    version: int,
    ended_at: str | None,
) -> ItemLine:
    return ItemLine(
        ItemCode(code),
        UUID(item_id),
        attempt,
        DepartmentCode(department),
        JurisdictionCode(jurisdiction),
        tuple(map(ItemCode, after)),
        optional,
        ItemState(state),
        None if outcome is None else Outcome(outcome),
        opinion,
        dispatched,
        version,
        None if ended_at is None else datetime.fromisoformat(ended_at),
    )
