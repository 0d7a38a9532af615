"""Signing's tables as they stand after the newest revision."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, Index

from chassis.alembic.described import instant, tables_of_a_service

Base = tables_of_a_service()


class Seal(Base, table=True):
    __tablename__ = "seals"
    __table_args__ = (Index("seals_item", "item_id"),)
    request_id: UUID = Field(primary_key=True)
    item_id: UUID
    project_code: str
    digest: str
    algorithm: str
    signature: str
    certificate: str
    signed_at: datetime = instant()
