"""What the dispatcher does when something happened: load the stages of a batch, decide, keep, say."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from chassis.bus import Received, hold_back
from chassis.database import Work
from contracts import department_worker as items
from contracts import topics
from contracts.intake import ItemReapplied, StageApplied, SupplementSubmitted, WithdrawalRequested
from contracts.parts import AboutStage
from dispatcher import domain, store
from dispatcher.domain import Said, StageProcess, ToAll
from procedure.catalogue import Catalogue


class Handlers:
    """The dispatcher's handlers over one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def on_applications(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """Split new declarations; hand on what follows to declarations that are known (Art. 7, 9, 13)."""
        known = await store.load(work, {received.event.application_id for received in events})
        new: dict[UUID, StageProcess] = {}
        for received in events:
            event = received.event
            process = known.get(event.application_id)
            after, said = self._declared(process, event)
            if after is None:
                continue
            known[event.application_id] = after
            if process is None or event.application_id in new:
                new[event.application_id] = after
            _say(work, said, received.traceparent)
        await store.add(work, list(new.values()))
        await store.update(work, [process for id_, process in known.items() if id_ not in new and process.changed])

    def _declared(self, process: StageProcess | None, event: AboutStage) -> tuple[StageProcess | None, Said]:
        if isinstance(event, StageApplied):
            return domain.split(event, self._catalogue) if process is None else (process, ())
        if process is None:
            return None, ()
        if isinstance(event, ItemReapplied):
            return domain.reapply(process, event, self._catalogue)
        if isinstance(event, SupplementSubmitted):
            return process, domain.supplement(process, event)
        if isinstance(event, WithdrawalRequested):
            return process, domain.withdraw(process, event)
        return process, ()

    async def on_items(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """Fold steps of items into their stages; accept, dispatch what waited, conclude (Art. 13, 15)."""
        known = await store.load(work, {received.event.application_id for received in events})
        ready = hold_back(events, work, lambda received: received.event.application_id not in known)
        steps: defaultdict[UUID, list[Received[items.ItemStepped]]] = defaultdict(list)
        for received in ready:
            if isinstance(received.event, items.ItemStepped):
                steps[received.event.application_id].append(received)
        folded: list[StageProcess] = []
        for application_id, of_one in steps.items():
            process, said = domain.fold(known[application_id], [one.event for one in of_one], self._catalogue)
            folded.append(process)
            _say(work, said, of_one[-1].traceparent)
        await store.update(work, [process for process in folded if process.changed])


def _say(work: Work, said: Said, traceparent: str) -> None:
    for event in said:
        if isinstance(event, ToAll):
            work.say(topics.STAGES, event, traceparent=traceparent)
        else:
            topic = topics.department_items(event.jurisdiction, event.department)
            work.say(topic, event, traceparent=traceparent)
