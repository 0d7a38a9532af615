"""The comprehensive window: 收件 and 发件 (Art. 10)."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from chassis.database import Work
from chassis.idempotency import Answer, Key
from contracts import topics
from contracts.codes import ItemCode
from contracts.envelope import Line
from contracts.intake import ApplicationReceived, ResultIssued
from intake import domain, store
from intake.api.office import ITEM, Accepted, Given, IdempotencyKey, Office, Window, accepted
from procedure.authority import Caller


class Issue(Given):
    """发件: who took the result (Art. 10)."""

    recipient: Line


def router(office: Office) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    answers: dict[str, Any] = {"status_code": 202, "response_model": Accepted}

    @routes.post("/applications/{application_id}/receipt", summary="窗口收件", **answers)
    async def receive_application(
        request: Request, caller: Window, application_id: UUID, key: IdempotencyKey
    ) -> Response:
        return await office.once(request, caller, key, "", _receive, office, caller, application_id)

    @routes.post(f"{ITEM}/issues", summary="窗口发件", **answers)
    async def issue_result(
        request: Request, caller: Window, application_id: UUID, item_code: ItemCode, body: Issue, key: IdempotencyKey
    ) -> Response:
        about = (office, caller, application_id, item_code, body)
        return await office.once(request, caller, key, body.model_dump_json(), _issue, *about)

    return routes


async def _receive(work: Work, key: Key, office: Office, caller: Caller, application_id: UUID) -> Answer:
    """收件: the window has the originals (Art. 10)."""
    application = await office.application(work.connection, caller, application_id, lock=True)
    about = await office.about(work, key, application, ApplicationReceived)
    await store.applications.receive(work, application_id, about["occurred_at"])
    window = office.under(application).places[application.jurisdiction].window
    work.say(topics.APPLICATIONS, ApplicationReceived(**about, window=window, actor=caller.actor))
    return await accepted(work, key, application_id)


async def _issue(
    work: Work, key: Key, office: Office, caller: Caller, application_id: UUID, item_code: ItemCode, body: Issue
) -> Answer:
    """发件: the window hands a result out (Art. 10)."""
    application, row = await office.item(work, caller, application_id, item_code)
    domain.progress.can_issue(row.state, row.outcome)
    event = ResultIssued(
        **await office.about(work, key, application, ResultIssued),
        item_id=row.item_id,
        item_code=item_code,
        recipient=body.recipient,
        actor=caller.actor,
    )
    work.say(topics.APPLICATIONS, event)
    return await accepted(work, key, application_id)
