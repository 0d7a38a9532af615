"""撤件 (P21): asked by the builder, confirmed by the window once handling began."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from chassis.database import Work
from chassis.idempotency import Answer, Key
from chassis.identity import requires
from contracts import topics
from contracts.codes import ItemCode
from contracts.envelope import Line, Text, derived_id
from contracts.intake import WithdrawalRequested
from contracts.terms import ItemState, Role, Stage
from intake import domain, store
from intake.api.office import ITEM, Accepted, Given, IdempotencyKey, Office, Window, accepted
from intake.domain.progress import Progress
from intake.store.applications import Application
from procedure.authority import Caller
from procedure.policies import policies_of

BuilderOrWindow = Annotated[Caller, Depends(requires(Role.BUILDER, Role.WINDOW))]


class Withdrawal(Given):
    reason: Line


class WithdrawalAnswer(Given):
    """The window's word; a reason is due when it does not confirm."""

    confirmed: bool
    reason: Text = ""


class WaitingWithdrawal(BaseModel):
    """A builder's request that waits for the window."""

    application_id: UUID
    project_code: str
    stage: Stage
    item_code: str
    name: str
    department: str
    state: ItemState
    reason: str
    asked_by: str
    asked_at: datetime


def router(office: Office) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    answers: dict[str, Any] = {"status_code": 202, "response_model": Accepted}

    @routes.post(f"{ITEM}/withdrawals", summary="撤件", **answers)
    async def withdraw_item(
        request: Request,
        caller: BuilderOrWindow,
        application_id: UUID,
        item_code: ItemCode,
        body: Withdrawal,
        key: IdempotencyKey,
    ) -> Response:
        about = (office, caller, application_id, item_code, body)
        return await office.once(request, caller, key, body.model_dump_json(), _withdraw, *about)

    @routes.get("/window/withdrawals", summary="待窗口确认的撤件申请")
    async def read_waiting(caller: Window, most: Annotated[int, Query(ge=1, le=500)] = 100) -> list[WaitingWithdrawal]:
        async with office.database.reading() as connection:
            rows = await store.withdrawals.waiting(connection, office.places(caller), most)
        return [_waiting(row, office) for row in rows]

    @routes.post(f"{ITEM}/withdrawals/answer", summary="窗口确认或不予确认撤件", **answers)
    async def answer_withdrawal(
        request: Request,
        caller: Window,
        application_id: UUID,
        item_code: ItemCode,
        body: WithdrawalAnswer,
        key: IdempotencyKey,
    ) -> Response:
        about = (office, caller, application_id, item_code, body)
        return await office.once(request, caller, key, body.model_dump_json(), _answer, *about)

    return routes


async def _withdraw(
    work: Work, key: Key, office: Office, caller: Caller, application_id: UUID, item_code: ItemCode, body: Withdrawal
) -> Answer:
    """A builder asks to withdraw an item, or the window withdraws it; the window's word settles what waited."""
    application, row = await office.item(work, caller, application_id, item_code)
    domain.withdrawals.admit(row.state, row.outcome)
    waiting = await store.withdrawals.reasons(work.connection, [application_id])
    if caller.role is Role.BUILDER and row.item_id in waiting:
        raise domain.withdrawals.WithdrawalWaits
    confirmed = domain.withdrawals.is_confirmed(caller.role, row.state, policies_of(application.policies))
    event = await _requested(work, key, office, caller, application, row, body.reason, confirmed)
    if not confirmed:
        await store.withdrawals.ask(work, event)
    elif row.item_id in waiting:
        await store.withdrawals.answer(work, row.item_id, True, body.reason, caller.actor, event.occurred_at)
    work.say(topics.APPLICATIONS, event)
    return await accepted(work, key, application_id)


async def _answer(
    work: Work,
    key: Key,
    office: Office,
    caller: Caller,
    application_id: UUID,
    item_code: ItemCode,
    body: WithdrawalAnswer,
) -> Answer:
    """The window confirms a withdrawal, or does not: then the builder is told, and the item is handled on."""
    application, row = await office.item(work, caller, application_id, item_code)
    waiting = await store.withdrawals.reasons(work.connection, [application_id])
    asked = waiting.get(row.item_id)
    domain.withdrawals.admit(row.state, row.outcome)
    domain.withdrawals.admit_answer(waits=asked is not None, confirmed=body.confirmed, reason=body.reason)
    await store.withdrawals.answer(work, row.item_id, body.confirmed, body.reason, caller.actor, office.now())
    if body.confirmed:
        event = await _requested(work, key, office, caller, application, row, asked or "", confirmed=True)
        work.say(topics.APPLICATIONS, event)
    else:
        await _decline(work, key, office, application, row, body.reason)
    return await accepted(work, key, application_id)


async def _requested(
    work: Work,
    key: Key,
    office: Office,
    caller: Caller,
    application: Application,
    row: Progress,
    reason: str,
    confirmed: bool,
) -> WithdrawalRequested:
    return WithdrawalRequested(
        **await office.about(work, key, application, WithdrawalRequested),
        item_id=row.item_id,
        item_code=row.item_code,
        reason=reason,
        confirmed=confirmed,
        actor=caller.actor,
    )


async def _decline(work: Work, key: Key, office: Office, application: Application, row: Progress, reason: str) -> None:
    cause = derived_id("withdrawal-declined", key.caller, key.key)
    about = (application, row.item_code, application.builder, office.under(application))
    notice = domain.notices.withdrawal_declined(*about, reason, cause, office.now())
    await store.notices.keep(work, [notice])
    work.say(topics.NOTICES, notice)


def _waiting(row: Any, office: Office) -> WaitingWithdrawal:
    names = {name: row[name] for name in WaitingWithdrawal.model_fields if name not in ("name", "asked_by")}
    item = office.city.under(store.policies.of_text(row["policies"])).items[ItemCode(row["item_code"])]
    return WaitingWithdrawal(**names, name=item.name, asked_by=row["holder"])
