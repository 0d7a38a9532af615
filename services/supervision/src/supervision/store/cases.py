"""Urges, inspections and coordination requests as rows."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from chassis.database import Connection, Work
from supervision import cases
from supervision.cases import Case, CaseKind, CaseState, Done, Following, Opening
from supervision.store import columns

_CASE = ", ".join(Case._fields)
_KEEP = f"""
    INSERT INTO cases ({_CASE})
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::int[], $7::uuid[], $8::text[],
                         $9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::timestamptz[],
                         $15::text[])
    ON CONFLICT (case_id) DO UPDATE SET state = excluded.state, due_at = excluded.due_at, acts = excluded.acts
"""


class Wanted(NamedTuple):
    """Which cases a list shows: of one kind, in a state (None: all), in `places` (None: everywhere), of `stages` and of
    one department (None: of all)."""

    kind: CaseKind
    state: CaseState | None
    places: Sequence[str] | None
    stages: Sequence[int] | None
    department: str | None


async def take(work: Work, events: Iterable[Opening | Following]) -> None:
    """Take in what was said of cases, in order; a repeat changes nothing."""
    opening: dict[UUID, Case] = {}
    following: defaultdict[UUID, list[Following]] = defaultdict(list)
    for event in events:
        if isinstance(event, Opening):
            case = cases.opened(event)
            opening.setdefault(case.case_id, case)
        else:
            following[cases.case_of(event)].append(event)
    wanted = {*opening, *following}
    if not wanted:
        return
    known = await of(work.connection, wanted)
    changed = {**opening, **known}
    for case_id, said in following.items():
        for event in said:
            changed[case_id] = cases.followed(changed[case_id], event)
    await _keep(work, [case for case_id, case in sorted(changed.items()) if case != known.get(case_id)])


async def of(connection: Connection, case_ids: Collection[UUID]) -> dict[UUID, Case]:
    """Return the cases that exist among `case_ids`, each held until the unit of work ends."""
    query = f"SELECT {_CASE} FROM cases WHERE case_id = ANY($1::uuid[]) ORDER BY case_id FOR UPDATE"
    return {row["case_id"]: _case(row) for row in await connection.fetch(query, sorted(case_ids))}


async def listed(connection: Connection, wanted: Wanted, most: int) -> list[Case]:
    """Return the cases of a list, the oldest first."""
    rows = await connection.fetch(
        f"""SELECT {_CASE} FROM cases
            WHERE kind = $1 AND ($2::text IS NULL OR state = $2) AND ($3::text[] IS NULL OR jurisdiction = ANY($3))
              AND ($4::int[] IS NULL OR stage = ANY($4)) AND ($5::text IS NULL OR department = $5)
            ORDER BY opened_at, case_id LIMIT $6""",
        wanted.kind.value,
        None if wanted.state is None else wanted.state.value,
        wanted.places,
        wanted.stages,
        wanted.department,
        most,
    )
    return [_case(row) for row in rows]


async def _keep(work: Work, changed: Sequence[Case]) -> None:
    if changed:
        await work.execute(_KEEP, *columns(_row(case) for case in changed))


def _row(case: Case) -> tuple[Any, ...]:
    return (*case[:-1], json.dumps(case.acts, ensure_ascii=False))


def _case(row: Any) -> Case:
    acts = tuple(Done(*act) for act in json.loads(row["acts"]))
    return Case(*row)._replace(kind=CaseKind(row["kind"]), state=CaseState(row["state"]), acts=acts)
