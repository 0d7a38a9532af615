"""Refused logins are kept and told in few lines, however many there are; on a real database (Art. 19)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from starlette.requests import Request

from chassis.catalogue import load
from chassis.database import Database, unpacked
from contracts.signing import LoginsRefused
from evidence import login, trust
from evidence.certificates import Certificate
from evidence.testing import Authority, trust_folder
from local.rehearsal import HandClock
from local.suite import CATALOGUE
from procedure.refusals import Refusal
from signing import store
from signing.api import logins
from signing.api.logins import Answer, Logins
from signing.domain import sessions
from signing.domain.sessions import MOST_NAMED, SPELL, RefusedLogin
from signing.handlers.refusing import Refusing
from signing.responders import Responders
from signing.revoked import RevokedList

ORIGIN: Final = "https://lianshen.example"
LISTED: Final = Authority("签发机构", Authority())
SPELL_BEGAN: Final = datetime(2026, 3, 2, 1, 10, tzinfo=UTC)
NOW: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def doors(database: Database, tmp_path: Path) -> Logins:
    trusted = trust.load(trust_folder(tmp_path, LISTED))
    responders = Responders(trusted, RevokedList(trusted, 60))
    nobody: Any = None
    city = load(CATALOGUE).catalogue
    return Logins(database, HandClock(NOW), responders, nobody, city, ORIGIN, timedelta(hours=8))


def certificate(issuer: Authority) -> Certificate:
    return issuer.issue(key=ec.generate_private_key(ec.SECP256R1()).public_key())


async def knock(doors: Logins, certificate: Certificate) -> str:
    """Come with a certificate whose key one has not; return why one is refused."""
    await doors.challenge("browser")
    stranger = ec.generate_private_key(ec.SECP256R1())
    token = login.make(certificate, ORIGIN, "n", lambda said: stranger.sign(said, ec.ECDSA(SHA256())))
    with pytest.raises(Refusal) as refused:
        await doors.begin("browser", Answer(token=token), "192.0.2.1")
    return refused.value.code


async def test_made_up_certificates_are_one_line_and_listed_ones_a_line_each(
    database: Database, doors: Logins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "_now", lambda: SPELL_BEGAN)
    made_up = Authority("签发机构", Authority())
    known = [certificate(LISTED) for _ in range(2)]
    for _ in range(5):
        assert await knock(doors, certificate(made_up)) == "ISSUER_NOT_LISTED"
    for one in (*known, *known):
        await knock(doors, one)
    rows = await database.pool.fetch("SELECT serial, times, address FROM login_attempts")
    assert {(row["serial"], row["times"]) for row in rows} == {(None, 5), *((one.serial, 2) for one in known)}


async def test_what_was_refused_is_told_once_when_its_spell_is_over(database: Database) -> None:
    refusing = Refusing(database, HandClock(NOW))
    await refuse(database, *(["5A01"] * 40), None, at=SPELL_BEGAN)
    await refuse(database, "5A02", at=SPELL_BEGAN + SPELL)
    await refusing.tell(SPELL_BEGAN + SPELL - timedelta(seconds=1))
    assert await said(database) == []
    for _ in range(2):
        await refusing.tell(SPELL_BEGAN + SPELL)
    (first,) = await said(database)
    assert (first.times, first.occurred_at) == (41, NOW)
    assert [(one.serial, one.code, one.times) for one in first.refused] == [
        ("5A01", "SIGNATURE_WRONG", 40),
        (None, "SIGNATURE_WRONG", 1),
    ]
    await refusing.tell(SPELL_BEGAN + 2 * SPELL)
    assert [one.times for one in await said(database)] == [41, 1]


async def test_what_is_told_stays_short_however_many_were_refused(database: Database) -> None:
    await refuse(database, *(f"5A{number:04}" for number in range(2 * MOST_NAMED)), at=SPELL_BEGAN)
    await Refusing(database, HandClock(NOW)).tell(SPELL_BEGAN + SPELL)
    (one,) = await said(database)
    assert (one.times, len(one.refused)) == (2 * MOST_NAMED, MOST_NAMED)


async def refuse(database: Database, *serials: str | None, at: datetime) -> None:
    async with database.work() as work:
        for serial in serials:
            await store.logins.add_attempt(work, RefusedLogin(at, serial, "SIGNATURE_WRONG", "192.0.2.1"))


async def said(database: Database) -> list[LoginsRefused]:
    rows = await database.pool.fetch("SELECT messages FROM outbox ORDER BY id")
    return [LoginsRefused.model_validate_json(one.value) for row in rows for one in unpacked(row["messages"])]


def test_a_spell_is_ten_minutes_by_the_clock() -> None:
    assert sessions.spell_of(SPELL_BEGAN + timedelta(minutes=9, seconds=59)) == SPELL_BEGAN
    assert sessions.spell_of(SPELL_BEGAN + SPELL) == SPELL_BEGAN + SPELL


@pytest.mark.parametrize(
    ("host", "from_where"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("2001:db8:1:2::9", "2001:db8:1:2::/64")],
)
def test_whoever_has_a_network_of_ipv6_comes_from_one_place(host: str, from_where: str) -> None:
    asked = Request({"type": "http", "client": (host, 1), "headers": []})
    assert logins.address_of(asked) == from_where
