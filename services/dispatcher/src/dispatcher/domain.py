"""What the dispatcher alone decides: a stage application as a process, how it is split, what goes out to whom and when.

What a step of an item means for its stage is said in `folding`, what others decide about an item in `decisions`, which
results go with it in `results`.

Every decision about a case is made under the catalogue and the readings that were pinned at its admission; whoever
calls hands in that catalogue (Art. 1, 23).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from contracts import department_worker as items
from contracts.codes import CreditCode, DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.dispatcher import (
    DeferredMaterialsPassedOn,
    ItemClosed,
    ItemDispatched,
    ItemNotDispatched,
    ItemSupplemented,
    ItemWithdrawn,
    ResultsPassedOn,
    SpecialHandlingRefused,
    StageAccepted,
    StageConcluded,
    StageDispatched,
    StageResultAmended,
)
from contracts.envelope import derived_id
from contracts.intake import (
    ApplicationReceived,
    DeferredMaterialsSubmitted,
    ItemReapplied,
    StageApplied,
    SupplementSubmitted,
    WithdrawalRequested,
)
from contracts.parts import DeferredMaterial, DispatchedItem, MaterialRef, Policies
from contracts.terms import ItemState, Outcome, ProcessType, Stage, Submission
from procedure import stages
from procedure.catalogue import Catalogue, ItemRule
from procedure.items import TERMINAL
from procedure.policies import policies_of
from procedure.stages import Standing

S = ItemState
CLOSED: Final = (Outcome.CLOSED_NO_OPINION, Outcome.WAIVED)
"""How an item ends without its department: the lead closed it, or special handling waived it (Art. 14, 17)."""


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
    ended_at: datetime | None = None

    @property
    def closed(self) -> bool:
        """Whether it ended without its department: what that department still says of this attempt counts no more."""
        return self.outcome in CLOSED

    @property
    def ended(self) -> bool:
        """Whether this attempt has come to its end, whatever the stage makes of it."""
        return self.closed or self.state in TERMINAL

    @property
    def standing(self) -> Standing:
        return Standing(self.item_code, self.state, self.outcome, self.dispatched, self.optional, closed=self.closed)


class StageProcess(NamedTuple):
    """One stage application as a process; `version` counts what the dispatcher said of it.

    `changed`, `more_materials` and `issued` say what is new since it was loaded: lines, materials, and the steps by
    which a result came to be or was revoked.
    """

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
    deferred: tuple[DeferredMaterial, ...]
    applied_at: datetime
    limit_days: int
    lines: Mapping[ItemCode, ItemLine]
    version: int = 0
    accepted_at: datetime | None = None
    concluded_at: datetime | None = None
    changed: frozenset[ItemCode] = frozenset()
    more_materials: bool = False
    issued: tuple[items.ItemConcluded | items.ItemRevoked, ...] = ()
    builder_name: str = ""


ToDepartment = ItemDispatched | ItemSupplemented | DeferredMaterialsPassedOn | ResultsPassedOn | ItemWithdrawn
ToAll = (
    StageDispatched
    | StageAccepted
    | StageConcluded
    | StageResultAmended
    | ItemNotDispatched
    | ItemClosed
    | SpecialHandlingRefused
)
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
        builder_name=applied.builder.name,
        project_name=applied.project_name,
        submission=applied.submission,
        materials=applied.materials,
        policies=applied.policies,
        deferred=applied.deferred,
        applied_at=applied.occurred_at,
        limit_days=catalogue.limit(applied.process_type, applied.stage),
        lines=lines,
        version=1,
    )
    announced = _announced(process, applied, catalogue)
    process, begun = _received_online(process, applied)
    process, sent = dispatch_ready(process, applied.event_id, applied.occurred_at, catalogue)
    return process, (announced, *begun, *sent)


def _announced(process: StageProcess, applied: StageApplied, catalogue: Catalogue) -> StageDispatched:
    place = catalogue.places[process.jurisdiction]
    names = [catalogue.materials[reference.code].name for reference in applied.materials]
    return StageDispatched(
        **about_stage(process, applied.event_id, applied.occurred_at, "StageDispatched"),
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
        milestone=rule.milestone,
    )


def about_stage(process: StageProcess, cause: UUID, at: datetime, *parts: object) -> dict[str, Any]:
    """Return what every event about a stage carries; its id follows from `parts`."""
    return {
        "event_id": derived_id(process.application_id, *parts),
        "causation_id": cause,
        "occurred_at": at,
        "project_code": process.project_code,
        "application_id": process.application_id,
        "stage": process.stage,
    }


def about_item(process: StageProcess, line: ItemLine, cause: UUID, at: datetime, *parts: object) -> dict[str, Any]:
    """Return what every event about an item carries; its id follows from the attempt and `parts`."""
    return {
        **about_stage(process, cause, at, line.item_id, *parts),
        "item_id": line.item_id,
        "item_code": line.item_code,
        "attempt": line.attempt,
        "department": line.department,
        "jurisdiction": line.jurisdiction,
    }


def with_lines(process: StageProcess, *lines: ItemLine) -> StageProcess:
    """Return the process with `lines` in the place of the former ones."""
    merged = {**process.lines, **{line.item_code: line for line in lines}}
    return process._replace(lines=merged, changed=process.changed | {line.item_code for line in lines})


def dispatch_ready(process: StageProcess, cause: UUID, at: datetime, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    """Dispatch what waits for nothing any more; close what never will start, and what waits for that in turn (R29)."""
    if all(line.dispatched or line.state is not S.DRAFT for line in process.lines.values()):
        return process, ()
    standings = {code: line.standing for code, line in process.lines.items()}
    follows = stages.following({code: line.after for code, line in process.lines.items()}, standings)
    if not follows.ready and not follows.never:
        return process, ()
    sent: list[ToAll | ToDepartment] = []
    for code in follows.ready:
        line = process.lines[code]._replace(dispatched=True)
        process = with_lines(process, line)
        sent.append(item_dispatched(process, line, cause, at, catalogue))
    for code, because_of in follows.never:
        line = process.lines[code]._replace(state=S.NOT_DISPATCHED, ended_at=at)
        process = with_lines(process, line)._replace(version=process.version + 1)
        about = about_item(process, line, cause, at, "ItemNotDispatched", cause)
        sent.append(ItemNotDispatched(**about, version=process.version, because_of=because_of))
    process, more = dispatch_ready(process, cause, at, catalogue)
    return process, (*sent, *more)


def item_dispatched(
    process: StageProcess,
    line: ItemLine,
    cause: UUID,
    at: datetime,
    catalogue: Catalogue,
    reopened_at: datetime | None = None,
) -> ItemDispatched:
    """Return what gives an item to its department; results of other departments are put in when they are looked up."""
    rule = catalogue.items[line.item_code]
    given = _needed_by(rule, process.materials)
    lacking = set(rule.materials) - {reference.code for reference in given}
    return ItemDispatched(
        **about_item(process, line, cause, at, "ItemDispatched"),
        applied_at=process.applied_at if line.attempt == 1 else at,
        name=rule.name,
        kind=rule.kind,
        limit_days=rule.limit_days,
        on_expiry=rule.on_expiry,
        submission=process.submission,
        project_name=process.project_name,
        builder=process.builder,
        builder_name=process.builder_name or None,
        materials=given,
        policies=process.policies,
        deferred=tuple(one for one in process.deferred if one.code in lacking),
        reopened_at=reopened_at,
    )


# Declared again, supplemented, withdrawn, received ----------------------------------------------------------------


def comes_early(process: StageProcess, applied: ItemReapplied) -> bool:
    """Whether the end that lets an item be declared again has not been read yet (it stands on another topic)."""
    line = process.lines.get(applied.item_code)
    return line is not None and line.item_id == applied.former_item_id and not line.ended


def reapply(process: StageProcess, applied: ItemReapplied, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    """Begin the next attempt of an item that is declared again by item (Art. 7, R26)."""
    former = process.lines.get(applied.item_code)
    if former is None or former.item_id != applied.former_item_id:
        return process, ()
    process = _with_materials(process, applied.materials)
    return begin_again(process, former, applied.event_id, applied.occurred_at, catalogue)


def _with_materials(process: StageProcess, more: Iterable[MaterialRef]) -> StageProcess:
    given = {reference.code: reference for reference in (*process.materials, *more)}
    return process._replace(materials=tuple(given.values()), more_materials=True)


def begin_again(
    process: StageProcess,
    former: ItemLine,
    cause: UUID,
    at: datetime,
    catalogue: Catalogue,
    *,
    jurisdiction: JurisdictionCode | None = None,
    reopened_at: datetime | None = None,
) -> tuple[StageProcess, Said]:
    """Dispatch the next attempt of an item at once; what the former attempt still says counts no more."""
    attempt = former.attempt + 1
    line = ItemLine(
        item_code=former.item_code,
        item_id=item_id_of(process.application_id, former.item_code, attempt),
        attempt=attempt,
        department=former.department,
        jurisdiction=jurisdiction or former.jurisdiction,
        after=former.after,
        optional=former.optional,
        dispatched=True,
    )
    process = revived(with_lines(process, line))
    return process, (item_dispatched(process, line, cause, at, catalogue, reopened_at),)


def revived(process: StageProcess) -> StageProcess:
    """Let what never started because another item had failed wait again, once none of its predecessors stands failed
    any more: an item declared again is open again with all that waits for it (R26, R29)."""
    for line in process.lines.values():
        stopped = line.state is S.NOT_DISPATCHED and not line.closed
        if stopped and not any(stages.failed(process.lines[one].standing) for one in line.after):
            return revived(with_lines(process, line._replace(state=S.DRAFT, ended_at=None)))
    return process


def supplement(process: StageProcess, given: SupplementSubmitted) -> tuple[StageProcess, Said]:
    """Hand a supplement to the department that asked for it (Art. 13); what is dispatched later has its materials."""
    line = process.lines.get(given.item_code)
    if line is None or line.item_id != given.item_id:
        return process, ()
    if given.materials:
        process = _with_materials(process, given.materials)
    return process, (
        ItemSupplemented(
            **about_item(process, line, given.event_id, given.occurred_at, "supplement", given.event_id),
            submitted_at=given.occurred_at,
            materials=given.materials,
            explanation=given.explanation,
            actor=given.actor,
        ),
    )


def take_deferred(
    process: StageProcess, given: DeferredMaterialsSubmitted, catalogue: Catalogue
) -> tuple[StageProcess, Said]:
    """容缺: what was promised at the declaration has come (Art. 17): every department that was given an item without it
    is given it now, a concluded one too; what is dispatched later has it."""
    passed_on = (
        DeferredMaterialsPassedOn(
            **about_item(process, line, given.event_id, given.occurred_at, "deferred", given.event_id), materials=theirs
        )
        for line in process.lines.values()
        if line.dispatched and (theirs := _needed_by(catalogue.items[line.item_code], given.materials))
    )
    return _with_materials(process, given.materials), tuple(passed_on)


def _needed_by(rule: ItemRule, materials: Iterable[MaterialRef]) -> tuple[MaterialRef, ...]:
    return tuple(reference for reference in materials if reference.code in rule.materials)


def withdraw(process: StageProcess, asked: WithdrawalRequested, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    """Tell the department that the builder withdrew an item, once that is confirmed.

    An item that still waits for others is handed over together with its withdrawal: its department ends it like any
    other, and it never goes out later.
    """
    line = process.lines.get(asked.item_code)
    if line is None or line.item_id != asked.item_id or not asked.confirmed:
        return process, ()
    cause, at = asked.event_id, asked.occurred_at
    given: Said = ()
    if not line.dispatched and not line.ended:
        process = with_lines(process, line._replace(dispatched=True))
        given = (item_dispatched(process, line, cause, at, catalogue),)
    withdrawn = ItemWithdrawn(
        **about_item(process, line, cause, at, "withdraw", cause),
        withdrawn_at=at,
        reason=asked.reason,
        actor=asked.actor,
    )
    return process, (*given, withdrawn)


def receive(process: StageProcess, received: ApplicationReceived) -> tuple[StageProcess, Said]:
    """The window's receipt accepts the stage where the city reads it so (P2 `window_receipt`)."""
    if policies_of(process.policies).stage_accepted_when != "window_receipt":
        return process, ()
    return accepted(process, received.event_id, received.occurred_at)


def _received_online(process: StageProcess, applied: StageApplied) -> tuple[StageProcess, Said]:
    """What is handed in wholly online is received when it is declared: no window's receipt will follow (P2)."""
    by_receipt = policies_of(process.policies).stage_accepted_when == "window_receipt"
    if not by_receipt or applied.submission is not Submission.ONLINE:
        return process, ()
    return accepted(process, applied.event_id, applied.occurred_at)


def accepted(process: StageProcess, cause: UUID, at: datetime) -> tuple[StageProcess, Said]:
    """Accept the stage, once; the clock of one that has concluded stays closed (P20)."""
    if process.accepted_at is not None or process.concluded_at is not None:
        return process, ()
    process = process._replace(accepted_at=at, version=process.version + 1)
    return process, (
        StageAccepted(
            **about_stage(process, cause, at, "StageAccepted"),
            version=process.version,
            accepted_at=at,
            limit_days=process.limit_days,
            jurisdiction=process.jurisdiction,
        ),
    )
