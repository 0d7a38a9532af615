"""A stage's story from a seed, for its judge: items that are received, accepted, corrected, returned, declared again,
decided, recalled and withdrawn, each act legal where it happens; and what is said of it, unsorted and more than once.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from contracts import department_worker as said
from contracts import dispatcher as stages
from contracts.codes import CreditCode, DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.envelope import Event, derived_id
from contracts.parts import Actor, Special
from contracts.parts import Policies as Versions
from contracts.terms import CloseCause, ItemKind, OnExpiry, Outcome, ProcessType, SpecialKind, Stage, StageResult
from local.oracle import LIMITS, days_of, first_day, instant_on, later, local_day, midnight
from local.oracle_stage import CLOSES, PAUSES, RESUMES, Happened, StageCase
from procedure.policies import Policies

LONGEST: Final = 366
"""The limit of every item, in working days: the judge of stages lets none run out by itself."""
MOVES: Final[dict[str, dict[str, int]]] = {
    "waiting": {"received": 20, "closed": 1},
    "received": {"accepted": 12, "asked first": 2, "not accepted": 2, "withdrawn": 1, "closed": 1},
    "asked first": {"answered first": 6, "withdrawn": 1},
    "running": {
        "corrected": 6,
        "special": 5,
        "returned": 4,
        "decided": 3,
        "expired": 1,
        "deemed": 1,
        "withdrawn": 1,
        "closed": 1,
        "reviewed": 1,
        "extended": 1,
        "amended": 1,
    },
    "standing": {"answered": 6, "special ended": 6, "corrected": 1, "special": 1, "returned": 2, "withdrawn": 1},
    "decided": {"concluded": 3, "seal failed": 1},
    "returned": {"declared again": 12, "withdrawn": 1, "closed": 1},
    "expired": {"declared again": 2, "closed": 2},
    "open to declare": {"declared again": 1, "nothing": 2},
    "declared": {"received": 1},
    "over": {},
}
"""How an item may go on from where it stands, and how often beside the others."""

LEADS: Final = {
    "received": "received",
    "accepted": "running",
    "asked first": "asked first",
    "answered first": "received",
    "not accepted": "open to declare",
    "withdrawn": "open to declare",
    "returned": "returned",
    "decided": "decided",
    "concluded": "over",
    "seal failed": "running",
    "expired": "expired",
    "deemed": "over",
    "closed": "over",
    "declared again": "declared",
}
"""Act → where it leads; the others leave the item where it stands, or a pause and its end decide."""


@dataclass
class Line:
    """One item while its story is made."""

    code: str
    stands: str = "waiting"
    attempt: int = 1
    version: int = 0
    limit: int = LONGEST
    extended: bool = False
    reasons: set[str] = field(default_factory=set[str])
    since: datetime | None = None
    """When it was declared again, or decided: what then follows is told later, and counts from that instant."""


# A stage from a seed --------------------------------------------------------------------------------------------


def case_of(seed: int) -> StageCase:
    """Return the stage that `seed` stands for."""
    chance = random.Random(seed)
    first = first_day(chance)
    opened = instant_on(chance, first)
    lines = [Line(f"S1-{number:02}") for number in range(1, chance.randrange(1, 5) + 1)]
    codes = tuple(line.code for line in lines)
    case = StageCase(days_of(chance, first), _policies(chance), chance.choice((0, *LIMITS)), opened, codes)
    at = opened
    for _ in range(chance.randrange(4, 40)):
        at = later(chance, at)
        _move(chance, case, chance.choice(lines), at)
    for line in lines:
        if line.stands == "declared":
            _move(chance, case, line, at)
    case.accepted = _accepted(case)
    if chance.random() < 0.2:
        case.concluded = at
    case.asked = later(chance, at)
    return case


def _policies(chance: random.Random) -> Policies:
    """Mostly the default readings. Whether a start day counts on which the clock already stood still, nobody has said:
    P6 is put together with neither P3 nor a start that comes after the first item's."""
    anew, begins = chance.random() < 0.15, chance.choice(("first_item", "first_item", "all_items", "window_receipt"))
    return Policies(
        stage_pause_policy=chance.choice(("ANY", "ALL_OPEN")),
        stage_accepted_when=begins,
        stage_restart_on_return=anew,
        stage_resumes_at=chance.choice(("resubmission", "resubmission", "reacceptance")),
        count_start_day=begins == "first_item" and not anew and chance.random() < 0.3,
        due_day_ends=chance.choice(("midnight", "midnight", "office_close")),
    )


def _move(chance: random.Random, case: StageCase, line: Line, at: datetime) -> None:
    """Let one item go one step on."""
    stands = "standing" if line.stands == "running" and line.reasons else line.stands
    moves = {what: weight for what, weight in MOVES[stands].items() if _is_legal(line, what)}
    if not moves:
        return
    what = chance.choices(list(moves), weights=list(moves.values()))[0]
    if what == "nothing":
        return
    if what in ("expired", "deemed"):
        at = midnight(local_day(at) + timedelta(days=1))
    at = max(at, _latest(case, line))
    if what == "declared again":
        line.attempt, line.version, line.extended, line.limit = line.attempt + 1, 0, False, LONGEST
    else:
        line.version += 1
    case.acts.append(
        Happened(_counts(line, what, at), line.code, what, line.attempt, line.version, _detail(line, what, at))
    )
    _lead(line, what, at)
    if stands == "expired" and what == "declared again":  # given to the department anew, and on its desk at once
        _move(chance, case, line, at)


def _is_legal(line: Line, what: str) -> bool:
    if what in PAUSES:
        return PAUSES[what] not in line.reasons
    if what in RESUMES:
        return RESUMES[what] in line.reasons
    return not (what == "extended" and line.extended)


def _latest(case: StageCase, line: Line) -> datetime:
    return max((act.at for act in case.acts if act.code == line.code), default=case.dispatched)


def _counts(line: Line, what: str, at: datetime) -> datetime:
    """A conclusion counts from the receipt of its decision, though it is known when its seal is made (R1)."""
    return line.since if what == "concluded" and line.since is not None else at


def _detail(line: Line, what: str, at: datetime) -> Any:
    if what == "amended":
        line.limit -= 1
        return line.limit
    return line.since if what == "received" else None


def _lead(line: Line, what: str, at: datetime) -> None:
    if what in PAUSES:
        line.reasons.add(PAUSES[what])
    elif what in RESUMES:
        line.reasons.discard(RESUMES[what])
    else:
        line.extended = line.extended or what == "extended"
        line.stands = LEADS.get(what, line.stands)
        line.since = at if what in ("declared again", "decided") else None
        if what in ("returned", *CLOSES, "expired"):
            line.reasons.clear()


def _accepted(case: StageCase) -> datetime | None:
    """P2, R31: with its first item, with the last of its items accepted or not accepted, or at the window."""
    if case.policies.stage_accepted_when == "window_receipt":
        return case.dispatched
    begun: datetime | None = None
    touched: set[str] = set()
    for act in sorted(case.acts, key=lambda act: act.at):
        if act.what in ("accepted", "not accepted"):
            touched.add(act.code)
        if act.what == "accepted":
            begun = begun or act.at
        first = case.policies.stage_accepted_when == "first_item"
        if begun is not None and (first or len(touched) == len(case.codes)):
            return act.at
    return None


# What is said of it ---------------------------------------------------------------------------------------------

PROJECT: Final = ProjectCode("2018-210281-47-03-000123")
APPLICATION: Final = derived_id("oracle")
ACTOR: Final = Actor(holder="张三", certificate="CA-1")
BUILDER: Final = CreditCode("91210281MA0ABC123K")
VERSIONS: Final = Versions(catalogue_version="示范", policy_version="178/2018")
LIMIT: Final = {"kind": ItemKind.PERMIT, "limit_days": LONGEST, "on_expiry": OnExpiry.ESCALATE}
DECISION: Final = {"outcome": Outcome.GRANTED, "opinion": "准予"}
EXPERTS: Final = Special(kind=SpecialKind.EXPERT_REVIEW, reason="专家评审")
STEPS: Final[dict[str, tuple[type[said.ItemStepped], dict[str, Any]]]] = {
    "received": (said.ItemReceived, {**LIMIT, "builder": BUILDER}),
    "accepted": (said.ItemAccepted, LIMIT),
    "not accepted": (said.ItemNotAccepted, {"opinion": "理由"}),
    "asked first": (said.CorrectionRequested, {"before_acceptance": True, "opinion": "理由"}),
    "answered first": (said.CorrectionEnded, {"before_acceptance": True}),
    "corrected": (said.CorrectionRequested, {"before_acceptance": False, "opinion": "理由"}),
    "answered": (said.CorrectionEnded, {"before_acceptance": False}),
    "special": (said.SpecialStarted, {"special": EXPERTS}),
    "special ended": (said.SpecialEnded, {}),
    "reviewed": (said.ItemReviewed, {}),
    "extended": (said.ItemExtended, {"days": 10, "opinion": "理由", "approved_by": "局长"}),
    "amended": (said.LimitAmended, {"former_limit_days": LONGEST, "opinion": "理由"}),
    "returned": (said.ItemReturned, {"opinion": "理由"}),
    "decided": (said.ItemDecided, {**DECISION, "seal_request_id": APPLICATION}),
    "seal failed": (said.SealFailed, {"opinion": "理由", "seal_request_id": APPLICATION}),
    "concluded": (said.ItemConcluded, DECISION),
    "expired": (said.ItemRecalled, {"outcome": Outcome.EXPIRED_NO_OPINION}),
    "deemed": (said.ItemRecalled, {"outcome": Outcome.DEEMED_NO_OPINION}),
    "withdrawn": (said.ItemTakenBack, {"opinion": "理由"}),
}


def events_of(case: StageCase, chance: random.Random) -> list[Event]:
    """Return what is said of the stage, some of it twice, in no order."""
    place = JurisdictionCode(case.days.place)
    events = [_said(case, act, place) for act in case.acts if act.what in STEPS]
    ended = [act for act in case.acts if act.what == "closed"]
    closed = [_closed(act, place, number) for number, act in enumerate(ended, 4)]
    told = [*_of_the_stage(case, place), *events, *closed]
    told += chance.choices(told, k=len(told) // 3)
    chance.shuffle(told)
    return told


def _about(at: datetime, *what: object) -> dict[str, Any]:
    known = {"project_code": PROJECT, "application_id": APPLICATION, "stage": Stage.LAND_USE}
    return {**known, "event_id": derived_id(APPLICATION, *what), "causation_id": APPLICATION, "occurred_at": at}


def _about_item(act: Happened, place: JurisdictionCode) -> dict[str, Any]:
    item = {"item_id": derived_id(act.code, act.attempt), "item_code": ItemCode(act.code), "attempt": act.attempt}
    where = {"department": DepartmentCode("GHJ"), "jurisdiction": place}
    return {
        **_about(act.at, act.code, act.attempt, act.version, act.what),
        **item,
        **where,
        "at": act.at,
        "actor": ACTOR,
    }


def _said(case: StageCase, act: Happened, place: JurisdictionCode) -> said.ItemStepped:
    kind, more = STEPS[act.what]
    if kind is said.ItemReceived:
        more = more | {"applied_at": act.detail or case.dispatched}
    if kind is said.LimitAmended:
        more = more | {"limit_days": act.detail}
    if kind is said.ItemRecalled:
        more = more | {"due_at": act.at}
    return kind(**_about_item(act, place), version=act.version, policies=VERSIONS, **more)


def _closed(act: Happened, place: JurisdictionCode, version: int) -> stages.ItemClosed:
    why: dict[str, Any] = {
        "cause": CloseCause.WAIVED,
        "outcome": Outcome.WAIVED,
        "reason": "并入",
        "decided_by": APPLICATION,
    }
    return stages.ItemClosed(**_about_item(act, place), version=version, **why)


def _of_the_stage(case: StageCase, place: JurisdictionCode) -> Iterable[Event]:
    yield stages.StageDispatched(
        **_about(case.dispatched, "dispatched"),
        version=1,
        applied_at=case.dispatched,
        jurisdiction=place,
        process_type=ProcessType.GOV_BUILDING,
        limit_days=case.limit,
        items=(),
        window="窗口",
        originals=(),
        policies=VERSIONS,
    )
    if case.accepted is not None:
        told: dict[str, Any] = {"accepted_at": case.accepted, "limit_days": case.limit, "jurisdiction": place}
        yield stages.StageAccepted(**_about(case.accepted, "accepted"), version=2, **told)
    if case.concluded is not None:
        told = {"concluded_at": case.concluded, "result": StageResult.ALL_GRANTED, "items": ()}
        yield stages.StageConcluded(**_about(case.concluded, "concluded"), version=3, **told)
