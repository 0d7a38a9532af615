"""Whoever stands on the roster and on its authority's list is suspended everywhere; on a real database (Art. 20)."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chassis.database import Database, unpacked
from evidence import trust
from evidence.certificates import Purpose
from evidence.revocation import parse_answer
from evidence.testing import HOUR, NOW, Authority, ocsp_response, revoked, trust_folder
from evidence.testing_documents import Signer
from local.rehearsal import HandClock
from signing import store
from signing.handlers.revoking import REASON, Revoking
from signing.revoked import RevokedList

ISSUER = Authority("签发机构", Authority())
LISTED, OTHER = (Signer(ISSUER, name, Purpose.LOGIN).certificate for name in ("在册的", "不在册的"))
PLATFORM = Signer(ISSUER, "联审平台", Purpose.SERVICE).certificate
HEARD = NOW + 2 * HOUR


class Office:
    """Signing with one holder on its roster, and an authority that publishes lists in a file."""

    def __init__(self, database: Database, folder: Path, **changes: Any) -> None:
        self.database = database
        self._file = trust_folder(folder, ISSUER, **changes) / "issuing.crl"
        self.lists = RevokedList(trust.load(folder), 60)
        self.clock = HandClock(HEARD)
        self.revoking = Revoking(database, self.clock, self.lists, PLATFORM)

    async def publish(self, number: int, *serials: Any) -> None:
        """A new list is published, fetched and heard."""
        self._file.write_bytes(ISSUER.revocations([revoked(one, NOW + HOUR, NOW) for one in serials], number=number))
        await self.lists.fetch()
        await self.revoking.hear()

    async def said(self) -> list[str]:
        rows = await self.database.pool.fetch("SELECT messages FROM outbox ORDER BY id")
        return [f"{one.kind} {one.key}" for row in rows for one in unpacked(row["messages"])]


@pytest.fixture
async def database(database: Database) -> Database:
    """With one holder on the roster."""
    await database.pool.execute("INSERT INTO roster_holders VALUES ($1, '在册的')", LISTED.serial)
    return database


async def test_who_is_on_the_roster_and_on_a_list_is_suspended_once(database: Database, tmp_path: Path) -> None:
    office = Office(database, tmp_path)
    await office.publish(2)
    assert await office.said() == []
    await office.publish(3, LISTED, OTHER)
    await office.publish(4, LISTED, OTHER)
    await Revoking(database, office.clock, office.lists, PLATFORM).hear()
    assert await office.said() == [f"CertificateSuspended certificate:{LISTED.serial}"]
    (held,) = await database.pool.fetch("SELECT * FROM suspensions")
    assert (held["serial"], held["holder"], held["reason"]) == (LISTED.serial, "在册的", REASON)
    assert (held["suspended_at"], held["invalid_since"]) == (HEARD, NOW)
    assert held["reporter_certificate"] == ISSUER.certificate.serial


@pytest.mark.parametrize("purposes", ['["login", "service"]', '["service"]'])
async def test_the_platforms_own_key_is_suspended_as_well(database: Database, tmp_path: Path, purposes: str) -> None:
    """Every service asks the identity topic of it, and no list: what it signs would be let in until it expires."""
    office = Office(database, tmp_path, purposes=purposes)
    for number in (2, 3):
        await office.publish(number, PLATFORM)
    assert await office.said() == [f"CertificateSuspended certificate:{PLATFORM.serial}"]


async def test_another_authoritys_certificate_of_the_same_serial_is_not_the_platforms(
    database: Database, tmp_path: Path
) -> None:
    stranger = Signer(Authority("另一签发机构", Authority()), "联审平台", Purpose.SERVICE).certificate
    office = Office(database, tmp_path)
    office.revoking = Revoking(database, office.clock, office.lists, replace(stranger, serial=PLATFORM.serial))
    await office.publish(2, PLATFORM)
    assert await office.said() == []


async def test_what_a_responder_said_before_the_next_list_suspends_as_well(database: Database, tmp_path: Path) -> None:
    office = Office(database, tmp_path)
    await office.publish(2)
    told = ocsp_response(ISSUER, LISTED, at=NOW + HOUR, revoked_at=NOW)
    assert office.lists.learn(parse_answer(told, ISSUER.certificate))
    assert not office.lists.learn(parse_answer(told, ISSUER.certificate))
    await office.revoking.hear()
    await office.publish(3, LISTED)
    assert await office.said() == [f"CertificateSuspended certificate:{LISTED.serial}"]


async def test_who_was_suspended_before_is_suspended_with_that_history(database: Database, tmp_path: Path) -> None:
    """The bus keeps the last word alone; so it says when else the certificate did not count."""
    office, lifted = Office(database, tmp_path), HEARD + HOUR
    await office.publish(2, LISTED)
    async with database.work() as work:
        await store.losses.lift(work, LISTED.serial, lifted)
    office.clock.at = again = HEARD + 2 * HOUR
    await office.publish(3, LISTED)
    rows = await database.pool.fetch("SELECT messages FROM outbox ORDER BY id")
    first, second = (json.loads(one.value) for row in rows for one in unpacked(row["messages"]))
    assert first["earlier"] == []
    (span,) = second["earlier"]
    assert {name: datetime.fromisoformat(at) for name, at in span.items()} == {"since": HEARD, "until": lifted}
    assert datetime.fromisoformat(second["suspended_at"]) == again


async def test_its_sessions_end(database: Database, tmp_path: Path) -> None:
    add = "INSERT INTO login_sessions VALUES ($1, $2, $3, '', 'officer', NULL, NULL, NULL, $4, $5)"
    now = datetime.now(UTC)
    for secret, one in ((b"1", LISTED), (b"2", OTHER)):
        await database.pool.execute(add, secret, uuid4(), one.serial, now, now + timedelta(hours=1))
    await Office(database, tmp_path).publish(2, LISTED)
    assert [row["serial"] for row in await database.pool.fetch("SELECT serial FROM login_sessions")] == [OTHER.serial]


async def test_an_authority_that_is_not_listed_for_logins_suspends_nobody(database: Database, tmp_path: Path) -> None:
    office = Office(database, tmp_path, purposes='["seal", "timestamp"]')
    await office.publish(2, LISTED)
    assert await office.said() == []


async def test_a_list_that_could_not_be_acted_on_is_new_still(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(database, tmp_path)

    def broken(*_: Any) -> Any:
        raise ConnectionError

    with monkeypatch.context() as patched, pytest.raises(ConnectionError):
        patched.setattr(database, "work", broken)
        await office.publish(2, LISTED)
    assert office.lists.is_new.is_set()
    following = asyncio.ensure_future(office.revoking.follow())
    async with asyncio.timeout(10):
        while not await office.said():
            await asyncio.sleep(0.01)
    following.cancel()
