"""The development authority behaves like a real one, as openssl and the product's own judges see it."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from evidence import trust
from evidence.certificates import NotTrusted, Purpose, Reason
from local import authority, ports
from local.authority import PERSONS, SEALS, Authority, Wanted
from local.suite import Child
from local.trouble import Trouble

SEAL = Wanted("210281.GHJ", SEALS, "瓦房店市自然资源局", Purpose.SEAL)
BUILDER = Wanted("builder-1", PERSONS, "王建国", Purpose.LOGIN, "大连建投", "91210200MA0XXXXX1X")
LOSER = Wanted("builder-2", PERSONS, "李四", Purpose.LOGIN)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """An authority that answers, with one seal and two persons."""
    folder = tmp_path_factory.mktemp("authority")
    url = f"http://127.0.0.1:{ports.free()['authority']}"
    made = authority.prepare(folder, url, SEAL, BUILDER, LOSER)
    server = Child("authority", made.command, {}, folder / "server.log", url)
    server.start()
    server.wait_ready()
    yield made
    server.stop()


def openssl(*command: str | Path) -> str:
    done = subprocess.run(["openssl", *map(str, command)], capture_output=True, text=True)
    return done.stdout + done.stderr


def test_every_holder_has_a_token_and_a_certificate_that_is_trusted_for_one_purpose(office: Authority) -> None:
    listed = trust.load(office.trust)
    for wanted in (SEAL, BUILDER):
        token = office.token(wanted.token, wanted.store)
        assert listed.hold(token.certificate, wanted.purpose, datetime.now(UTC), listed.revocations())
        assert (token.certificate.holder, token.certificate.uscc) == (wanted.holder, wanted.uscc)
        assert token.pin_file.stat().st_mode & 0o777 == 0o400
        assert token.pin_file.read_text() not in (office.folder / "index.json").read_text()


def test_who_sees_the_seals_sees_no_person_and_no_authority(office: Authority) -> None:
    assert [one.name for one in office.pins(SEALS).iterdir()] == [SEAL.token]
    assert {one.name for one in office.pins(PERSONS).iterdir()} == {BUILDER.token, LOSER.token}


def test_what_was_issued_stays_when_the_authority_is_prepared_again(office: Authority) -> None:
    before = office.token(SEAL.token, SEALS).certificate
    again = authority.prepare(office.folder, office.url, SEAL)
    assert again.token(SEAL.token, SEALS).certificate == before


def test_openssl_builds_the_chain_and_finds_the_revoked_one(office: Authority, tmp_path: Path) -> None:
    lost = office.token(LOSER.token, PERSONS).certificate
    office.revoke(lost.serial, invalid_since=datetime.now(UTC) - timedelta(hours=2))
    told = httpx.get(f"{office.url}/issuing.crl").content
    (tmp_path / "list.pem").write_text(openssl("crl", "-inform", "DER", "-in", _file(tmp_path / "crl", told)))
    chain = ("-CAfile", office.trust / "root.pem", "-untrusted", office.trust / "issuing.pem")
    checked = ("verify", *chain, "-CRLfile", tmp_path / "list.pem", "-crl_check")
    assert openssl(*checked, office.folder / "certificates" / "builder-1.pem").endswith(": OK\n")
    assert "certificate revoked" in openssl(*checked, office.folder / "certificates" / "builder-2.pem")
    listed = trust.load(office.trust)
    with pytest.raises(NotTrusted) as caught:
        listed.hold(lost, Purpose.LOGIN, datetime.now(UTC), listed.revocations())
    assert caught.value.reason is Reason.REVOKED
    assert listed.hold(lost, Purpose.LOGIN, datetime.now(UTC) - timedelta(hours=3), listed.revocations())


def test_openssl_asks_the_responder_and_believes_it(office: Authority) -> None:
    office.revoke(office.token(LOSER.token, PERSONS).certificate.serial)
    ask = ("ocsp", "-issuer", office.trust / "issuing.pem", "-CAfile", office.trust / "root.pem")
    ask = (*ask, "-verify_other", office.trust / "issuing.pem", "-url", f"{office.url}/ocsp")
    good = openssl(*ask, "-cert", office.folder / "certificates" / "builder-1.pem")
    assert "Response verify OK" in good
    assert ": good" in good
    assert ": revoked" in openssl(*ask, "-cert", office.folder / "certificates" / "builder-2.pem")


def test_openssl_verifies_a_timestamp(office: Authority, tmp_path: Path) -> None:
    data = _file(tmp_path / "data", b"text")
    query = tmp_path / "query"
    openssl("ts", "-query", "-data", data, "-sha256", "-cert", "-out", query)
    reply = _file(tmp_path / "reply", httpx.post(f"{office.url}/tsa", content=query.read_bytes()).content)
    chain = ("-CAfile", office.trust / "root.pem", "-untrusted", office.trust / "issuing.pem")
    assert "Verification: OK" in openssl("ts", "-verify", "-queryfile", query, "-in", reply, *chain)
    data.write_bytes(b"texT")
    assert "Verification: FAILED" in openssl("ts", "-verify", "-data", data, "-in", reply, *chain)


@pytest.mark.parametrize("noise", [b"", b"\x30\x80" * 2000, b"x" * 100_000], ids=["nothing", "depth", "length"])
@pytest.mark.parametrize("path", ["ocsp", "tsa"])
def test_noise_is_answered_as_noise(office: Authority, path: str, noise: bytes) -> None:
    answered = httpx.post(f"{office.url}/{path}", content=noise)
    assert answered.status_code == 200
    assert len(answered.content) < 40


def test_a_stale_list_closes_the_door_and_a_new_one_opens_it(office: Authority) -> None:
    holder, now = office.token(BUILDER.token, PERSONS).certificate, datetime.now(UTC)
    listed = trust.load(office.trust)
    before = listed.revocations()
    office.renew_list(next_update=now - timedelta(hours=25))
    with pytest.raises(NotTrusted) as caught:
        listed.hold(holder, Purpose.LOGIN, now, listed.revocations())
    assert caught.value.reason is Reason.REVOCATION_STALE
    assert listed.hold(holder, Purpose.LOGIN, now, before)
    office.renew_list()
    assert listed.hold(holder, Purpose.LOGIN, now, listed.revocations())


def test_a_serial_that_nobody_has_cannot_be_revoked(office: Authority) -> None:
    with pytest.raises(Trouble, match="no certificate has the serial"):
        office.revoke("ABCDEF")


def test_a_certificate_may_be_asked_for_with_any_validity(office: Authority) -> None:
    ended = datetime.now(UTC) - timedelta(days=1)
    old = Wanted(
        "old", PERSONS, "赵六", Purpose.LOGIN, not_before=ended - timedelta(days=9), not_after=ended, serial="F1"
    )
    certificate = office.issue(old)[0].certificate
    assert (certificate.serial, certificate.not_after) == ("F1", ended.replace(microsecond=0))
    assert certificate.read.public_bytes(Encoding.DER) == certificate.der


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
