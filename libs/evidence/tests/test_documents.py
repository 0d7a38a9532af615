"""A sealed document is judged from the file and the trust list alone: whatever was done to it is found."""

import random
from collections.abc import Iterable
from datetime import timedelta

import pytest
from asn1crypto import cms
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import documents, signatures, trust
from evidence.certificates import Purpose
from evidence.documents import LARGEST, SENTENCES, Finding, NoRoom, Verdict, judge
from evidence.revocation import Revocations, parse_list
from evidence.testing import ENDS, HOUR, NOW, Authority, revoked, trust_folder
from evidence.testing_documents import Clock, Office, Signer, office, prepared
from evidence.trust import TrustList

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn.t positive")
"""What `cryptography` warns of is refused by `evidence.certificates`."""
ROOT = Authority()
ISSUER = Authority("签发机构", ROOT)
OFFICE = office(ISSUER)
SEALED = OFFICE.seals(prepared())


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> TrustList:
    return trust.load(trust_folder(tmp_path_factory.mktemp("trust"), ISSUER))


def found(pdf: bytes, trusted: TrustList, revocations: Revocations | None = None) -> Finding:
    return judge(pdf, trusted, revocations or trusted.revocations()).finding


def test_a_sealed_document_is_valid_and_says_whose_seal_it_bears_and_since_when(trusted: TrustList) -> None:
    verdict = judge(SEALED, trusted, trusted.revocations())
    assert verdict == Verdict(
        Finding.VALID,
        verdict.digest,
        signer="瓦房店市自然资源局",
        organisation="瓦房店市自然资源局",
        certificate=OFFICE.seal.certificate.serial,
        signed_at=NOW,
        timestamped_by="时间戳",
        outside=documents.gap_of(SEALED).outside,
    )
    assert "真实有效" in verdict.sentence


def test_every_finding_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(Finding)


# Altered ---------------------------------------------------------------------------------------------------------


def flipped(pdf: bytes, at: int, bits: int) -> bytes:
    return pdf[:at] + bytes([pdf[at] ^ bits]) + pdf[at + 1 :]


def missed(spots: Iterable[tuple[int, int]], trusted: TrustList) -> list[tuple[int, int]]:
    revocations = trusted.revocations()
    return [spot for spot in spots if judge(flipped(SEALED, *spot), trusted, revocations).finding is Finding.VALID]


def test_any_of_3000_flipped_bytes_is_found(trusted: TrustList) -> None:
    chance = random.Random(20181212)
    assert missed(((chance.randrange(len(SEALED)), chance.randrange(1, 256)) for _ in range(3000)), trusted) == []
    assert missed([(0, 0)], trusted) == [(0, 0)], "what was not changed is not found: the scale can tip"


def test_every_single_byte_of_the_signature_counts(trusted: TrustList) -> None:
    gap = documents.gap_of(SEALED)
    length = len(documents.signature_in(SEALED, gap))
    digits = range(gap.start + 1, gap.start + 1 + 2 * length)
    spots = [(at, 1 << at % 4) for at in digits]
    assert len(spots) > 3000
    in_capitals = [(at, 0x20) for at in digits if SEALED[at] > 0x60]
    assert missed(in_capitals[::5], trusted) == []
    assert missed(spots, trusted) == []


def test_the_signature_is_put_together_as_an_asn1_library_would() -> None:
    """Encoding anew is asked of the flat token alone: its cost doubles with every level, and a real one has many."""
    digest, seal = bytes(range(32)), OFFICE.seal.certificate
    signed = signatures.attributes(digest, seal)
    token, value = OFFICE.clock.token(b"value"), OFFICE.seal.sign(signed)
    small = cms.ContentInfo({"content_type": "data", "content": b"in place of a token"}).dump()
    for stamp in (token, small):
        made = signatures.assembled(signed, value, seal, (ISSUER.certificate, ROOT.certificate), stamp)
        read = cms.ContentInfo.load(made, strict=True)
        signer = read["content"]["signer_infos"][0]
        assert signer["signed_attrs"].native[1]["values"] == [digest]
        assert signer["unsigned_attrs"][0]["values"][0].dump() == stamp
        carried = {one.dump() for one in read["content"]["certificates"]}
        assert carried == {one.der for one in (seal, ISSUER.certificate, ROOT.certificate)}
    assert cms.CMSAttributes.load(signed).dump(force=True) == signed
    assert read.dump(force=True) == made


def test_every_byte_round_the_signature_and_of_the_filling_counts(trusted: TrustList) -> None:
    gap = documents.gap_of(SEALED)
    around = [*range(gap.start - 80, gap.start + 2), *range(gap.end - 40, len(SEALED))]
    assert missed([(at, bits) for at in around for bits in (1, 2, 0x20, 0x80)], trusted) == []


@pytest.mark.parametrize(
    "more",
    [b"\n", b" ", b"%", b"2 0 obj\n<</Type/Page>>\nendobj\n%%EOF\n", SEALED, b"\0" * 4096],
    ids=["a line", "a space", "a comment", "an object", "the whole once more", "zeros"],
)
def test_nothing_may_be_added_after_the_seal(more: bytes, trusted: TrustList) -> None:
    assert found(SEALED + more, trusted) is Finding.ALTERED


def test_a_second_signature_cannot_cover_what_was_added(trusted: TrustList) -> None:
    """A shadow attack: what was sealed is hidden by an update that is sealed again by somebody else."""
    update = prepared("另一份").removeprefix(b"%PDF-1.7\n")
    assert found(SEALED + update, trusted) is Finding.ALTERED


def test_a_gap_may_hold_nothing_but_the_signature(trusted: TrustList) -> None:
    gap = documents.gap_of(SEALED)
    hidden = b"> 2 0 obj <</Type/Page>> endobj <"
    held = SEALED[: gap.end - 200] + hidden + SEALED[gap.end - 200 + len(hidden) :]
    assert found(held, trusted) is Finding.ALTERED


def test_a_wider_gap_is_found(trusted: TrustList) -> None:
    start = documents.gap_of(SEALED).start
    wider = SEALED.replace(f"[0 {start} ".encode(), f"[0 {start - 9} ".encode())
    assert found(wider, trusted) is Finding.ALTERED


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.95, 0.999])
def test_a_truncated_document_is_not_valid(share: float, trusted: TrustList) -> None:
    assert found(SEALED[: int(len(SEALED) * share)], trusted) in (Finding.ALTERED, Finding.UNSIGNED)


def test_an_enormous_file_is_refused_unread(trusted: TrustList) -> None:
    assert found(SEALED + b"\0" * LARGEST, trusted) is Finding.ALTERED


def test_the_signature_of_another_document_does_not_fit(trusted: TrustList) -> None:
    other = OFFICE.signature(b"\1" * 32)
    assert found(documents.filled(prepared(), other), trusted) is Finding.ALTERED


def test_a_timestamp_of_another_signature_does_not_fit(trusted: TrustList) -> None:
    blank = prepared()
    digest = documents.digest_of(blank, documents.gap_of(blank))
    signed = signatures.attributes(digest, OFFICE.seal.certificate)
    late = OFFICE.clock.token(b"another")
    made = signatures.assembled(signed, OFFICE.seal.sign(signed), OFFICE.seal.certificate, (), late)
    assert found(documents.filled(blank, made), trusted) is Finding.ALTERED


def test_a_certificate_of_somebody_else_may_not_ride_along(trusted: TrustList) -> None:
    blank = prepared()
    digest = documents.digest_of(blank, documents.gap_of(blank))
    signed = signatures.attributes(digest, OFFICE.seal.certificate)
    value = OFFICE.seal.sign(signed)
    rider = (office(ISSUER).seal.certificate,)
    made = signatures.assembled(signed, value, OFFICE.seal.certificate, rider, OFFICE.clock.token(value))
    assert found(documents.filled(blank, made), trusted) is Finding.ALTERED


@pytest.mark.parametrize("pdf", [b"", b"%PDF-1.7\n%%EOF\n", b"<html>", "营业执照".encode()])
def test_what_has_no_signature_is_unsigned(pdf: bytes, trusted: TrustList) -> None:
    assert found(pdf, trusted) is Finding.UNSIGNED


def test_a_place_for_a_signature_is_not_a_signature(trusted: TrustList) -> None:
    assert found(prepared(), trusted) is Finding.ALTERED


@given(st.binary(max_size=600))
@settings(max_examples=300, deadline=None)
def test_any_bytes_in_the_place_of_a_signature_are_judged(signature: bytes) -> None:
    with pytest.raises(signatures.BadSignature):
        signatures.read(signature, b"\0" * 32)


def test_a_deep_nest_in_the_place_of_a_signature_is_judged(trusted: TrustList) -> None:
    nest = b""
    for _ in range(3000):
        nest = b"\x30\x83" + len(nest).to_bytes(3) + nest
    assert found(documents.filled(prepared(room=40_000), nest), trusted) is Finding.ALTERED


def test_a_signature_that_is_too_big_for_its_gap_is_not_cut() -> None:
    with pytest.raises(NoRoom):
        documents.filled(prepared(room=16), b"\x30\x81" + b"\0" * 40)


# Trusted ---------------------------------------------------------------------------------------------------------


def test_a_seal_of_an_unlisted_authority_is_from_an_unknown_one(trusted: TrustList) -> None:
    stranger = office(Authority("签发机构", Authority()))
    assert found(stranger.seals(prepared()), trusted) is Finding.UNKNOWN_CA


@pytest.mark.parametrize("purpose", [Purpose.LOGIN, Purpose.SERVICE, None])
def test_a_certificate_for_something_else_seals_nothing(purpose: Purpose | None, trusted: TrustList) -> None:
    wrong = Office(Signer(ISSUER, "王建国", purpose), OFFICE.clock)
    assert found(wrong.seals(prepared()), trusted) is Finding.UNKNOWN_CA


def test_a_timestamp_of_an_unlisted_authority_is_none(trusted: TrustList) -> None:
    clock = Clock(Authority("签发机构", Authority()), "时间戳", Purpose.TIMESTAMP)
    assert found(Office(OFFICE.seal, clock).seals(prepared()), trusted) is Finding.UNKNOWN_CA


@pytest.mark.parametrize("validity", [{"not_before": NOW + HOUR}, {"not_after": NOW - HOUR}], ids=["early", "expired"])
def test_a_seal_put_outside_of_its_certificates_time_is_not_trusted(
    validity: dict[str, object], trusted: TrustList
) -> None:
    assert found(office(ISSUER, **validity).seals(prepared()), trusted) is Finding.UNKNOWN_CA


def test_a_seal_outlives_its_certificate(trusted: TrustList) -> None:
    """Judged as of its timestamp: ten years later it is as good as on its day (Art. 16)."""
    assert office(ISSUER, not_after=NOW + HOUR).seal.certificate.not_after < ENDS
    assert found(office(ISSUER, not_after=NOW + HOUR).seals(prepared()), trusted) is Finding.VALID


@pytest.mark.parametrize(
    ("since", "finding"),
    [(-HOUR, Finding.REVOKED_BEFORE_SIGNING), (timedelta(), Finding.REVOKED_BEFORE_SIGNING), (HOUR, Finding.VALID)],
)
def test_a_revocation_counts_from_its_instant(since: timedelta, finding: Finding, trusted: TrustList) -> None:
    listed = ISSUER.revocations([revoked(OFFICE.seal.certificate, NOW + since)], number=2)
    revocations = trusted.revocations().with_list(parse_list(listed, ISSUER.certificate))
    assert found(SEALED, trusted, revocations) is finding


def test_a_revocation_counts_from_when_the_key_was_lost(trusted: TrustList) -> None:
    listed = ISSUER.revocations([revoked(OFFICE.seal.certificate, NOW + HOUR, NOW - HOUR)], number=2)
    revocations = trusted.revocations().with_list(parse_list(listed, ISSUER.certificate))
    assert found(SEALED, trusted, revocations) is Finding.REVOKED_BEFORE_SIGNING
