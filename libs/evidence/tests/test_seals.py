"""A seal proves its own document alone, and nothing when a byte of it is changed."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from contracts.codes import ItemCode, ProjectCode, Sha256
from contracts.signing import BatchProof, SealCompleted
from contracts.terms import DocumentKind
from evidence import hash_tree, seals
from evidence.hash_tree import Tree
from evidence.seals import NoProof, Proof, Reason, Signer, decoded, encoded, hold, hold_proof

KEY = ec.generate_private_key(ec.SECP256R1())
SPKI = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
SIGNER = Signer("5A01", SPKI)
AT = datetime(2026, 3, 2, tzinfo=UTC)


def signed(digest: bytes) -> bytes:
    return KEY.sign(digest, ec.ECDSA(Prehashed(SHA256())))


def digest_of(place: int) -> bytes:
    return sha256(b"opinion %d" % place).digest()


def batch(count: int) -> list[Proof]:
    tree = Tree([hash_tree.leaf("OPINION", UUID(int=place), digest_of(place)) for place in range(count)])
    signature = signed(tree.root)
    return [
        Proof(
            *("tree/ecdsa-p256-sha256", "5A01", "OPINION", UUID(int=place), digest_of(place)),
            *(place, count, tree.path(place), signature),
        )
        for place in range(count)
    ]


BATCH = batch(11)


def refused(record: bytes, digest: bytes, signer: Signer = SIGNER) -> Reason:
    with pytest.raises(NoProof) as trouble:
        hold_proof(decoded(record), digest, signer)
    return trouble.value.reason


def test_each_proof_of_a_batch_stands_alone() -> None:
    for place, proof in enumerate(BATCH):
        hold_proof(decoded(encoded(proof)), digest_of(place), SIGNER)


@given(st.integers(0, 10), st.integers(0), st.integers(1, 255))
def test_a_changed_byte_of_a_proof_is_found(place: int, where: int, flip: int) -> None:
    record = bytearray(encoded(BATCH[place]))
    record[where % len(record)] ^= flip
    assert refused(bytes(record), digest_of(place))


def test_every_bit_of_a_proof_counts() -> None:
    record = encoded(BATCH[3])
    spots = [(where, bit) for where in range(len(record)) for bit in range(8)]
    assert len(spots) > 2000
    for where, bit in spots:
        flipped = bytearray(record)
        flipped[where] ^= 1 << bit
        assert refused(bytes(flipped), digest_of(3)), (where, bit)


@given(st.integers(0, 10), st.integers(0, 10))
def test_a_proof_is_of_one_document_only(place: int, other: int) -> None:
    proof = BATCH[place]
    if place != other:
        assert refused(encoded(proof), digest_of(other)) is Reason.OTHER_DOCUMENT
        moved = replace(proof, digest=digest_of(other), request_id=UUID(int=other))
        assert refused(encoded(moved), digest_of(other)) is not Reason.OTHER_DOCUMENT


def test_truncated_and_enormous_records_are_refused() -> None:
    record = encoded(BATCH[0])
    for end in range(len(record)):
        assert refused(record[:end], digest_of(0)) is Reason.MALFORMED
    assert refused(record + b" ", digest_of(0)) is Reason.MALFORMED
    assert refused(b"[" * 20_000, digest_of(0)) is Reason.MALFORMED
    assert refused(b"[" * 16_000, digest_of(0)) is Reason.MALFORMED


def seal(digest: bytes, algorithm: str, signature: bytes, proof: BatchProof | None = None) -> SealCompleted:
    return SealCompleted(
        event_id=UUID(int=1),
        causation_id=UUID(int=2),
        occurred_at=AT,
        project_code=ProjectCode("2018-210281-47-03-000123"),
        request_id=UUID(int=0),
        item_id=UUID(int=3),
        item_code=ItemCode("S1-10"),
        digest=Sha256(digest.hex()),
        algorithm=algorithm,
        signature=base64.b64encode(signature).decode(),
        certificate="5A01",
        signed_at=AT,
        proof=proof,
    )


PLAIN = seal(digest_of(0), "ecdsa-p256-sha256", signed(digest_of(0)))
PATH = tuple(Sha256(one.hex()) for one in BATCH[0].path)
IN_BATCH = seal(
    digest_of(0),
    "tree/ecdsa-p256-sha256",
    BATCH[0].signature,
    BatchProof(kind=DocumentKind.OPINION, index=0, count=11, path=PATH),
)


@pytest.mark.parametrize("held", [PLAIN, IN_BATCH])
def test_a_seal_of_either_form_is_held_against_its_document(held: SealCompleted) -> None:
    hold(held, digest_of(0), SIGNER)


@pytest.mark.parametrize("held", [PLAIN, IN_BATCH])
@pytest.mark.parametrize(
    ("reason", "change", "digest", "signer"),
    [
        (Reason.OTHER_DOCUMENT, {}, digest_of(1), SIGNER),
        (Reason.OTHER_CERTIFICATE, {}, digest_of(0), Signer("5A02", SPKI)),
        (Reason.OTHER_CERTIFICATE, {"certificate": "5A02"}, digest_of(0), SIGNER),
        (Reason.UNKNOWN_ALGORITHM, {"algorithm": "sha1"}, digest_of(0), SIGNER),
        (Reason.WRONG_SIGNATURE, {"signature": base64.b64encode(signed(b"x" * 32)).decode()}, digest_of(0), SIGNER),
        (Reason.WRONG_SIGNATURE, {"signature": "AAAA"}, digest_of(0), SIGNER),
        (Reason.WRONG_SIGNATURE, {}, digest_of(0), Signer("5A01", b"no key")),
    ],
)
def test_a_seal_that_proves_nothing_says_why(
    held: SealCompleted, reason: Reason, change: dict[str, str], digest: bytes, signer: Signer
) -> None:
    with pytest.raises(NoProof) as trouble:
        hold(held.model_copy(update=change), digest, signer)
    assert trouble.value.reason is reason


def test_a_batch_names_a_known_algorithm_and_carries_its_path() -> None:
    for change, reason in (
        ({"algorithm": "tree/none"}, Reason.UNKNOWN_ALGORITHM),
        ({"proof": None}, Reason.MALFORMED),
    ):
        with pytest.raises(NoProof) as trouble:
            hold(IN_BATCH.model_copy(update=change), digest_of(0), SIGNER)
        assert trouble.value.reason is reason


def test_a_signature_over_a_root_is_none_over_a_document() -> None:
    root = seals.root_of(BATCH[0])
    with pytest.raises(NoProof) as trouble:
        hold(seal(digest_of(0), "ecdsa-p256-sha256", signed(root)), digest_of(0), SIGNER)
    assert trouble.value.reason is Reason.WRONG_SIGNATURE


def test_rsa_signs_as_well_and_short_keys_do_not(rsa_signer: Callable[[int], tuple[bytes, bytes]]) -> None:
    key, signature = rsa_signer(2048)
    hold(seal(digest_of(0), "rsa-sha256", signature), digest_of(0), Signer("5A01", key))
    key, signature = rsa_signer(1024)
    with pytest.raises(NoProof):
        hold(seal(digest_of(0), "rsa-sha256", signature), digest_of(0), Signer("5A01", key))


@pytest.fixture
def rsa_signer() -> Callable[[int], tuple[bytes, bytes]]:
    def sign(bits: int) -> tuple[bytes, bytes]:
        key = rsa.generate_private_key(65537, bits)
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return spki, key.sign(digest_of(0), padding.PKCS1v15(), Prehashed(SHA256()))

    return sign
