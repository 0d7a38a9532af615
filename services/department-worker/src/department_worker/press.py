"""The press: what was decided, or has to be told, is printed, its seal is asked for; what signing made is put in, and
the item concludes or its notice is issued.

It runs beside the bus and takes its work from rows (`paper_store`), each step in one unit of work: a document is
printed and asked for or it is neither; it is filed and its item concludes, or it waits. Nothing is lost while signing
is away.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

import structlog

from chassis.calendars import Calendars
from chassis.catalogue import City
from chassis.database import Database, Work
from chassis.filing import Filing
from contracts import topics
from contracts.codes import Sha256
from department_worker import documents, domain, paper_store, store
from department_worker.documents import Facts, Prepared
from department_worker.domain import Dossier, Paper
from department_worker.paper_store import Stand, Waiting
from department_worker.workshop import Workshop
from procedure.calendar import SHANGHAI
from procedure.items import Item

MOST: Final = 16
"""Documents of one unit of work."""
POLL_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 1.0

log = structlog.get_logger()


class Press:
    """Prints and seals for one worker; `verify_url` is where the code on a document leads."""

    def __init__(
        self,
        database: Database,
        calendars: Calendars,
        city: City,
        workshop: Workshop,
        filing: Filing,
        verify_url: str,
    ) -> None:
        self._database = database
        self._calendars = calendars
        self._city = city
        self._workshop = workshop
        self._filing = filing
        self._verify_url = verify_url
        self._wakes = {some: asyncio.Event() for some in (Stand.DECIDED, Stand.ANSWERED)}

    def wake(self) -> None:
        """There is work, or there will be once a unit of work has committed."""
        for event in self._wakes.values():
            event.set()

    async def run(self) -> None:
        """Work for as long as the service does."""
        try:
            await asyncio.gather(
                self._keep_doing(self.print_some, self._wakes[Stand.DECIDED]),
                self._keep_doing(self.seal_some, self._wakes[Stand.ANSWERED]),
            )
        finally:
            self._workshop.close()

    async def _keep_doing(self, some: Callable[[int], Awaitable[int]], wakes: asyncio.Event) -> None:
        """Take up many at a time; after trouble one, then more and more again: what cannot be made is alone with it."""
        most = MOST
        while True:
            try:
                done = await some(most)
            except Exception as trouble:
                most = 1
                log.error("press.waits", trouble=repr(trouble), seconds=RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                most = min(MOST, 2 * most)
                if not done:
                    await _rest(wakes)

    # Printed ----------------------------------------------------------------------------------------------------

    async def print_some(self, most: int = MOST) -> int:
        """Print what waits for it and ask for its seals; return how many documents were taken up."""
        async with self._database.work() as work:
            waiting = [one.paper for one in await paper_store.waiting(work, Stand.DECIDED, most)]
            items = await store.whole(work, [one.step.item_id for one in waiting])
            due = [one for one in waiting if _is_due(one, items[one.step.item_id][0])]
            await paper_store.void(work, {one.request_id for one in waiting} - {one.request_id for one in due})
            facts = await self._facts(work, due, items)
            made = await asyncio.gather(*map(self._workshop.prepared, facts))
            await asyncio.gather(*(self._filing.put(_waits_as(one.digest), one.pdf) for one in made))
            await self._ask(work, due, items, facts, made)
        return len(waiting)

    async def _facts(self, work: Work, papers: Sequence[Paper], items: dict[UUID, tuple[Item, Dossier]]) -> list[Facts]:
        """Return what each document says, each with the next number of its series (文号)."""
        series = [self._series(paper, items[paper.step.item_id][0]) for paper in papers]
        last, counts = await paper_store.numbers(work, Counter(series)), Counter(series)
        facts: list[Facts] = []
        for paper, key in zip(papers, series, strict=True):
            item, dossier = items[paper.step.item_id]
            counts[key] -= 1
            number = documents.number(*key, last[key] - counts[key])
            catalogue = self._city.under(item.versions)
            facts.append(domain.facts_of(item, dossier, paper, catalogue, number, self._verify_url))
        return facts

    def _series(self, paper: Paper, item: Item) -> tuple[str, int]:
        form = documents.FORMS[paper.kind, item.kind]
        series = documents.series_of(self._city.under(item.versions), item.jurisdiction, item.department, form)
        return series, paper.step.at.astimezone(SHANGHAI).year

    async def _ask(
        self,
        work: Work,
        papers: Sequence[Paper],
        items: dict[UUID, tuple[Item, Dossier]],
        facts: Sequence[Facts],
        made: Sequence[Prepared],
    ) -> None:
        numbered = zip(papers, facts, made, strict=True)
        await paper_store.ask(work, [(paper.request_id, said.number, one.digest) for paper, said, one in numbered])
        for paper, one in zip(papers, made, strict=True):
            asked = domain.paper_request(items[paper.step.item_id][0], paper, one.digest)
            work.say(topics.SEAL_REQUESTS, asked, traceparent=paper.traceparent)

    # Sealed -----------------------------------------------------------------------------------------------------

    async def seal_some(self, most: int = MOST) -> int:
        """Put in the signatures that came, file the documents, conclude their items or tell of the notices; return how
        many were taken up."""
        async with self._database.work() as work:
            answered = await paper_store.waiting(work, Stand.ANSWERED, most)
            files = await asyncio.gather(*map(self._filed, answered))
            requests = [one.paper.request_id for one in answered]
            await paper_store.file(work, list(zip(requests, files, strict=True)))
            done = list(zip(answered, files, strict=True))
            await self._conclude(work, [one for one in done if not one[0].paper.is_notice])
            _issue(work, [one for one in done if one[0].paper.is_notice])
        for one in answered:
            await self._filing.forget(_waits_as(one.digest))
        return len(answered)

    async def _filed(self, one: Waiting) -> Sha256:
        assert one.signature is not None
        pdf = await self._filing.get(_waits_as(one.digest))
        return await self._filing.keep(await self._workshop.sealed(pdf, one.signature))

    async def _conclude(self, work: Work, done: Sequence[tuple[Waiting, Sha256]]) -> None:
        batch = await store.load(work, [one.paper.step.item_id for one, _ in done])
        calendar = await self._calendars.in_force(work.connection)
        for one, file in done:
            item = batch.items[one.paper.step.item_id]
            if _is_due(one.paper, item) and one.signed_at is not None:
                act = domain.paper_sealed(one.paper, file, one.signed_at)
                store.take(work, batch, domain.judged(item, act, calendar.at(act.at)), one.paper.traceparent)
        if batch.changed:
            await store.keep(work, batch, calendar.newest)


async def _rest(wakes: asyncio.Event) -> None:
    """Wait until woken; what wakes has yet to commit, so look again soon, and now and then in any case."""
    try:
        async with asyncio.timeout(POLL_SECONDS):
            await wakes.wait()
    except TimeoutError:
        return
    wakes.clear()
    await asyncio.sleep(0.02)


def _issue(work: Work, done: Sequence[tuple[Waiting, Sha256]]) -> None:
    for one, file in done:
        assert one.signed_at is not None
        said = domain.issued(one.paper, file, one.signed_at)
        work.say(topics.ITEMS, said, traceparent=one.paper.traceparent)


def _is_due(paper: Paper, item: Item) -> bool:
    """Whether a document is still wanted: a decision's while its item waits for it, a notice whatever came after."""
    return paper.is_notice or (item.decision is not None and item.decision.request_id == paper.request_id)


def _waits_as(digest: Sha256 | None) -> str:
    return f"waiting/{digest}.pdf"
