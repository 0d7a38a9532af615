"""What people are shown of clocks: one small table for every service that shows lights and due instants (Art. 11, 22).

It follows the clocks topic alone, whatever else has or has not arrived yet; a row is about an item's attempt (its
item_id) or a stage (its application_id). The time for acceptance has a clock of its own, which nobody is shown a light
of (R21): its steps are passed over.
"""

from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

import orjson

from chassis.database import Connection, Work
from contracts.terms import ClockSubject, Light
from contracts.timer import ClockStepped
from procedure import lights
from procedure.clock import Clock, as_record, from_record
from procedure.lights import Shown

DDL: Final = """
CREATE TABLE shown_clocks (
    about uuid PRIMARY KEY,
    due_at timestamptz,
    light text,
    generation int NOT NULL
) WITH (fillfactor = 60);
"""

CLOCK_DDL: Final = "ALTER TABLE shown_clocks ADD COLUMN clock text"
"""The second revision: the clock as its steps tell it; NULL for one whose start was heard before."""

_OF = "SELECT about, due_at, light, generation, clock FROM shown_clocks WHERE about = ANY($1::uuid[])"
_KEEP = """
    INSERT INTO shown_clocks (about, due_at, light, generation, clock)
    SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::int[], $5::text[])
    ON CONFLICT (about) DO UPDATE SET due_at = excluded.due_at, light = excluded.light,
                                      generation = excluded.generation, clock = excluded.clock
"""


async def of(connection: Connection, about: Collection[UUID]) -> dict[UUID, Shown]:
    """Return what is shown of the clocks about these items and stages."""
    rows = await connection.fetch(_OF, list(about))
    return {
        row["about"]: Shown(row["due_at"], _light(row["light"]), row["generation"], _clock(row["clock"]))
        for row in rows
    }


def _light(value: str | None) -> Light | None:
    return None if value is None else Light(value)


def _clock(value: str | None) -> Clock | None:
    return None if value is None else from_record(orjson.loads(value))


def _text(clock: Clock | None) -> str | None:
    return None if clock is None else orjson.dumps(as_record(clock)).decode()


async def follow(work: Work, steps: Iterable[ClockStepped]) -> None:
    """Take steps of clocks into what is shown; a repeat changes nothing.

    No row is locked: whoever moves the position of a clocks partition is the only writer of its rows.
    """
    told = [(_about(step), step) for step in steps if step.subject is not ClockSubject.ACCEPTANCE]
    if not told:
        return
    known = await of(work.connection, {about for about, _ in told})
    changed: dict[UUID, Shown] = {}
    for about, step in told:
        changed[about] = lights.shown(changed.get(about) or known.get(about) or Shown(), step)
    rows = [(about, after) for about, after in sorted(changed.items()) if after != known.get(about)]
    await work.execute(
        _KEEP,
        [about for about, _ in rows],
        [after.due_at for _, after in rows],
        [None if after.light is None else after.light.value for _, after in rows],
        [after.generation for _, after in rows],
        [_text(after.clock) for _, after in rows],
    )


def _about(step: ClockStepped) -> UUID:
    if step.subject is ClockSubject.STAGE:
        return step.application_id
    assert step.item_id is not None
    return step.item_id
