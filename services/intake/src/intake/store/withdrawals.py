"""Withdrawals that wait for the window's word (P21)."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from chassis.database import Connection, Work
from contracts.intake import WithdrawalRequested
from contracts.parts import Actor
from intake.domain.withdrawals import WITHDRAWABLE

_ASK: Final = """
    INSERT INTO withdrawals (request_id, application_id, item_code, item_id, reason, holder, certificate, asked_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_ANSWER: Final = """
    UPDATE withdrawals SET confirmed = $2, answer = $3, answered_by = $4, answered_at = $5
    WHERE item_id = $1 AND confirmed IS NULL
"""
_WAITING: Final = """
    SELECT w.*, a.project_code, a.stage, a.policies, p.state, p.department
    FROM withdrawals w JOIN applications a USING (application_id)
         JOIN progress p USING (application_id, item_code, item_id)
    WHERE confirmed IS NULL AND p.state = ANY($2::text[]) AND a.jurisdiction = ANY($1::text[])
    ORDER BY asked_at, request_id LIMIT $3
"""
_WAIT: Final = """
    SELECT item_id, reason FROM withdrawals WHERE application_id = ANY($1::uuid[]) AND confirmed IS NULL
"""


async def ask(work: Work, event: WithdrawalRequested) -> None:
    """Keep a builder's request until the window has answered it."""
    about = (event.event_id, event.application_id, event.item_code, event.item_id, event.reason)
    await work.execute(_ASK, *about, event.actor.holder, event.actor.certificate, event.occurred_at)


async def answer(work: Work, item_id: UUID, confirmed: bool, reason: str, actor: Actor, at: datetime) -> None:
    """Keep the window's word on the request that waits for an item, if one does."""
    await work.execute(_ANSWER, item_id, confirmed, reason, f"{actor.holder}（{actor.certificate}）", at)


async def waiting(connection: Connection, places: Sequence[str], most: int) -> list[asyncpg.Record]:
    """Return the requests that wait in `places`, the oldest first; an item that ended meanwhile asks for nothing."""
    states = [state.value for state in WITHDRAWABLE]
    return await connection.fetch(_WAITING, list(places), states, most)


async def reasons(connection: Connection, application_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the reasons of the requests that wait, by item."""
    rows = await connection.fetch(_WAIT, list(application_ids))
    return {row["item_id"]: row["reason"] for row in rows}
