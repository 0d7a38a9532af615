"""Every act of a person names the certificate that it was done with; what names nobody, nobody does (Art. 19)."""

from typing import Any, Final, get_args

import pytest

from contracts import dispatcher, intake, signing, supervision, timer
from contracts.dead_letters import DeadLetter
from contracts.envelope import Event
from contracts.parts import Actor
from local import samples

EVENTS: Final = {model for topic in samples.every_topic() for model in topic.says}
FOLLOWS: Final[dict[str, set[type[Event]]]] = {
    "the dispatcher folds what departments decided": {
        dispatcher.StageDispatched,
        dispatcher.ItemNotDispatched,
        dispatcher.StageAccepted,
        dispatcher.StageConcluded,
        dispatcher.StageResultAmended,
        dispatcher.SpecialHandlingRefused,
        dispatcher.ItemDispatched,
        dispatcher.DeferredMaterialsPassedOn,
        dispatcher.ResultsPassedOn,
    },
    "time passes": {
        timer.ClockStarted,
        timer.ClockPaused,
        timer.ClockResumed,
        timer.ClockStopped,
        timer.DueChanged,
        timer.LightChanged,
        timer.ItemOverdue,
        timer.ItemAutoRecall,
        timer.StageOverdue,
        timer.AcceptanceOverdue,
        timer.ReminderDue,
    },
    "a token answers a registered request": {
        signing.SealCompleted,
        signing.SealRejected,
        signing.AuditRootSealed,
        signing.CertificateRegistered,
    },
    "the platform tells and watches": {
        intake.NoticeSent,
        signing.LoginsRefused,
        supervision.SignalRaised,
        supervision.AuditRootClosed,
        DeadLetter,
    },
}
"""What no person does, and what it follows from."""
LATER: Final = {
    dispatcher.ItemSupplemented,
    intake.ProjectRegistered,
    intake.ProjectAmended,
    signing.RosterListed,
    signing.CertificateSuspended,
}
"""Acts that named nobody at first: who acts stands in them since, and may be missing in what was said before."""
NOBODYS: Final = set[type[Event]]().union(*FOLLOWS.values())


def actors(model: type[Event]) -> dict[str, Any]:
    """The fields of an event in which somebody stands who acts."""
    kinds = {name: field.annotation for name, field in model.model_fields.items()}
    return {name: kind for name, kind in kinds.items() if kind is Actor or Actor in get_args(kind)}


def test_an_event_is_somebodys_act_or_follows_by_itself() -> None:
    assert {model for model in EVENTS if not actors(model)} == NOBODYS


@pytest.mark.parametrize("model", sorted(EVENTS - NOBODYS, key=lambda model: model.__name__))
def test_an_act_cannot_be_said_without_who_acted(model: type[Event]) -> None:
    assert any(kind is Actor for kind in actors(model).values()) or model in LATER
    assert actors(model).keys() <= {"actor", "requested_by", "approved_by", "reported_by"}


@pytest.mark.parametrize("missing", ["", " ", "无"])
def test_a_certificate_has_a_serial(missing: str) -> None:
    with pytest.raises(ValueError, match="certificate"):
        Actor(holder="张三", certificate=missing)
