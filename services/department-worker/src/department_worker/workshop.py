"""Printing and sealing off the event loop: a few processes of their own, begun when there is work, begun anew when one
dies. They are spawned, never forked: this process holds connections and threads.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeVar

import structlog

from department_worker.documents import Facts, Prepared
from evidence.long_term import Evidence

PATIENCE_SECONDS: Final = 60.0
Made = TypeVar("Made")

log = structlog.get_logger()


class WorkshopFails(Exception):
    """A document was not made in time, or its process died; it waits and is made again."""


class Workshop:
    """The processes that print with the fonts of a folder, and judge by the trust list of another."""

    def __init__(self, fonts: Path, trust_folder: Path, processes: int, *, is_test: bool) -> None:
        self._fonts = fonts
        self._trust_folder = trust_folder
        self._processes = min(processes, os.cpu_count() or 1)
        self._is_test = is_test
        self._pool: ProcessPoolExecutor | None = None

    async def prepared(self, facts: Facts, evidence: Evidence) -> Prepared:
        """Return the document that `facts` make, with `evidence` in it, waiting for its signature. Raises
        WorkshopFails."""
        return await self._made(_prepare, facts, evidence, self._fonts, self._is_test)

    async def sealed(self, pdf: bytes, signature: bytes) -> bytes:
        """Return the sealed document, verified. Raises NotAsSealed or WorkshopFails."""
        return await self._made(_finish, pdf, signature, self._trust_folder)

    def processes(self) -> list[int]:
        """Return the ids of the processes that stand ready."""
        return [] if self._pool is None else list(self._pool._processes)

    def close(self) -> None:
        """End the processes; what they were at is made again."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.shutdown(wait=False, cancel_futures=True)

    async def _made(self, make: Callable[..., Made], *of: object) -> Made:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._processes, get_context("spawn"), begin)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._pool, make, *of)
        except (BrokenProcessPool, TimeoutError) as trouble:
            log.error("workshop.begins_anew", trouble=repr(trouble))
            self.close()
            raise WorkshopFails(repr(trouble)) from trouble


# In the processes ------------------------------------------------------------------------------------------------


def begin() -> None:
    """End with the process that this one works for, however that one ends: a pool of its own would wait for ever."""
    Thread(target=_end_with, args=(parent_process(),), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(0)


def _prepare(facts: Facts, evidence: Evidence, fonts: Path, is_test: bool) -> Prepared:
    from department_worker import making  # here, not in the service's own process: see there

    return making.prepare(facts, evidence, fonts, is_test)


def _finish(pdf: bytes, signature: bytes, trust_folder: Path) -> bytes:
    from department_worker import making

    return making.finish(pdf, signature, trust_folder)
