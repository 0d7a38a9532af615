"""What every route stands on: who may come in, one unit of work per write, and whose things are whose."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import idempotency
from chassis.calendars import Calendars
from chassis.catalogue import City
from chassis.database import Connection, Database, Work
from chassis.filing import Filing
from chassis.http import traceparent_of
from chassis.idempotency import Answer, Key
from chassis.identity import requires
from chassis.wallclock import WallClock
from contracts.codes import ItemCode, JurisdictionCode, MaterialCode, ProjectCode, Sha256
from contracts.envelope import Line, derived_id
from contracts.parts import MaterialRef
from contracts.terms import Role
from intake import domain, store
from intake.domain.admission import Project
from intake.domain.given import GivenMaterial
from intake.domain.progress import Progress
from intake.materials import Materials
from intake.store.applications import Application
from procedure import authority
from procedure.authority import Caller, NotFound
from procedure.catalogue import Catalogue

OnlyBuilder = Annotated[Caller, Depends(requires(Role.BUILDER))]
Window = Annotated[Caller, Depends(requires(Role.WINDOW))]
Reader = Annotated[Caller, Depends(requires(Role.BUILDER, Role.WINDOW, Role.SUPERVISOR, Role.PLATFORM))]
IdempotencyKey = Annotated[str, Depends(idempotency.key_of)]
CodeInPath = Annotated[ProjectCode, Path()]
Act = Callable[..., Awaitable[Answer]]
ITEM: Final = "/applications/{application_id}/items/{item_code}"


class Given(BaseModel):
    """What callers send: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class MaterialGiven(Given):
    """One material of the set: its code and the address that the upload answered."""

    code: MaterialCode
    sha256: Sha256
    name: Line


OneSet = Annotated[list[MaterialGiven], Field(max_length=100)]


class Accepted(BaseModel):
    """What was asked is durable; its progress can be read at `location`."""

    application_id: UUID
    location: str


@dataclass(frozen=True, slots=True)
class Office:
    """One database, clock, city with its calendars, stores of materials and of sealed documents."""

    database: Database
    wallclock: WallClock
    city: City
    calendars: Calendars
    materials: Materials
    filing: Filing

    async def once(self, request: Request, caller: Caller, given: str, what: str, act: Act, *about: Any) -> Response:
        """Run `act(work, key, *about)` once per idempotency key `given`, in one unit of work."""
        key = Key(caller.subject, given, idempotency.digest(request.method, request.url.path, what))
        async with self.database.work(traceparent_of(request)) as work:
            answer = await idempotency.claim(work, key) or await act(work, key, *about)
        return Response(answer.body, answer.status, media_type="application/json")

    def under(self, application: Application) -> Catalogue:
        """Return the catalogue that a stage application was admitted under."""
        return self.city.under(application.policies)

    def places(self, caller: Caller) -> list[JurisdictionCode]:
        """Return where a caller's territorial permission reaches (Art. 18)."""
        return [place for place in self.city.catalogue.places if authority.covers(caller.jurisdiction, place)]

    async def project(self, connection: Connection, code: str, caller: Caller, *, lock: bool = False) -> Project:
        """Return a project that is the caller's business. Raises NotFound or NotYourJurisdiction."""
        project = await store.projects.find(connection, code, lock=lock)
        if project is None:
            raise NotFound
        authority.own_project(caller, project.builder.uscc)
        authority.own_territory(caller, project.jurisdiction)
        return project

    async def application(
        self, connection: Connection, caller: Caller, application_id: UUID, *, lock: bool
    ) -> Application:
        """Return a stage application that is the caller's business. Raises NotFound or NotYourJurisdiction."""
        application = await store.applications.find(connection, application_id, lock=lock)
        if application is None:
            raise NotFound
        authority.own_project(caller, application.builder)
        authority.own_territory(caller, application.jurisdiction)
        return application

    async def item(
        self, work: Work, caller: Caller, application_id: UUID, item_code: ItemCode, *, lock: bool = True
    ) -> tuple[Application, Progress]:
        """Return an item with its stage application, with `lock` held until the unit of work ends.

        Raises NotFound or NotYourJurisdiction.
        """
        application = await self.application(work.connection, caller, application_id, lock=lock)
        row = (await store.progress.load(work.connection, [application_id])).get((application_id, item_code))
        if row is None:
            raise NotFound
        return application, row

    async def given(
        self, work: Work, caller: Caller, materials: list[MaterialGiven], catalogue: Catalogue
    ) -> tuple[MaterialRef, ...]:
        """Return what a builder hands in. Raises MaterialNotYours or MaterialTypeWrong."""
        given = [GivenMaterial(one.code, one.sha256, one.name) for one in materials]
        known = await store.given.uploads(work.connection, caller.uscc or "", {one.sha256 for one in given})
        return domain.given.references(given, known, catalogue)

    async def about(self, work: Work, key: Key, application: Application, kind: Any) -> dict[str, Any]:
        """Return what the next event of a stage application carries."""
        version = await store.applications.next_version(work, application.application_id)
        cause = derived_id(kind.__name__, key.caller, key.key)
        return domain.admission.about(kind, application, version, cause, self.now())

    def now(self) -> datetime:
        return self.wallclock.now()


async def accepted(work: Work, key: Key, application_id: UUID) -> Answer:
    """Answer 202 once the unit of work commits."""
    view = {"application_id": str(application_id), "location": f"/applications/{application_id}"}
    return await idempotency.remember(work, key, 202, view)
