"""What the dispatcher alone decides: how a stage is split, what a step of an item means for its stage."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from contracts import department_worker as items
from contracts.codes import CreditCode, DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.dispatcher import (
    ItemDispatched,
    ItemNotDispatched,
    ItemResult,
    ItemSupplemented,
    ItemWithdrawn,
    StageAccepted,
    StageConcluded,
    StageDispatched,
)
from contracts.envelope import derived_id
from contracts.intake import ItemReapplied, StageApplied, SupplementSubmitted, WithdrawalRequested
from contracts.parts import DispatchedItem, MaterialRef, Policies
from contracts.terms import ItemState, Outcome, ProcessType, Stage, Submission
from procedure import stages
from procedure.catalogue import Catalogue
from procedure.stages import Standing

S = ItemState


class ItemLine(NamedTuple):
    """One item of a stage application, as its newest attempt stands."""

    item_code: ItemCode
    item_id: UUID
    attempt: int
    department: DepartmentCode
    jurisdiction: JurisdictionCode
    after: tuple[ItemCode, ...]
    optional: bool
    state: ItemState = S.DRAFT
    outcome: Outcome | None = None
    opinion: str = ""
    dispatched: bool = False
    version: int = 0

    @property
    def standing(self) -> Standing:
        return Standing(self.item_code, self.state, self.outcome, self.dispatched, self.optional)


class StageProcess(NamedTuple):
    """One stage application as a process; `version` counts what the dispatcher said of it."""

    application_id: UUID
    project_code: ProjectCode
    stage: Stage
    process_type: ProcessType
    jurisdiction: JurisdictionCode
    builder: CreditCode
    project_name: str
    submission: Submission
    materials: tuple[MaterialRef, ...]
    policies: Policies
    applied_at: datetime
    limit_days: int
    lines: Mapping[ItemCode, ItemLine]
    version: int = 0
    accepted_at: datetime | None = None
    concluded_at: datetime | None = None
    changed: frozenset[ItemCode] = frozenset()
    more_materials: bool = False


Department = tuple[JurisdictionCode, DepartmentCode]
ToDepartment = ItemDispatched | ItemSupplemented | ItemWithdrawn
ToAll = StageDispatched | StageAccepted | StageConcluded | ItemNotDispatched
Said = tuple[ToAll | ToDepartment, ...]


def item_id_of(application_id: UUID, item_code: ItemCode, attempt: int) -> UUID:
    """Return the id of one attempt: the same declaration gives the same ids, whoever computes them."""
    return derived_id("item", application_id, item_code, attempt)


def split(applied: StageApplied, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    """Split a stage application by item (Art. 9): the process, and what is said to everybody and every department."""
    rules = catalogue.items_of(applied.stage, applied.process_type)
    lines = {
        rule.code: ItemLine(
            item_code=rule.code,
            item_id=item_id_of(applied.application_id, rule.code, 1),
            attempt=1,
            department=rule.department,
            jurisdiction=catalogue.route(rule, applied.jurisdiction),
            after=catalogue.after(rule, applied.process_type),
            optional=rule.optional,
        )
        for rule in rules
    }
    process = StageProcess(
        application_id=applied.application_id,
        project_code=applied.project_code,
        stage=applied.stage,
        process_type=applied.process_type,
        jurisdiction=applied.jurisdiction,
        builder=applied.builder.uscc,
        project_name=applied.project_name,
        submission=applied.submission,
        materials=applied.materials,
        policies=applied.policies,
        applied_at=applied.occurred_at,
        limit_days=catalogue.limit(applied.process_type, applied.stage),
        lines=lines,
        version=1,
    )
    announced = _announced(process, applied, catalogue)
    process, sent = _dispatch_ready(process, applied.event_id, applied.occurred_at, catalogue)
    return process, (announced, *sent)


def _announced(process: StageProcess, applied: StageApplied, catalogue: Catalogue) -> StageDispatched:
    place = catalogue.places[process.jurisdiction]
    names = [catalogue.materials[reference.code].name for reference in applied.materials]
    return StageDispatched(
        **_about_stage(process, applied.event_id, applied.occurred_at, "StageDispatched"),
        version=1,
        applied_at=applied.occurred_at,
        jurisdiction=process.jurisdiction,
        process_type=process.process_type,
        limit_days=process.limit_days,
        items=tuple(_dispatched_item(line, catalogue) for line in process.lines.values()),
        window=f"{place.window}（{place.window_address}）",
        originals=tuple(names),
        policies=process.policies,
    )


def _dispatched_item(line: ItemLine, catalogue: Catalogue) -> DispatchedItem:
    rule = catalogue.items[line.item_code]
    return DispatchedItem(
        item_id=line.item_id,
        item_code=line.item_code,
        name=rule.name,
        attempt=line.attempt,
        department=line.department,
        jurisdiction=line.jurisdiction,
        kind=rule.kind,
        limit_days=rule.limit_days,
        on_expiry=rule.on_expiry,
        optional=rule.optional,
        after=line.after,
    )


def _about_stage(process: StageProcess, cause: UUID, at: datetime, *parts: object) -> dict[str, Any]:
    return {
        "event_id": derived_id(process.application_id, *parts),
        "causation_id": cause,
        "occurred_at": at,
        "project_code": process.project_code,
        "application_id": process.application_id,
        "stage": process.stage,
    }


def _about_item(process: StageProcess, line: ItemLine, cause: UUID, at: datetime, *parts: object) -> dict[str, Any]:
    return {
        **_about_stage(process, cause, at, line.item_id, *parts),
        "item_id": line.item_id,
        "item_code": line.item_code,
        "attempt": line.attempt,
        "department": line.department,
        "jurisdiction": line.jurisdiction,
    }


def _changed(process: StageProcess, *lines: ItemLine) -> StageProcess:
    merged = {**process.lines, **{line.item_code: line for line in lines}}
    return process._replace(lines=merged, changed=process.changed | {line.item_code for line in lines})


def _dispatch_ready(
    process: StageProcess, cause: UUID, at: datetime, catalogue: Catalogue
) -> tuple[StageProcess, tuple[ToAll | ToDepartment, ...]]:
    """Dispatch what waits for nothing any more; close what never will start, and what waits for that in turn."""
    if all(line.dispatched or line.state is not S.DRAFT for line in process.lines.values()):
        return process, ()
    standings = {code: line.standing for code, line in process.lines.items()}
    follows = stages.following({code: line.after for code, line in process.lines.items()}, standings)
    if not follows.ready and not follows.never:
        return process, ()
    sent: list[ToAll | ToDepartment] = []
    for code in follows.ready:
        line = process.lines[code]._replace(dispatched=True)
        process = _changed(process, line)
        sent.append(_item_dispatched(process, line, cause, at, catalogue))
    for code, because_of in follows.never:
        line = process.lines[code]._replace(state=S.NOT_DISPATCHED)
        process = _changed(process, line)._replace(version=process.version + 1)
        about = _about_item(process, line, cause, at, "ItemNotDispatched")
        sent.append(ItemNotDispatched(**about, version=process.version, because_of=because_of))
    process, more = _dispatch_ready(process, cause, at, catalogue)
    return process, (*sent, *more)


def _item_dispatched(
    process: StageProcess, line: ItemLine, cause: UUID, at: datetime, catalogue: Catalogue
) -> ItemDispatched:
    rule = catalogue.items[line.item_code]
    needed = set(rule.materials)
    return ItemDispatched(
        **_about_item(process, line, cause, at, "ItemDispatched"),
        applied_at=process.applied_at if line.attempt == 1 else at,
        name=rule.name,
        kind=rule.kind,
        limit_days=rule.limit_days,
        on_expiry=rule.on_expiry,
        submission=process.submission,
        project_name=process.project_name,
        builder=process.builder,
        materials=tuple(reference for reference in process.materials if reference.code in needed),
        policies=process.policies,
    )


def reapply(process: StageProcess, applied: ItemReapplied, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    """Begin the next attempt of an item that is declared again by item (Art. 7)."""
    former = process.lines[applied.item_code]
    if former.item_id != applied.former_item_id:
        return process, ()
    attempt = former.attempt + 1
    line = ItemLine(
        item_code=former.item_code,
        item_id=item_id_of(process.application_id, former.item_code, attempt),
        attempt=attempt,
        department=former.department,
        jurisdiction=former.jurisdiction,
        after=former.after,
        optional=former.optional,
        dispatched=True,
    )
    given = {reference.code: reference for reference in (*process.materials, *applied.materials)}
    process = _changed(process._replace(materials=tuple(given.values()), more_materials=True), line)
    return process, (_item_dispatched(process, line, applied.event_id, applied.occurred_at, catalogue),)


def supplement(process: StageProcess, given: SupplementSubmitted) -> Said:
    """Hand a supplement to the department that asked for it (Art. 13)."""
    line = process.lines[given.item_code]
    if line.item_id != given.item_id:
        return ()
    return (
        ItemSupplemented(
            **_about_item(process, line, given.event_id, given.occurred_at, "supplement", given.event_id),
            submitted_at=given.occurred_at,
            materials=given.materials,
            explanation=given.explanation,
        ),
    )


def withdraw(process: StageProcess, asked: WithdrawalRequested) -> Said:
    """Tell the department that the builder withdrew an item, once that is confirmed."""
    line = process.lines[asked.item_code]
    if line.item_id != asked.item_id or not asked.confirmed:
        return ()
    return (
        ItemWithdrawn(
            **_about_item(process, line, asked.event_id, asked.occurred_at, "withdraw", asked.event_id),
            withdrawn_at=asked.occurred_at,
            reason=asked.reason,
            actor=asked.actor,
        ),
    )


STATE_AFTER: Final[Mapping[type[items.ItemStepped], ItemState]] = {
    items.ItemReceived: S.RECEIVED,
    items.ItemAccepted: S.ACCEPTED,
    items.ItemNotAccepted: S.NOT_ACCEPTED,
    items.ItemConcluded: S.CONCLUDED,
    items.ItemReturned: S.RETURNED,
    items.ItemRecalled: S.AUTO_RECALLED,
    items.ItemTakenBack: S.WITHDRAWN,
}
"""The steps that mean something to a stage; the others leave it as it is."""


def fold(process: StageProcess, steps: Iterable[items.ItemStepped], catalogue: Catalogue) -> tuple[StageProcess, Said]:
    """Take steps of items into their stage, in order; repeats, and steps of former attempts, change nothing."""
    said: list[ToAll | ToDepartment] = []
    for step in steps:
        process, more = _fold_one(process, step, catalogue)
        said.extend(more)
    return process, tuple(said)


def _fold_one(process: StageProcess, step: items.ItemStepped, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    line = process.lines.get(step.item_code)
    if line is None or line.item_id != step.item_id or step.version <= line.version:
        return process, ()
    state = STATE_AFTER.get(type(step))
    if state is None:
        return _changed(process, line._replace(version=step.version)), ()
    outcome, opinion = step.told
    process = _changed(process, line._replace(version=step.version, state=state, outcome=outcome, opinion=opinion))
    process, accepted = _accept(process, step) if state is S.ACCEPTED else (process, ())
    process, sent = _dispatch_ready(process, step.event_id, step.at, catalogue)
    process, concluded = _conclude(process, step)
    return process, (*accepted, *sent, *concluded)


def _accept(process: StageProcess, step: items.ItemStepped) -> tuple[StageProcess, Said]:
    """The first item accepted accepts the stage (P2)."""
    if process.accepted_at is not None:
        return process, ()
    process = process._replace(accepted_at=step.at, version=process.version + 1)
    return process, (
        StageAccepted(
            **_about_stage(process, step.event_id, step.at, "StageAccepted"),
            version=process.version,
            accepted_at=step.at,
            limit_days=process.limit_days,
            jurisdiction=process.jurisdiction,
        ),
    )


def _conclude(process: StageProcess, step: items.ItemStepped) -> tuple[StageProcess, Said]:
    """The last open item's end concludes the stage, once (P18)."""
    standings = [line.standing for line in process.lines.values()]
    if process.concluded_at is not None or not stages.is_concluded(standings):
        return process, ()
    process = process._replace(concluded_at=step.at, version=process.version + 1)
    return process, (
        StageConcluded(
            **_about_stage(process, step.event_id, step.at, "StageConcluded"),
            version=process.version,
            concluded_at=step.at,
            result=stages.result(standings),
            items=tuple(
                ItemResult(
                    item_id=line.item_id,
                    item_code=line.item_code,
                    state=line.state,
                    outcome=line.outcome,
                    opinion=line.opinion,
                )
                for line in process.lines.values()
            ),
        ),
    )
