"""The timer's settings."""

from typing import Annotated

from pydantic import Field

from chassis import settings


class Settings(settings.Settings):
    """How many rows are acted on or counted anew in one transaction, how often the timer looks though nothing woke it,
    and how often it holds its rows against the topics."""

    fire_batch: Annotated[int, Field(ge=1, le=10_000, description="Deadlines fired in one transaction")] = 2000
    look_ms: Annotated[int, Field(ge=10, le=60_000, description="Longest sleep of the timer, ms")] = 2000
    recount_batch: Annotated[
        int, Field(ge=1, le=10_000, description="Clocks counted anew in one transaction when the calendar changes")
    ] = 1000
    reconcile_minutes: Annotated[
        int, Field(ge=0, le=10_080, description="How often clocks are compared with the topics; 0: on demand only")
    ] = 60
