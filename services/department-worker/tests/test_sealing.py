"""A sealed document: two phases, the same bytes before the signature, and tools that are not ours agree on it.

Poppler's pdfsig, OpenSSL and pyHanko's own judge read what `evidence.documents` finds VALID.
"""

import io
import random
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from asn1crypto import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CRLDistributionPoints, DistributionPoint, UniformResourceIdentifier
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import DocumentSecurityStore, validate_pdf_signature
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from department_worker.documents import Prepared
from department_worker.fonts import Fonts
from department_worker.printing import Printer
from department_worker.sealing import prepared, sealed
from evidence import documents, signatures, trust
from evidence.certificates import Purpose
from evidence.documents import Finding, judge
from evidence.long_term import NONE_AT_HAND, Evidence
from evidence.revocation import Revocations
from evidence.testing import HOUR, NOW, Authority, revoked, trust_folder
from evidence.testing_documents import Clock, Office, Signer
from evidence.trust import TrustList
from local import fonts as local_fonts
from local.papers import FACTS

ROOT = Authority()
ISSUER = Authority("签发机构", ROOT)
WHERE = DistributionPoint([UniformResourceIdentifier("http://ca.example/issuing.crl")], None, None, None)
LISTED = {"more": [(CRLDistributionPoints([WHERE]), False)]}
OFFICE = Office(
    Signer(ISSUER, "瓦房店市自然资源局", Purpose.SEAL, {"organisation": "瓦房店市自然资源局", **LISTED}),
    Clock(ISSUER, "时间戳", Purpose.TIMESTAMP, LISTED),
)
EVIDENCE = Evidence((ISSUER.certificate.der,), (ISSUER.revocations(at=NOW - HOUR),))
REVOKED = revoked(OFFICE.seal.certificate, NOW - HOUR)
USAGE = KeyUsageConstraints(key_usage={"digital_signature", "non_repudiation"}, match_all_key_usages=False)


@pytest.fixture(scope="module")
def printer() -> Printer:
    return Printer(Fonts(local_fonts.prepare()))


@pytest.fixture(scope="module")
def waiting(printer: Printer) -> Prepared:
    return waiting_for_seal(printer)


def waiting_for_seal(printer: Printer, evidence: Evidence = EVIDENCE) -> Prepared:
    picture = printer.seal(FACTS.authority, is_test=True)
    return prepared(printer.document(FACTS), picture, FACTS.authority, FACTS.dated, evidence)


@pytest.fixture(scope="module")
def document(waiting: Prepared) -> bytes:
    return sealed(waiting.pdf, OFFICE.signature(bytes.fromhex(waiting.digest)))


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> TrustList:
    return trust.load(trust_folder(tmp_path_factory.mktemp("trust"), ISSUER))


def test_the_same_document_under_the_same_seal_waits_as_the_same_bytes_at_any_time(
    printer: Printer, waiting: Prepared
) -> None:
    began = int(time.time())
    while int(time.time()) == began:
        time.sleep(0.05)
    assert waiting_for_seal(printer) == waiting


def test_the_signature_changes_nothing_but_its_gap(waiting: Prepared, document: bytes) -> None:
    gap = documents.gap_of(waiting.pdf)
    assert document[: gap.start] == waiting.pdf[: gap.start]
    assert document[gap.end :] == waiting.pdf[gap.end :]
    assert documents.digest_of(document, gap).hex() == waiting.digest


def test_a_sealed_document_is_valid(document: bytes, trusted: TrustList) -> None:
    verdict = judge(document, trusted, trusted.revocations())
    assert (verdict.finding, verdict.signer, verdict.signed_at) == (Finding.VALID, "瓦房店市自然资源局", NOW)


def test_any_of_2000_flipped_bytes_of_a_real_document_is_found(document: bytes, trusted: TrustList) -> None:
    chance, revocations = random.Random(2018), trusted.revocations()
    for _ in range(2000):
        at, bits = chance.randrange(len(document)), chance.randrange(1, 256)
        flipped = document[:at] + bytes([document[at] ^ bits]) + document[at + 1 :]
        assert judge(flipped, trusted, revocations).finding is not Finding.VALID, (at, bits)


def test_an_update_after_the_seal_is_found(document: bytes, trusted: TrustList) -> None:
    """A shadow attack as a tool makes it: the file still opens, its first revision still verifies."""
    writer = IncrementalPdfFileWriter(io.BytesIO(document))
    writer.root["/Lang"] = writer.root["/Type"]
    writer.update_root()
    changed = io.BytesIO()
    writer.write(changed)
    assert changed.getvalue().startswith(document)
    assert judge(changed.getvalue(), trusted, trusted.revocations()).finding is Finding.ALTERED


def test_pdfsig_agrees(document: bytes, tmp_path: Path) -> None:
    (tmp_path / "one.pdf").write_bytes(document)
    done = subprocess.run(["pdfsig", "-nocert", tmp_path / "one.pdf"], capture_output=True, check=False)
    said = done.stdout.decode()
    assert "Signature is Valid" in said
    assert "Total document signed" in said
    assert "瓦房店市自然资源局" in said


def test_openssl_agrees_on_the_signature_and_on_the_timestamp(document: bytes, tmp_path: Path) -> None:
    gap = documents.gap_of(document)
    (tmp_path / "content").write_bytes(document[: gap.start] + document[gap.end :])
    (tmp_path / "cms").write_bytes(documents.signature_in(document, gap))
    chain = [ISSUER.certificate, ISSUER.above.certificate] if ISSUER.above else []
    (tmp_path / "ca.pem").write_bytes(b"".join(one.read.public_bytes(Encoding.PEM) for one in chain))
    at = ["-attime", str(int(NOW.timestamp())), "-CAfile", tmp_path / "ca.pem"]
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", tmp_path / "cms", "-content", tmp_path / "content"]
    checked = subprocess.run([*command, "-binary", "-purpose", "any", "-out", "/dev/null", *at], capture_output=True)
    assert checked.returncode == 0, checked.stderr
    read = signatures.read(documents.signature_in(document, gap), documents.digest_of(document, gap))
    (tmp_path / "token").write_bytes(read.timestamp.dump())
    (tmp_path / "value").write_bytes(read.value)
    command = ["openssl", "ts", "-verify", "-data", tmp_path / "value", "-in", tmp_path / "token", "-token_in", *at]
    checked = subprocess.run([*command, "-untrusted", tmp_path / "ca.pem"], capture_output=True)
    assert b"Verification: OK" in checked.stdout, checked.stderr


def test_pyhanko_agrees(document: bytes) -> None:
    root = x509.Certificate.load(ISSUER.certificate.der)
    context = ValidationContext(trust_roots=[root], moment=NOW, allow_fetching=False)
    (signature,) = PdfFileReader(io.BytesIO(document)).embedded_signatures
    status = validate_pdf_signature(signature, context, context, key_usage_settings=USAGE)
    assert status.bottom_line, status.pretty_print_details()


def lasts(pdf: bytes) -> bool:
    """Whether pyHanko finds a document valid by the revocation evidence in it and by nothing else (B-LT): it wants some
    for each certificate that says where its list is."""
    read = PdfFileReader(io.BytesIO(pdf))
    trusts = {"trust_roots": [x509.Certificate.load(ROOT.certificate.der)], "moment": NOW}
    store = DocumentSecurityStore.read_dss(read)
    context = store.as_validation_context({**trusts, "revocation_mode": "hard-fail", "allow_fetching": False})
    (signature,) = read.embedded_signatures
    return validate_pdf_signature(signature, context, context, key_usage_settings=USAGE).bottom_line


def test_pyhanko_agrees_that_it_carries_what_it_takes(printer: Printer, document: bytes) -> None:
    assert lasts(document)
    without = waiting_for_seal(printer, NONE_AT_HAND)
    with pytest.raises(NoDSSFoundError):
        lasts(sealed(without.pdf, OFFICE.signature(bytes.fromhex(without.digest))))
    others = {"over": ISSUER.revocations(at=NOW - 25 * HOUR), "revoked": ISSUER.revocations([REVOKED], at=NOW - HOUR)}
    for why, listed in others.items():
        other = waiting_for_seal(printer, EVIDENCE._replace(lists=(listed,)))
        assert not lasts(sealed(other.pdf, OFFICE.signature(bytes.fromhex(other.digest)))), why


def test_it_is_valid_where_nobody_knows_of_any_list(document: bytes, trusted: TrustList) -> None:
    verdict = judge(document, trusted, Revocations())
    assert (verdict.finding, verdict.detail) == (Finding.VALID, documents.OWN_EVIDENCE)


def test_the_seal_is_drawn_over_the_date(document: bytes, printer: Printer, tmp_path: Path) -> None:
    (tmp_path / "one.pdf").write_bytes(document)
    shown = subprocess.run(["pdftoppm", "-r", "36", tmp_path / "one.pdf"], capture_output=True, check=True).stdout
    width, height, pixels = _pixels(shown)
    printed = printer.document(FACTS)
    column, row = round(printed.x / 595.3 * width), round(printed.y / 841.9 * height)
    assert _is_red(pixels, width, column, row)
    reds = [(x, y) for y in range(height // 2, height) for x in range(width) if _is_red(pixels, width, x, y)]
    assert max(x for x, _ in reds) - min(x for x, _ in reds) == pytest.approx(42 / 25.4 * 36, abs=4)


def _pixels(shown: bytes) -> tuple[int, int, bytes]:
    header = re.match(rb"P6\n(\d+) (\d+)\n255\n", shown)
    assert header
    return int(header[1]), int(header[2]), shown[header.end() :]


def _is_red(pixels: bytes, width: int, x: int, y: int) -> bool:
    red, green, blue = pixels[3 * (y * width + x) :][:3]
    return red > 150 and green < 110 and blue < 110


def test_another_date_is_another_document(printer: Printer, waiting: Prepared) -> None:
    picture = printer.seal(FACTS.authority, is_test=True)
    later = replace(FACTS, dated=FACTS.dated.replace(day=18))
    assert prepared(printer.document(later), picture, later.authority, later.dated).digest != waiting.digest
