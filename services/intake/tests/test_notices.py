"""What the builder is told: by the table, with the article, with remedies against refusals (Art. 9, 13, 14, 15)."""

from typing import Any

import pytest

from chassis.catalogue import City
from contracts import topics
from contracts.codes import CreditCode, ItemCode
from contracts.department_worker import ItemExtended, ItemNotAccepted, ItemRecalled, ItemRevoked, ItemStepped
from contracts.dispatcher import ItemClosed, ItemResult, StageConcluded, StageResultAmended
from contracts.intake import NoticeSent
from contracts.parts import AboutStage
from contracts.terms import CloseCause, ItemState, NoticeKind, Outcome, ReminderKind, StageResult
from contracts.timer import ReminderDue
from intake.domain import notices
from local.samples import sample

BUILDER = CreditCode("91210281MA0ABC123K")


def told(city: City, model: type[AboutStage], /, **facts: Any) -> NoticeSent | None:
    event: Any = sample(model).model_copy(update=facts)
    return notices.notice_of(event, BUILDER, city.catalogue)


def notice(city: City, model: type[AboutStage], /, **facts: Any) -> NoticeSent:
    found = told(city, model, **facts)
    assert found is not None
    return found


def results(*outcomes: tuple[Outcome | None, str]) -> tuple[ItemResult, ...]:
    return tuple(
        ItemResult(
            item_id=sample(ItemClosed).item_id,  # pyright: ignore[reportAttributeAccessIssue]
            item_code=ItemCode(f"S1-0{number}"),
            state=ItemState.CONCLUDED,
            outcome=outcome,
            opinion=opinion,
        )
        for number, (outcome, opinion) in enumerate(outcomes, 1)
    )


@pytest.mark.parametrize("kind", [StageConcluded, StageResultAmended])
def test_refusals_come_in_one_bundle_with_their_reasons_and_the_remedies(city: City, kind: type[AboutStage]) -> None:
    items = results((Outcome.GRANTED, "同意"), (Outcome.REFUSED, "容积率超出"), (Outcome.DEEMED_NO_OPINION, ""))
    said = notice(city, kind, items=items, result=StageResult.PARTLY_REFUSED)
    assert (said.kind, said.article, said.item_code) == (NoticeKind.STAGE_RESULT, "第十五条", None)
    assert "不予批准（理由：容积率超出）" in said.body and "视为无意见" in said.body
    assert "60 日内申请行政复议" in said.body and "6 个月内提起行政诉讼" in said.body


def test_where_nothing_was_refused_no_remedy_is_told(city: City) -> None:
    assert "复议" not in notice(city, StageConcluded, items=results((Outcome.GRANTED, ""))).body


def test_however_long_the_reasons_are_the_remedies_are_told(city: City) -> None:
    items = results(*((Outcome.REFUSED, "理" * 900) for _ in range(9)))
    body = notice(city, StageConcluded, items=items).body
    assert len(body) <= 4000 and body.endswith(notices.REMEDIES)


def test_a_consultation_that_fell_silent_is_told_as_no_opinion_by_article_14(city: City) -> None:
    said = notice(city, ItemRecalled, outcome=Outcome.DEEMED_NO_OPINION)
    assert (said.kind, said.article) == (NoticeKind.DEEMED_NO_OPINION, "第十四条")
    assert "视为无意见（第十四条）" in said.body
    permit = notice(city, ItemRecalled, outcome=Outcome.EXPIRED_NO_OPINION)
    assert "视为" not in permit.body and "牵头部门" in permit.body


def test_an_extension_tells_the_days_who_gave_them_and_why(city: City) -> None:
    said = notice(city, ItemExtended, days=10, approved_by="李局长", opinion="案情复杂")
    assert said.kind is NoticeKind.EXTENDED
    assert all(text in said.body for text in ("10 个工作日", "李局长", "案情复杂", "第四十二条"))


@pytest.mark.parametrize("kind", [ItemNotAccepted, ItemRevoked])
def test_what_can_be_appealed_names_its_reason_and_the_remedies(city: City, kind: type[ItemStepped]) -> None:
    said = notice(city, kind, opinion="依据不足")
    assert "依据不足" in said.body and said.body.endswith(notices.REMEDIES)


def test_a_closed_item_is_told_with_its_reason_and_the_article_of_its_cause(city: City) -> None:
    expired = notice(city, ItemClosed, cause=CloseCause.EXPIRED, outcome=Outcome.CLOSED_NO_OPINION, reason="逾期")
    waived = notice(city, ItemClosed, cause=CloseCause.WAIVED, outcome=Outcome.WAIVED, reason="并入 S1-05")
    assert [(one.kind, one.article) for one in (expired, waived)] == [
        (NoticeKind.ITEM_CLOSED, "第十四条"),
        (NoticeKind.ITEM_CLOSED, "第十七条"),
    ]
    assert "免予办理" in waived.body and "并入 S1-05" in waived.body


def test_the_builder_is_reminded_of_what_is_its_own_to_do(city: City) -> None:
    unanswered = notice(city, ReminderDue, kind=ReminderKind.CORRECTION_UNANSWERED)
    assert (unanswered.kind, unanswered.article) == (NoticeKind.REMINDER, "第十三条")
    again = notice(city, ReminderDue, kind=ReminderKind.NOT_DECLARED_AGAIN)
    assert again.article == "第七条" and "2026-03-02" in again.body
    assert told(city, ReminderDue, kind=ReminderKind.SPECIAL_OVERDUE) is None


def test_one_event_makes_one_notice_however_often_it_comes(city: City) -> None:
    assert notice(city, ItemExtended) == notice(city, ItemExtended)


def test_every_event_of_a_case_can_be_asked_for_its_notice(city: City) -> None:
    """An event without a row is none of the builder's business, and no trouble."""
    for topic in (topics.STAGES, topics.ITEMS, topics.CLOCKS):
        for kind in topic.says:
            if issubclass(kind, AboutStage):
                made = told(city, kind)
                assert made is None or made.article.startswith("第")
