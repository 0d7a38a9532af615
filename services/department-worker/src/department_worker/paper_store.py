"""The SQL of documents that leave the house: noted when their step was taken, printed, sealed, filed; their numbers.

The rows are the queue of the press: what died in between is found by whoever looks next.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from chassis.database import Connection, Work
from contracts.codes import Sha256
from contracts.department_worker import ItemDecided
from contracts.intake import WindowDocumentRequested
from contracts.terms import DocumentKind
from department_worker.domain import Paper
from department_worker.rows import transposed
from procedure.notices import NOTICED, NOTICES, OF_THE_WINDOW


class Stand(StrEnum):
    """Where a document stands on its way."""

    DECIDED = "DECIDED"
    ASKED = "ASKED"
    ANSWERED = "ANSWERED"
    SEALED = "SEALED"
    VOID = "VOID"


_STEPS: Final = {kind: step for step, kind in NOTICED.items()} | dict.fromkeys(OF_THE_WINDOW, WindowDocumentRequested)
"""What the column `decided` holds for a notice, or for the window's; for every other document it is the decision."""
OPEN: Final = (Stand.DECIDED, Stand.ASKED, Stand.ANSWERED)
_WRITE = """
    INSERT INTO papers (request_id, item_id, kind, decided, traceparent, stand)
    SELECT *, 'DECIDED' FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
    ON CONFLICT (request_id) DO NOTHING
"""
_WAITING = """
    SELECT request_id, kind, decided, traceparent, digest, signature, signed_at FROM papers WHERE stand = $1
    ORDER BY random() LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_NUMBER = """
    INSERT INTO paper_numbers (series, year, last) SELECT * FROM unnest($1::text[], $2::int[], $3::int[]) ORDER BY 1, 2
    ON CONFLICT (series, year) DO UPDATE SET last = paper_numbers.last + excluded.last RETURNING series, year, last
"""
_ASK = """
    UPDATE papers p SET stand = 'ASKED', number = u.number, digest = u.digest
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS u (request_id, number, digest) WHERE p.request_id = u.request_id
"""
_ANSWER = """
    UPDATE papers p SET stand = 'ANSWERED', signature = u.signature, signed_at = u.signed_at
    FROM unnest($1::uuid[], $2::bytea[], $3::timestamptz[]) AS u (request_id, signature, signed_at)
    WHERE p.request_id = u.request_id AND p.stand = 'ASKED'
"""
_FILE = """
    UPDATE papers p SET stand = 'SEALED', file = u.file, signature = NULL
    FROM unnest($1::uuid[], $2::text[]) AS u (request_id, file) WHERE p.request_id = u.request_id
"""
_VOID = "UPDATE papers SET stand = 'VOID' WHERE request_id = ANY($1::uuid[]) AND stand <> 'SEALED'"
_LAST_FILED = """
    SELECT file FROM papers WHERE item_id = $1 AND stand = 'SEALED'
    ORDER BY kind = ANY($2::text[]), signed_at DESC LIMIT 1
"""
_FILED = "SELECT file FROM papers WHERE item_id = $1 AND stand = 'SEALED' AND file = $2"


class Waiting(NamedTuple):
    """A document that waits for the press: to be printed, or for its signature to be put in; answered without one, its
    seal was refused."""

    paper: Paper
    digest: Sha256 | None
    signature: bytes | None
    signed_at: datetime | None


async def write(work: Work, papers: Iterable[Paper]) -> None:
    """Note what has to be printed."""
    rows = ((p.request_id, p.item_id, p.kind.value, p.step.model_dump_json(), p.traceparent) for p in papers)
    await work.execute(_WRITE, *transposed(rows))


async def waiting(work: Work, stand: Stand, most: int) -> list[Waiting]:
    """Return documents that stand there, locked for this unit of work, in no order: one
    that cannot be made keeps no other waiting. Those that another has are passed over."""
    return [_waiting(row) for row in await work.fetch(_WAITING, stand.value, most)]


def _waiting(row: asyncpg.Record) -> Waiting:
    kind = DocumentKind(row["kind"])
    step = _STEPS.get(kind, ItemDecided).model_validate_json(row["decided"])
    paper = Paper(row["request_id"], kind, step, row["traceparent"])
    digest = None if row["digest"] is None else Sha256(row["digest"])
    return Waiting(paper, digest, row["signature"], row["signed_at"])


async def numbers(work: Work, wanted: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """Take as many numbers of each series and year as are wanted; return the last one taken of each."""
    rows = [(series, year, count) for (series, year), count in wanted.items()]
    taken = await work.fetch(_NUMBER, *transposed(rows)) if rows else []
    return {(row["series"], row["year"]): row["last"] for row in taken}


async def ask(work: Work, printed: Sequence[tuple[UUID, str, Sha256]]) -> None:
    """Keep number and digest of what was printed."""
    if printed:
        await work.execute(_ASK, *transposed(printed))


async def answer(work: Work, answers: Sequence[tuple[UUID, bytes | None, datetime]]) -> None:
    """Keep the signatures that came, or (None) that they were refused; the first answer is the answer."""
    await work.execute(_ANSWER, *transposed(answers))


async def file(work: Work, filed: Sequence[tuple[UUID, Sha256]]) -> None:
    """Keep under which digest each sealed document is filed."""
    if filed:
        await work.execute(_FILE, *transposed(filed))


async def void(work: Work, requests: Collection[UUID]) -> None:
    """What became of these needs no document any more."""
    if requests:
        await work.execute(_VOID, list(requests))


async def is_filed(connection: Connection, item_id: UUID, file: Sha256) -> bool:
    """Whether that file is the item's sealed document."""
    return await connection.fetchval(_FILED, item_id, file) is not None


async def filed(connection: Connection, item_id: UUID) -> Sha256 | None:
    """Return under which digest the item's sealed document is filed, or None: its decision if there is one, else its
    last notice."""
    return await connection.fetchval(_LAST_FILED, item_id, sorted(NOTICES))
