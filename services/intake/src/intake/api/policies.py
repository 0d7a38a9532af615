"""Policies as data: published by the platform's administrator, read by everybody who may come in (Art. 1, 23, 24)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from chassis import idempotency
from chassis.database import Work
from chassis.idempotency import Answer, Key
from chassis.identity import requires
from contracts import topics
from contracts.codes import CITY
from contracts.envelope import Instant, Line, Text, derived_id
from contracts.terms import Role
from intake import domain, store
from intake.api.office import Given, IdempotencyKey, Office
from intake.domain.policies import NoSuchPolicy, Policy, PolicyVersionTaken
from procedure.authority import Caller, NotYourJurisdiction, covers
from procedure.policies import DEFAULT, READINGS, allowed_text, policies_of

Administrator = Annotated[Caller, Depends(requires(Role.ADMIN))]
Anyone = Annotated[Caller, Depends(requires())]
VersionName = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff/._-]{0,59}$")]
SettingName = Annotated[str, StringConstraints(max_length=60)]
SettingValue = (
    bool | Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | Annotated[str, StringConstraints(max_length=60)]
)


class NewPolicy(Given):
    """A policy version: `settings` are its readings, by name, where they are not to be the default ones; without
    `effective_at` it holds at once."""

    version: VersionName
    catalogue_version: Line
    settings: Annotated[dict[SettingName, SettingValue], Field(max_length=60)] = {}
    effective_at: Instant | None = None
    document: Annotated[Line, StringConstraints(pattern=r"\S")]
    reason: Annotated[Text, StringConstraints(pattern=r"\S")]


class PolicyView(BaseModel):
    """One version: what it changes, from when, on which document, why, who published it when."""

    version: str
    catalogue_version: str
    settings: dict[str, bool | int | str]
    effective_at: datetime
    document: str
    reason: str
    published_at: datetime | None
    published_by: str | None
    certificate: str | None
    in_force: bool


class ReadingView(BaseModel):
    """One reading: what it settles, the value here, the default, what else it may be, and where it shows."""

    name: str
    number: str
    question: str
    value: bool | int | str
    default: bool | int | str
    allowed: str
    where: str


class PolicyTold(PolicyView):
    readings: list[ReadingView]


def router(office: Office) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.post("/policies", summary="公布政策版本", status_code=201, response_model=PolicyView)
    async def publish_policy(request: Request, caller: Administrator, body: NewPolicy, key: IdempotencyKey) -> Response:
        return await office.once(request, caller, key, body.model_dump_json(), _publish, office, caller, body)

    @routes.get("/policies", summary="政策版本")
    async def read_policies(caller: Anyone) -> list[PolicyView]:
        policies = await _all(office)
        return [_view(one, policies, office.now()) for one in policies]

    @routes.get("/policies/{version:path}", summary="一个政策版本的全部口径")
    async def read_policy(caller: Anyone, version: Annotated[str, Path(max_length=200)]) -> PolicyTold:
        policies = await _all(office)
        found = next((one for one in policies if one.versions.policy_version == version), None)
        if found is None:
            raise NoSuchPolicy(version=version)
        view = _view(found, policies, office.now())
        return PolicyTold(**view.model_dump(), readings=_readings(found))

    return routes


async def _publish(work: Work, key: Key, office: Office, caller: Caller, body: NewPolicy) -> Answer:
    """The city's administrator publishes a version, which never changes again (Art. 23); running cases keep theirs."""
    if not covers(caller.jurisdiction, CITY):
        raise NotYourJurisdiction
    cause, at = derived_id("publish", key.caller, key.key), office.now()
    versions = (body.version, body.catalogue_version, body.settings, body.effective_at)
    written, catalogues = (body.document, body.reason), list(office.city.catalogues.values())
    event = domain.policies.published(*versions, written, caller.actor, catalogues, cause, at)
    if not await store.policies.add(work, event):
        raise PolicyVersionTaken(version=event.version)
    work.say(topics.POLICIES, event)
    policies = await store.policies.every(work.connection)
    made = next(one for one in policies if one.versions.policy_version == event.version)
    return await idempotency.remember(work, key, 201, _view(made, policies, at).model_dump(mode="json"))


async def _all(office: Office) -> list[Policy]:
    """Return the policy that came with the catalogue, then every published one."""
    async with office.database.reading() as connection:
        return [domain.policies.first(office.city.catalogue), *await store.policies.every(connection)]


def _view(policy: Policy, policies: Sequence[Policy], at: datetime) -> PolicyView:
    in_effect = [one.versions.policy_version for one in policies if one.effective_at <= at]
    actor = policy.actor
    return PolicyView(
        version=policy.versions.policy_version,
        catalogue_version=policy.versions.catalogue_version,
        settings=policy.versions.settings,
        effective_at=policy.effective_at,
        document=policy.document,
        reason=policy.reason,
        published_at=policy.published_at,
        published_by=None if actor is None else actor.holder,
        certificate=None if actor is None else actor.certificate,
        in_force=in_effect[-1:] == [policy.versions.policy_version],
    )


def _readings(policy: Policy) -> list[ReadingView]:
    values = policies_of(policy.versions)
    return [
        ReadingView(
            name=name,
            number=reading.number,
            question=reading.question,
            value=getattr(values, name),
            default=getattr(DEFAULT, name),
            allowed=allowed_text(reading),
            where=reading.where,
        )
        for name, reading in READINGS.items()
    ]
