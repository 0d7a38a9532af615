"""Who may handle what, where, and exactly from when to when (Art. 18)."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode
from contracts.signing import RosterEntry
from contracts.terms import Role
from procedure.roster import (
    CertificateIsSuspended,
    NotOnRoster,
    OwnRequest,
    Record,
    Suspended,
    hold_to_record,
    hold_to_roster,
    hold_to_second_person,
    may_act,
    may_handle,
)

BEGINS = datetime(2026, 3, 2, 1, tzinfo=UTC)
ENDS = datetime(2026, 9, 1, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
RFB, ITEM = DepartmentCode("RFB"), ItemCode("S1-09")


def entry(
    *,
    role: Role = Role.OFFICER,
    jurisdiction: str = "210281",
    department: str | None = "RFB",
    items: tuple[str, ...] = (),
    begins: datetime = BEGINS,
    ends: datetime | None = ENDS,
) -> RosterEntry:
    return RosterEntry(
        role=role,
        jurisdiction=JurisdictionCode(jurisdiction),
        department=None if department is None else DepartmentCode(department),
        items=tuple(map(ItemCode, items)),
        effective_at=begins,
        until=ends,
        requested_by="A",
        approved_by="B",
        document="名单",
    )


def may(*entries: RosterEntry, at: datetime = BEGINS, jurisdiction: str = "210281", item: ItemCode = ITEM) -> bool:
    return may_handle(entries, at, JurisdictionCode(jurisdiction), RFB, item)


def test_an_entry_holds_from_its_first_instant_to_the_one_before_its_end() -> None:
    assert not may(entry(), at=BEGINS - MOMENT)
    assert may(entry(), at=BEGINS)
    assert may(entry(), at=ENDS - MOMENT)
    assert not may(entry(), at=ENDS)
    assert may(entry(ends=None), at=datetime(2199, 1, 1, tzinfo=UTC))


def test_an_entry_that_ends_where_it_begins_never_held() -> None:
    assert not any(may(entry(ends=BEGINS), at=BEGINS + step) for step in (-MOMENT, timedelta(), MOMENT))


def test_between_two_entries_nobody_may_act() -> None:
    back = ENDS + timedelta(days=30)
    twice = (entry(), entry(begins=back, ends=None))
    assert [may(*twice, at=at) for at in (ENDS - MOMENT, ENDS, back - MOMENT, back)] == [True, False, False, True]


@pytest.mark.parametrize(
    ("listed", "place", "lets"),
    [
        ("210281", "210281", True),
        ("210281", "210283", False),
        ("210200", "210281", False),
        ("210281", "210200", False),
        ("210281", "210281-CXD", False),
        ("210281-CXD", "210281", False),
        ("210281-CXD", "210281-CXD", True),
        ("210213-JP", "210213-BS", False),
    ],
)
def test_every_place_is_its_own_a_pilot_zone_too(listed: str, place: str, lets: bool) -> None:
    assert may(entry(jurisdiction=listed), jurisdiction=place) is lets


def test_a_restricted_entry_lets_its_holder_handle_only_its_items() -> None:
    assert may(entry(items=("S1-09", "S2-04")))
    assert not may(entry(items=("S2-04",)))
    assert may(entry(items=("S2-04",)), entry(items=("S1-09",)))


def test_another_department_or_another_role_handles_nothing() -> None:
    assert not may(entry(department="GHJ"))
    assert not any(may(entry(role=role)) for role in Role if role is not Role.OFFICER)
    assert not may()


def test_an_act_off_the_roster_is_refused_by_article_18() -> None:
    with pytest.raises(NotOnRoster) as refused:
        hold_to_roster([entry()], ENDS, JurisdictionCode("210281"), RFB, ITEM)
    assert (refused.value.status, refused.value.article, refused.value.code) == (403, "第十八条", "NOT_ON_ROSTER")


def test_a_certificate_counts_until_its_loss_is_reported_and_again_from_its_reinstatement_on() -> None:
    lost, found = BEGINS + timedelta(days=1), BEGINS + timedelta(days=2)
    place = (JurisdictionCode("210281"), RFB, ITEM)
    once = Record((entry(),), (Suspended(lost, found),))
    for_good = Record((entry(),), (Suspended(lost),))
    instants = (lost - MOMENT, lost, found - MOMENT, found)
    assert [may_act(once, at, *place) for at in instants] == [True, False, False, True]
    assert [may_act(for_good, at, *place) for at in instants] == [True, False, False, False]
    with pytest.raises(CertificateIsSuspended) as refused:
        hold_to_record(once, lost, *place)
    assert (refused.value.article, refused.value.code) == ("第二十条", "CERTIFICATE_IS_SUSPENDED")
    with pytest.raises(NotOnRoster):
        hold_to_record(once, ENDS, *place)


def test_nobody_approves_what_it_asked_for() -> None:
    hold_to_second_person("CA-1", "CA-2")
    with pytest.raises(OwnRequest):
        hold_to_second_person("CA-1", "CA-1")
