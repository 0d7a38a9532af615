"""What the dispatcher does when something happened: load the stages of a batch, decide, keep, say."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from chassis.bus import Bus, Received, hold_back
from chassis.catalogue import City
from chassis.database import Work
from contracts import department_worker as items
from contracts import topics
from contracts.intake import (
    ApplicationReceived,
    DeferredMaterialsSubmitted,
    ItemReapplied,
    StageApplied,
    SupplementSubmitted,
    WithdrawalRequested,
)
from contracts.parts import AboutStage
from dispatcher import decisions, domain, folding, results, store
from dispatcher.decisions import Decision
from dispatcher.domain import Said, StageProcess, ToAll, ToDepartment
from dispatcher.results import BUILDS_ON, Held, Key, Need, Step
from procedure.catalogue import Catalogue

DECLARED = (
    StageApplied,
    ItemReapplied,
    SupplementSubmitted,
    DeferredMaterialsSubmitted,
    WithdrawalRequested,
    ApplicationReceived,
)
"""What of the applications topic means something to the stage as a process."""


class Decided(NamedTuple):
    """What was decided about one process, and what is to be said of it."""

    process: StageProcess
    said: Said
    traceparent: str


Issued = dict[Key, tuple[Step, str]]
"""Results by project and item: the step that gave or revoked each, and its trace."""


class Handlers:
    """The dispatcher's handlers over one city."""

    def __init__(self, city: City, bus: Bus) -> None:
        self._city = city
        self._bus = bus
        self._circulating = results.circulating(city.catalogues.values())

    def _under(self, process: StageProcess) -> Catalogue:
        """The catalogue that was pinned for a case. Raises CatalogueVersionUnknown: its project's lane waits then."""
        return self._city.under(process.policies)

    async def on_applications(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """Split new declarations; hand on what follows to declarations that are known (Art. 7, 9, 13)."""
        known = await store.load(work, {received.event.application_id for received in events})
        ready = hold_back(events, work, lambda received: _comes_early(known, received.event))
        before = dict(known)
        decided: list[Decided] = []
        for received in ready:
            application_id = received.event.application_id
            process, said = self._declared(known.get(application_id), received.event)
            if process is not None:
                known[application_id] = process
                decided.append(Decided(process, said, received.traceparent))
        await store.add(work, [process for id_, process in known.items() if id_ not in before])
        await store.update(work, _touched(known, before))
        await self._say(work, decided)

    def _declared(self, process: StageProcess | None, event: AboutStage) -> tuple[StageProcess | None, Said]:
        if isinstance(event, StageApplied):
            return domain.split(event, self._city.under(event.policies)) if process is None else (process, ())
        if process is None:
            return None, ()
        if isinstance(event, ItemReapplied):
            return domain.reapply(process, event, self._under(process))
        if isinstance(event, SupplementSubmitted):
            return domain.supplement(process, event)
        if isinstance(event, DeferredMaterialsSubmitted):
            return domain.take_deferred(process, event, self._under(process))
        if isinstance(event, WithdrawalRequested):
            return domain.withdraw(process, event, self._under(process))
        if isinstance(event, ApplicationReceived):
            return domain.receive(process, event)
        return process, ()

    async def on_items(self, events: Sequence[Received[AboutStage]], work: Work) -> None:
        """Fold steps of items into their stages; accept, dispatch what waited, conclude (Art. 13, 15)."""
        known = await store.load(work, {received.event.application_id for received in events})
        ready = hold_back(events, work, lambda received: received.event.application_id not in known)
        steps: defaultdict[UUID, list[Received[items.ItemStepped]]] = defaultdict(list)
        for received in ready:
            if isinstance(received.event, items.ItemStepped):
                steps[received.event.application_id].append(received)
        decided: list[Decided] = []
        for application_id, of_one in steps.items():
            process = known[application_id]
            process, said = folding.fold(process, [one.event for one in of_one], self._under(process))
            decided.append(Decided(process, said, of_one[-1].traceparent))
        await store.update(work, _touched({one.process.application_id: one.process for one in decided}, known))
        await self._say(work, decided)

    async def on_supervision(self, events: Sequence[Received[Decision]], work: Work) -> None:
        """The lead decided about an expired item, or special handling was granted: here it takes effect, once (Art. 14,
        17, 22). What builds on a recall that may stand unread on the items topic waits for it."""
        ours = [received for received in events if decisions.is_ours(received.event)]
        if not ours:
            return
        all_read = topics.ITEMS.name in await self._bus.has_read_to_end([topics.ITEMS.name], work)
        known = await store.load(work, {received.event.application_id for received in ours})
        ready = hold_back(ours, work, lambda received: _waits(known, received.event, all_read=all_read))
        new = await store.take_effect(work, [decisions.id_of(received.event) for received in ready])
        before = dict(known)
        decided: list[Decided] = []
        for received in ready:
            event = received.event
            if decisions.id_of(event) not in new:
                continue
            new.remove(decisions.id_of(event))
            process = known[event.application_id]
            process, said = decisions.decide(process, event, self._under(process))
            known[event.application_id] = process
            decided.append(Decided(process, said, received.traceparent))
        await store.update(work, _touched(known, before))
        await self._say(work, decided)

    # Results of other departments -------------------------------------------------------------------------------

    async def _say(self, work: Work, decided: Sequence[Decided]) -> None:
        """Say what was decided; every item goes out with the results that it builds on (Art. 8)."""
        issued = self._issued(decided)
        waited = await self._pass_on(work, issued)
        said = [(one, event) for one in (*decided, *waited) for event in one.said]
        needs = [need for one, event in said for need in self._needs(one.process, event)]
        held = await self._held(work, needs, issued)
        for one, event in said:
            complete = results.completed(event, self._needs(one.process, event), held, self._under(one.process))
            _say(work, complete, one.traceparent)

    def _issued(self, decided: Iterable[Decided]) -> Issued:
        """Return the newest steps of this batch that gave or revoked a result which other items build on."""
        return {
            (step.project_code, step.item_code): (step, one.traceparent)
            for one in decided
            for step in one.process.issued
            if step.item_code in self._circulating
        }

    async def _pass_on(self, work: Work, issued: Issued) -> list[Decided]:
        """Keep results; return what is to be said to the departments that have been waiting for one of them."""
        if not issued:
            return []
        awaited = await store.keep_results(work, {key: results.result_of(step) for key, (step, _) in issued.items()})
        if not awaited:
            return []
        processes = await store.look_at(work, {id_ for who in awaited.values() for id_ in who})
        waiting = [(processes[id_], *issued[key]) for key, who in awaited.items() for id_ in who]
        return [Decided(one, results.passed_on(one, step, self._under(one)), trace) for one, step, trace in waiting]

    def _needs(self, process: StageProcess, event: ToAll | ToDepartment) -> Sequence[Need]:
        return results.needs(process, event, self._under(process)) if isinstance(event, BUILDS_ON) else ()

    async def _held(self, work: Work, needs: Iterable[Need], issued: Issued) -> Held:
        """Return the results that `needs` name and that exist; what does not exist is awaited from now on."""
        held = {key: results.result_of(step) for key, (step, _) in issued.items() if results.exists(step)}
        unknown = [need for need in needs if need.key not in held]
        if unknown:
            held |= await store.results(work, {need.key for need in unknown})
        if missing := [need for need in unknown if need.key not in held]:
            held |= await store.await_results(work, missing)
        return held


def _comes_early(known: Mapping[UUID, StageProcess], event: AboutStage) -> bool:
    """Whether a declaration by item builds on an end of the former attempt that has not been read yet."""
    process = known.get(event.application_id)
    return process is not None and isinstance(event, ItemReapplied) and domain.comes_early(process, event)


def _waits(known: Mapping[UUID, StageProcess], event: Decision, *, all_read: bool) -> bool:
    process = known.get(event.application_id)
    return process is None or (decisions.comes_early(process, event) and not all_read)


def _touched(after: Mapping[UUID, StageProcess], before: Mapping[UUID, StageProcess]) -> list[StageProcess]:
    """Return the processes that were known and have become others."""
    return [process for id_, process in after.items() if id_ in before and process is not before[id_]]


def _say(work: Work, event: ToAll | ToDepartment, traceparent: str) -> None:
    if isinstance(event, ToAll):
        work.say(topics.STAGES, event, traceparent=traceparent)
    else:
        work.say(topics.department_items(event.jurisdiction, event.department), event, traceparent=traceparent)
