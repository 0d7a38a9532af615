"""The national exchange: the standard's tables, columns, codes and order, out of events alone."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.catalogue import City
from contracts.codes import JurisdictionCode
from contracts.department_worker import ItemStepped
from contracts.intake import StageApplied
from contracts.terms import ItemStep, Outcome
from supervision import domain, exchange
from supervision.exchange import COLUMNS, Flow, Told, tables
from supervision.exchange.items import NOT_AFTER_9, held_to_order
from supervision.exchange.tables import TAIL

BY_HAND = [one for one in ItemStep if one not in (ItemStep.RECEIVE, ItemStep.RECALL)]


def told(city: City, events: list[ItemStepped]) -> list[Told]:
    """The rows of one item's steps, as supervision makes them one by one."""
    flow = Flow(4, "ONLINE", city.catalogue)
    row, rows = domain.opened(events[0]), []
    for event in events:
        before = row
        made, row = exchange.of_step(event, before, domain.stepped(before, event), flow, city.calendar)
        rows += made
    return rows


def blzt(rows: list[Told]) -> list[int]:
    return [one.row["BLZT"] for one in rows if one.table == tables.DETAIL and one.row["SJSCZT"] == tables.WAITING]


def test_every_row_has_exactly_its_tables_columns(city: City, begin: Any, applied: StageApplied) -> None:
    lived = begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).do(ItemStep.START_SPECIAL, 2)
    lived.do(ItemStep.END_SPECIAL, 30).conclude(31)
    consulted = begin("S1-10").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).conclude(3)
    rows = [*exchange.of_catalogue(city.catalogue), *exchange.of_application(applied)]
    rows += [*told(city, lived.events), *told(city, consulted.events)]
    assert {one.table for one in rows} == set(COLUMNS)
    for one in rows:
        assert set(one.row) == {*COLUMNS[one.table], *TAIL}, one.table
        assert one.row["SJSCZT"] == tables.WAITING, one.row["SBYY"]
    assert len({(one.table, one.row["LSH"]) for one in rows}) == len(rows)


def test_a_grant_goes_up_as_1_3_8_11_with_its_document(city: City, begin: Any) -> None:
    rows = told(city, begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).conclude(3).events)
    assert [one.table for one in rows] == [tables.INSTANCE, *[tables.DETAIL] * 4, tables.DOCUMENT]
    assert blzt(rows) == [1, 3, 8, 11]
    document = rows[-1].row
    assert document["PFWJYXQX"] == "9999-01-01" and document["PFRQ"] == "2026-03-02" and document["PFWH"]
    assert rows[0].row["SLFS"] == 4 and rows[0].row["SXBLSX"] == city.catalogue.items["S1-05"].limit_days  # type: ignore[index]


def test_a_3_is_followed_at_once_by_an_8_one_second_later(city: City, begin: Any) -> None:
    lived = begin().do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1)
    accepted, handled = (one.row for one in told(city, lived.events)[-2:])
    assert (accepted["BLZT"], accepted["BLSJ"]) == (3, "2026-03-02 10:00:00")
    assert (handled["BLZT"], handled["BLSJ"]) == (8, "2026-03-02 10:00:01")


@pytest.mark.parametrize(
    ("outcome", "status"), [(Outcome.GRANTED, 11), (Outcome.GRANTED_DEFERRED, 12), (Outcome.REFUSED, 13)]
)
def test_each_outcome_has_its_code(city: City, begin: Any, outcome: Outcome, status: int) -> None:
    rows = told(city, begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).conclude(3, outcome).events)
    assert blzt(rows)[-1] == status


def test_the_other_turns_have_their_codes(city: City, begin: Any) -> None:
    received = lambda: begin("S1-05").do(ItemStep.RECEIVE)  # noqa: E731
    accepted = lambda: received().do(ItemStep.ACCEPT, 1)  # noqa: E731
    expected = {
        (1, 5): received().do(ItemStep.NOT_ACCEPT, 1),
        (1, 2): received().do(ItemStep.WITHDRAW, 1),
        (1, 6, 7): received().do(ItemStep.START_CORRECTION, 1).do(ItemStep.SUPPLEMENT, 2),
        (1, 3, 8, 14): accepted().do(ItemStep.RETURN, 2),
        (1, 3, 8, 6, 7): accepted().do(ItemStep.START_CORRECTION, 2).do(ItemStep.SUPPLEMENT, 30),
        (1, 3, 8, 9, 10): accepted().do(ItemStep.START_SPECIAL, 2).do(ItemStep.END_SPECIAL, 30),
        (1, 3, 8, 11, 15): accepted().conclude(3).do(ItemStep.REVOKE, 99),
    }
    for statuses, lived in expected.items():
        assert tuple(blzt(told(city, lived.events))) == statuses


def test_an_automatic_recall_is_11_with_the_article_for_a_consultation_and_14_for_a_permit(
    city: City, begin: Any
) -> None:
    consulted = told(city, begin("S1-10").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).recall().events)
    assert blzt(consulted) == [1, 3, 8, 11]
    opinion = consulted[-1]
    assert opinion.table == tables.OPINION
    assert opinion.row["FKYJ"] == "逾期未反馈，视为无意见（大政办发〔2018〕178号第十四条）"
    permit = told(city, begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).recall().events)
    assert blzt(permit) == [1, 3, 8, 14] and "第十四条" in permit[-1].row["BLYJ"]


def test_a_13_without_an_earlier_3_is_told_as_5(begin: Any) -> None:
    row = domain.opened(begin().do(ItemStep.RECEIVE).events[0])
    assert held_to_order(13, row) == (5, "")
    assert held_to_order(13, row._replace(reported=1 << 3)) == (13, "")
    assert held_to_order(13, row._replace(reported=1 << 5)) == (0, "")


def test_a_10_that_does_not_follow_upon_a_9_fails_its_check_with_the_cause(city: City, begin: Any) -> None:
    lived = begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).do(ItemStep.START_SPECIAL, 2)
    lived.do(ItemStep.START_CORRECTION, 3).do(ItemStep.END_SPECIAL, 30)
    failed = told(city, lived.events)[-1].row
    assert (failed["BLZT"], failed["SJSCZT"], failed["SBYY"]) == (10, -1, NOT_AFTER_9)


def test_9_and_10_may_come_again_and_nothing_else_does(city: City, begin: Any) -> None:
    lived = begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1)
    for hours in (2, 60):
        lived.do(ItemStep.START_SPECIAL, hours).do(ItemStep.END_SPECIAL, hours + 24)
    assert blzt(told(city, lived.events)) == [1, 3, 8, 9, 10, 9, 10]


@settings(max_examples=300, deadline=None)
@given(acts=st.lists(st.sampled_from(BY_HAND), max_size=16))
def test_whatever_happens_the_rules_hold(city: City, begin: Any, acts: list[ItemStep]) -> None:
    lived = begin("S1-05").do(ItemStep.RECEIVE)
    for place, step in enumerate(acts):
        lived.attempt(step, 0.1 * place)
    rows = told(city, lived.events)
    assert rows[0].table == tables.INSTANCE, "parents come before children"
    statuses = blzt(rows)
    assert all(count == 1 for status, count in Counter(statuses).items() if status not in (9, 10))
    assert all(statuses[place + 1] == 8 for place, status in enumerate(statuses) if status == 3)
    assert all(statuses[place - 1] == 9 for place, status in enumerate(statuses) if status == 10)
    assert rows == told(city, lived.events), "a replay makes the same rows"


def test_a_special_procedure_says_its_working_days(city: City, begin: Any) -> None:
    lived = begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).do(ItemStep.START_SPECIAL, 24)
    special = told(city, lived.events)[-1]
    assert special.table == tables.SPECIAL
    assert (special.row["TBCXMC"], special.row["TBCXSXLX"], special.row["TBCXSX"]) == ("听证", 1, 7)


def test_an_extension_and_another_limit_go_up(city: City, begin: Any) -> None:
    lived = begin("S1-05").do(ItemStep.RECEIVE).do(ItemStep.ACCEPT, 1).do(ItemStep.EXTEND, 2)
    extended = told(city, lived.events)[-1]
    assert (extended.table, extended.row["TBCXMC"], extended.row["TBCXSX"]) == (tables.SPECIAL, "延长审批期限", 10)
    amended = told(city, lived.do(ItemStep.AMEND_LIMIT, 3).events)[-1]
    assert (amended.table, amended.row["SXBLSX"], amended.row["DFSJZJ"]) == (
        tables.INSTANCE,
        30,
        lived.item.item_id.hex,
    )


def test_a_project_goes_up_with_its_builder_by_the_host_of_its_pilot_zone(applied: StageApplied) -> None:
    zone = JurisdictionCode("210281-CXD")
    project, unit = exchange.of_application(applied.model_copy(update={"jurisdiction": zone}))
    row = project.row
    assert (row["XMDM"], row["GCDM"], row["XZQHDM"]) == (applied.project_code, f"{applied.project_code}-000", "210281")
    assert (row["SPLCLX"], row["SPLCBM"], row["SPLCBBH"], row["LXLX"], row["GBHY"]) == (
        4,
        "210200-04",
        "2018.1",
        3,
        "47",
    )
    assert (row["JZMJ"], row["SBSJ"], row["QJDGCDM"]) == (48_000.5, "2026-03-02 09:00:00", None)
    assert (unit.row["DWTYSHXYDM"], unit.row["DWLX"]) == (applied.builder.uscc, 1)


def test_a_new_project_code_tells_no_industry(applied: StageApplied) -> None:
    row = exchange.of_application(applied.model_copy(update={"project_code": "2603-210281-04-01-12345X"}))[0].row
    assert (row["GBHY"], row["LXLX"]) == (None, 1)


@pytest.mark.parametrize(
    ("begins", "ends", "state"), [("2026-01-01", "2027-01-01", 0), ("2027-01-01", "2026-01-01", -1)]
)
def test_works_that_end_before_they_begin_fail_with_error_130(
    applied: StageApplied, begins: str, ends: str, state: int
) -> None:
    project = exchange.of_application(applied)[0]
    project.row.update(NKGSJ=begins, NJCSJ=ends)
    row = tables.checked(project).row
    assert (row["SJSCZT"], (row["SBYY"] or "").startswith("130")) == (state, state < 0)


def test_a_row_that_lacks_what_it_must_have_says_which_check_it_fails(applied: StageApplied) -> None:
    unit = exchange.of_application(applied)[1]
    unit.row["DWTYSHXYDM"] = ""
    assert "统一社会信用代码" in tables.checked(unit).row["SBYY"]


def test_the_catalogue_goes_up_with_every_flow_stage_and_item(city: City) -> None:
    rows = exchange.of_catalogue(city.catalogue)
    count = Counter(one.table for one in rows)
    types, stages = len(city.catalogue.types), len(city.catalogue.stages)
    assert (count[tables.FLOW], count[tables.FLOW_STAGE]) == (types, types * stages)
    seen: set[str] = set()
    for one in rows:
        parent = one.row["LSH"].rsplit(".", 1)[0]
        assert one.table == tables.FLOW or parent in seen, "parents come before children"
        seen.add(one.row["LSH"])
    waits = next(one.row for one in rows if one.table == tables.FLOW_ITEM and one.row["SPSXBM"] == "S4-08")
    assert waits["QZSPSXBM"].startswith("S4-01,S4-02") and waits["DYBZSPSXBM"] == "9990"


def test_times_are_beijings_to_the_second(applied: StageApplied) -> None:
    late = applied.occurred_at.replace(hour=16, microsecond=999_999)
    assert tables.beijing(late) == "2026-03-03 00:00:00"
    assert tables.beijing(late + timedelta(seconds=1)) == "2026-03-03 00:00:01"
