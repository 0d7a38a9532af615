"""Intake's settings."""

from typing import Annotated

from pydantic import Field

from chassis import settings


class Settings(settings.Settings):
    """Where materials are kept, and where sealed documents are read."""

    materials_url: Annotated[str, Field(description="Where materials are kept: file:///folder or s3://bucket/prefix")]
    documents_url: Annotated[
        str, Field(description="Where sealed documents are filed: file:///folder or s3://bucket/prefix")
    ]
