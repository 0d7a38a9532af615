"""What signing does about what it is asked to seal: it learns what was decided or has to be told, lets be sealed what
that needs, and seals what leaves the house."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from chassis.bus import Bus, NotNow, Received
from chassis.database import Work
from chassis.parking import Held, Why
from chassis.wallclock import WallClock
from contracts import topics
from contracts.department_worker import ItemDecided, SealRequested
from contracts.intake import WindowDocumentRequested
from contracts.signing import SealRejected
from evidence.certificates import Certificate
from evidence.seals import Holds
from procedure.notices import NoticedStep
from procedure.refusals import Refusal
from signing import sealing, store
from signing.domain import papers
from signing.domain.papers import Decision, Grant, SealNotTrusted, Systems
from signing.handlers import certificates
from signing.handlers.certificates import SealCertificates
from signing.sealing import CannotSeal, Sealer
from signing.stamps import NoTimestamp
from signing.token.door import TokenUnavailable

PASSING = (TokenUnavailable, NoTimestamp, CannotSeal)
REGISTERING: Final = {topics.ITEMS.name, topics.APPLICATIONS.name}
Requests = Sequence[Received[SealRequested]]
Allowed = list[tuple[Received[SealRequested], Certificate]]


@dataclass(frozen=True, slots=True)
class Papers:
    """Lets be sealed what is registered, under `grants`, and seals files; `bus` tells whether a decision can still be
    on its way. Officers' own signatures are held to `persons`; the `systems` of departments decide without."""

    sealer: Sealer
    certificates: SealCertificates
    grants: Callable[[], Sequence[Grant]]
    systems: Systems
    persons: Holds
    wallclock: WallClock
    bus: Bus

    async def on_items(self, events: Sequence[Received[ItemDecided | NoticedStep]], work: Work) -> None:
        """A decision or a notice waits for its seal: what is registered may be sealed, and nothing else (Art. 10)."""
        await store.papers.register(work, [papers.decision_of(received.event, self.persons) for received in events])

    async def on_asked(self, events: Sequence[Received[WindowDocumentRequested]], work: Work) -> None:
        """Somebody asked for a document of the window: it is registered for the window's seal (Art. 9, 10)."""
        await store.papers.register(work, [papers.asked_of_the_window(received.event) for received in events])

    async def registered(self, requests: Requests, work: Work) -> Requests:
        """Return those that may bear the seal that they ask for; the others are refused for good, or wait for what
        registers them. No token is touched."""
        decisions = await store.papers.decisions(work, [received.event.request_id for received in requests])
        ready = await self._known(requests, decisions, work)
        who = {one.certificate for one in decisions.values()}
        entries, suspended = await store.roster.entries(work, who), await store.losses.spans(work, who)
        now, grants = self.wallclock.now(), defaultdict[str, list[Grant]](list)
        for grant in self.grants():
            grants[grant.seal].append(grant)

        def hold(request: SealRequested) -> None:
            decision = decisions.get(request.request_id)
            serial = "" if decision is None else decision.certificate
            said = [one.said for one in entries.get(serial, ())]
            papers.hold(request, decision, grants[request.seal], said, now, suspended.get(serial, ()), self.systems)

        return await self._sifted(ready, hold, work)

    async def trusted(self, requests: Requests, work: Work) -> Allowed:
        """Return those whose seal counts now, each with its certificate; the others are refused for good. Raises
        NotNow."""
        try:
            standings = await self.certificates.of({received.event.seal for received in requests}, work)
        except PASSING as trouble:
            raise NotNow(repr(trouble)) from trouble
        usable = await self._sifted(requests, lambda request: certificates.hold(standings[request.seal]), work)
        return [(received, certificates.hold(standings[received.event.seal])) for received in usable]

    async def _sifted(self, requests: Requests, hold: Callable[[SealRequested], object], work: Work) -> Requests:
        """Return those that `hold` lets through; the others are refused for good."""
        refused: dict[UUID, SealRejected] = {}
        for received in requests:
            try:
                hold(received.event)
            except Refusal as refusal:
                answer = papers.rejected(received.event, refusal, self.wallclock.now())
                refused[answer.request_id] = answer
                work.say(topics.SEALS, answer, traceparent=received.traceparent)
        await store.papers.refuse(work, refused.values())
        return [received for received in requests if received.event.request_id not in refused]

    async def seal(self, allowed: Allowed, work: Work) -> None:
        """Seal files. Raises NotNow while the token or the timestamp authority is away, and when a seal has stopped to
        count meanwhile: who asks for it is refused the next time."""
        requests = [(received.event, certificate) for received, certificate in allowed]
        try:
            made = await self.sealer.seal(requests)
        except (*PASSING, SealNotTrusted) as trouble:
            raise NotNow(repr(trouble)) from trouble
        now = self.wallclock.now()
        seals = [sealing.completed(*request, one, now) for request, one in zip(requests, made, strict=True)]
        await store.seals.add(work, seals)
        for (received, _), seal in zip(allowed, seals, strict=True):
            work.say(topics.SEALS, seal, traceparent=received.traceparent)

    async def _known(
        self, requests: Requests, decisions: dict[object, Decision], work: Work
    ) -> list[Received[SealRequested]]:
        """Return the requests that can be answered: all, once what registers is read to its end."""
        if all(received.event.request_id in decisions for received in requests):
            return list(requests)
        if await self.bus.has_read_to_end(REGISTERING, work) == REGISTERING:
            return list(requests)
        early = [received for received in requests if received.event.request_id not in decisions]
        work.held.extend(Held(received.raw, Why.EARLY) for received in early)
        return [received for received in requests if received.event.request_id in decisions]
