"""A document that carries evidence is judged by it where nobody knows better, and only there (B-LT, Art. 16, 20)."""

from collections.abc import Sequence
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from evidence import trust
from evidence.documents import OWN_EVIDENCE, Finding, judge
from evidence.long_term import LARGEST, MOST, carried
from evidence.revocation import EXPIRED_ON_LIST, GENERALIZED_TIME, Revocations, parse_list
from evidence.testing import ENDS, HOUR, NOW, Authority, revoked, trust_folder
from evidence.testing_documents import office, prepared
from evidence.trust import TrustList

ISSUER = Authority("签发机构", Authority())
STRANGER = Authority("签发机构", Authority())
OFFICE = office(ISSUER)
SEAL = OFFICE.seal.certificate
LIST = ISSUER.revocations(at=NOW - HOUR)
NOTHING = Revocations()


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> TrustList:
    return trust.load(trust_folder(tmp_path_factory.mktemp("trust"), ISSUER))


def sealed(*carries: bytes) -> bytes:
    return OFFICE.seals(prepared(carries=carries))


def known(entries: Sequence[Any] = (), **changes: Any) -> Revocations:
    return NOTHING.with_list(parse_list(ISSUER.revocations(entries, **changes), ISSUER.certificate))


def test_a_document_brings_what_it_takes_to_judge_it(trusted: TrustList) -> None:
    assert judge(sealed(), trusted, NOTHING).finding is Finding.REVOCATION_UNKNOWN
    verdict = judge(sealed(LIST), trusted, NOTHING)
    assert (verdict.finding, verdict.detail) == (Finding.VALID, OWN_EVIDENCE)


@pytest.mark.parametrize(
    "carries",
    [
        [STRANGER.revocations(at=NOW - HOUR)],
        [ISSUER.revocations(at=NOW - 25 * HOUR)],
        [LIST[:-1] + bytes([LIST[-1] ^ 1])],
        [LIST[:-9]],
        [bytes(10) + LIST],
        [b"\x30\x80" + LIST],
        [b"\x30\x83\xff\xff\xff" + LIST],
        [b"\x30\x82\x00\x00"] * MOST + [LIST],
    ],
    ids=[
        "of a stranger",
        "over before the seal",
        "changed",
        "cut short",
        "not at a stream's beginning",
        "without a length",
        "longer than the file",
        "behind more than is looked at",
    ],
)
def test_evidence_that_does_not_count_changes_nothing(trusted: TrustList, carries: list[bytes]) -> None:
    assert judge(sealed(*carries), trusted, NOTHING).finding is Finding.REVOCATION_UNKNOWN


def test_a_list_that_is_too_long_for_a_document_is_not_looked_at(trusted: TrustList) -> None:
    entry = revoked(ISSUER.issue(), NOW)
    short, long = (ISSUER.revocations([entry] * count, at=NOW - HOUR) for count in (6000, 8000))
    assert len(short) < LARGEST < len(long)
    assert carried(sealed(short), trusted).lists
    assert carried(sealed(long), trusted) == NOTHING


def test_what_whoever_judges_knows_of_a_revocation_comes_first(trusted: TrustList) -> None:
    later = known([revoked(SEAL, NOW - HOUR)], at=NOW + HOUR)
    assert judge(sealed(LIST), trusted, later).finding is Finding.REVOKED_BEFORE_SIGNING


def test_evidence_that_the_seal_was_revoked_condemns_it(trusted: TrustList) -> None:
    pdf = sealed(ISSUER.revocations([revoked(SEAL, NOW - HOUR)], at=NOW - HOUR))
    assert judge(pdf, trusted, NOTHING).finding is Finding.REVOKED_BEFORE_SIGNING


def test_a_list_from_after_a_certificates_end_may_have_forgotten_it(trusted: TrustList) -> None:
    """RFC 5280, 3.3: who was revoked may be taken off once it has expired."""
    after = known(at=ENDS + HOUR)
    assert judge(sealed(), trusted, after).finding is Finding.REVOCATION_UNKNOWN
    assert judge(sealed(LIST), trusted, after).finding is Finding.VALID


@pytest.mark.parametrize(("since", "finding"), [(ENDS, "VALID"), (ENDS + HOUR, "REVOCATION_UNKNOWN")])
def test_a_list_that_keeps_expired_certificates_speaks_of_them(trusted: TrustList, since: Any, finding: str) -> None:
    kept = x509.UnrecognizedExtension(EXPIRED_ON_LIST, since.strftime(GENERALIZED_TIME).encode())
    assert judge(sealed(), trusted, known(at=ENDS + 2 * HOUR, more=[kept])).finding == finding


def test_whom_a_late_list_still_names_is_revoked(trusted: TrustList) -> None:
    after = known([revoked(SEAL, NOW - HOUR)], at=ENDS + HOUR)
    assert judge(sealed(LIST), trusted, after).finding is Finding.REVOKED_BEFORE_SIGNING


def test_any_changed_byte_of_a_document_is_found_whatever_it_carries(trusted: TrustList) -> None:
    pdf = sealed(LIST)
    for place in range(0, len(pdf), 7):
        changed = pdf[:place] + bytes([pdf[place] ^ 1]) + pdf[place + 1 :]
        assert judge(changed, trusted, NOTHING).finding is not Finding.VALID, place


@given(noise=st.binary(max_size=300))
def test_noise_in_a_file_is_no_evidence(trusted: TrustList, noise: bytes) -> None:
    assert carried(b"stream\n\x30\x82" + noise, trusted) == NOTHING
