"""SM2 and SM3 give what GB/T 32918.5 and GB/T 32905 print, through the OpenSSL of this machine."""

import ctypes
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest
from asn1crypto import core
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from evidence import algorithms, seals, sm2, testing_sm2, trust
from evidence.certificates import Certificate, NotTrusted, Purpose, parse_pem
from evidence.revocation import Answer, Revocations, parse_answer, parse_list, question
from evidence.testing import Authority, ocsp_response

# GB/T 32918.5-2017, A.2: the key pair, the message and its signature under the id 1234567812345678
PUBLIC = bytes.fromhex(
    "04"
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
PRIVATE = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
MESSAGE = b"message digest"
R = int("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3", 16)
S = int("B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA", 16)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
# GB/T 32905-2016, annex A
SM3 = {
    b"abc": "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
    b"abcd" * 16: "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
}


class Pair(core.Sequence):
    _fields = [("r", core.Integer), ("s", core.Integer)]


def pair(r: int, s: int) -> bytes:
    return Pair({"r": r, "s": s}).dump()


ALGORITHM = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")
SPKI = bytes.fromhex("3059") + ALGORITHM + bytes.fromhex("034200") + PUBLIC
INNER = bytes.fromhex("306b0201010420") + PRIVATE + bytes.fromhex("a144034200") + PUBLIC
PKCS8 = bytes.fromhex("308187020100") + ALGORITHM + bytes.fromhex("046d") + INNER


def test_the_published_signature_verifies() -> None:
    assert sm2.verifies(SPKI, pair(R, S), MESSAGE)


@pytest.mark.parametrize(
    ("key", "signature", "message"),
    [
        (SPKI, pair(R, S), b"message digesT"),
        (SPKI, pair(R, S + 1), MESSAGE),
        (SPKI, pair(R ^ 1, S), MESSAGE),
        (SPKI, pair(R, S)[:-1], MESSAGE),
        (SPKI, b"", MESSAGE),
        (SPKI[:-1], pair(R, S), MESSAGE),
        (b"", pair(R, S), MESSAGE),
    ],
)
def test_anything_else_does_not(key: bytes, signature: bytes, message: bytes) -> None:
    assert not sm2.verifies(key, signature, message)


def test_the_published_key_signs_what_its_public_key_verifies() -> None:
    signature = sm2.sign(PKCS8, MESSAGE)
    assert sm2.verifies(SPKI, signature, MESSAGE)
    assert not sm2.verifies(SPKI, signature, MESSAGE + b"!")


@pytest.fixture
def p256() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_key_of_another_curve_neither_signs_nor_verifies(p256: tuple[bytes, bytes]) -> None:
    private, public = p256
    with pytest.raises(sm2.NotSm2):
        sm2.sign(private, MESSAGE)
    assert not sm2.verifies(public, pair(R, S), MESSAGE)


@pytest.mark.parametrize(("message", "digest"), SM3.items())
def test_sm3_gives_the_published_digests(message: bytes, digest: str) -> None:
    assert sm2.sm3(message).hex() == digest


def test_a_document_is_verified_by_the_name_of_its_algorithm() -> None:
    digest = sm2.sm3(b"a decision")
    assert algorithms.named("sm2-sm3").digest_of(b"a decision") == digest
    assert algorithms.verifies("sm2-sm3", SPKI, sm2.sign(PKCS8, digest), digest)
    assert not algorithms.verifies("sm2-sm3", SPKI, sm2.sign(PKCS8, MESSAGE), digest)
    assert not algorithms.verifies("ecdsa-p256-sha256", SPKI, sm2.sign(PKCS8, digest), digest)


def test_without_openssl_3_one_line_says_so() -> None:
    sm2.library.cache_clear()
    try:
        with patch.object(ctypes, "CDLL", _no_library), pytest.raises(sm2.OpenSslMissing, match="needs OpenSSL 3"):
            sm2.verifies(SPKI, pair(R, S), MESSAGE)
    finally:
        sm2.library.cache_clear()


def _no_library(_: str) -> None:
    raise OSError("cannot open shared object file")


# Certificates ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SM2 authority, what it issued, and another authority of the same name, made by the openssl tool."""
    return testing_sm2.make(tmp_path_factory.mktemp("sm2"))


@pytest.fixture(scope="module")
def chain(folder: Path) -> dict[str, bytes]:
    names = ("authority", "impostor", "seal")
    return {name: testing_sm2.der(folder / f"{name}.pem") for name in names}


def test_a_certificate_is_verified_to_its_sm2_issuer(chain: dict[str, bytes]) -> None:
    assert sm2.is_issued_by(chain["seal"], chain["authority"])
    assert sm2.is_issued_by(chain["authority"], chain["authority"])


def test_an_authority_of_the_same_name_did_not_issue_it(chain: dict[str, bytes]) -> None:
    assert not sm2.is_issued_by(chain["seal"], chain["impostor"])
    assert not sm2.is_issued_by(chain["authority"], chain["seal"])


def test_no_certificate_issues_nothing(chain: dict[str, bytes]) -> None:
    for broken in (b"", b"\x30\x80", chain["seal"][:-5], b"\x30" * 4000):
        assert not sm2.is_issued_by(broken, chain["authority"])
        assert not sm2.is_issued_by(chain["seal"], broken)


def test_a_trust_folder_lists_an_sm2_issuer_like_any_other(folder: Path, tmp_path: Path) -> None:
    trusted, strange = (
        listing(tmp_path / "ours", folder / "authority.pem"),
        listing(tmp_path / "others", folder / "impostor.pem"),
    )
    seal = parse_pem((folder / "seal.pem").read_bytes())
    assert (seal.algorithm, seal.holder, seal.purposes) == ("sm2-sm3", "210281.seal", {Purpose.SEAL})
    assert trusted.issuer_of(seal).certificate.holder == "SM2 authority"
    with pytest.raises(NotTrusted, match="UNKNOWN_CA"):
        strange.issuer_of(seal)


@pytest.fixture(scope="module")
def lists(folder: Path) -> dict[str, bytes]:
    """Revocation lists by their signer: the seal stands on the authority's, and on one that an impostor made."""
    testing_sm2.enter(folder, read(folder, "seal").serial, SINCE)
    return {name: testing_sm2.revocations(folder, name) for name in ("authority", "impostor")}


def test_a_list_that_an_sm2_issuer_signed_revokes_and_keeps_the_others(
    folder: Path, lists: dict[str, bytes], tmp_path: Path
) -> None:
    trusted = listing(tmp_path / "ours", folder / "authority.pem")
    [issuer] = trusted.issuers.values()
    told = parse_list(lists["authority"], issuer.certificate)
    seal = parse_pem((folder / "seal.pem").read_bytes())
    assert (told.number, set(told.revoked)) == (5, {seal.serial})
    known = Revocations().with_list(told)
    with pytest.raises(NotTrusted, match="REVOKED"):
        trusted.hold(seal, Purpose.SEAL, datetime.now(UTC), known)
    known.check(parse_pem((folder / "clerk.pem").read_bytes()), issuer.certificate, datetime.now(UTC), issuer.grace)


def test_a_list_with_any_byte_changed_or_of_another_signer_is_not_believed(
    folder: Path, lists: dict[str, bytes]
) -> None:
    authority = parse_pem((folder / "authority.pem").read_bytes())
    good = lists["authority"]
    for wrong in (lists["impostor"], *(_flipped(good, place) for place in range(len(good)))):
        with pytest.raises(NotTrusted, match=r"UNKNOWN_CA|MALFORMED"):
            parse_list(wrong, authority)


def test_an_sm2_issuer_signs_its_lists_with_sm2_alone(folder: Path) -> None:
    authority = parse_pem((folder / "authority.pem").read_bytes())
    with pytest.raises(NotTrusted, match="UNKNOWN_CA"):
        parse_list(Authority(authority.holder).revocations(), authority)


def read(folder: Path, name: str) -> Certificate:
    return parse_pem((folder / f"{name}.pem").read_bytes())


def _flipped(der: bytes, place: int) -> bytes:
    return der[:place] + bytes((der[place] ^ 1,)) + der[place + 1 :]


@pytest.mark.parametrize("signer", ["responder", "authority"])
def test_an_sm2_issuers_responder_is_asked_and_believed(folder: Path, signer: str) -> None:
    seal, authority, nonce = read(folder, "seal"), read(folder, "authority"), b"n" * 16
    asked = question(seal, authority, nonce)
    for since in (None, SINCE):
        testing_sm2.enter(folder, seal.serial, since)
        told = parse_answer(testing_sm2.answer(folder, asked, signer), authority, nonce)
        told.check(seal, datetime.now(UTC))
        assert (told.revoked and told.revoked.since) == since


def test_an_answer_of_sm2_says_nothing_else_with_any_byte_changed_and_nothing_by_another_signer(folder: Path) -> None:
    """The one byte that nobody signs says how many bits of a signature are left over: one more zero changes nothing."""
    seal, authority, nonce = read(folder, "seal"), read(folder, "authority"), b"n" * 16
    testing_sm2.enter(folder, seal.serial, SINCE)
    asked = question(seal, authority, nonce)
    good = testing_sm2.answer(folder, asked)
    believed = {place: told for place in range(len(good)) if (told := heard(_flipped(good, place), authority, nonce))}
    assert set(believed.values()) <= {heard(good, authority, nonce)}
    assert len(believed) <= 2 and all(good[place] == 0 for place in believed)
    for signer in ("clerk", "impostor"):
        assert heard(testing_sm2.answer(folder, asked, signer), authority, nonce) is None
    ours = Authority(authority.holder)
    assert heard(ocsp_response(ours, ours.issue(), at=datetime.now(UTC)), authority, nonce) is None


def heard(told: bytes, issuer: Certificate, nonce: bytes) -> Answer | None:
    """What an answer says, or None if it is not believed."""
    try:
        return parse_answer(told, issuer, nonce)
    except NotTrusted:
        return None


def test_an_sm2_certificate_waits_for_a_list_that_can_be_read(folder: Path, tmp_path: Path) -> None:
    trusted = listing(tmp_path / "ours", folder / "authority.pem")
    seal = parse_pem((folder / "seal.pem").read_bytes())
    with pytest.raises(NotTrusted, match="REVOCATION_STALE"):
        trusted.hold(seal, Purpose.SEAL, datetime.now(UTC), Revocations())


def listing(folder: Path, authority: Path) -> trust.TrustList:
    folder.mkdir()
    (folder / "sm2.pem").write_bytes(authority.read_bytes())
    (folder / "trust.toml").write_text(
        """
        [[issuer]]
        certificate = "sm2.pem"
        root = "sm2.pem"
        purposes = ["seal"]
        algorithms = ["sm2-sm3"]
        crl_url = "http://authority.example/sm2.crl"
        grace_hours = 24
        """
    )
    return trust.load(folder)


def test_a_seal_over_a_document_is_held_with_its_sm2_certificate(folder: Path) -> None:
    digest = sm2.sm3(b"a decision")
    private = testing_sm2.der(folder / "seal.key")
    signer = seals.signer_of(parse_pem((folder / "seal.pem").read_bytes()))
    assert algorithms.verifies("sm2-sm3", signer.key, sm2.sign(private, digest), digest)
