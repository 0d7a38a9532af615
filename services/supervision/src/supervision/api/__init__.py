"""Supervision over HTTP: what leads and supervisors see, and how they press, settle and decide (Art. 5, 17, 21, 22)."""

from fastapi import APIRouter

from supervision.api import answers, audit, cases, clocks, deeds, exchange, handlings, leads, overview, rules, signals
from supervision.api.desk import Desk

__all__ = ["Desk", "routers"]


def routers(desk: Desk) -> list[APIRouter]:
    """Return every route."""
    modules = (overview, clocks, cases, answers, leads, handlings, signals, rules, exchange, audit, deeds)
    return [module.router(desk) for module in modules]
