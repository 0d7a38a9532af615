"""Idempotency keys: the same request twice is one act with one answer, the same key for another request is refused.

The answer is kept in the transaction of the act, so it stands exactly when the act does.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated

import orjson
from fastapi import Header, Request

from chassis.database import Work
from procedure.refusals import Refusal


class IdempotencyKeyReused(Refusal):
    """该幂等键已用于另一请求，请更换 Idempotency-Key"""

    article = None
    status = 422


class IdempotencyKeyMissing(Refusal):
    """写操作须带请求头 Idempotency-Key（8 至 80 个字母、数字或 . _ : -）"""

    article = None
    status = 400


@dataclass(frozen=True, slots=True)
class Key:
    """One caller's key for one request, by the digest of what was asked."""

    caller: str
    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: an HTTP status and a JSON body."""

    status: int
    body: bytes


_CLAIM = """
    INSERT INTO idempotency_keys (caller, key, digest) VALUES ($1, $2, $3)
    ON CONFLICT (caller, key) DO UPDATE SET key = excluded.key
    RETURNING digest, status, body
"""
_REMEMBER = "UPDATE idempotency_keys SET status = $3, body = $4 WHERE caller = $1 AND key = $2"


async def key_of(request: Request, idempotency_key: Annotated[str | None, Header()] = None) -> str:
    """Return the request's idempotency key. Raises IdempotencyKeyMissing."""
    given = idempotency_key or ""
    if not (
        8 <= len(given) <= 80 and all(letter.isascii() and (letter.isalnum() or letter in "._:-") for letter in given)
    ):
        raise IdempotencyKeyMissing
    return given


def digest(*parts: object) -> bytes:
    """Return the digest of what a request asks for."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()


async def claim(work: Work, key: Key) -> Answer | None:
    """Claim `key` in this unit of work: None the first time, the former answer at a repeat.

    A concurrent repeat waits here for the first one to commit. Raises IdempotencyKeyReused for another request.
    """
    row = await work.fetchrow(_CLAIM, key.caller, key.key, key.digest)
    assert row is not None
    if row["digest"] != key.digest:
        raise IdempotencyKeyReused
    return None if row["status"] is None else Answer(row["status"], row["body"])


async def remember(work: Work, key: Key, status: int, body: object) -> Answer:
    """Keep and return the answer to `key`."""
    kept = Answer(status, orjson.dumps(body))
    await work.execute(_REMEMBER, key.caller, key.key, kept.status, kept.body)
    return kept


async def purge(work: Work) -> None:
    """Forget keys older than seven days."""
    await work.execute("DELETE FROM idempotency_keys WHERE created_at < now() - interval '7 days'")
