"""How the roster changes, and what its initial list may not say (Art. 18)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from chassis.catalogue import load
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode
from contracts.parts import Actor
from contracts.terms import Role
from local.posts import COLUMNS, development_roster
from local.suite import CATALOGUE
from procedure.authority import Caller, NotYourJurisdiction
from procedure.roster import EffectiveInThePast, OwnRequest, in_force
from signing.domain import initial, roster
from signing.domain.roster import (
    AlreadyDecided,
    AlreadyOnRoster,
    CertificateOfAnother,
    Change,
    Entry,
    Impossible,
    NothingToEnd,
    Request,
    Responsibility,
    Stand,
)

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
ASKER, APPROVER = Actor(holder="甲", certificate="CA-1"), Actor(holder="乙", certificate="CA-2")
CITY = load(CATALOGUE)
CATALOGUES = list(CITY.catalogues.values())
PLACE, GHJ = JurisdictionCode("210281"), DepartmentCode("GHJ")
OFFICER = Responsibility("CA-9", "丙", Role.OFFICER, PLACE, GHJ)


def request(
    change: Change = Change.ENTER, what: Responsibility = OFFICER, effective_at: datetime = NOW + DAY
) -> Request:
    return Request(uuid4(), change, what, effective_at, "瓦自然资人〔2026〕3号", ASKER, NOW)


def entry(what: Responsibility = OFFICER, begins: datetime = NOW - DAY, until: datetime | None = None) -> Entry:
    return Entry(uuid4(), what, begins, until, "CA-1", "CA-2", "名单")


def restricted(*items: str) -> Responsibility:
    return replace(OFFICER, items=tuple(map(ItemCode, items)))


# Asking and deciding --------------------------------------------------------------------------------------------


def test_what_another_approved_holds_from_its_effective_time() -> None:
    asked = roster.ask(request(), None, [], CATALOGUES)
    approved, (made,) = roster.approve(asked, APPROVER, NOW + DAY, None, [])
    assert (approved.stand, approved.decided_by, approved.decided_at) == (Stand.APPROVED, APPROVER, NOW + DAY)
    assert (made.requested_by, made.approved_by) == ("CA-1", "CA-2")
    assert [in_force(made.said, at) for at in (NOW + DAY - MOMENT, NOW + DAY)] == [False, True]


def test_the_requester_can_neither_approve_nor_reject() -> None:
    with pytest.raises(OwnRequest):
        roster.approve(request(), ASKER, NOW, None, [])
    with pytest.raises(OwnRequest):
        roster.reject(request(), Actor(holder="化名", certificate="CA-1"), NOW, "算了")


def test_an_approval_after_the_effective_time_is_refused() -> None:
    with pytest.raises(EffectiveInThePast):
        roster.approve(request(), APPROVER, NOW + DAY + MOMENT, None, [])
    with pytest.raises(EffectiveInThePast):
        roster.ask(request(effective_at=NOW - MOMENT), None, [], CATALOGUES)


def test_a_request_is_decided_once() -> None:
    rejected = roster.reject(request(), APPROVER, NOW, "材料不全")
    assert (rejected.stand, rejected.reason) == (Stand.REJECTED, "材料不全")
    with pytest.raises(AlreadyDecided) as refused:
        roster.approve(rejected, APPROVER, NOW, None, [])
    assert "驳回" in refused.value.message


def test_a_certificate_stands_in_one_name_only() -> None:
    with pytest.raises(CertificateOfAnother) as refused:
        roster.ask(request(), "丁", [], CATALOGUES)
    assert "丁" in refused.value.message


def test_who_has_the_permission_is_not_entered_again_before_it_ends() -> None:
    with pytest.raises(AlreadyOnRoster):
        roster.ask(request(), "丙", [entry()], CATALOGUES)
    roster.ask(request(), "丙", [entry(until=NOW + DAY)], CATALOGUES)
    roster.ask(request(), "丙", [entry(restricted("S1-05"))], CATALOGUES)


def test_leaving_ends_what_holds_and_what_is_to_come_at_the_effective_time() -> None:
    held, coming = entry(), entry(begins=NOW + 9 * DAY)
    past, elsewhere = entry(until=NOW - DAY / 2), entry(replace(OFFICER, jurisdiction=JurisdictionCode("210281-CXD")))
    leaving = request(Change.LEAVE)
    _, changed = roster.approve(leaving, APPROVER, NOW, "丙", [held, coming, past, elsewhere])
    assert {one.entry_id: one.until for one in changed} == {
        held.entry_id: NOW + DAY,
        coming.entry_id: NOW + 9 * DAY,
    }
    assert not any(in_force(one.said, NOW + 10 * DAY) for one in changed)


def test_leaving_named_items_ends_their_entry_only() -> None:
    one, other = entry(restricted("S1-05")), entry(restricted("S2-01"))
    _, changed = roster.approve(request(Change.LEAVE, restricted("S1-05")), APPROVER, NOW, "丙", [one, other])
    assert [held.entry_id for held in changed] == [one.entry_id]
    _, changed = roster.approve(request(Change.LEAVE), APPROVER, NOW, "丙", [one, other])
    assert len(changed) == 2


def test_there_must_be_something_to_leave() -> None:
    for entries in ([], [entry(until=NOW + DAY)], [entry(replace(OFFICER, role=Role.LEAD))]):
        with pytest.raises(NothingToEnd):
            roster.ask(request(Change.LEAVE), "丙", entries, CATALOGUES)


def test_a_person_can_leave_what_the_catalogue_no_longer_has() -> None:
    gone = replace(OFFICER, department=DepartmentCode("DZJ"))
    assert roster.ask(request(Change.LEAVE, gone), "丙", [entry(gone)], CATALOGUES).stand is Stand.REQUESTED


def test_all_that_the_roster_says_of_a_holder_is_said_at_once() -> None:
    entries = [entry(until=NOW), entry(begins=NOW + DAY)]
    told = roster.listed("CA-9", "丙", entries, UUID(int=1), NOW)
    assert (told.key, told.serial, told.holder) == ("roster:CA-9", "CA-9", "丙")
    assert told.entries == tuple(one.said for one in entries)
    assert (told.requested_by, told.approved_by, told.document) == (None, None, None)


@pytest.mark.parametrize("change", Change)
def test_whoever_asked_and_whoever_approved_stand_in_what_is_said_with_their_keys(change: Change) -> None:
    held = [] if change is Change.ENTER else [entry()]
    decided, changed = roster.approve(request(change), APPROVER, NOW, "丙", held)
    told = roster.listed("CA-9", "丙", changed, decided.request_id, NOW, decided)
    assert (told.requested_by, told.approved_by, told.document) == (decided.requested_by, APPROVER, decided.document)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (replace(OFFICER, role=Role.BUILDER), "建设单位不列入"),
        (replace(OFFICER, role=Role.ADMIN), "不写部门"),
        (replace(OFFICER, department=None), "须写明部门"),
        (replace(OFFICER, role=Role.WINDOW), "不写部门"),
        (replace(OFFICER, role=Role.LEAD, department=DepartmentCode("RFB")), "RFB 在 210281 不办理"),
        (replace(restricted("S1-05"), role=Role.LEAD), "只有承办人员"),
        (restricted("S1-09"), "GHJ 在 210281 不办理S1-09"),
        (replace(OFFICER, department=DepartmentCode("GAJ")), "GAJ 在 210281 不办理任何事项"),
    ],
)
def test_what_no_role_or_catalogue_knows_is_refused(what: Responsibility, why: str) -> None:
    with pytest.raises(Impossible) as refused:
        roster.ask(request(what=what), None, [], CATALOGUES)
    assert why in refused.value.message


@pytest.mark.parametrize(
    "what",
    [
        OFFICER,
        restricted("S1-05", "S2-01"),
        replace(OFFICER, role=Role.LEAD),
        replace(OFFICER, role=Role.WINDOW, department=None),
        replace(OFFICER, role=Role.SUPERVISOR, department=None),
        replace(OFFICER, department=DepartmentCode("GAJ"), jurisdiction=JurisdictionCode("210200")),
        replace(OFFICER, jurisdiction=JurisdictionCode("210283-HYK")),
    ],
)
def test_every_role_that_the_roster_lists_can_be_asked_for(what: Responsibility) -> None:
    assert roster.ask(request(what=what), None, [], CATALOGUES).what == what


def admin(jurisdiction: str | None) -> Caller:
    place = None if jurisdiction is None else JurisdictionCode(jurisdiction)
    return Caller("admin", "admin", Role.ADMIN, "CA-1", jurisdiction=place)


def test_each_level_keeps_its_own_list_and_the_city_every_one() -> None:
    for place in ("210281", "210281-CXD", "210200"):
        roster.may_change(admin("210200"), JurisdictionCode(place))
        roster.may_change(admin(place), JurisdictionCode(place))
    for own, others in (("210281", "210283"), ("210281", "210281-CXD"), ("210281-CXD", "210281"), (None, "210281")):
        with pytest.raises(NotYourJurisdiction):
            roster.may_change(admin(own), JurisdictionCode(others))


def test_a_list_is_read_by_whose_territory_it_is() -> None:
    assert roster.places(admin("210281"), None) == ["210281", "210281-CXD"]
    assert roster.places(admin("210200"), JurisdictionCode("210283-HYK")) == ["210283-HYK"]
    assert len(roster.places(admin("210200"), None)) == 16
    with pytest.raises(NotYourJurisdiction):
        roster.places(admin("210281"), JurisdictionCode("210200"))


# The initial list -----------------------------------------------------------------------------------------------

LINE = "CA-9,丙,officer,210281,GHJ,S2-01 S1-05,2018-12-12T00:00:00+08:00,市工改办,大工改办〔2018〕7号"


def table(*lines: str) -> str:
    return "\n".join([COLUMNS, *lines, ""])


def defects(*lines: str) -> list[str]:
    with pytest.raises(initial.RosterFileInvalid) as invalid:
        initial.entries_of("roster.csv", table(*lines), CATALOGUES)
    return list(invalid.value.defects)


def test_the_initial_list_is_confirmed_by_the_authority_that_it_names() -> None:
    (made,) = initial.entries_of("roster.csv", table(LINE), CATALOGUES)
    assert made.what == restricted("S1-05", "S2-01")
    assert (made.requested_by, made.approved_by, made.document) == ("市工改办", "市工改办", "大工改办〔2018〕7号")
    assert made.effective_at == datetime(2018, 12, 11, 16, tzinfo=UTC) and made.until is None


def test_the_same_line_is_the_same_entry_at_every_start() -> None:
    first, again = (initial.entries_of("roster.csv", table(LINE), CATALOGUES)[0] for _ in range(2))
    other = initial.entries_of("roster.csv", table(LINE.replace("7号", "8号")), CATALOGUES)[0]
    assert first == again and first.entry_id != other.entry_id


def spoiled(column: str, text: str) -> str:
    cells = dict(zip(COLUMNS.split(","), LINE.split(","), strict=True)) | {column: text}
    return ",".join(cells.values())


@pytest.mark.parametrize(
    ("column", "text", "told"),
    [
        ("serial", "", "serial 不正确：“”"),
        ("serial", "C" * 65, "serial 不正确"),
        ("holder", " ", "holder 不正确"),
        ("role", "boss", "role 不正确：“boss”"),
        ("role", "builder", "建设单位不列入责任人名单"),
        ("jurisdiction", "310101", "jurisdiction 不正确：“310101”"),
        ("department", "ghj", "department 不正确：“ghj”"),
        ("department", "", "承办人员须写明部门"),
        ("department", "QXX", "QXX 在 210281 不办理"),
        ("items", "S1-05 S9-01", "items 不正确"),
        ("items", "S1-09", "GHJ 在 210281 不办理S1-09"),
        ("effective_at", "2018-12-12T00:00:00", "effective_at 不正确"),
        ("effective_at", "1999-12-31T23:59:59Z", "effective_at 不正确"),
        ("authority", "", "authority 不正确"),
        ("document", "", "document 不正确"),
    ],
)
def test_every_defect_of_the_initial_list_is_told_with_its_line(column: str, text: str, told: str) -> None:
    (defect,) = defects(spoiled("document", "第一份"), spoiled(column, text))
    assert defect.startswith("roster.csv:3 ") and told in defect


def test_all_defects_are_told_at_once() -> None:
    told = defects(spoiled("role", "boss"), LINE, LINE, spoiled("holder", "丁"), LINE + ",多一列", "只有一列")
    assert [one.split(" ")[0] for one in told] == [f"roster.csv:{line}" for line in (2, 4, 5, 6, 7)]
    assert ["重复" in told[1], "登记在“丙”名下" in told[2], "多于表头" in told[3]] == [True, True, True]


@pytest.mark.parametrize("spoil", [lambda text: "", lambda text: text.replace("authority,", "")])
def test_a_table_without_its_columns_is_refused(spoil: Callable[[str], str]) -> None:
    with pytest.raises(initial.RosterFileInvalid, match="缺少列"):
        initial.entries_of("roster.csv", spoil(table(LINE)), CATALOGUES)


def test_the_development_list_is_a_sound_one() -> None:
    pairs = [pair for place in CITY.catalogue.places for pair in CITY.catalogue.departments_of(place)]
    made = initial.entries_of("roster.csv", development_roster(CITY.catalogue), CATALOGUES)
    officers = {(one.what.jurisdiction, one.what.department) for one in made if one.what.role is Role.OFFICER}
    assert officers == set(pairs) and len(officers) > 100
    assert {one.what.role for one in made} == set(Role) - {Role.BUILDER}
