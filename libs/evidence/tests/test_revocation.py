"""An OCSP response counts when the issuer, or a responder of its own, signed it about that issuer's certificate."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given
from hypothesis import strategies as st

from evidence.certificates import NotTrusted, Purpose, Reason
from evidence.revocation import Revocations, parse_answer, parse_list
from evidence.testing import HOUR, NOW, Authority, ocsp_response, revoked

ROOT = Authority()
ISSUER = Authority("Issuing", ROOT)
STRANGER = Authority("Issuing", Authority())
HOLDER = ISSUER.issue()
GRACE = timedelta(hours=12)
NO_CHECK = (x509.OCSPNoCheck(), False)
RESPONDER_KEY = ec.generate_private_key(ec.SECP256R1())


def responder(by: Authority = ISSUER, purpose: Purpose = Purpose.OCSP, **changes: object) -> tuple[object, object]:
    more = changes.pop("more", [NO_CHECK])
    return RESPONDER_KEY, by.issue("Responder", purpose, key=RESPONDER_KEY.public_key(), more=more, **changes)


GOOD = ocsp_response(ISSUER, HOLDER, responder())


def check(known: Revocations, at: object = NOW) -> None:
    known.check(HOLDER, ISSUER.certificate, at, GRACE)


def reason_of(run: Callable[[], object]) -> Reason:
    with pytest.raises(NotTrusted) as caught:
        run()
    return caught.value.reason


@pytest.mark.parametrize("named", [ocsp.OCSPResponderEncoding.HASH, ocsp.OCSPResponderEncoding.NAME])
@pytest.mark.parametrize("by", [None, responder()], ids=["the issuer", "its responder"])
def test_an_answer_of_the_issuer_or_of_its_responder_makes_a_certificate_good(by: object, named: object) -> None:
    answer = parse_answer(ocsp_response(ISSUER, HOLDER, by, named=named), ISSUER.certificate)
    assert (answer.serial, answer.revoked) == (HOLDER.serial, None)
    known = Revocations().with_answer(answer)
    check(known)
    assert reason_of(lambda: check(known, NOW + HOUR + GRACE + HOUR)) is Reason.REVOCATION_STALE


def test_a_revoked_certificate_is_revoked_from_that_instant() -> None:
    answer = parse_answer(ocsp_response(ISSUER, HOLDER, revoked_at=NOW - HOUR), ISSUER.certificate)
    known = Revocations().with_answer(answer)
    check(known, NOW - 2 * HOUR)
    assert reason_of(lambda: check(known)) is Reason.REVOKED


def test_an_answer_speaks_of_one_certificate_only() -> None:
    known = Revocations().with_answer(parse_answer(GOOD, ISSUER.certificate))
    other = ISSUER.issue()
    assert reason_of(lambda: known.check(other, ISSUER.certificate, NOW, GRACE)) is Reason.REVOCATION_STALE


def test_a_good_answer_does_not_undo_what_the_list_says() -> None:
    told = parse_list(ISSUER.revocations([revoked(HOLDER, NOW - HOUR)]), ISSUER.certificate)
    known = Revocations().with_list(told).with_answer(parse_answer(GOOD, ISSUER.certificate))
    assert reason_of(lambda: check(known)) is Reason.REVOKED


def test_an_answer_never_goes_back() -> None:
    bad = parse_answer(ocsp_response(ISSUER, HOLDER, revoked_at=NOW - HOUR), ISSUER.certificate)
    old = parse_answer(ocsp_response(ISSUER, HOLDER, at=NOW - HOUR), ISSUER.certificate)
    assert reason_of(lambda: check(Revocations().with_answer(bad).with_answer(old))) is Reason.REVOKED


REFUSED: dict[str, tuple[Reason, Callable[[], bytes]]] = {
    "a stranger with the issuer's name": (Reason.UNKNOWN_CA, lambda: ocsp_response(STRANGER, HOLDER, about=ISSUER)),
    "a stranger's responder": (Reason.UNKNOWN_CA, lambda: ocsp_response(ISSUER, HOLDER, responder(STRANGER))),
    "about another issuer's": (Reason.UNKNOWN_CA, lambda: ocsp_response(ISSUER, HOLDER, about=STRANGER)),
    "a holder who is no responder": (
        Reason.WRONG_PURPOSE,
        lambda: ocsp_response(ISSUER, HOLDER, responder(purpose=Purpose.LOGIN)),
    ),
    "a responder that would have to be asked about": (
        Reason.WRONG_PURPOSE,
        lambda: ocsp_response(ISSUER, HOLDER, responder(more=[])),
    ),
    "a responder whose time is over": (
        Reason.EXPIRED,
        lambda: ocsp_response(ISSUER, HOLDER, responder(not_after=NOW - HOUR)),
    ),
    "a certificate that nobody knows": (
        Reason.UNKNOWN_CA,
        lambda: ocsp_response(ISSUER, HOLDER, status=ocsp.OCSPCertStatus.UNKNOWN),
    ),
    "an answer without an end": (Reason.MALFORMED, lambda: ocsp_response(ISSUER, HOLDER, next_update=None)),
    "another hash": (Reason.WEAK, lambda: ocsp_response(ISSUER, HOLDER, hash_with=SHA384())),
    "a responder that is busy": (
        Reason.MALFORMED,
        lambda: ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(
            Encoding.DER
        ),
    ),
    "more than an answer has": (Reason.MALFORMED, lambda: GOOD + bytes(64 * 1024)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_answer_that_does_not_count_has_its_own_reason(case: str) -> None:
    reason, make = REFUSED[case]
    assert reason_of(lambda: parse_answer(make(), ISSUER.certificate)) is reason


def test_a_nonce_comes_back_or_none_does() -> None:
    answered = ocsp_response(ISSUER, HOLDER, nonce=b"n" * 16)
    assert parse_answer(answered, ISSUER.certificate, b"n" * 16)
    assert parse_answer(answered, ISSUER.certificate)
    assert parse_answer(GOOD, ISSUER.certificate, b"n" * 16)
    assert reason_of(lambda: parse_answer(answered, ISSUER.certificate, b"m" * 16)) is Reason.MALFORMED


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_answer_is_refused_or_says_the_same(place: int, change: int) -> None:
    changed = bytearray(GOOD)
    changed[place] ^= change
    try:
        answer = parse_answer(bytes(changed), ISSUER.certificate)
    except NotTrusted:
        return
    assert answer == parse_answer(GOOD, ISSUER.certificate)


@given(st.binary(max_size=2000))
def test_noise_is_no_answer_and_no_list(noise: bytes) -> None:
    for parse in (parse_answer, parse_list):
        assert reason_of(lambda parse=parse: parse(noise, ISSUER.certificate)) is Reason.MALFORMED
