"""The OCSP responder (RFC 6960): one certificate's standing, from the book, signed by the issuer's own responder."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from evidence.certificates import serial_text
from local.authority.book import Book

FRESH: Final = timedelta(hours=1)
LARGEST: Final = 4096


class Responder:
    """Answers for the certificates of one issuer."""

    def __init__(self, folder: Path, certificate: x509.Certificate, issuer: x509.Certificate, key: Any) -> None:
        self._folder = folder
        self._certificate = certificate
        self._issuer = issuer
        self._key = key

    def answer(self, body: bytes) -> bytes:
        """Return the response (DER) to a request (DER); what is no request is answered as such."""
        try:
            asked = ocsp.load_der_ocsp_request(body[: LARGEST + 1])
            return self._answer(asked).public_bytes(Encoding.DER)
        except ValueError:
            malformed = ocsp.OCSPResponseStatus.MALFORMED_REQUEST
            return ocsp.OCSPResponseBuilder.build_unsuccessful(malformed).public_bytes(Encoding.DER)

    def _answer(self, asked: ocsp.OCSPRequest) -> ocsp.OCSPResponse:
        entry = Book.read(self._folder).issued.get(serial_text(asked.serial_number))
        if entry is None or not self._is_ours(asked):
            return ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        revoked = entry.revoked_at is not None
        now = datetime.now(UTC).replace(microsecond=0)
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            serial_number=asked.serial_number,
            algorithm=asked.hash_algorithm,
            cert_status=ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            this_update=now,
            next_update=now + FRESH,
            revocation_time=datetime.fromisoformat(entry.revoked_at) if entry.revoked_at else None,
            revocation_reason=x509.ReasonFlags(entry.reason) if revoked else None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self._certificate)
        builder = builder.certificates([self._certificate])
        for extension in asked.extensions:
            if isinstance(extension.value, x509.OCSPNonce):
                builder = builder.add_extension(extension.value, critical=False)
        return builder.sign(self._key, SHA256())

    def _is_ours(self, asked: ocsp.OCSPRequest) -> bool:
        """Whether the request means this issuer: its name and its key, by the hash that the asker chose."""
        own = ocsp.OCSPRequestBuilder().add_certificate(self._certificate, self._issuer, asked.hash_algorithm).build()
        return (own.issuer_name_hash, own.issuer_key_hash) == (asked.issuer_name_hash, asked.issuer_key_hash)
