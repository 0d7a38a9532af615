"""Intake over HTTP: the 多规合一 platform pushes, builders declare and ask, the window receives and issues, officers
look at materials, the administrator publishes policies."""

from fastapi import APIRouter

from intake.api import (
    declarations,
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


def router(office: Office) -> APIRouter:
    """Return all routes."""
    routes = APIRouter()
    for part in (projects, declarations, withdrawals, window, progress, results, materials, first_recorders, policies):
        routes.include_router(part.router(office))
    return routes
