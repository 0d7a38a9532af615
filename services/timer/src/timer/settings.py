"""The timer's settings."""

from typing import Annotated

from pydantic import Field

from chassis import settings


class Settings(settings.Settings):
    """How many deadlines fire in one transaction, and how often the timer looks though nothing woke it."""

    fire_batch: Annotated[int, Field(ge=1, le=10_000, description="Deadlines fired in one transaction")] = 1000
    look_ms: Annotated[int, Field(ge=10, le=60_000, description="Longest sleep of the timer, ms")] = 2000
