"""In fast tests only: an authority and a platform with keys of software, so that a room is tested without the house.

Whoever tests a room alone says who calls; the suite itself knows no such way in (`local.people`).
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from contracts.terms import Role
from evidence import service_token, step_up
from evidence.certificates import USAGES, Certificate, Purpose, parse
from local.posts import officers_certificate

LASTS: Final = timedelta(days=3650)
Key = ec.EllipticCurvePrivateKey
TRUST: Final = """
[[issuer]]
certificate = "issuing.pem"
root = "root.pem"
purposes = ["login", "seal", "service"]
algorithms = ["ecdsa-p256-sha256"]
crl = "issuing.crl"
grace_hours = 24
"""


class Holder:
    """A certificate with the key that it names."""

    def __init__(self, key: Key, read: x509.Certificate) -> None:
        self.key = key
        self.read = read
        self.certificate: Certificate = parse(read.public_bytes(Encoding.DER))

    def sign(self, message: bytes) -> bytes:
        """Return ECDSA with SHA-256, in DER."""
        return self.key.sign(message, ec.ECDSA(SHA256()))


class Authority:
    """A root and an issuing authority in memory."""

    def __init__(self, name: str = "测试") -> None:
        self._root = _issued(f"{name} 根", None, is_authority=True)
        self._issuing = _issued(f"{name} 签发", self._root, is_authority=True)
        self.platform = self.issue("联审平台", Purpose.SERVICE)

    def issue(self, holder: str, *purposes: Purpose, **more: Any) -> Holder:
        """Return a new holder; `more`: serial (hexadecimal), uscc, not_before, not_after, curve."""
        return _issued(holder, self._issuing, *purposes, **more)

    def trust(self, folder: Path, *, revoked: tuple[Holder, ...] = (), ended: timedelta = timedelta()) -> Path:
        """Write the trust folder, with a list that revokes `revoked` and ended `ended` ago if at all; return it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "trust.toml").write_text(TRUST)
        for name, one in (("root.pem", self._root), ("issuing.pem", self._issuing)):
            (folder / name).write_bytes(one.read.public_bytes(Encoding.PEM))
        (folder / "issuing.crl").write_bytes(self._list(revoked, ended))
        return folder

    def _list(self, revoked: tuple[Holder, ...], ended: timedelta) -> bytes:
        now = datetime.now(UTC)
        ends = now - ended if ended else now + LASTS
        made = x509.CertificateRevocationListBuilder().issuer_name(self._issuing.read.subject)
        made = made.last_update(ends - LASTS).next_update(ends)
        made = made.add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.read.serial_number)
            made = made.add_revoked_certificate(entry.revocation_date(now - timedelta(minutes=1)).build())
        return made.sign(self._issuing.key, SHA256()).public_bytes(Encoding.DER)


def _issued(
    holder: str,
    issuer: Holder | None,
    *purposes: Purpose,
    is_authority: bool = False,
    serial: str = "",
    uscc: str = "",
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    curve: ec.EllipticCurve | None = None,
) -> Holder:
    key = ec.generate_private_key(curve or ec.SECP256R1())
    now = datetime.now(UTC)
    subject = _subject(holder, uscc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.read.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(int(serial, 16) if serial else x509.random_serial_number())
        .not_valid_before(not_before or now - timedelta(minutes=5))
        .not_valid_after(not_after or now + LASTS)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer is not None:
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        made = made.add_extension(above, critical=False)
    if purposes:
        made = made.add_extension(x509.ExtendedKeyUsage([USAGES[one] for one in purposes]), critical=False)
    return Holder(key, made.sign(issuer.key if issuer else key, SHA256()))


def _subject(holder: str, uscc: str) -> x509.Name:
    named = [x509.NameAttribute(NameOID.COMMON_NAME, holder)]
    named += [x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, uscc)] if uscc else []
    return x509.Name(named)


@cache
def authority() -> Authority:
    """Return the one authority of this test run."""
    return Authority()


class Callers:
    """Says who calls a room under test; the trust folder in `folder` is what the room's door verifies with."""

    def __init__(self, folder: Path) -> None:
        self.trust = authority().trust(folder / "trust")

    def token(self, role: str, name: str, **claims: str) -> str:
        """Return a service token.

        Claims: certificate; uscc (builder); jurisdiction (window, supervisor, admin); and department (officer, lead).
        """
        platform = authority().platform
        given = {"certificate": _certificate(role, name, claims), **claims}
        said = {"sub": f"{role}:{name}", "name": name, "role": role, **given}
        part = service_token.unsigned(said, platform.certificate, datetime.now(UTC))
        return service_token.signed(part, platform.sign(part.encode()))

    def signature(self, headers: dict[str, str], challenge: dict[str, Any]) -> dict[str, str]:
        """Return the answer of whoever `headers` name to a challenge of a step."""
        claims = jwt.decode(headers["Authorization"].split()[1], options={"verify_signature": False})
        holder = authority().issue(claims["name"], Purpose.LOGIN, serial=claims["certificate"])
        text = step_up.text(challenge["origin"], challenge["nonce"], challenge["facts"])
        return {"nonce": challenge["nonce"], **step_up.make(holder.certificate, text, holder.sign)}


def _certificate(role: str, name: str, claims: dict[str, str]) -> str:
    if role == Role.OFFICER and "jurisdiction" in claims and "department" in claims:
        return officers_certificate(claims["jurisdiction"], claims["department"])
    return sha256(f"{role} {name}".encode()).hexdigest()[:16].upper().lstrip("0")
