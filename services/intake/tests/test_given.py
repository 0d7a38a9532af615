"""Which version of a material an item goes by, and what may be handed in when (Art. 8, 12, 17)."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from chassis.catalogue import City
from contracts.codes import ItemCode, MaterialCode, Sha256
from contracts.parts import MaterialRef
from contracts.terms import ItemState, Stage
from intake.domain import given
from intake.domain.given import (
    Declaration,
    HandedIn,
    MaterialNotDeferred,
    NoSuchMaterial,
    NothingGiven,
    Promise,
)
from intake.domain.progress import Progress

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
FIRST, SECOND = UUID(int=1), UUID(int=2)
M02, M07, M08 = MaterialCode("M02"), MaterialCode("M07"), MaterialCode("M08")


def ref(code: MaterialCode, version: int) -> MaterialRef:
    return MaterialRef(code=code, sha256=Sha256(f"{version:064x}"), name="扫描件.pdf", size=10)


def handed(
    number: int, material: MaterialRef, application: UUID = FIRST, item: str | None = None, day: int = 0
) -> HandedIn:
    code = None if item is None else ItemCode(item)
    return HandedIn(number, application, Stage.LAND_USE, code, material, NOW + timedelta(days=day))


def item(code: str, application: UUID = FIRST) -> Progress:
    return Progress(application, ItemCode(code), UUID(int=9), 1, "RFB", "210281", ItemState.RECEIVED, None, "", 3, 1)


def goes_by(code: MaterialCode, of: Progress, applied_on_day: int, *handed_in: HandedIn) -> MaterialRef | None:
    return given.gone_by(code, of, NOW + timedelta(days=applied_on_day), handed_in)


def test_a_later_stage_goes_by_what_an_earlier_one_brought() -> None:
    brought = handed(1, ref(M07, 1))
    assert goes_by(M07, item("S2-01", SECOND), 5, brought) == ref(M07, 1)


def test_what_is_handed_in_for_another_stage_later_changes_nothing_for_this_one() -> None:
    story = (handed(1, ref(M07, 1)), handed(2, ref(M07, 2), SECOND, day=5))
    assert goes_by(M07, item("S1-09"), 0, *story) == ref(M07, 1)
    assert goes_by(M07, item("S2-01", SECOND), 5, *story) == ref(M07, 2)


def test_a_supplement_is_for_the_item_that_asked_for_it_alone() -> None:
    story = (handed(1, ref(M07, 1)), handed(2, ref(M07, 2), item="S1-09", day=1))
    assert goes_by(M07, item("S1-09"), 0, *story) == ref(M07, 2)
    assert goes_by(M07, item("S1-10"), 0, *story) == ref(M07, 1)


def test_what_was_deferred_serves_its_whole_stage_when_it_comes() -> None:
    assert goes_by(M07, item("S1-09"), 0) is None
    assert goes_by(M07, item("S1-09"), 0, handed(1, ref(M07, 1), day=9)) == ref(M07, 1)


def test_each_version_knows_the_items_that_go_by_it(city: City) -> None:
    story = [handed(1, ref(M07, 1)), handed(2, ref(M07, 2), item="S1-09", day=1)]
    declared = {FIRST: Declaration(NOW, city.catalogue)}
    used = given.uses([item("S1-09"), item("S1-10")], declared, story)
    assert [one.item_code for one in used[M07, ref(M07, 1).sha256]] == ["S1-10"]
    assert [one.item_code for one in used[M07, ref(M07, 2).sha256]] == ["S1-09"]


def test_an_officer_opens_what_the_item_needs_or_was_handed_in_for_it_and_nothing_else(city: City) -> None:
    declared = Declaration(NOW, city.catalogue)
    story = [handed(1, ref(M07, 1)), handed(2, ref(M02, 2)), handed(3, ref(M08, 3), item="S1-09")]
    assert given.opened(M07, item("S1-09"), declared, story) == ref(M07, 1)
    assert given.opened(M08, item("S1-09"), declared, story) == ref(M08, 3)
    for asked, held in ((M02, story), (M07, story[1:]), (MaterialCode("M99"), story)):
        with pytest.raises(NoSuchMaterial) as refused:
            given.opened(asked, item("S1-09"), declared, held)
        assert refused.value.status == 404 and asked in refused.value.message


def test_what_comes_after_the_declaration_must_have_been_promised_at_it() -> None:
    promises = [Promise(M07, date(2026, 3, 31), None)]
    given.admit_promised([ref(M07, 1)], promises)
    with pytest.raises(MaterialNotDeferred) as refused:
        given.admit_promised([ref(M07, 1), ref(M08, 1)], promises)
    assert "M08" in refused.value.message and "M07" not in refused.value.message
    with pytest.raises(NothingGiven):
        given.admit_promised([], promises)


def test_a_promise_holds_through_its_day_in_shanghai_and_is_broken_after_it() -> None:
    promise = Promise(M07, date(2026, 3, 2), None)
    last, next_day = datetime(2026, 3, 2, 15, 59, 59, tzinfo=UTC), datetime(2026, 3, 2, 16, tzinfo=UTC)
    assert [promise.is_broken(at) for at in (last, next_day)] == [False, True]
    assert not promise._replace(given_at=last).is_broken(next_day)
    assert promise._replace(given_at=next_day).is_broken(next_day)
