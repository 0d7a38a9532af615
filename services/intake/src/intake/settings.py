"""Intake's settings."""

from typing import Annotated

from chassis import settings
from pydantic import Field


class Settings(settings.Settings):
    """Where materials are kept."""

    materials_url: Annotated[str, Field(description="Where materials are kept: file:///folder or s3://bucket/prefix")]
