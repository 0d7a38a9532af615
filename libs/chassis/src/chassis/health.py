"""Three questions with three meanings: has it started, may it be given work, does its loop still turn."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import APIRouter, Response

STUCK_SECONDS: Final = 60.0


class Health:
    """The state of one service: `started` once, `ready` while every check holds, `live` while its loop turns."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._checks: dict[str, Callable[[], Awaitable[bool]]] = {}
        self._started = False
        self._stopping = False
        self._died = ""
        self._beat_at: float | None = None

    def check(self, name: str, holds: Callable[[], Awaitable[bool]]) -> None:
        """Be ready only while `holds` answers True."""
        self._checks[name] = holds

    def beat(self) -> None:
        """The service's loop turned."""
        self._beat_at = time.monotonic()

    def is_started(self) -> None:
        self._started = True

    def is_stopping(self) -> None:
        self._stopping = True

    def has_died(self, reason: str) -> None:
        """A part of the service ended for good: only a restart helps."""
        self._died = reason

    def live(self) -> bool:
        """Whether the process should go on living."""
        turning = self._beat_at is None or time.monotonic() - self._beat_at < STUCK_SECONDS
        return turning and not self._died

    async def parts(self) -> dict[str, bool]:
        """Return every check with its answer."""
        return {name: await holds() for name, holds in self._checks.items()}

    def router(self) -> APIRouter:
        """Return the three routes."""
        router = APIRouter(prefix="/health", include_in_schema=False)

        @router.get("/started")
        async def started(response: Response) -> dict[str, Any]:
            return self._answer(response, self._started, {})

        @router.get("/ready")
        async def ready(response: Response) -> dict[str, Any]:
            parts = await self.parts()
            holds = self._started and not self._stopping and not self._died and all(parts.values())
            return self._answer(response, holds, {"parts": parts})

        @router.get("/live")
        async def live(response: Response) -> dict[str, Any]:
            return self._answer(response, self.live(), {"died": self._died} if self._died else {})

        return router

    def _answer(self, response: Response, holds: bool, more: dict[str, Any]) -> dict[str, Any]:
        response.status_code = 200 if holds else 503
        return {"service": self._service, "ok": holds, **more}
