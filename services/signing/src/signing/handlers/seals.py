"""What signing does unasked by anybody over HTTP: it seals each registered digest once, inside the token, and says so;
and at start it enters the initial list of responsible persons.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Collection, Sequence
from typing import Final, TypeVar
from uuid import UUID

import structlog

from chassis.bus import NotNow, Received
from chassis.database import TRANSIENT, Database, Work
from chassis.parking import Held, Why
from chassis.wallclock import WallClock
from contracts import topics
from contracts.department_worker import SealRequested
from contracts.envelope import derived_id
from contracts.signing import SealCompleted
from contracts.supervision import AuditRootClosed
from contracts.terms import SealForm
from signing import store
from signing.domain import batches, roots, roster
from signing.domain.batches import Made
from signing.domain.papers import SealNotTrusted
from signing.domain.roster import CertificateOfAnother, Entry
from signing.handlers.certificates import SealCertificates, hold
from signing.handlers.papers import Papers
from signing.sealing import CannotSeal
from signing.token.door import Order, TokenDoor, TokenUnavailable
from signing.token.pins import TokenRefused

RETRY_SECONDS: Final = 0.5
Told = TypeVar("Told")

log = structlog.get_logger()


class Handlers:
    """Signing's handlers; the label of a seal's token is the seal's own (`210281.GHJ`). `forbidding` names the seals
    whose token makes no batches."""

    def __init__(
        self,
        token: TokenDoor,
        certificates: SealCertificates,
        wallclock: WallClock,
        forbidding: Collection[str] = (),
        papers: Papers | None = None,
    ) -> None:
        self._token = token
        self._certificates = certificates
        self._papers = papers
        self._wallclock = wallclock
        self._forbidding = forbidding

    async def on_seal_requests(self, events: Sequence[Received[SealRequested]], work: Work) -> None:
        """Seal what was not sealed yet; without the token everything waits and nothing is lost (Art. 10, 16)."""
        requests = {received.event.request_id: received for received in events}
        known = await store.seals.known(work, requests)
        new = [received for one, received in requests.items() if one not in known]
        waiting = await self._usable(new, work) if self._papers is None else await self._held(new, self._papers, work)
        if not waiting:
            return
        seals = await self._sealed([received.event for received in waiting])
        await store.seals.add(work, seals)
        for seal in seals:
            work.say(topics.SEALS, seal, traceparent=requests[seal.request_id].traceparent)

    async def _held(
        self, requests: Sequence[Received[SealRequested]], papers: Papers, work: Work
    ) -> list[Received[SealRequested]]:
        """Seal the files among what may be sealed, and return the records among it."""
        allowed = await papers.trusted(await self._usable(await papers.registered(requests, work), work), work)
        await papers.seal([one for one in allowed if one[0].event.form is SealForm.PDF], work)
        return [received for received, _ in allowed if received.event.form is SealForm.DIGEST]

    async def on_audit_roots(self, events: Sequence[Received[AuditRootClosed]], work: Work) -> None:
        """Seal each root of the audit chains once, with the platform's seal (Art. 22)."""
        closed = {event.root: event for event in roots.sound(received.event for received in events)}
        known = await store.seals.known_roots(work, closed)
        waiting = [event for root, event in closed.items() if root not in known]
        if not waiting:
            return
        if why := await self._own_seal_waits(work):
            log.error("audit.waits", why=why, roots=len(waiting))
            raws = {received.event.root: received.raw for received in events}
            work.held.extend(Held(raws[event.root], Why.EARLY, why) for event in waiting)
            return
        signed = await self._signed([(roots.SEAL, bytes.fromhex(event.root)) for event in waiting])
        now = self._wallclock.now()
        seals = [roots.sealed(event, made, now) for event, made in zip(waiting, signed, strict=True)]
        await store.seals.add_roots(work, seals)
        work.say(topics.AUDIT_SEALS, *seals)

    async def _own_seal_waits(self, work: Work) -> str | None:
        """Return why roots, which cannot be refused, wait aside while the other seals go on: theirs does not count, or
        nobody may use it now. Raises NotNow."""
        try:
            hold((await self._certificates.of({roots.SEAL}, work))[roots.SEAL])
        except (TokenRefused, CannotSeal, SealNotTrusted) as trouble:
            return str(trouble)
        except TokenUnavailable as trouble:
            raise NotNow(repr(trouble)) from trouble
        return None

    async def _usable(self, waiting: Sequence[Received[SealRequested]], work: Work) -> list[Received[SealRequested]]:
        """Return those whose token may be used; the others wait aside until somebody has mended theirs."""
        refusals = await self._told(self._token.refusals({received.event.seal for received in waiting}))
        for received in waiting:
            if why := refusals.get(received.event.seal):
                log.error("seal.waits", seal=received.event.seal, request=str(received.event.request_id), why=why)
                work.held.append(Held(received.raw, Why.EARLY, why))
        return [received for received in waiting if received.event.seal not in refusals]

    async def _sealed(self, requests: Sequence[SealRequested]) -> list[SealCompleted]:
        """Use the token once a document alone and once a seal's batch; return the answers as they were asked."""
        operations = batches.operations(requests, self._forbidding)
        signed = await self._signed([(operation.seal, operation.tree.root) for operation in operations])
        now = self._wallclock.now()
        seals = [
            seal
            for operation, made in zip(operations, signed, strict=True)
            for seal in batches.completed(operation, made, now)
        ]
        places = {request.request_id: place for place, request in enumerate(requests)}
        return sorted(seals, key=lambda seal: places[seal.request_id])

    async def _signed(self, orders: Sequence[Order]) -> list[Made]:
        """Sign each digest with the key of its seal's token."""
        signatures = await self._told(self._token.sign(orders))
        return [Made(one.algorithm, one.value, one.serial, one.certificate.der) for one in signatures]

    async def _told(self, asked: Awaitable[Told]) -> Told:
        try:
            return await asked
        except TokenUnavailable as trouble:
            raise NotNow(repr(trouble)) from trouble


class InitialList:
    """The list that the roster begins with: each of its entries is entered and said once, at whichever start (Art. 18).

    Signing is ready when all of it stands on the bus: whoever is on the list may act from then on.
    """

    def __init__(self, database: Database, wallclock: WallClock, entries: Sequence[Entry]) -> None:
        self._database = database
        self._wallclock = wallclock
        self._entries = entries
        self._entered = not entries
        self._said = False

    async def enter(self) -> None:
        """Enter what is not yet there. Raises CertificateOfAnother for a serial in somebody else's name."""
        while not self._entered:
            try:
                await self._enter()
                self._entered = True
            except TRANSIENT as trouble:
                log.warning("roster.waits", trouble=repr(trouble), seconds=RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)

    async def _enter(self) -> None:
        async with self._database.work() as work:
            given = {one.what.serial: one.what.holder for one in self._entries}
            for serial, holder in (await store.roster.hold(work, given)).items():
                if holder != given[serial]:
                    raise CertificateOfAnother(holder=holder)
            new: defaultdict[str, list[UUID]] = defaultdict(list)
            for serial, entry_id in await store.roster.enter_new(work, self._entries):
                new[serial].append(entry_id)
            now = self._wallclock.now()
            for serial, entries in (await store.roster.entries(work, new)).items():
                cause = derived_id("roster-list", *sorted(new[serial]))
                work.say(topics.IDENTITY, roster.listed(serial, given[serial], entries, cause, now))
        log.info("roster.entered", entries=sum(map(len, new.values())), of=len(self._entries))

    async def is_said(self) -> bool:
        """Whether the list stands on the bus; asked by readiness, and true for good once it is."""
        if self._entered and not self._said:
            async with self._database.reading() as connection:
                self._said = await store.roster.has_said_all(connection)
        return self._said
