"""Puts seals on printed documents in two phases (PAdES): a place for the signature, the signature into its place.

First the red seal is drawn as the signature's appearance and a gap is left; what signing seals is the digest of all
the rest. Then the signature that signing made fills the gap, and not one other byte changes. The same document under
the same seal, with the same evidence of revocation (B-LT), is the same bytes until then.
"""

import io
from datetime import UTC, date, datetime, time
from hashlib import sha256
from typing import Any, Final

from asn1crypto import crl, x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
from pyhanko.sign.signers.pdf_byterange import SignatureObject
from pyhanko.sign.validation.dss import DocumentSecurityStore

from contracts.codes import Sha256
from department_worker.documents import Prepared
from department_worker.printing import Printed
from evidence import documents
from evidence.long_term import NONE_AT_HAND, Evidence

PAGE_HEIGHT: Final = 841.89
"""A4, points: typst counts from the top, PDF from the bottom."""
SEAL_POINTS: Final = 119.06
"""42 mm, as wide and high as the seal is drawn."""
ROOM: Final = 16 * 1024
"""Bytes kept for the signature with its certificates and timestamp."""
FIELD: Final = "Seal"
HOLDS_NAME: Final = generic.NameObject("/AP")
NORMAL: Final = generic.NameObject("/N")


def prepared(
    printed: Printed, picture: bytes, authority: str, dated: date, evidence: Evidence = NONE_AT_HAND
) -> Prepared:
    """Return a printed document that waits for the signature of `authority`, whose seal is drawn as `picture` (PDF);
    `evidence` stands in it, under the signature."""
    writer = IncrementalPdfFileWriter(io.BytesIO(printed.pdf))
    at = datetime.combine(dated, time(), UTC)
    _fix(writer, sha256(printed.pdf).digest()[:16])
    if evidence != NONE_AT_HAND:
        _carry(writer, evidence)
    embedding: Any = PdfCMSEmbedder(_field(printed)).write_cms(FIELD, writer)
    annotation = next(embedding).get_object()
    drawn = writer.import_page_as_xobject(PdfFileReader(io.BytesIO(picture)))
    annotation[HOLDS_NAME] = generic.DictionaryObject({NORMAL: drawn})
    embedding.send(SigObjSetup(sig_placeholder=_signature(authority, at)))
    _, held = embedding.send(SigIOSetup(md_algorithm="sha256", in_place=False))
    pdf = held.getvalue()
    return Prepared(pdf, Sha256(documents.digest_of(pdf, documents.gap_of(pdf)).hex()))


def _fix(writer: Any, name: bytes) -> None:
    """Name the document by its content and leave its dates alone: pyHanko would take a random name and the time of day,
    and the bytes would differ every time."""
    writer._update_meta = lambda: None
    writer._document_id = generic.ArrayObject([generic.ByteStringObject(name), generic.ByteStringObject(name)])


def _carry(writer: Any, evidence: Evidence) -> None:
    """Put evidence into the document security store (ISO 32000-2, 12.8.4.3) of the revision that is signed."""
    writer.register_extension(ESIC_EXTENSION_1)
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        None,
        certs=[x509.Certificate.load(one) for one in evidence.certificates],
        crls=[crl.CertificateList.load(one) for one in evidence.lists],
    )


def _field(printed: Printed) -> SigFieldSpec:
    half, middle = SEAL_POINTS / 2, PAGE_HEIGHT - printed.y
    box = (printed.x - half, middle - half, printed.x + half, middle + half)
    return SigFieldSpec(FIELD, on_page=printed.page - 1, box=tuple(map(round, box)))  # pyright: ignore[reportArgumentType]


def _signature(authority: str, at: datetime) -> SignatureObject:
    return SignatureObject(at, SigSeedSubFilter.PADES, name=authority, bytes_reserved=2 * ROOM)


def sealed(pdf: bytes, signature: bytes) -> bytes:
    """Return a prepared document with the signature (CMS, DER) in its gap."""
    return documents.filled(pdf, signature)
