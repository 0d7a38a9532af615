"""Results circulate between departments and are never asked of the applicant (Art. 8).

An item is given the results that it builds on, as far as they exist, and is told which do not; what comes later is
passed on to whoever waits. A deemed or waived item has no document: it lets others start, but a required result it is
not (R22).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from contracts.codes import ItemCode, ProjectCode, Sha256
from contracts.department_worker import ItemConcluded, ItemRevoked
from contracts.dispatcher import ItemDispatched, ResultsPassedOn
from contracts.parts import AboutItem, AboutStage, ResultRef
from contracts.terms import Outcome
from dispatcher.domain import ItemLine, StageProcess, about_item
from procedure import stages
from procedure.catalogue import Catalogue

E = TypeVar("E", bound=AboutStage)


class Result(NamedTuple):
    """What a department decided about an item, with the digest of the sealed document; no outcome: revoked."""

    item_id: UUID
    outcome: Outcome | None
    document: Sha256 | None


Key = tuple[ProjectCode, ItemCode]
"""A project has one newest result of an item, whichever stage it was asked in."""
Held = Mapping[Key, Result]
Step = ItemConcluded | ItemRevoked


def circulating(catalogues: Iterable[Catalogue]) -> frozenset[ItemCode]:
    """Return the items whose results others build on, under any version that a case may run under."""
    return frozenset(code for catalogue in catalogues for item in catalogue.items.values() for code in item.results)


def exists(step: Step) -> bool:
    """Whether a result exists after this step; a refusal is none, and a revoked one is none any more."""
    return isinstance(step, ItemConcluded) and step.outcome in stages.GRANTED


def result_of(step: Step) -> Result:
    """Return what stands after a step that issued a result or revoked it."""
    if isinstance(step, ItemConcluded) and exists(step):
        return Result(step.item_id, step.outcome, step.document)
    return Result(step.item_id, None, None)


class Need(NamedTuple):
    """An item of an application that builds on the result of another item of its project."""

    project_code: ProjectCode
    item_code: ItemCode
    application_id: UUID

    @property
    def key(self) -> Key:
        return self.project_code, self.item_code


BUILDS_ON: Final = (ItemDispatched, ResultsPassedOn)
"""What tells a department which results it has and which are missing."""


def needs(process: StageProcess, event: AboutItem, catalogue: Catalogue) -> tuple[Need, ...]:
    """Return the results that an item builds on, among those of items that apply to the project's type."""
    return tuple(
        Need(process.project_code, code, process.application_id)
        for code in catalogue.items[event.item_code].results
        if process.process_type in catalogue.items[code].types
    )


def completed(event: E, needed: Sequence[Need], held: Held, catalogue: Catalogue) -> E:
    """Return a dispatch with the results that exist, and any of `BUILDS_ON` with those that are missing."""
    if not needed:
        return event
    missing = tuple(need.item_code for need in needed if need.key not in held)
    found = [_reference(need.item_code, held[need.key], catalogue) for need in needed if need.key in held]
    more = {"results": tuple(found)} if isinstance(event, ItemDispatched) else {}
    return event.model_copy(update={"missing_results": missing, **more})


def passed_on(process: StageProcess, step: Step, catalogue: Catalogue) -> tuple[ResultsPassedOn, ...]:
    """Return what tells the departments that build on a new result that it is there."""
    if not exists(step):
        return ()
    found = (_reference(step.item_code, result_of(step), catalogue),)
    return tuple(
        ResultsPassedOn(
            **about_item(process, line, step.event_id, step.at, "ResultsPassedOn", step.event_id), results=found
        )
        for line in _waiting(process, step.item_code, catalogue)
    )


def _waiting(process: StageProcess, code: ItemCode, catalogue: Catalogue) -> Iterable[ItemLine]:
    """The items that a department has and that build on the result of `code`."""
    lines = (line for line in process.lines.values() if line.dispatched and not line.ended)
    return (line for line in lines if code in catalogue.items[line.item_code].results)


def _reference(code: ItemCode, result: Result, catalogue: Catalogue) -> ResultRef:
    assert result.outcome is not None
    rule = catalogue.items[code]
    return ResultRef(
        item_code=code,
        item_id=result.item_id,
        name=f"{rule.name}·{rule.result}",
        outcome=result.outcome,
        document=result.document,
    )
