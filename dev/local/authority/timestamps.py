"""The timestamp authority (RFC 3161): it signs that a digest was there at an instant, and knows nothing else of it."""

import secrets
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

LARGEST: Final = 4096
POLICY: Final = "2.25.271829537906929462527728498136709255820"
DIGESTS: Final = {"sha256": 32, "sha384": 48, "sha512": 64}


class Refused(Exception):
    """A request that is not stamped; the name is PKIFailureInfo's."""


class Rejection(core.Sequence):
    """A TimeStampResp without a token, which `asn1crypto` takes for mandatory."""

    _fields = [("status", tsp.PKIStatusInfo)]


class TimestampAuthority:
    """Stamps with the key of its own token."""

    def __init__(self, certificate: bytes, key: Any) -> None:
        self._der = certificate
        self._certificate = asn1_x509.Certificate.load(certificate)
        self._key = key

    def answer(self, body: bytes) -> bytes:
        """Return the TimeStampResp (DER) to a TimeStampReq (DER)."""
        try:
            token = self._token(_read(body))
            return tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump()
        except Refused as refused:
            status = {"status": "rejection", "fail_info": {str(refused)}}
            return Rejection({"status": status}).dump()

    def _token(self, asked: tsp.TimeStampReq) -> cms.ContentInfo:
        info = self._info(asked)
        attributes = self._attributes(info)
        signer = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier("issuer_and_serial_number", self._issuer_and_serial()),
                "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
                "signed_attrs": attributes,
                "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
                "signature": self._key.sign(attributes.untag().dump(), ec.ECDSA(SHA256())),
            }
        )
        signed = {
            "version": "v3",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": "sha256"})],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
            "signer_infos": [signer],
        }
        if asked["cert_req"].native:
            signed["certificates"] = [cms.CertificateChoices("certificate", self._certificate)]
        return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})

    def _info(self, asked: tsp.TimeStampReq) -> bytes:
        info = {
            "version": "v1",
            "policy": POLICY,
            "message_imprint": asked["message_imprint"],
            "serial_number": secrets.randbits(127) | 1 << 126,
            "gen_time": datetime.now(UTC).replace(microsecond=0),
            "accuracy": {"seconds": 1},
            "ordering": False,
        }
        if asked["nonce"].native is not None:
            info["nonce"] = asked["nonce"]
        return tsp.TSTInfo(info).dump()

    def _attributes(self, info: bytes) -> cms.CMSAttributes:
        names = self._issuer_and_serial()
        named = {"issuer": [asn1_x509.GeneralName("directory_name", names["issuer"])]}
        own = tsp.ESSCertIDv2(
            {
                "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
                "cert_hash": sha256(self._der).digest(),
                "issuer_serial": {**named, "serial_number": names["serial_number"]},
            }
        )
        told = {
            "content_type": "tst_info",
            "message_digest": sha256(info).digest(),
            "signing_certificate_v2": tsp.SigningCertificateV2({"certs": [own]}),
        }
        return cms.CMSAttributes([cms.CMSAttribute({"type": kind, "values": [one]}) for kind, one in told.items()])

    def _issuer_and_serial(self) -> cms.IssuerAndSerialNumber:
        one = self._certificate
        return cms.IssuerAndSerialNumber({"issuer": one.issuer, "serial_number": one.serial_number})


def _read(body: bytes) -> tsp.TimeStampReq:
    if len(body) > LARGEST:
        raise Refused("bad_data_format")
    try:
        asked = tsp.TimeStampReq.load(body, strict=True)
        imprint = asked["message_imprint"]
        name, digest = imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native
        asked.native  # noqa: B018 - the whole of it is read now, not later
    except (ValueError, TypeError, KeyError, RecursionError) as trouble:
        raise Refused("bad_data_format") from trouble
    if DIGESTS.get(name) != len(digest):
        raise Refused("bad_alg")
    return asked
