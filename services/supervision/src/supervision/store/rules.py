"""Changes of policies, calendar and roster as rows, and the amendments of the calendar by when they were ordered."""

from collections.abc import Collection, Sequence

from chassis.database import Connection, Work
from contracts.timer import CalendarAmended
from supervision.rules import Rule
from supervision.store import columns

_RULE = ", ".join(Rule._fields)
_KEEP = f"""
    INSERT INTO rules ({_RULE})
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
                         $7::text[], $8::text[], $9::text[])
    ON CONFLICT (rule_id) DO UPDATE SET until = excluded.until
"""


async def keep(work: Work, rules: Collection[Rule]) -> None:
    """Keep changes of the rules; only when an entry of the roster ends is said later."""
    last = {rule.rule_id: rule for rule in rules}
    if last:
        await work.execute(_KEEP, *columns(last[rule_id] for rule_id in sorted(last)))


async def listed(connection: Connection, places: Sequence[str] | None, kind: str | None, most: int) -> list[Rule]:
    """Return changes of the rules that hold in `places` (None: anywhere), the newest first; the city's hold for all."""
    rows = await connection.fetch(
        f"""SELECT {_RULE} FROM rules
            WHERE ($1::text[] IS NULL OR jurisdiction = ANY($1)) AND ($2::text IS NULL OR kind = $2)
            ORDER BY effective_at DESC, rule_id LIMIT $3""",
        places,
        kind,
        most,
    )
    return [Rule(*row) for row in rows]


async def amendments(connection: Connection) -> list[CalendarAmended]:
    """Return every amendment of the calendar, in its order."""
    rows = await connection.fetch("SELECT amendment FROM calendar_amendments ORDER BY sequence")
    return [CalendarAmended.model_validate_json(row["amendment"], extra="ignore") for row in rows]
