"""Policies as data: what a case is pinned to, and every way in which a publication is refused (Art. 1, 23, 24)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.catalogue import City
from contracts.intake import PolicyPublished
from contracts.parts import Actor, Policies
from contracts.terms import ProcessType, Stage
from intake.domain import policies
from intake.domain.policies import (
    CatalogueNotYetInForce,
    NoSuchCatalogueVersion,
    NotYetInForce,
    PolicyEffectiveInThePast,
    PolicyVersionTaken,
)
from procedure.policies import DEFAULT, PolicyValueNotAllowed, UnknownPolicySetting, policies_of
from procedure.refusals import Refusal

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
BEGINS = datetime(2018, 12, 11, 16, tzinfo=UTC)
"""00:00 in Shanghai of the day from which the regulation holds."""
LATER_BEGINS = datetime(2020, 10, 31, 16, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
ADMIN = Actor(holder="平台管理员", certificate="CA-ADMIN")


def publish(city: City, at: datetime = NOW, **facts: Any) -> PolicyPublished:
    given: dict[str, Any] = {
        "version": "甲",
        "catalogue_version": "2018.1",
        "settings": {},
        "effective_at": None,
        "written": ("大工改办〔2026〕1号", "演练"),
        **facts,
    }
    return policies.published(**given, actor=ADMIN, catalogues=list(city.catalogues.values()), cause=UUID(int=7), at=at)


def test_before_anything_was_published_the_catalogues_own_versions_hold(city: City) -> None:
    pinned = policies.pinned(None, city.catalogue, NOW)
    assert pinned == Policies(catalogue_version="2018.1", policy_version="178/2018")
    assert policies_of(pinned) == DEFAULT


def test_nothing_is_admitted_before_the_regulation_was_in_force(city: City) -> None:
    assert policies.pinned(None, city.catalogue, BEGINS).catalogue_version == "2018.1"
    with pytest.raises(NotYetInForce) as refused:
        policies.pinned(None, city.catalogue, BEGINS - MOMENT)
    assert refused.value.article == "第二十四条" and "2018-12-12" in refused.value.message


def test_a_case_keeps_the_catalogue_it_was_admitted_under_whatever_is_published_later(city: City) -> None:
    before = policies.pinned(None, city.catalogue, NOW)
    said = publish(city, catalogue_version="later.1", settings={"max_corrections": 2})
    newest = Policies(catalogue_version=said.catalogue_version, policy_version=said.version, settings=said.settings)
    after = policies.pinned(newest, city.catalogue, NOW)
    small, stage = ProcessType.SOCIAL_SMALL, Stage.LAND_USE
    assert [city.under(one).limit(small, stage) for one in (before, after)] == [15, 14]
    assert [policies_of(one).max_corrections for one in (before, after)] == [1, 2]


def test_a_publication_keeps_only_what_differs_from_the_default_readings(city: City) -> None:
    said = publish(city, settings={"max_corrections": 2, "correction_days": 30, "four_eyes": True})
    assert said.settings == {"four_eyes": True, "max_corrections": 2}
    assert (said.effective_at, said.authority, said.event_id) == (NOW, "210200", publish(city).event_id)


REFUSED: list[tuple[dict[str, Any], type[Refusal], str]] = [
    ({"version": "178/2018"}, PolicyVersionTaken, "第二十三条"),
    ({"settings": {"guess": 1}}, UnknownPolicySetting, "第二十三条"),
    ({"settings": {"max_corrections": 10}}, PolicyValueNotAllowed, "第二十三条"),
    ({"settings": {"max_corrections": True}}, PolicyValueNotAllowed, "第二十三条"),
    ({"settings": {"four_eyes": 1}}, PolicyValueNotAllowed, "第二十三条"),
    ({"settings": {"stage_pause_policy": "SOME"}}, PolicyValueNotAllowed, "第二十三条"),
    ({"catalogue_version": "1999"}, NoSuchCatalogueVersion, "第二十三条"),
    ({"effective_at": NOW - MOMENT}, PolicyEffectiveInThePast, "第二十四条"),
]


@pytest.mark.parametrize(("facts", "refusal", "article"), REFUSED)
def test_a_publication_that_says_something_impossible_is_refused_by_name(
    city: City, facts: dict[str, Any], refusal: type[Refusal], article: str
) -> None:
    with pytest.raises(refusal) as refused:
        publish(city, **facts)
    assert refused.value.article == article


def test_a_catalogue_can_be_chosen_from_the_first_instant_of_its_day_on(city: City) -> None:
    at = LATER_BEGINS - timedelta(days=30)
    assert publish(city, at, catalogue_version="later.1", effective_at=LATER_BEGINS).catalogue_version == "later.1"
    with pytest.raises(CatalogueNotYetInForce):
        publish(city, at, catalogue_version="later.1", effective_at=LATER_BEGINS - MOMENT)
