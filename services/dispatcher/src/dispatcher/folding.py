"""Steps of items, folded into their stage: when it is accepted, what goes out next, when it concludes and how."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts import department_worker as items
from contracts.dispatcher import ItemResult, StageConcluded, StageResultAmended
from contracts.terms import ItemState
from dispatcher.domain import (
    ItemLine,
    Said,
    StageProcess,
    ToAll,
    ToDepartment,
    about_stage,
    accepted,
    dispatch_ready,
    with_lines,
)
from procedure import stages
from procedure.catalogue import Catalogue
from procedure.items import TERMINAL
from procedure.policies import policies_of
from procedure.stages import Standing

S = ItemState
STATE_AFTER: Final[Mapping[type[items.ItemStepped], ItemState]] = {
    items.ItemReceived: S.RECEIVED,
    items.ItemAccepted: S.ACCEPTED,
    items.ItemNotAccepted: S.NOT_ACCEPTED,
    items.ItemConcluded: S.CONCLUDED,
    items.ItemReturned: S.RETURNED,
    items.ItemRecalled: S.AUTO_RECALLED,
    items.ItemTakenBack: S.WITHDRAWN,
    items.ItemRevoked: S.REVOKED,
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
    if line is None or line.item_id != step.item_id or line.closed or step.version <= line.version:
        return process, ()
    state = STATE_AFTER.get(type(step))
    if state is None:
        return with_lines(process, line._replace(version=step.version)), ()
    line = _stepped(line, step, state)
    process = with_lines(process, line)
    if isinstance(step, items.ItemRevoked) or (
        isinstance(step, items.ItemConcluded) and step.outcome in stages.GRANTED
    ):
        process = process._replace(issued=(*process.issued, step))
    process, begun = (process, ()) if state is S.RECEIVED else _accept(process, step)
    process, ended = settle(process, line, step.event_id, step.at, catalogue)
    return process, (*begun, *ended)


def _stepped(line: ItemLine, step: items.ItemStepped, state: ItemState) -> ItemLine:
    """Return the line after a step; an item called back ended at its due instant, whenever that is said (R19)."""
    outcome, opinion = step.told
    ended_at = None if state not in TERMINAL else step.due_at if isinstance(step, items.ItemRecalled) else step.at
    return line._replace(version=step.version, state=state, outcome=outcome, opinion=opinion, ended_at=ended_at)


def _accept(process: StageProcess, step: items.ItemStepped) -> tuple[StageProcess, Said]:
    """Accept the stage when its items' steps do, by the reading that it runs under (P2, R31)."""
    if process.accepted_at is not None:
        return process, ()
    standings = [line.standing for line in process.lines.values()]
    if not stages.is_accepted(standings, policies_of(process.policies)):
        return process, ()
    return accepted(process, step.event_id, step.at)


def settle(
    process: StageProcess, line: ItemLine, cause: UUID, at: datetime, catalogue: Catalogue
) -> tuple[StageProcess, Said]:
    """Return what follows when an item no longer holds its stage: others go out or never will (P23, R29); the stage
    concludes, once; and how a concluded one stands anew is said (P18, P20, R30)."""
    if not stages.is_closed(line.standing):
        return process, ()
    process, sent = dispatch_ready(process, cause, at, catalogue)
    finish = _conclude if process.concluded_at is None else _amend
    process, ended = finish(process, cause, line.ended_at or at, catalogue)
    return process, (*sent, *ended)


def _standings(process: StageProcess, catalogue: Catalogue) -> list[Standing]:
    return [line.standing._replace(milestone=catalogue.items[code].milestone) for code, line in process.lines.items()]


def _conclude(process: StageProcess, cause: UUID, at: datetime, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    standings = _standings(process, catalogue)
    if not stages.is_concluded(standings, policies_of(process.policies)):
        return process, ()
    concluded_at = _concluded_at(process, standings, at)
    process = process._replace(concluded_at=concluded_at, version=process.version + 1)
    return process, (
        StageConcluded(
            **about_stage(process, cause, concluded_at, "StageConcluded"),
            version=process.version,
            concluded_at=concluded_at,
            result=stages.result(standings),
            items=_results(process),
        ),
    )


def _concluded_at(process: StageProcess, standings: Iterable[Standing], at: datetime) -> datetime:
    """Return when the last of the items that count ended: the one read last need not be it (a decision waits for its
    seal, a recall for the timer), and a stage does not conclude before its items (R1, R19)."""
    milestones = [one for one in standings if one.milestone]
    counted = {
        "all_terminal": standings,
        "milestone_all": milestones,
        "milestone_any": [one for one in milestones if one.outcome in stages.GRANTED],
    }[policies_of(process.policies).stage_concludes_when]
    ends = (process.lines[one.item_code].ended_at for one in counted or standings)
    return max((end for end in ends if end is not None), default=at)


def _amend(process: StageProcess, cause: UUID, at: datetime, catalogue: Catalogue) -> tuple[StageProcess, Said]:
    process = process._replace(version=process.version + 1)
    return process, (
        StageResultAmended(
            **about_stage(process, cause, at, "StageResultAmended", process.version),
            version=process.version,
            amended_at=at,
            result=stages.result(_standings(process, catalogue)),
            items=_results(process),
        ),
    )


def _results(process: StageProcess) -> tuple[ItemResult, ...]:
    return tuple(
        ItemResult(
            item_id=line.item_id,
            item_code=line.item_code,
            state=line.state,
            outcome=line.outcome,
            opinion=line.opinion,
        )
        for line in process.lines.values()
    )
