"""Supervision's settings: every service's, what is a sign of handling off the platform, what goes upwards."""

from typing import Annotated

from pydantic import Field

from chassis import settings


class Settings(settings.Settings):
    """Signs (体外循环, Art. 21) each with a value that turns it off; the national exchange (Art. 3)."""

    signal_minutes: Annotated[
        int, Field(ge=0, le=1440, description="Accepted and concluded within so many minutes is a sign; 0: never")
    ] = 10
    signal_document_date: Annotated[bool, Field(description="A document dated before the acceptance day is a sign")] = (
        True
    )
    signal_unviewed: Annotated[
        bool, Field(description="Concluded on the platform before anybody opened its materials is a sign")
    ] = True
    signal_burst_steps: Annotated[
        int,
        Field(
            ge=0, le=1000, description="So many steps of one holder in an hour out of office hours are one; 0: never"
        ),
    ] = 10
    system_certificates: Annotated[
        str,
        Field(description="Prefixes, comma-separated, of certificates that look at materials in a system of their own"),
    ] = ""
    audit_close_seconds: Annotated[
        float, Field(gt=0, le=86400, description="Audit chains that moved are closed and sealed every so many seconds")
    ] = 60.0
    exchange: Annotated[bool, Field(description="Keep the rows of the national data exchange standard")] = True
