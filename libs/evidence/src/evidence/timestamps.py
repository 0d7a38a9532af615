"""Time that a third party states (RFC 3161): asking for a timestamp, and judging one.

A seal's instant is its timestamp's, never the clock of whoever asked for it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from asn1crypto import algos, tsp

from evidence.certificates import Certificate, Purpose, parse
from evidence.revocation import Revocations
from evidence.signatures import UNREADABLE, BadSignature, is_absent, only, signer_of, verify
from evidence.trust import TrustList

LARGEST: Final = 64 * 1024
SHA256_FORMS: Final = tuple(map(bytes.fromhex, ("300b0609608648016503040201", "300d06096086480165030402010500")))
"""How SHA-256 may be named: without parameters, or with the empty ones of old (RFC 5754)."""
GRANTED: Final = ("granted", "granted_with_mods")


class NotGranted(Exception):
    """The timestamp authority did not give what was asked for."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """When something existed at the latest, and who says so."""

    at: datetime
    authority: Certificate


def request(message: bytes, nonce: int) -> bytes:
    """Return the request (DER) for a timestamp over `message`, with the authority's certificate in the answer."""
    imprint = {"hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}), "hashed_message": _digest(message)}
    asked = {"version": "v1", "message_imprint": imprint, "nonce": nonce, "cert_req": True}
    return bytes(tsp.TimeStampReq(asked).dump())


def answered(response: bytes, message: bytes, nonce: int) -> bytes:
    """Return the token (DER) in `response`; who signed it is not judged. Raises NotGranted."""
    try:
        read: Any = tsp.TimeStampResp.load(response[: LARGEST + 1], strict=True)
        status = str(read["status"]["status"].native)
        if status not in GRANTED:
            raise NotGranted(f"the timestamp authority says {status}")
        token: Any = read["time_stamp_token"]
        told: Any = token["content"]["encap_content_info"]["content"].parsed
        if told["message_imprint"]["hashed_message"].native != _digest(message) or told["nonce"].native != nonce:
            raise NotGranted("the timestamp is about something else")
        return bytes(token.dump())
    except (ValueError, TypeError, KeyError, AttributeError) as trouble:
        raise NotGranted(f"an answer that cannot be read: {trouble}") from trouble


def judge(token: Any, message: bytes, trust: TrustList, revocations: Revocations) -> Timestamp:
    """Return what a timestamp over `message` says. Raises BadSignature, or NotTrusted for its authority."""
    try:
        at, authority, others = _read(token, message)
    except UNREADABLE as trouble:
        raise BadSignature(f"a timestamp that cannot be read: {trouble}") from trouble
    issuer = trust.hold(authority, Purpose.TIMESTAMP, at, revocations)
    if not {issuer.certificate.der, issuer.root.der}.issuperset(others):
        raise BadSignature("the timestamp carries a certificate of somebody else")
    return Timestamp(at, authority)


def _read(token: Any, message: bytes) -> tuple[datetime, Certificate, list[bytes]]:
    data = token["content"]
    enclosed, info = data["encap_content_info"], only(data["signer_infos"])
    if (token["content_type"].native, enclosed["content_type"].native) != ("signed_data", "tst_info"):
        raise BadSignature("not a timestamp")
    told = enclosed["content"].parsed
    imprint = told["message_imprint"]
    if imprint["hash_algorithm"]["algorithm"].native != "sha256" or imprint["hashed_message"].native != _digest(
        message
    ):
        raise BadSignature("the timestamp is about something else")
    authority = parse(signer_of(data, info).dump())
    verify(info, authority, "tst_info", _digest(enclosed["content"].contents))
    _hold_to_form(data, info)
    others = [one.dump() for one in data["certificates"] if one.dump() != authority.der]
    return told["gen_time"].native.astimezone(UTC), authority, others


def _hold_to_form(data: Any, info: Any) -> None:
    """What nobody signed in a timestamp has one form, so that no byte of it can be another without being found."""
    named = {only(data["digest_algorithms"]).dump(), info["digest_algorithm"].dump()}
    if not named.issubset(SHA256_FORMS) or (data["version"].native, info["version"].native) != ("v3", "v1"):
        raise BadSignature("the timestamp is not in the one form")
    if not (is_absent(data["crls"]) and is_absent(info["unsigned_attrs"])):
        raise BadSignature("the timestamp carries something that nobody signed")


def _digest(message: bytes) -> bytes:
    return sha256(message).digest()
