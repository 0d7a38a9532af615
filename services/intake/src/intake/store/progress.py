"""The items of stage applications as their builders see them (Art. 11)."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

import asyncpg

from chassis.database import Connection, Work
from contracts.codes import ItemCode
from contracts.terms import ItemState, Outcome, PauseReason
from intake.domain.progress import Progress
from intake.store.columns import columns

_COLUMNS: Final = """application_id, item_code, item_id, attempt, department, jurisdiction, state, outcome, opinion,
    limit_days, version, pauses, resting"""
_LOAD: Final = f"""
    SELECT {_COLUMNS} FROM progress WHERE application_id = ANY($1::uuid[]) ORDER BY application_id, item_code
"""
_KEEP: Final = f"""
    INSERT INTO progress ({_COLUMNS})
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::text[], $10::int[], $11::int[], $12::text[], $13::text[])
    ON CONFLICT (application_id, item_code) DO UPDATE SET
        item_id = excluded.item_id, attempt = excluded.attempt, department = excluded.department,
        jurisdiction = excluded.jurisdiction, state = excluded.state, outcome = excluded.outcome,
        opinion = excluded.opinion, limit_days = excluded.limit_days, version = excluded.version,
        pauses = excluded.pauses, resting = excluded.resting
"""


async def load(connection: Connection, application_ids: Collection[UUID]) -> dict[tuple[UUID, ItemCode], Progress]:
    """Return the items of stage applications as the builder sees them (positions keep their writers apart)."""
    rows = [_progress(row) for row in await connection.fetch(_LOAD, list(application_ids))]
    return {(row.application_id, row.item_code): row for row in rows}


def _progress(row: asyncpg.Record) -> Progress:
    return Progress(
        row["application_id"],
        ItemCode(row["item_code"]),
        row["item_id"],
        row["attempt"],
        row["department"],
        row["jurisdiction"],
        ItemState(row["state"]),
        None if row["outcome"] is None else Outcome(row["outcome"]),
        row["opinion"],
        row["limit_days"],
        row["version"],
        tuple(map(PauseReason, row["pauses"].split())),
        None if row["resting"] is None else ItemState(row["resting"]),
    )


async def keep(work: Work, rows: Collection[Progress]) -> None:
    """Keep items as the builder sees them."""
    if rows:
        await work.execute(_KEEP, *columns(map(_cells, rows)))


def _cells(p: Progress) -> tuple[Any, ...]:
    outcome = None if p.outcome is None else p.outcome.value
    resting = None if p.resting is None else p.resting.value
    place = (p.application_id, p.item_code, p.item_id, p.attempt, p.department, p.jurisdiction)
    return (*place, p.state.value, outcome, p.opinion, p.limit_days, p.version, " ".join(p.pauses), resting)
