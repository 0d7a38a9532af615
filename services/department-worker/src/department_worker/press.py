"""The press: what was decided, has to be told, or is asked of the window, is printed, its seal is asked for; what
signing made is put in, and the item concludes or the document is issued.

It runs beside the bus and takes its work from rows (`paper_store`), each step in one unit of work: a document is
printed and asked for or it is neither; it is filed and its item concludes, or it waits. Nothing is lost while signing
is away.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from chassis.calendars import Calendars
from chassis.catalogue import City
from chassis.database import Database, Work
from chassis.filing import Filing
from contracts import topics
from contracts.codes import Sha256
from contracts.department_worker import SealRequested
from contracts.intake import WindowDocumentRequested
from department_worker import documents, domain, paper_store, store, window
from department_worker.at_hand import AtHand
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

Items = Mapping[UUID, tuple[Item, Dossier]]

log = structlog.get_logger()


class Order(NamedTuple):
    """A document to print: the series and year that it is numbered in, what it says by number and place to verify it,
    and the request for its seal by its digest."""

    paper: Paper
    series: tuple[str, int]
    facts: Callable[[str, str], Facts]
    request: Callable[[Sha256], SealRequested]


class Press:
    """Prints and seals for one worker; `verify_url` is where the code on a document leads."""

    def __init__(
        self,
        database: Database,
        calendars: Calendars,
        city: City,
        workshop: Workshop,
        filing: Filing,
        at_hand: AtHand,
        verify_url: str,
    ) -> None:
        self._database = database
        self._calendars = calendars
        self._city = city
        self._workshop = workshop
        self._filing = filing
        self._at_hand = at_hand
        self._verify_url = verify_url
        self._wakes = {some: asyncio.Event() for some in (Stand.DECIDED, Stand.ANSWERED)}

    def wake(self) -> None:
        """There is work."""
        for event in self._wakes.values():
            event.set()

    async def run(self) -> None:
        """Work for as long as the service does."""
        try:
            await asyncio.gather(
                self._keep_doing(self.print_some, self._wakes[Stand.DECIDED]),
                self._keep_doing(self.seal_some, self._wakes[Stand.ANSWERED]),
                self._at_hand.keep_fresh(),
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
            items = await store.whole(work, [one.item_id for one in waiting if one.item_id])
            due = [one for one in waiting if _is_due(one, items)]
            await paper_store.void(work, {one.request_id for one in waiting} - {one.request_id for one in due})
            orders = [self._order(one, items) for one in due]
            facts = await self._facts(work, orders)
            evidence = self._at_hand.evidence()
            made = await asyncio.gather(*(self._workshop.prepared(one, evidence) for one in facts))
            await asyncio.gather(*(self._filing.put(_waits_as(one.digest), one.pdf) for one in made))
            await _ask(work, orders, facts, made)
        return len(waiting)

    def _order(self, paper: Paper, items: Items) -> Order:
        step = paper.step
        if isinstance(step, WindowDocumentRequested):
            city = self._city.under(step.policies)
            series, told = window.series_of(step, city), partial(window.facts_of, step, city)
            return Order(paper, _of_the_year(series, step.at), told, partial(window.seal_request, step))
        item, dossier = items[step.item_id]
        city, form = self._city.under(item.versions), documents.FORMS[paper.kind, item.kind]
        series = documents.series_of(city, item.jurisdiction, item.department, form)
        told = partial(domain.facts_of, item, dossier, paper, city)
        return Order(paper, _of_the_year(series, step.at), told, partial(domain.paper_request, item, paper))

    async def _facts(self, work: Work, orders: Sequence[Order]) -> list[Facts]:
        """Return what each document says, each with the next number of its series (文号)."""
        counts = Counter(one.series for one in orders)
        last = await paper_store.numbers(work, counts)
        facts: list[Facts] = []
        for one in orders:
            counts[one.series] -= 1
            number = documents.number(*one.series, last[one.series] - counts[one.series])
            facts.append(one.facts(number, self._verify_url))
        return facts

    # Sealed -----------------------------------------------------------------------------------------------------

    async def seal_some(self, most: int = MOST) -> int:
        """Put in the signatures that came, file the documents, conclude their items or tell of the notices, clear away
        what was refused; return how many were taken up."""
        async with self._database.work() as work:
            answered = await paper_store.waiting(work, Stand.ANSWERED, most)
            sealed = [one for one in answered if one.signature is not None]
            await self._clear(work, [one for one in answered if one.signature is None])
            files = await asyncio.gather(*map(self._filed, sealed))
            requests = [one.paper.request_id for one in sealed]
            await paper_store.file(work, list(zip(requests, files, strict=True)))
            done = list(zip(sealed, files, strict=True))
            await self._conclude(work, [one for one in done if one[0].paper.is_decision])
            _issue(work, [one for one in done if not one[0].paper.is_decision])
        for one in sealed:
            await self._filing.forget(_waits_as(one.digest))
        return len(answered)

    async def _clear(self, work: Work, refused: Sequence[Waiting]) -> None:
        """Take away what no seal will come for. Before the commit: what signing refused it refused for good, and what
        dies here finds the row again."""
        await paper_store.void(work, {one.paper.request_id for one in refused})
        await asyncio.gather(*(self._filing.forget(_waits_as(one.digest)) for one in refused))

    async def _filed(self, one: Waiting) -> Sha256:
        assert one.signature is not None
        pdf = await self._filing.get(_waits_as(one.digest))
        return await self._filing.keep(await self._workshop.sealed(pdf, one.signature))

    async def _conclude(self, work: Work, done: Sequence[tuple[Waiting, Sha256]]) -> None:
        batch = await store.load(work, [one.paper.item_id for one, _ in done if one.paper.item_id])
        calendar = await self._calendars.in_force(work.connection)
        for one, file in done:
            assert one.paper.item_id is not None
            item = batch.items[one.paper.item_id]
            if _awaits(item, one.paper) and one.signed_at is not None:
                act = domain.paper_sealed(one.paper, file, one.signed_at)
                store.take(work, batch, domain.judged(item, act, calendar.at(act.at)), one.paper.traceparent)
        if batch.changed:
            await store.keep(work, batch, calendar.newest)


async def _ask(work: Work, orders: Sequence[Order], facts: Sequence[Facts], made: Sequence[Prepared]) -> None:
    numbered = zip(orders, facts, made, strict=True)
    rows = [(order.paper.request_id, said.number, one.digest) for order, said, one in numbered]
    await paper_store.ask(work, rows)
    for order, one in zip(orders, made, strict=True):
        work.say(topics.SEAL_REQUESTS, order.request(one.digest), traceparent=order.paper.traceparent)


def _of_the_year(series: str, at: datetime) -> tuple[str, int]:
    return series, at.astimezone(SHANGHAI).year


async def _rest(wakes: asyncio.Event) -> None:
    """Wait until woken; now and then look in any case."""
    with suppress(TimeoutError):
        async with asyncio.timeout(POLL_SECONDS):
            await wakes.wait()
    wakes.clear()


def _issue(work: Work, done: Sequence[tuple[Waiting, Sha256]]) -> None:
    for one, file in done:
        assert one.signed_at is not None
        said = domain.issued(one.paper, file, one.signed_at)
        work.say(topics.ITEMS, said, traceparent=one.paper.traceparent)


def _is_due(paper: Paper, items: Items) -> bool:
    """Whether a document is still wanted: a decision's while its item waits for it, any other whatever came after."""
    return not paper.is_decision or (paper.item_id is not None and _awaits(items[paper.item_id][0], paper))


def _awaits(item: Item, paper: Paper) -> bool:
    return item.decision is not None and item.decision.request_id == paper.request_id


def _waits_as(digest: Sha256 | None) -> str:
    return f"waiting/{digest}.pdf"
