"""Who is trusted to say who is who: a folder, not code (ADR 0010). A real provider's chain is one more entry.

    [[issuer]]
    certificate = "issuing.pem"     # files of the same folder
    root = "root.pem"
    purposes = ["login", "seal", "service", "timestamp"]
    algorithms = ["ecdsa-p256-sha256", "rsa-sha256"]
    crl_url = "http://…/issuing.crl" # where services fetch the list
    crl = "issuing.crl"             # and, for those without a network, the list itself; one of the two
    ocsp_url = "http://…/ocsp"      # its responder, where it is another than the certificates name; may be left out
    grace_hours = 24                # how long a list that has ended is borne
    seals = ["瓦房店市自然资源局"]    # whose seals count (O); left out: of everybody whom it issues a seal to

Nothing is trusted because it chains to something known: the issuer itself is listed. A public provider issues seals to
any company: without `seals` a document under one of those is found as valid as the office's.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from evidence.certificates import Certificate, NotTrusted, Purpose, Reason, is_issued_by, parse_pem
from evidence.revocation import Revocations, parse_list

FILE: Final = "trust.toml"
NEEDED: Final = {"certificate", "root", "purposes", "algorithms", "grace_hours"}
KNOWN: Final = NEEDED | {"crl", "crl_url", "ocsp_url", "seals"}
GRANTED: Final = frozenset({Purpose.LOGIN, Purpose.SEAL, Purpose.SERVICE, Purpose.TIMESTAMP})
WEB: Final = ("http://", "https://")
ALGORITHMS: Final = frozenset({"ecdsa-p256-sha256", "rsa-sha256", "sm2-sm3"})


class BadTrustList(Exception):
    """The trust folder cannot be used: which file, and why."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"{file}: {why}")
        self.file = file
        self.why = why


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer that is trusted, for what it is trusted, and how stale its word may be."""

    certificate: Certificate
    root: Certificate
    purposes: frozenset[Purpose]
    algorithms: frozenset[str]
    grace: timedelta
    crl_url: str | None
    crl: Path | None
    ocsp_url: str | None
    seals: frozenset[str] | None = None

    def responder_of(self, certificate: Certificate) -> str | None:
        """Return where this issuer tells of `certificate` over HTTP: as listed here, or as the certificate says."""
        url = self.ocsp_url or certificate.ocsp_url
        return url if url is not None and url.startswith(WEB) else None


@dataclass(frozen=True, slots=True)
class TrustList:
    """The issuers that are trusted, found by their key."""

    issuers: Mapping[bytes, Issuer] = field(repr=False)

    def hold(self, certificate: Certificate, purpose: Purpose, at: datetime, revocations: Revocations) -> Issuer:
        """Return the issuer that makes `certificate` trusted for `purpose` at the instant `at` (aware).

        Raises NotTrusted for the first of: UNKNOWN_CA, NOT_YET_VALID, EXPIRED, WRONG_PURPOSE, UNKNOWN_SEAL, WEAK,
        REVOKED, REVOCATION_STALE (Art. 19, 20).
        """
        issuer = self.issuer_of(certificate)
        for one in (certificate, issuer.certificate):
            one.check_validity(at)
        _check_purpose(certificate, purpose, issuer)
        if certificate.algorithm not in issuer.algorithms:
            raise NotTrusted(Reason.WEAK, f"{certificate.algorithm} is not among those of {issuer.certificate.holder}")
        revocations.check(certificate, issuer.certificate, at, issuer.grace)
        return issuer

    def issuer_of(self, certificate: Certificate) -> Issuer:
        """Return the listed issuer that signed `certificate`. Raises NotTrusted (UNKNOWN_CA)."""
        issuer = self.issuers.get(certificate.authority_key_id or b"")
        if issuer is None or not is_issued_by(certificate, issuer.certificate):
            raise NotTrusted(Reason.UNKNOWN_CA, f"{certificate.serial} is not signed by a listed issuer")
        return issuer

    def revocations(self) -> Revocations:
        """Return what the lists in the folder say now. Raises BadTrustList when one of them cannot be used."""
        held = Revocations()
        for issuer in self.issuers.values():
            if issuer.crl is not None:
                held = held.with_list(_read_list(issuer.crl, issuer.certificate))
        return held


def load(folder: Path) -> TrustList:
    """Return the trust list of `folder`. Raises BadTrustList (file, reason)."""
    file = folder / FILE
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as trouble:
        raise BadTrustList(file, str(trouble)) from trouble
    entries = told.get("issuer")
    if set(told) != {"issuer"} or not isinstance(entries, list) or not entries:
        raise BadTrustList(file, "[[issuer]] tables are needed, and nothing else")
    issuers = [_issuer(file, entry) for entry in entries]
    by_key = {issuer.certificate.key_id: issuer for issuer in issuers}
    if len(by_key) != len(issuers):
        raise BadTrustList(file, "an issuer is listed twice")
    return TrustList(by_key)


def _issuer(file: Path, entry: Any) -> Issuer:
    if not isinstance(entry, dict) or not NEEDED <= set(entry) <= KNOWN or not {"crl", "crl_url"} & set(entry):
        raise BadTrustList(file, f"an issuer needs {sorted(NEEDED)} and crl or crl_url, and may have nothing else")
    certificate, root = (_authority(file.parent / str(entry[name])) for name in ("certificate", "root"))
    if not (is_issued_by(certificate, root) and is_issued_by(root, root)):
        raise BadTrustList(file.parent / str(entry["certificate"]), f"is not issued by the root {root.holder}")
    return Issuer(
        certificate=certificate,
        root=root,
        purposes=frozenset(Purpose(one) for one in _words(file, entry, "purposes", GRANTED)),
        algorithms=_words(file, entry, "algorithms", ALGORITHMS),
        grace=_grace(file, entry["grace_hours"]),
        crl_url=_url(file, entry, "crl_url"),
        crl=file.parent / str(entry["crl"]) if "crl" in entry else None,
        ocsp_url=_url(file, entry, "ocsp_url"),
        seals=_seals(file, entry.get("seals")),
    )


def _authority(file: Path) -> Certificate:
    try:
        certificate = parse_pem(file.read_bytes())
    except (OSError, NotTrusted) as trouble:
        raise BadTrustList(file, str(trouble)) from trouble
    if not certificate.is_authority:
        raise BadTrustList(file, "is not a certificate of an authority")
    if certificate.algorithm not in ALGORITHMS:
        raise BadTrustList(file, f"has a key that nobody should trust: {certificate.algorithm}")
    return certificate


def _words(file: Path, entry: Mapping[str, Any], name: str, known: frozenset[Any]) -> frozenset[str]:
    words = entry[name]
    if not isinstance(words, list) or not words or not all(isinstance(one, str) and one in known for one in words):
        raise BadTrustList(file, f"{name} must be of {sorted(known)}, not {words!r}")
    return frozenset(words)


def _seals(file: Path, names: Any) -> frozenset[str] | None:
    if names is None:
        return None
    if not isinstance(names, list) or not names or not all(isinstance(one, str) and one for one in names):
        raise BadTrustList(file, f"seals must be names of organisations, not {names!r}")
    return frozenset(names)


def _grace(file: Path, hours: Any) -> timedelta:
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 <= hours <= 24 * 31:
        raise BadTrustList(file, f"grace_hours must be from 0 to {24 * 31}, not {hours!r}")
    return timedelta(hours=hours)


def _url(file: Path, entry: Mapping[str, Any], name: str) -> str | None:
    url = entry.get(name)
    if url is not None and not (isinstance(url, str) and url.startswith(WEB)):
        raise BadTrustList(file, f"{name} must be an address, not {url!r}")
    return url


def _read_list(file: Path, issuer: Certificate) -> Any:
    try:
        return parse_list(file.read_bytes(), issuer)
    except (OSError, NotTrusted) as trouble:
        raise BadTrustList(file, str(trouble)) from trouble


def _check_purpose(certificate: Certificate, purpose: Purpose, issuer: Issuer) -> None:
    if certificate.is_authority or purpose not in certificate.purposes:
        raise NotTrusted(Reason.WRONG_PURPOSE, f"{certificate.serial} is not for {purpose}")
    if purpose not in issuer.purposes:
        raise NotTrusted(Reason.WRONG_PURPOSE, f"{issuer.certificate.holder} is not listed for {purpose}")
    if purpose is Purpose.SEAL and issuer.seals is not None and certificate.organisation not in issuer.seals:
        raise NotTrusted(Reason.UNKNOWN_SEAL, f"the seal of {certificate.organisation} is not among those that count")
