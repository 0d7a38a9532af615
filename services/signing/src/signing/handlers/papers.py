"""What signing does about documents that leave the house: it learns what was decided or has to be told,
and seals what that needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chassis.bus import Bus, NotNow, Received
from chassis.database import Work
from chassis.parking import Held, Why
from chassis.wallclock import WallClock
from contracts import topics
from contracts.department_worker import ItemDecided, SealRequested
from contracts.intake import WindowDocumentRequested
from contracts.signing import RosterEntry, SealCompleted, SealRejected
from evidence.certificates import Certificate
from procedure.notices import NoticedStep
from procedure.refusals import Refusal
from signing import sealing, store
from signing.domain import papers
from signing.domain.papers import Decision, Grant
from signing.sealing import CannotSeal, Sealer
from signing.stamps import NoTimestamp
from signing.token.door import TokenUnavailable

PASSING = (TokenUnavailable, NoTimestamp, CannotSeal)
REGISTERING: Final = {topics.ITEMS.name, topics.APPLICATIONS.name}
Requests = Sequence[Received[SealRequested]]


@dataclass(frozen=True, slots=True)
class Papers:
    """Seals documents under `grants`; `bus` tells whether a decision can still be on its way."""

    sealer: Sealer
    grants: Callable[[], Sequence[Grant]]
    wallclock: WallClock
    bus: Bus

    async def on_items(self, events: Sequence[Received[ItemDecided | NoticedStep]], work: Work) -> None:
        """A decision or a notice waits for its seal: what is registered may be sealed, and nothing else (Art. 10)."""
        await store.papers.register(work, [papers.decision_of(received.event) for received in events])

    async def on_asked(self, events: Sequence[Received[WindowDocumentRequested]], work: Work) -> None:
        """Somebody asked for a document of the window: it is registered for the window's seal (Art. 9, 10)."""
        await store.papers.register(work, [papers.asked_of_the_window(received.event) for received in events])

    async def seal(self, requests: Requests, work: Work) -> None:
        """Answer each request that was not answered yet, once; what is not registered yet waits for that."""
        decisions = await store.papers.decisions(work, [received.event.request_id for received in requests])
        ready = await self._registered(requests, decisions, work)
        entries = await store.roster.entries(work, {one.certificate for one in decisions.values()})
        said = {serial: [one.said for one in held] for serial, held in entries.items()}
        try:
            answers = await self._answers(ready, decisions, said)
        except PASSING as trouble:
            raise NotNow(repr(trouble)) from trouble
        await store.seals.add(work, [one for one in answers if isinstance(one, SealCompleted)])
        await store.papers.refuse(work, [one for one in answers if isinstance(one, SealRejected)])
        for received, answer in zip(ready, answers, strict=True):
            work.say(topics.SEALS, answer, traceparent=received.traceparent)

    async def _registered(
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

    async def _answers(
        self, requests: Requests, decisions: dict[object, Decision], entries: dict[str, list[RosterEntry]]
    ) -> list[SealCompleted | SealRejected]:
        answers: dict[object, SealCompleted | SealRejected] = {}
        allowed: list[tuple[SealRequested, Certificate]] = []
        now, grants = self.wallclock.now(), self.grants()
        for received in requests:
            request, decision = received.event, decisions.get(received.event.request_id)
            try:
                roster = [] if decision is None else entries.get(decision.certificate, [])
                papers.hold(request, decision, grants, roster, now)
                allowed.append((request, await self.sealer.certificate(request.seal)))
            except Refusal as refusal:
                answers[request.request_id] = papers.rejected(request, refusal, now)
        for (request, certificate), made in zip(allowed, await self.sealer.seal(allowed), strict=True):
            answers[request.request_id] = sealing.completed(request, certificate, made, now)
        return [answers[received.event.request_id] for received in requests]
