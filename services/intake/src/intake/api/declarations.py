"""Declarations: of a stage, once (Art. 7, 8); of an item again (Art. 7); what a correction asked for (Art. 13); what
was deferred (Art. 17)."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from chassis.database import Work
from chassis.idempotency import Answer, Key
from contracts import topics
from contracts.codes import ItemCode, ProjectCode
from contracts.envelope import Text, derived_id
from contracts.intake import DeferredMaterialsSubmitted, ItemReapplied, StageForm, SupplementSubmitted
from contracts.terms import Stage, Submission
from intake import domain, store
from intake.api.office import (
    ITEM,
    Accepted,
    CodeInPath,
    Given,
    IdempotencyKey,
    Office,
    OneSet,
    OnlyBuilder,
    accepted,
)
from procedure import stages
from procedure.authority import Caller


class Declaration(Given):
    """One form, one set of materials, and the statement that all of it is true (Art. 8)."""

    submission: Submission = Submission.ONLINE
    form: StageForm
    materials: OneSet = []
    truthful: bool = False


class Reapplication(Given):
    """A declaration by item (Art. 7)."""

    form: StageForm
    materials: OneSet = []
    truthful: bool = False


class Supplement(Given):
    """The answer to a correction notice (Art. 13)."""

    materials: OneSet = []
    explanation: Text = ""


class Promised(Given):
    """Materials that were deferred at the declaration (Art. 17)."""

    materials: OneSet


def router(office: Office) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    answers: dict[str, Any] = {"status_code": 202, "response_model": Accepted}

    @routes.post("/projects/{code}/stages/{stage}/applications", summary="按阶段申报", **answers)
    async def declare_stage(
        request: Request, caller: OnlyBuilder, code: CodeInPath, stage: Stage, body: Declaration, key: IdempotencyKey
    ) -> Response:
        what = body.model_dump_json()
        return await office.once(request, caller, key, what, _declare, office, caller, code, stage, body)

    @routes.post(f"{ITEM}/reapplications", summary="按事项再次申报", **answers)
    async def reapply_item(
        request: Request,
        caller: OnlyBuilder,
        application_id: UUID,
        item_code: ItemCode,
        body: Reapplication,
        key: IdempotencyKey,
    ) -> Response:
        about = (office, caller, application_id, item_code, body)
        return await office.once(request, caller, key, body.model_dump_json(), _reapply, *about)

    @routes.post(f"{ITEM}/supplements", summary="补正", **answers)
    async def supplement_item(
        request: Request,
        caller: OnlyBuilder,
        application_id: UUID,
        item_code: ItemCode,
        body: Supplement,
        key: IdempotencyKey,
    ) -> Response:
        about = (office, caller, application_id, item_code, body)
        return await office.once(request, caller, key, body.model_dump_json(), _supplement, *about)

    @routes.post("/applications/{application_id}/materials", summary="补交容缺材料", **answers)
    async def submit_deferred(
        request: Request, caller: OnlyBuilder, application_id: UUID, body: Promised, key: IdempotencyKey
    ) -> Response:
        about = (office, caller, application_id, body)
        return await office.once(request, caller, key, body.model_dump_json(), _submit_deferred, *about)

    return routes


async def _declare(
    work: Work, key: Key, office: Office, caller: Caller, code: ProjectCode, stage: Stage, body: Declaration
) -> Answer:
    """A builder declares one stage once (Art. 7, 8); 202 once it is durable. What it runs under is pinned (Art. 1)."""
    if not body.truthful:
        raise stages.TruthfulnessNotStated
    project = await office.project(work.connection, code, caller, lock=True)
    at = office.now()
    known = await store.projects.known(work.connection, code, stage, at)
    pinned = domain.policies.pinned(known.policy, office.city.catalogue, at)
    catalogue = office.city.under(pinned)
    skipped_by = domain.admission.hold_to_order(project, stage, known, pinned, catalogue)
    given = await office.given(work, caller, body.materials, catalogue)
    admission = domain.admission.admitted(project, stage, known, given, skipped_by, catalogue, at)
    cause = derived_id("declare", key.caller, key.key)
    written = (body.submission, body.form, admission)
    event = domain.admission.applied(project, stage, *written, caller.actor, pinned, cause, at)
    await store.applications.add(work, event, given)
    await store.given.use(work, event.application_id, admission.used)
    work.say(topics.APPLICATIONS, event)
    return await accepted(work, key, event.application_id)


async def _reapply(
    work: Work,
    key: Key,
    office: Office,
    caller: Caller,
    application_id: UUID,
    item_code: ItemCode,
    body: Reapplication,
) -> Answer:
    """A builder declares one item again (Art. 7)."""
    if not body.truthful:
        raise stages.TruthfulnessNotStated
    application, row = await office.item(work, caller, application_id, item_code)
    domain.progress.not_waived(row.outcome)
    stages.admit_reapplication(row.state, row.outcome)
    given = await office.given(work, caller, body.materials, office.under(application))
    event = ItemReapplied(
        **await office.about(work, key, application, ItemReapplied),
        item_code=item_code,
        former_item_id=row.item_id,
        form=body.form,
        materials=given,
        actor=caller.actor,
    )
    await store.given.add(work, application, item_code, event, given)
    work.say(topics.APPLICATIONS, event)
    return await accepted(work, key, application_id)


async def _supplement(
    work: Work, key: Key, office: Office, caller: Caller, application_id: UUID, item_code: ItemCode, body: Supplement
) -> Answer:
    """A builder answers a correction notice (Art. 13)."""
    application, row = await office.item(work, caller, application_id, item_code)
    stages.admit_supplement(row.state)
    given = await office.given(work, caller, body.materials, office.under(application))
    event = SupplementSubmitted(
        **await office.about(work, key, application, SupplementSubmitted),
        item_id=row.item_id,
        item_code=item_code,
        materials=given,
        explanation=body.explanation,
        actor=caller.actor,
    )
    await store.given.add(work, application, item_code, event, given)
    work.say(topics.APPLICATIONS, event)
    return await accepted(work, key, application_id)


async def _submit_deferred(
    work: Work, key: Key, office: Office, caller: Caller, application_id: UUID, body: Promised
) -> Answer:
    """A builder hands in what was deferred at the declaration (Art. 17): held from now on like any other material."""
    application = await office.application(work.connection, caller, application_id, lock=True)
    given = await office.given(work, caller, body.materials, office.under(application))
    promises = await store.given.promises(work.connection, [application_id])
    domain.given.admit_promised(given, promises.get(application_id, []))
    about = await office.about(work, key, application, DeferredMaterialsSubmitted)
    event = DeferredMaterialsSubmitted(**about, materials=given, actor=caller.actor)
    await store.given.add(work, application, None, event, given)
    work.say(topics.APPLICATIONS, event)
    return await accepted(work, key, application_id)
