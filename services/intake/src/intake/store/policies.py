"""Policy versions, each as it was published, for good (Art. 23, 24)."""

from functools import lru_cache
from typing import Final

import asyncpg

from chassis.database import Connection, Work
from contracts.intake import PolicyPublished
from contracts.parts import Actor, Policies
from intake.domain.policies import Policy

_ADD: Final = """
    INSERT INTO policies (version, versions, effective_at, document, reason, holder, certificate, published_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (version) DO NOTHING RETURNING version
"""
_ALL: Final = "SELECT * FROM policies ORDER BY effective_at, published_at"


async def add(work: Work, event: PolicyPublished) -> bool:
    """Keep a policy version; False when its name is taken."""
    versions = Policies(
        catalogue_version=event.catalogue_version, policy_version=event.version, settings=event.settings
    )
    written = (event.effective_at, event.document, event.reason, event.actor.holder, event.actor.certificate)
    return await work.fetchval(_ADD, event.version, as_text(versions), *written, event.occurred_at) is not None


async def every(connection: Connection) -> list[Policy]:
    """Return all policy versions, in the order in which they come into effect."""
    return [_policy(row) for row in await connection.fetch(_ALL)]


def _policy(row: asyncpg.Record) -> Policy:
    actor = Actor(holder=row["holder"], certificate=row["certificate"])
    written = (row["effective_at"], row["document"], row["reason"], row["published_at"])
    return Policy(of_text(row["versions"]), *written, actor)


def as_text(versions: Policies) -> str:
    """Return what a case runs under, for a column."""
    return versions.model_dump_json()


@lru_cache(1024)
def of_text(text: str) -> Policies:
    """Return what a case runs under, out of its column."""
    return Policies.model_validate_json(text)
