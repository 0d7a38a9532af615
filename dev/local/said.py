"""What dispatcher and department worker say of one stage, made by hand: for tests of clocks.

Instants are Beijing time as a tuple, `2026, 3, 2, 9`.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

from contracts import department_worker as items
from contracts.codes import CreditCode, DepartmentCode, ItemCode, JurisdictionCode, ProjectCode
from contracts.dispatcher import ItemClosed, ItemResult, StageAccepted, StageConcluded, StageDispatched
from contracts.envelope import Event, derived_id
from contracts.parts import Actor, DispatchedItem, Policies, Special
from contracts.terms import (
    CloseCause,
    ItemKind,
    ItemState,
    OnExpiry,
    Outcome,
    ProcessType,
    SpecialKind,
    Stage,
    StageResult,
)

BEIJING: Final = timezone(timedelta(hours=8))
PLACE: Final = JurisdictionCode("210281")
CODE: Final = ProjectCode("2018-210281-47-03-000123")
ACTOR: Final = Actor(holder="张三", certificate="CA-1")
BUILDER: Final = CreditCode("91210281MA0ABC123K")


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BEIJING).astimezone(UTC)  # type: ignore[arg-type]


def pinned(**settings: Any) -> Policies:
    """Return the versions of a case whose readings differ from the default ones in `settings`."""
    return Policies(catalogue_version="示范", policy_version="178/2018" if not settings else "试行", settings=settings)


class StageStory:
    """Says the events of one stage application."""

    def __init__(
        self, code: str = CODE, *, limit: int = 20, place: str = PLACE, stage: Stage = Stage.LAND_USE, **settings: Any
    ) -> None:
        self.code, self.limit, self.place, self.stage = ProjectCode(code), limit, JurisdictionCode(place), stage
        self.application_id = derived_id("application", code, stage.value)
        self.policies = pinned(**settings)
        self.items: list[ItemStory] = []
        self._version = 0

    def item(self, code: str = "S1-05", *, attempt: int = 1, limit: int = 5, **more: Any) -> "ItemStory":
        """Return one attempt of one item of this stage."""
        self.items.append(ItemStory(self, code, attempt, limit, **more))
        return self.items[-1]

    def about(self, when: datetime, *what: object) -> dict[str, Any]:
        return {
            "event_id": derived_id(self.application_id, *what),
            "causation_id": self.application_id,
            "occurred_at": when,
            "project_code": self.code,
            "application_id": self.application_id,
            "stage": self.stage,
        }

    def _say(self, kind: type[Event], when: datetime, **more: Any) -> Any:
        self._version += 1
        return kind(**self.about(when, kind.__name__), version=self._version, **more)

    def dispatched(self, *when: int) -> StageDispatched:
        """Say which items there are: those made so far, in their first attempt."""
        first = [one for one in self.items if one.attempt == 1]
        return self._say(
            StageDispatched,
            at(*when),
            applied_at=at(*when),
            jurisdiction=self.place,
            process_type=ProcessType.GOV_BUILDING,
            limit_days=self.limit,
            items=tuple(one.dispatched() for one in first),
            window="窗口",
            originals=(),
            policies=self.policies,
        )

    def accepted(self, *when: int) -> StageAccepted:
        return self._say(
            StageAccepted, at(*when), accepted_at=at(*when), limit_days=self.limit, jurisdiction=self.place
        )

    def concluded(self, *when: int) -> StageConcluded:
        results = tuple(
            ItemResult(item_id=one.item_id, item_code=one.code, state=one.state, outcome=one.outcome)
            for one in {one.code: one for one in self.items}.values()
        )
        return self._say(
            StageConcluded, at(*when), concluded_at=at(*when), result=StageResult.ALL_GRANTED, items=results
        )


class ItemStory:
    """Says the steps of one attempt of one item; `version` counts them."""

    def __init__(
        self,
        stage: StageStory,
        code: str,
        attempt: int,
        limit: int,
        kind: ItemKind = ItemKind.PERMIT,
        department: str = "GHJ",
        after: tuple[str, ...] = (),
    ) -> None:
        self.stage, self.code, self.attempt, self.limit, self.kind = stage, ItemCode(code), attempt, limit, kind
        self.item_id: UUID = derived_id("item", stage.application_id, code, attempt)
        self.department = DepartmentCode(department)
        self.after = tuple(map(ItemCode, after))
        self.version = 0
        self.state, self.outcome = ItemState.DRAFT, None

    @property
    def on_expiry(self) -> OnExpiry:
        return OnExpiry.DEEM_NO_OBJECTION if self.kind is ItemKind.CONSULT else OnExpiry.ESCALATE

    def dispatched(self) -> DispatchedItem:
        return DispatchedItem(
            item_id=self.item_id,
            item_code=self.code,
            name=f"事项 {self.code}",
            attempt=1,
            department=self.department,
            jurisdiction=self.stage.place,
            kind=self.kind,
            limit_days=self.limit,
            on_expiry=self.on_expiry,
            after=self.after,
        )

    def _about(self, when: datetime, *what: object) -> dict[str, Any]:
        item = {"item_id": self.item_id, "item_code": self.code, "attempt": self.attempt}
        place = {"department": self.department, "jurisdiction": self.stage.place}
        return {**self.stage.about(when, self.item_id, *what), **item, **place}

    def _step(
        self, step: type[items.ItemStepped], when: datetime, state: ItemState | None = None, /, **more: Any
    ) -> Any:
        self.version += 1
        self.state, self.outcome = state or self.state, more.get("outcome")
        about = self._about(when, self.version, step.__name__)
        return step(**about, version=self.version, at=when, actor=ACTOR, policies=self.stage.policies, **more)

    def _limit(self) -> dict[str, Any]:
        return {"kind": self.kind, "limit_days": self.limit, "on_expiry": self.on_expiry}

    def received(self, *when: int) -> items.ItemReceived:
        more = {"applied_at": at(*when), "builder": BUILDER, **self._limit()}
        return self._step(items.ItemReceived, at(*when), ItemState.RECEIVED, **more)

    def accepted(self, *when: int) -> items.ItemAccepted:
        return self._step(items.ItemAccepted, at(*when), ItemState.ACCEPTED, **self._limit())

    def not_accepted(self, *when: int) -> items.ItemStepped:
        return self._step(items.ItemNotAccepted, at(*when), ItemState.NOT_ACCEPTED, opinion="不属本机关职权")

    def correction(self, *when: int, early: bool = False) -> items.ItemStepped:
        return self._step(items.CorrectionRequested, at(*when), before_acceptance=early, opinion="请补充")

    def supplemented(self, *when: int, early: bool = False) -> items.ItemStepped:
        return self._step(items.CorrectionEnded, at(*when), before_acceptance=early)

    def special(self, *when: int, due_on: date | None = None) -> items.ItemStepped:
        special = Special(kind=SpecialKind.EXPERT_REVIEW, reason="专家评审", due_on=due_on)
        return self._step(items.SpecialStarted, at(*when), special=special)

    def special_ended(self, *when: int) -> items.ItemStepped:
        return self._step(items.SpecialEnded, at(*when))

    def returned(self, *when: int) -> items.ItemStepped:
        return self._step(items.ItemReturned, at(*when), ItemState.RETURNED, opinion="退回")

    def taken_back(self, *when: int) -> items.ItemStepped:
        return self._step(items.ItemTakenBack, at(*when), ItemState.WITHDRAWN, opinion="不办了")

    def concluded(self, *when: int, outcome: Outcome = Outcome.GRANTED) -> items.ItemStepped:
        return self._step(items.ItemConcluded, at(*when), ItemState.CONCLUDED, outcome=outcome, opinion="意见")

    def recalled(self, *due: int) -> items.ItemStepped:
        deemed = self.on_expiry is OnExpiry.DEEM_NO_OBJECTION
        outcome = Outcome.DEEMED_NO_OPINION if deemed else Outcome.EXPIRED_NO_OPINION
        late = at(*due) + timedelta(seconds=1)
        return self._step(items.ItemRecalled, late, ItemState.AUTO_RECALLED, outcome=outcome, due_at=at(*due))

    def extended(self, *when: int) -> items.ItemStepped:
        return self._step(items.ItemExtended, at(*when), days=10, opinion="情况复杂", approved_by="局长")

    def amended(self, *when: int, limit: int) -> items.ItemStepped:
        more = {"limit_days": limit, "former_limit_days": self.limit, "opinion": "调整"}
        return self._step(items.LimitAmended, at(*when), **more)

    def decided(self, *when: int) -> items.ItemStepped:
        more = {"outcome": Outcome.GRANTED, "opinion": "准予", "seal_request_id": self.item_id}
        return self._step(items.ItemDecided, at(*when), ItemState.SEALING, **more)

    def seal_failed(self, *when: int) -> items.ItemStepped:
        more = {"seal_request_id": self.item_id, "opinion": "印章不符"}
        return self._step(items.SealFailed, at(*when), ItemState.APPROVING, **more)

    def closed(self, *when: int) -> ItemClosed:
        return ItemClosed(
            **self._about(at(*when), "closed"),
            version=9,
            at=at(*when),
            cause=CloseCause.WAIVED,
            outcome=Outcome.WAIVED,
            reason="并入其他事项",
            decided_by=self.item_id,
            actor=ACTOR,
        )
