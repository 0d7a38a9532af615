"""What proves a login and what does not: each refusal by its own reason, in a fixed order."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from evidence import login, trust
from evidence.certificates import Certificate, NotTrusted, Purpose, Reason
from evidence.login import Fault, NotProved
from local.standin import Authority, Holder

ORIGIN, NONCE = "https://lianshen.example", "uXf0rDlBq4mC9yqQe1mZ0Qw7S2b8cV5nT6kLh3jPo4E"
AUTHORITY, STRANGERS = Authority(), Authority("另一家")
PERSON = AUTHORITY.issue("张三", Purpose.LOGIN)
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return AUTHORITY.trust(tmp_path_factory.mktemp("trust"))


def token_of(holder: Holder, origin: str = ORIGIN, nonce: str = NONCE) -> dict[str, str]:
    return login.make(holder.certificate, origin, nonce, holder.sign)


def proved(token: Any, folder: Path) -> Certificate:
    issuers, at = trust.load(folder), datetime.now(UTC)
    text = token if isinstance(token, str | bytes) else json.dumps(token)
    return login.prove(login.read(text), ORIGIN, NONCE, issuers, issuers.revocations(), at)


def test_whoever_holds_the_key_proves_its_certificate(listed: Path) -> None:
    found = proved(token_of(PERSON), listed)
    assert (found.holder, found.serial) == ("张三", PERSON.certificate.serial)


def test_a_signature_is_for_one_origin_one_nonce_and_one_key(listed: Path) -> None:
    other = AUTHORITY.issue("李四", Purpose.LOGIN)
    borrowed = {**token_of(other), "unverifiedCertificate": token_of(PERSON)["unverifiedCertificate"]}
    elsewhere = token_of(PERSON, origin="https://lianshen.example.org")
    replayed = token_of(PERSON, nonce=NONCE[::-1])
    for token in (borrowed, elsewhere, replayed):
        with pytest.raises(NotProved) as refused:
            proved(token, listed)
        assert refused.value.fault is Fault.WRONG_SIGNATURE


Make = Callable[[], Holder]
REFUSED: dict[Reason, Make] = {
    Reason.UNKNOWN_CA: lambda: STRANGERS.issue("外人", Purpose.LOGIN),
    Reason.WRONG_PURPOSE: lambda: AUTHORITY.issue("印章", Purpose.SEAL),
    Reason.NOT_YET_VALID: lambda: AUTHORITY.issue("明天", Purpose.LOGIN, not_before=NOW + timedelta(days=1)),
    Reason.EXPIRED: lambda: AUTHORITY.issue(
        "昨天", Purpose.LOGIN, not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=1)
    ),
    Reason.WEAK: lambda: AUTHORITY.issue("弱", Purpose.LOGIN, curve=ec.SECP224R1()),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_each_certificate_is_refused_by_its_own_reason(listed: Path, reason: Reason) -> None:
    """The certificate is judged before the signature: it is refused although it has signed."""
    holder = REFUSED[reason]()
    token = {**token_of(PERSON), "unverifiedCertificate": login.base64.b64encode(holder.certificate.der).decode()}
    with pytest.raises(NotTrusted) as refused:
        proved(token, listed)
    assert refused.value.reason is reason


def test_a_revoked_certificate_and_a_stale_list_close_the_door(tmp_path: Path) -> None:
    for folder, reason, more in (
        (tmp_path / "revoked", Reason.REVOKED, {"revoked": (PERSON,)}),
        (tmp_path / "stale", Reason.REVOCATION_STALE, {"ended": timedelta(days=2)}),
    ):
        with pytest.raises(NotTrusted) as refused:
            proved(token_of(PERSON), AUTHORITY.trust(folder, **more))  # pyright: ignore[reportArgumentType]
        assert refused.value.reason is reason


MISSHAPEN: dict[str, Any] = {
    "no JSON": "{",
    "no object": "[]",
    "deep": "[" * 20_000,
    "enormous": " " * 100_000,
    "truncated": json.dumps(token_of(PERSON))[:-40],
    "a field less": {name: value for name, value in token_of(PERSON).items() if name != "signature"},
    "a field more": {**token_of(PERSON), "role": "admin"},
    "another format": {**token_of(PERSON), "format": "web-eid:9"},
    "no algorithm": {**token_of(PERSON), "algorithm": "none"},
    "a number": {**token_of(PERSON), "signature": 1},
    "no Base64": {**token_of(PERSON), "signature": "签名"},
    "a long signature": {**token_of(PERSON), "signature": "A" * 8000},
}


@pytest.mark.parametrize("shape", MISSHAPEN)
def test_a_misshapen_token_is_malformed(listed: Path, shape: str) -> None:
    with pytest.raises((NotProved, NotTrusted)) as refused:
        proved(MISSHAPEN[shape], listed)
    assert "MALFORMED" in str(refused.value)


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_no_text_whatever_is_more_than_malformed(text: str | bytes) -> None:
    with pytest.raises((NotProved, NotTrusted)):
        login.read(text)


@given(st.integers(0, 63), st.integers(1, 255))
def test_a_changed_signature_proves_nothing(place: int, change: int) -> None:
    token = login.read(json.dumps(token_of(PERSON)))
    spoilt = bytearray(token.signature)
    spoilt[place] ^= change
    changed = login.Token(token.algorithm, token.certificate, bytes(spoilt))
    assert not login.has_signed(changed, login.signed_bytes(ORIGIN, NONCE))
