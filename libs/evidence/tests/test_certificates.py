"""Whatever bytes come, a certificate or MALFORMED comes out, soon and in little memory."""

import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from evidence.certificates import LARGEST, NotTrusted, Reason, is_issued_by, parse, parse_pem
from evidence.revocation import parse_list
from evidence.testing import Authority

AUTHORITY = Authority()
GOOD = AUTHORITY.issue()
LIST = AUTHORITY.revocations()
ENDS_WITH_ZERO = next(der for der in iter(lambda: AUTHORITY.issue().der, b"") if der[-1] % 2 == 0)
LIST_ENDS_WITH_ZERO = next(der for der in iter(AUTHORITY.revocations, b"") if der[-1] % 2 == 0)


def is_malformed(der: bytes) -> bool:
    try:
        parse(der)
    except NotTrusted as trouble:
        return trouble.reason is Reason.MALFORMED
    return False


def test_a_serial_number_that_is_not_positive_is_malformed() -> None:
    before, after = GOOD.der.split(b"\x02\x02\x0a", 1)
    assert is_malformed(before + b"\x02\x02\x8a" + after)


@given(st.binary(max_size=2000))
def test_noise_is_malformed(noise: bytes) -> None:
    assert is_malformed(noise)


@given(st.integers(0, len(GOOD.der) - 1))
def test_a_truncated_certificate_is_malformed(length: int) -> None:
    assert is_malformed(GOOD.der[:length])


@given(st.integers(0, len(GOOD.der) - 1), st.integers(1, 255))
def test_a_changed_certificate_is_malformed_or_signed_by_nobody(place: int, change: int) -> None:
    changed = bytearray(GOOD.der)
    changed[place] ^= change
    if not is_malformed(bytes(changed)):
        assert not is_issued_by(parse(bytes(changed)), AUTHORITY.certificate)


@given(st.integers(0, len(LIST) - 1), st.integers(1, 255))
def test_a_changed_revocation_list_is_refused(place: int, change: int) -> None:
    changed = bytearray(LIST)
    changed[place] ^= change
    with pytest.raises(NotTrusted):
        parse_list(bytes(changed), AUTHORITY.certificate)


def cut_off(der: bytes, signature: bytes) -> bytes:
    """The same file with a signature of one bit less: DER allows that behind a bit of zero."""
    return der[: -len(signature) - 1] + b"\x01" + signature


def test_a_signature_has_one_spelling() -> None:
    read = x509.load_der_x509_certificate(ENDS_WITH_ZERO)
    other = cut_off(ENDS_WITH_ZERO, read.signature)
    x509.load_der_x509_certificate(other).verify_directly_issued_by(AUTHORITY.certificate.read)
    assert is_malformed(other) and not is_malformed(ENDS_WITH_ZERO)
    signature = x509.load_der_x509_crl(LIST_ENDS_WITH_ZERO).signature
    with pytest.raises(NotTrusted):
        parse_list(cut_off(LIST_ENDS_WITH_ZERO, signature), AUTHORITY.certificate)


def test_an_enormous_certificate_is_not_even_looked_at() -> None:
    assert is_malformed(GOOD.der + bytes(LARGEST))


def test_what_follows_a_certificate_is_malformed() -> None:
    assert is_malformed(GOOD.der + b"\x00")


@pytest.mark.parametrize(
    "bomb",
    [b"\x30\x80" * (LARGEST // 2), b"\x30\x84\xff\xff\xff\xff", b"\xa0\x82\x3f\xfc" * (LARGEST // 4), bytes(LARGEST)],
    ids=["depth without end", "four thousand million bytes", "depth with lengths", "nothing"],
)
def test_a_bomb_of_asn1_is_malformed_at_once(bomb: bytes) -> None:
    begun = time.monotonic()
    assert is_malformed(bomb)
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("holder", ["王\x00建国", "王\u202e国建", "   "])
def test_a_holder_that_shows_as_another_is_malformed(holder: str) -> None:
    with pytest.raises(NotTrusted, match="printable"):
        AUTHORITY.issue(holder)


def test_a_critical_extension_that_nobody_understands_is_malformed() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    with pytest.raises(NotTrusted, match=r"1\.2\.3\.4"):
        AUTHORITY.issue(more=[(unknown, True)])


def test_one_pem_is_one_certificate() -> None:
    pem = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    for bad in (b"", pem, pem * 2000):
        with pytest.raises(NotTrusted):
            parse_pem(bad)


def test_a_holder_has_signed_what_it_signed() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate, signature = AUTHORITY.issue(key=key.public_key()), key.sign(b"text", ec.ECDSA(SHA256()))
    assert certificate.has_signed(b"text", signature)
    assert not certificate.has_signed(b"texT", signature)
    assert not certificate.has_signed(b"text", signature[:-1])
