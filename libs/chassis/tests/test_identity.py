"""The door: whom a service lets in, and how soon it stops."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chassis.identity import Door, NotAuthenticated
from chassis.standing import Standing, StandingNotKnown
from contracts.terms import Role
from evidence import service_token
from evidence.certificates import Purpose
from local.standin import Authority, Holder
from procedure.roster import CertificateIsSuspended

AUTHORITY = Authority()
SAID = {"sub": "window:0A", "name": "综合窗口", "role": "window", "certificate": "0A", "jurisdiction": "210281"}


@pytest.fixture
def standing() -> Standing:
    made = Standing(10)
    made.is_told((), 0)
    return made


@pytest.fixture
def door(tmp_path: Path, standing: Standing) -> Door:
    return Door(AUTHORITY.trust(tmp_path / "trust"), standing)


def shown(signer: Holder = AUTHORITY.platform, ago: float = 0, **more: object) -> str:
    at = datetime.now(UTC) - timedelta(seconds=ago)
    part = service_token.unsigned({**SAID, **more}, signer.certificate, at)
    return f"Bearer {service_token.signed(part, signer.sign(part.encode()))}"


def test_whom_the_platform_names_comes_in_as_what_it_says(door: Door) -> None:
    caller = door.caller(shown())
    assert (caller.role, caller.certificate, caller.jurisdiction) == (Role.WINDOW, "0A", "210281")


def test_a_token_lasts_a_minute_and_a_bounded_skew(door: Door) -> None:
    assert door.caller(shown(ago=60)).name == "综合窗口"
    for spoilt in (shown(ago=66), shown(ago=-30), shown(role="emperor"), shown(jurisdiction="999999")):
        with pytest.raises(NotAuthenticated):
            door.caller(spoilt)


def test_a_token_that_would_live_longer_is_none(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_token, "LONGEST_SECONDS", 3600)
    made = shown()
    monkeypatch.undo()
    with pytest.raises(NotAuthenticated):
        door.caller(made)


def test_only_a_listed_issuers_certificate_for_services_may_sign(door: Door) -> None:
    person = AUTHORITY.issue("张三", Purpose.LOGIN)
    stranger = Authority("另一家").platform
    expired = AUTHORITY.issue("旧平台", Purpose.SERVICE, not_after=datetime.now(UTC) - timedelta(minutes=1))
    for signer in (person, stranger, expired):
        with pytest.raises(NotAuthenticated):
            door.caller(shown(signer))


def test_what_is_no_service_token_is_no_proof(door: Door) -> None:
    good = shown()
    head, body, signature = good.removeprefix("Bearer ").split(".")
    bare = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    texts = (None, "", "Basic eDp5", "Bearer", "Bearer x", f"Session {body}", f"Bearer {head}.{body}.")
    for text in (
        *texts,
        f"Bearer {bare}.{body}.",
        f"Bearer {head}.{body[:-3]}AAA.{signature}",
        f"Bearer {'a' * 99_999}",
    ):
        with pytest.raises(NotAuthenticated):
            door.caller(text)


def test_a_suspended_certificate_is_refused_whatever_its_token_says(door: Door, standing: Standing) -> None:
    token = shown()
    assert door.caller(token)
    standing.is_told({"0A"}, 0)
    with pytest.raises(CertificateIsSuspended):
        door.caller(token)
    standing.is_told((), 0)
    assert door.caller(token)
    standing.is_told({AUTHORITY.platform.certificate.serial}, 0)
    with pytest.raises(CertificateIsSuspended):
        door.caller(token)


def test_a_view_that_lags_lets_nobody_in(door: Door, standing: Standing) -> None:
    standing.is_told((), 9.9)
    assert door.caller(shown())
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            door.caller(shown())
        except StandingNotKnown:
            return
    pytest.fail("a view of ten seconds ago still counts")


def test_without_a_trust_list_nobody_comes_in(standing: Standing) -> None:
    with pytest.raises(NotAuthenticated):
        Door(None, standing).caller(shown())
