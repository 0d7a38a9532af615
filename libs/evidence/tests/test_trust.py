"""A certificate is trusted for one purpose at one instant, or refused for one reason (Art. 19, 20)."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA224

from evidence import trust
from evidence.certificates import Certificate, NotTrusted, Purpose, Reason, parse
from evidence.revocation import Revocations, parse_list
from evidence.testing import ENDS, HOUR, NOW, YEAR, Authority, key_usage, revoked, trust_folder
from evidence.trust import BadTrustList, TrustList

ROOT = Authority()
ISSUER = Authority("Issuing", ROOT)
STRANGER = Authority("Issuing", Authority())
UNLISTED = Authority("Other issuing", ROOT)


class Trusted(NamedTuple):
    list: TrustList
    revocations: Revocations

    def hold(self, certificate: Certificate, purpose: Purpose = Purpose.LOGIN, at: Any = NOW) -> Any:
        return self.list.hold(certificate, purpose, at, self.revocations)


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Trusted:
    held = trust.load(trust_folder(tmp_path_factory.mktemp("trust"), ISSUER))
    return Trusted(held, held.revocations())


def refusal(trusted: Trusted, certificate: Certificate, purpose: Purpose = Purpose.LOGIN, at: Any = NOW) -> Reason:
    with pytest.raises(NotTrusted) as caught:
        trusted.hold(certificate, purpose, at)
    return caught.value.reason


def test_a_certificate_of_a_listed_issuer_is_trusted_and_names_its_holder(trusted: Trusted) -> None:
    certificate = ISSUER.issue("大连建投", uscc="91210200MA0XXXXX1X", organisation="大连建投集团", serial=0x0F1E)
    assert trusted.hold(certificate).certificate.holder == "Issuing"
    assert (certificate.holder, certificate.uscc, certificate.organisation) == (
        "大连建投",
        "91210200MA0XXXXX1X",
        "大连建投集团",
    )
    assert (certificate.serial, certificate.algorithm) == ("F1E", "ecdsa-p256-sha256")


def rsa_key(bits: int) -> Any:
    return rsa.generate_private_key(65537, bits).public_key()


REFUSED: dict[str, tuple[Reason, Callable[[], Certificate]]] = {
    "a stranger with the issuer's name": (Reason.UNKNOWN_CA, lambda: STRANGER.issue()),
    "an issuer under the same root that is not listed": (Reason.UNKNOWN_CA, lambda: UNLISTED.issue()),
    "the issuer's own certificate": (Reason.UNKNOWN_CA, lambda: ISSUER.certificate),
    "one that begins tomorrow": (Reason.NOT_YET_VALID, lambda: ISSUER.issue(not_before=NOW + 24 * HOUR)),
    "one that ended yesterday": (Reason.EXPIRED, lambda: ISSUER.issue(not_after=NOW - 24 * HOUR)),
    "a seal's": (Reason.WRONG_PURPOSE, lambda: ISSUER.issue(purpose=Purpose.SEAL)),
    "one without a purpose": (Reason.WRONG_PURPOSE, lambda: ISSUER.issue(purpose=None)),
    "one that may not sign": (Reason.WRONG_PURPOSE, lambda: ISSUER.issue(key_usage=key_usage(ca=True))),
    "a short RSA key": (Reason.WEAK, lambda: ISSUER.issue(key=rsa_key(1024))),
    "another curve": (Reason.WEAK, lambda: ISSUER.issue(key=ec.generate_private_key(ec.SECP384R1()).public_key())),
    "one signed with a short hash": (Reason.WEAK, lambda: ISSUER.issue(hash_with=SHA224())),
}


@pytest.mark.parametrize("case", REFUSED)
def test_each_kind_of_certificate_that_is_not_for_login_has_its_own_reason(trusted: Trusted, case: str) -> None:
    reason, make = REFUSED[case]
    assert refusal(trusted, make()) is reason


def test_a_purpose_that_the_issuer_is_not_listed_for_is_refused(trusted: Trusted) -> None:
    assert refusal(trusted, ISSUER.issue(purpose=Purpose.SERVICE), Purpose.SERVICE) is Reason.WRONG_PURPOSE


def test_a_timestamp_certificate_must_say_so_critically(trusted: Trusted) -> None:
    trusted.hold(ISSUER.issue(purpose=Purpose.TIMESTAMP), Purpose.TIMESTAMP)
    loose = ISSUER.issue(purpose=Purpose.TIMESTAMP, critical=False)
    assert refusal(trusted, loose, Purpose.TIMESTAMP) is Reason.WRONG_PURPOSE


def test_an_rsa_key_of_2048_bits_is_trusted(trusted: Trusted) -> None:
    assert trusted.hold(ISSUER.issue(key=rsa_key(2048)))


def test_the_first_reason_is_told_when_there_are_several(trusted: Trusted) -> None:
    wrong = {"purpose": Purpose.SEAL, "key": rsa_key(1024)}
    assert refusal(trusted, STRANGER.issue(not_after=NOW - HOUR, **wrong)) is Reason.UNKNOWN_CA
    assert refusal(trusted, ISSUER.issue(not_after=NOW - HOUR, **wrong)) is Reason.EXPIRED
    assert refusal(trusted, ISSUER.issue(**wrong)) is Reason.WRONG_PURPOSE


def test_what_was_signed_before_the_key_was_lost_stays_valid(trusted: Trusted) -> None:
    certificate = ISSUER.issue()
    told = ISSUER.revocations([revoked(certificate, NOW, invalid_since=NOW - 3 * HOUR)], number=2)
    later = trusted._replace(revocations=trusted.revocations.with_list(parse_list(told, ISSUER.certificate)))
    assert later.hold(certificate, at=NOW - 4 * HOUR)
    assert refusal(later, certificate, at=NOW - 3 * HOUR) is Reason.REVOKED
    assert refusal(later, certificate) is Reason.REVOKED


def test_a_list_is_borne_for_its_grace_and_no_longer(trusted: Trusted) -> None:
    certificate, end = ISSUER.issue(), NOW + 24 * HOUR
    assert trusted.hold(certificate, at=end + 12 * HOUR)
    assert refusal(trusted, certificate, at=end + 12 * HOUR + timedelta(seconds=1)) is Reason.REVOCATION_STALE
    nothing = trusted._replace(revocations=Revocations())
    assert refusal(nothing, certificate) is Reason.REVOCATION_STALE


def test_a_list_never_goes_back(trusted: Trusted) -> None:
    certificate = ISSUER.issue()
    new = parse_list(ISSUER.revocations([revoked(certificate, NOW)], number=5), ISSUER.certificate)
    old = parse_list(ISSUER.revocations(number=4, at=NOW + HOUR), ISSUER.certificate)
    assert Revocations().with_list(new).with_list(old).lists[ISSUER.certificate.key_id].number == 5


def test_a_list_that_another_signed_is_refused() -> None:
    with pytest.raises(NotTrusted) as caught:
        parse_list(STRANGER.revocations(), ISSUER.certificate)
    assert caught.value.reason is Reason.UNKNOWN_CA


def test_an_expired_issuer_is_trusted_no_more(trusted: Trusted) -> None:
    longer = ISSUER.issue(not_after=ENDS + YEAR)
    assert refusal(trusted, longer, at=ENDS + HOUR) is Reason.EXPIRED


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "a purpose that nobody knows": ({"purposes": '["login", "everything"]'}, "trust.toml", "purposes"),
    "no purpose": ({"purposes": "[]"}, "trust.toml", "purposes"),
    "an algorithm of yesterday": ({"algorithms": '["rsa-sha1"]'}, "trust.toml", "algorithms"),
    "a grace without end": ({"grace_hours": "1e9"}, "trust.toml", "grace_hours"),
    "a key that nobody knows": ({"trust_all": "true"}, "trust.toml", "nothing else"),
    "no list": ({"crl": None}, "trust.toml", "crl"),
    "a list that is nowhere": ({"crl_url": '"ftp://ca/list"'}, "trust.toml", "crl_url"),
    "a responder that is nowhere": ({"ocsp_url": '"file:///etc"'}, "trust.toml", "ocsp_url"),
    "a certificate that is not there": ({"certificate": '"absent.pem"'}, "absent.pem", "No such file"),
    "a root that did not issue": ({"root": '"issuing.pem"'}, "issuing.pem", "not issued"),
    "no TOML": ({"purposes": "[["}, "trust.toml", "Invalid"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_trust_list_is_refused_with_its_file_and_the_reason(tmp_path: Path, case: str) -> None:
    changes, file, why = BAD[case]
    with pytest.raises(BadTrustList) as caught:
        trust.load(trust_folder(tmp_path, ISSUER, **changes))
    assert caught.value.file == tmp_path / file
    assert why in caught.value.why


def test_a_bad_revocation_list_in_the_folder_is_named(tmp_path: Path) -> None:
    held = trust.load(trust_folder(tmp_path, ISSUER))
    (tmp_path / "issuing.crl").write_bytes(b"\x30\x80")
    with pytest.raises(BadTrustList, match=r"issuing\.crl"):
        held.revocations()


def test_a_second_provider_is_one_more_entry(tmp_path: Path) -> None:
    other = Authority("Provider", Authority("Provider's root"))
    folder = trust_folder(tmp_path, ISSUER)
    first = (folder / "trust.toml").read_text()
    trust_folder(tmp_path / "other", other)
    moved = (tmp_path / "other" / "trust.toml").read_text().replace('= "issuing', '= "other/issuing')
    (folder / "trust.toml").write_text(first + "\n" + moved.replace('= "root', '= "other/root'))
    held = trust.load(folder)
    for authority in (ISSUER, other):
        assert held.hold(authority.issue(), Purpose.LOGIN, NOW, held.revocations())


def test_a_certificate_survives_being_written_and_read() -> None:
    certificate = ISSUER.issue()
    assert parse(certificate.der) == certificate
