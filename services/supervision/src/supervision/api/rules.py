"""The audit list of the rules: policies, calendar, roster (Art. 18, 23)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from contracts.codes import CITY
from contracts.terms import Role
from supervision.api.desk import Auditor, Desk, Most
from supervision.domain import places_of
from supervision.rules import RuleKind
from supervision.store import rules


class RuleView(BaseModel):
    """One change of the rules: who, when, from when on, by which document, to what effect."""

    rule_id: UUID
    kind: RuleKind
    jurisdiction: str
    said_at: datetime | None
    effective_at: datetime
    until: datetime | None
    who: str
    document: str
    effect: str


def router(desk: Desk) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/rules", summary="规则变更：政策、日历、责任人名单")
    async def read_rules(
        caller: Auditor, kind: Annotated[RuleKind | None, Query()] = None, most: Most = 200
    ) -> list[RuleView]:
        places = None if caller.role is Role.ADMIN else places_of(caller)
        async with desk.database.reading() as connection:
            wanted = None if places is None else [CITY, *places]
            found = await rules.listed(connection, wanted, None if kind is None else kind.value, most)
        return [RuleView(**rule._asdict()) for rule in found]

    return routes
