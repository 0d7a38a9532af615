"""Intake over HTTP: the 多规合一 platform pushes, builders declare and ask, the window receives and issues, officers
look at materials, the administrator publishes policies."""

from fastapi import APIRouter

from intake.api import (
    declarations,
    documents,
    first_recorders,
    materials,
    policies,
    progress,
    projects,
    results,
    window,
    withdrawals,
)
from intake.api.office import Office

PARTS = (
    projects,
    declarations,
    withdrawals,
    window,
    progress,
    results,
    documents,
    materials,
    first_recorders,
    policies,
)


def router(office: Office) -> APIRouter:
    """Return all routes."""
    routes = APIRouter()
    for part in PARTS:
        routes.include_router(part.router(office))
    return routes
