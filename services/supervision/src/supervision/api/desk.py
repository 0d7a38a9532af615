"""What every route stands on: who may come in, the database, the catalogue, and how a write is made.

A write is one act under its idempotency key: its event is said, and taken in at once, in one transaction that waits for
the disk, so that what was answered can be read.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from chassis import idempotency
from chassis.catalogue import City
from chassis.database import Connection, Database, Work
from chassis.http import traceparent_of
from chassis.idempotency import Key
from chassis.identity import requires
from chassis.wallclock import WallClock
from contracts import topics
from contracts.codes import CITY, DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.envelope import Event, derived_id
from contracts.terms import Role, Stage
from procedure import authority
from procedure.authority import Caller, NotFound
from procedure.catalogue import Catalogue
from supervision.domain import ItemRow, Names
from supervision.store import rows, said

Supervisor = Annotated[Caller, Depends(requires(Role.SUPERVISOR))]
Auditor = Annotated[Caller, Depends(requires(Role.SUPERVISOR, Role.ADMIN))]
Lead = Annotated[Caller, Depends(requires(Role.LEAD))]
Officer = Annotated[Caller, Depends(requires(Role.OFFICER))]
Presser = Annotated[Caller, Depends(requires(Role.SUPERVISOR, Role.LEAD))]
"""Who presses and inspects: supervision, and the lead of the stage (Art. 22)."""
Filer = Annotated[Caller, Depends(requires(Role.LEAD, Role.OFFICER))]
Concerned = Annotated[Caller, Depends(requires(Role.SUPERVISOR, Role.LEAD, Role.OFFICER))]
IdempotencyKey = Annotated[str, Depends(idempotency.key_of)]
Most = Annotated[int, Query(ge=1, le=1000)]
Made = tuple[Event, dict[str, str]]
Act = Callable[[Work, UUID], Awaitable[Made]]
"""Decides in a unit of work, under the id that the event is to have, and returns the event and the answer."""


@dataclass(frozen=True)
class Desk:
    """One database, clock and city."""

    database: Database
    wallclock: WallClock
    city: City

    @cached_property
    def names(self) -> Names:
        return Names(self.city.catalogues.values())

    async def write(self, request: Request, caller: Caller, key: str, asked: tuple[object, ...], act: Act) -> Response:
        """Do an act once: say its event, take it in, and answer 202; the same key again gets the same answer."""
        held = Key(caller.subject, key, idempotency.digest(*asked))
        async with self.database.work(traceparent_of(request)) as work:
            await work.execute("SET LOCAL synchronous_commit = on")
            answer = await idempotency.claim(work, held)
            if answer is None:
                event, body = await act(work, derived_id(asked[0], caller.subject, key))
                await said.take(work, [event])
                work.say(topics.SUPERVISION, event)
                answer = await idempotency.remember(work, held, 202, body)
        return Response(answer.body, answer.status, media_type="application/json")

    async def item(self, connection: Connection, item_id: UUID) -> ItemRow:
        """Return an item. Raises NotFound."""
        item = await rows.item(connection, item_id)
        if item is None:
            raise NotFound
        return item

    async def catalogue_of(self, connection: Connection, application_id: UUID) -> Catalogue:
        """Return the catalogue that a stage application runs under; the city's first for one not yet declared."""
        stage = await rows.stage(connection, application_id)
        return self.city.catalogue if stage is None else self.city.version(stage.catalogue_version)

    async def own_stage(
        self, connection: Connection, caller: Caller, stage: int, application_id: UUID, jurisdiction: str
    ) -> None:
        """Hold a lead to the stages that its department leads, in its territory, and a supervisor to its territory.

        Raises NotYourStage or NotYourJurisdiction (Art. 5, 21, 22).
        """
        catalogue = await self.catalogue_of(connection, application_id)
        authority.own_stage(caller, catalogue.stages[Stage(stage)].lead_department, jurisdiction)

    async def own_item(self, connection: Connection, caller: Caller, item: ItemRow) -> None:
        """Hold a lead, a supervisor or an officer to an item that is theirs. Raises the refusal that says why not."""
        if caller.role is Role.OFFICER:
            authority.own_item(caller, item.jurisdiction, item.department)
        else:
            await self.own_stage(connection, caller, item.stage, item.application_id, item.jurisdiction)

    def own_board(self, caller: Caller, stage: Stage) -> None:
        """Hold a lead to the board of a stage that its department leads (Art. 5). Raises NotYourStage."""
        lead = self.city.catalogue.stages[stage].lead_department
        authority.own_stage(caller, lead, caller.jurisdiction or CITY)


def about_stage(row: ItemRow, event_id: UUID, at: datetime) -> dict[str, Any]:
    """Return what an event about the stage of an item begins with."""
    return {
        "event_id": event_id,
        "causation_id": event_id,
        "occurred_at": at,
        "project_code": ProjectCode(row.project_code),
        "application_id": row.application_id,
        "stage": Stage(row.stage),
    }


def about_item(row: ItemRow, event_id: UUID, at: datetime) -> dict[str, Any]:
    """Return what an event about an item begins with."""
    return {
        **about_stage(row, event_id, at),
        "item_id": row.item_id,
        "item_code": ItemCode(row.item_code),
        "attempt": row.attempt,
        "department": DepartmentCode(row.department),
        "jurisdiction": JurisdictionCode(row.jurisdiction),
    }
