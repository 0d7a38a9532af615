"""What signing does about documents that leave the house: it learns what was decided or has to be told,
and seals what that needs."""

from collections import defaultdict
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
from contracts.signing import SealCompleted, SealRejected
from contracts.terms import SealForm
from evidence.certificates import Certificate
from procedure.notices import NoticedStep
from procedure.refusals import Refusal
from procedure.roster import Record
from signing import sealing, store
from signing.domain import papers
from signing.domain.papers import Decision, Grant, SealNotTrusted
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

    async def seal(self, requests: Requests, work: Work) -> Requests:
        """Answer each request that was not answered yet, once; what is not registered yet waits for that. Return those
        for records that stay on the platform: they may be sealed, together."""
        try:
            allowed = await self._allowed(requests, work)
            leaving = [(one.event, certificate) for one, certificate in allowed if one.event.form is SealForm.PDF]
            made = await self.sealer.seal(leaving)
        except PASSING as trouble:
            raise NotNow(repr(trouble)) from trouble
        now = self.wallclock.now()
        answers = [sealing.completed(*paper, one, now) for paper, one in zip(leaving, made, strict=True)]
        await store.seals.add(work, answers)
        self._say(requests, answers, work)
        return [one for one, _ in allowed if one.event.form is SealForm.DIGEST]

    def _say(self, requests: Requests, answers: Sequence[SealCompleted | SealRejected], work: Work) -> None:
        traces = {received.event.request_id: received.traceparent for received in requests}
        for answer in answers:
            work.say(topics.SEALS, answer, traceparent=traces[answer.request_id])

    async def _allowed(self, requests: Requests, work: Work) -> list[tuple[Received[SealRequested], Certificate]]:
        """Return what may be sealed, with its seal's certificate; what may not, and is not waited for, is refused."""
        decisions = await store.papers.decisions(work, [received.event.request_id for received in requests])
        officers = {one.certificate for one in decisions.values()}
        entries = await store.roster.entries(work, officers)
        spans = await store.losses.spans(work, officers)
        grants = defaultdict[str, list[Grant]](list)
        for grant in self.grants():
            grants[grant.seal].append(grant)
        now, certificates = self.wallclock.now(), dict[str, Certificate | SealNotTrusted]()
        allowed: list[tuple[Received[SealRequested], Certificate]] = []
        refused: list[SealRejected] = []
        for received in await self._registered(requests, decisions, work):
            request, decision = received.event, decisions.get(received.event.request_id)
            officer = "" if decision is None else decision.certificate
            record = Record(tuple(one.said for one in entries.get(officer, ())), tuple(spans.get(officer, ())))
            try:
                papers.hold(request, decision, grants[request.seal], record, now)
                allowed.append((received, await self._certificate(request.seal, certificates)))
            except Refusal as refusal:
                refused.append(papers.rejected(request, refusal, now))
        await store.papers.refuse(work, refused)
        self._say(requests, refused, work)
        return allowed

    async def _certificate(self, seal: str, known: dict[str, Certificate | SealNotTrusted]) -> Certificate:
        """Return a seal's certificate, judged once a batch. Raises SealNotTrusted, or what passes by itself."""
        if seal not in known:
            try:
                known[seal] = await self.sealer.certificate(seal)
            except SealNotTrusted as refusal:
                known[seal] = refusal
        found = known[seal]
        if isinstance(found, SealNotTrusted):
            raise found
        return found

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
