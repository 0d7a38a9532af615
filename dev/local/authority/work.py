"""What the authority does with its own keys: make itself, issue, revoke, sign its list. One process does one thing."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from evidence.certificates import Purpose, parse
from evidence.revocation import EXPIRED_ON_LIST, GENERALIZED_TIME
from local.authority import ALGORITHM, certificates
from local.authority.book import Book, Entry, opened, replace
from local.authority.stores import Store, TokenKey
from local.trouble import Trouble

CA: Final = "ca"
KEYS: Final = ("root", "issuing", *certificates.FUNCTION)
LIST_DAYS: Final = 7
KEEPS_SINCE: Final = datetime(2000, 1, 1, tzinfo=UTC).strftime(GENERALIZED_TIME).encode()
"""The list names whom it revoked for ever, expired or not."""
TRUST: Final = """\
# Who is trusted to say who is who (ADR 0010). A real provider is one more [[issuer]], with its files beside this one.

[[issuer]]
certificate = "issuing.pem"
root = "root.pem"
purposes = ["login", "seal", "service", "timestamp"]
algorithms = ["ecdsa-p256-sha256", "rsa-sha256"]
crl_url = "{url}/issuing.crl"
crl = "issuing.crl"
ocsp_url = "{url}/ocsp"
grace_hours = 24
{seals}"""


def prepare(folder: Path, url: str, order: Sequence[Mapping[str, Any]]) -> None:
    """Make the authority where there is none, sign its list, write the trust folder, issue what was not issued yet."""
    with opened(folder) as book:
        store = Store(folder / CA)
        if not (folder / "trust" / "root.pem").exists():
            store.make(dict.fromkeys(KEYS, ALGORITHM))
            _make_authority(folder, store.keys(KEYS), url, book)
        book.url = url
        replace(folder / "trust" / "trust.toml", TRUST.format(url=url, seals=_seals(order)).encode())
        _sign_list(folder, book, store.keys(["issuing"])["issuing"])
        known = book.labels
    if missing := [one for one in order if one["token"] not in known]:
        issue(folder, url, missing)


def _seals(order: Sequence[Mapping[str, Any]]) -> str:
    """Return the line that names whose seals count; none where a seal names no organisation."""
    names = {one["organisation"] for one in order if Purpose(one["purpose"]) is Purpose.SEAL}
    return "" if not names or None in names else f"seals = {json.dumps(sorted(names), ensure_ascii=False)}\n"


def issue(folder: Path, url: str, order: Sequence[Mapping[str, Any]]) -> None:
    """Issue every certificate of `order` (see `Wanted`): keys first, then signatures, then the tokens' objects."""
    with opened(folder) as book:
        keys = {}
        for name in sorted({one["store"] for one in order}):
            wanted = {one["token"]: one["algorithm"] for one in order if one["store"] == name}
            Store(folder / name).make(wanted)
            keys |= Store(folder / name).public_keys(wanted)
        issuer = _issuer(folder)
        key = Store(folder / CA).keys(["issuing"])["issuing"]
        made = [(one, _holder(one, keys[one["token"]], issuer, key, url)) for one in order]
        for one, der in made:
            _enter(folder, book, one["token"], der)
        for name in sorted({one["store"] for one in order}):
            Store(folder / name).put_certificates((one["token"], der) for one, der in made if one["store"] == name)


def revoke(folder: Path, url: str, order: Mapping[str, Any]) -> None:
    """Enter a revocation in the book, which the responder tells from, and sign a new list unless it is for later; a
    certificate's first revocation is the one that counts."""
    with opened(folder) as book:
        entry = book.issued.get(order["serial"])
        if entry is None:
            raise Trouble(f"no certificate has the serial {order['serial']}")
        if entry.revoked_at is None:
            entry.revoked_at = datetime.now(UTC).replace(microsecond=0).isoformat()
            entry.reason = x509.ReasonFlags(order["reason"]).value
            entry.invalid_since = order["invalid_since"]
        if order["lists"]:
            _sign_list(folder, book, Store(folder / CA).keys(["issuing"])["issuing"])


def renew(folder: Path, url: str, order: Mapping[str, Any]) -> None:
    """Sign the list anew, until `next_update` or for a week."""
    with opened(folder) as book:
        _sign_list(folder, book, Store(folder / CA).keys(["issuing"])["issuing"], _instant(order["next_update"]))


def _make_authority(folder: Path, keys: Mapping[str, TokenKey], url: str, book: Book) -> None:
    root = certificates.authority(certificates.ROOT, keys["root"].public_key(), None, keys["root"])
    above = x509.load_der_x509_certificate(root)
    issuing = certificates.authority(certificates.ISSUING, keys["issuing"].public_key(), above, keys["root"])
    issuer = x509.load_der_x509_certificate(issuing)
    for label, (holder, purpose) in certificates.FUNCTION.items():
        subject = {NameOID.COMMON_NAME: holder}
        der = certificates.holder(subject, purpose, keys[label].public_key(), issuer, keys["issuing"], url)
        _enter(folder, book, label, der)
    replace(folder / "trust" / "issuing.pem", issuer.public_bytes(Encoding.PEM))
    replace(folder / "trust" / "root.pem", above.public_bytes(Encoding.PEM))


def _issuer(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "trust" / "issuing.pem").read_bytes())


def _holder(wanted: Mapping[str, Any], public_key: Any, issuer: x509.Certificate, key: TokenKey, url: str) -> bytes:
    subject = {
        NameOID.COMMON_NAME: wanted["holder"],
        NameOID.ORGANIZATION_NAME: wanted["organisation"],
        NameOID.ORGANIZATION_IDENTIFIER: wanted["uscc"],
    }
    validity = (_instant(wanted["not_before"]), _instant(wanted["not_after"]))
    purpose = Purpose(wanted["purpose"])
    return certificates.holder(subject, purpose, public_key, issuer, key, url, wanted["serial"], *validity)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _enter(folder: Path, book: Book, label: str, der: bytes) -> None:
    certificate = parse(der)
    book.issued[certificate.serial] = Entry(label, certificate.not_after.isoformat())
    replace(folder / "certificates" / f"{label}.pem", certificate.read.public_bytes(Encoding.PEM))


def _sign_list(folder: Path, book: Book, key: TokenKey, next_update: datetime | None = None) -> None:
    """Sign all that is revoked into the trust folder; the number goes up each time."""
    now = datetime.now(UTC)
    book.list_number += 1
    end = next_update or now + timedelta(days=LIST_DAYS)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(_issuer(folder).subject)
        .last_update(min(now, end - timedelta(seconds=1)))
        .next_update(end)
        .add_extension(x509.CRLNumber(book.list_number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.UnrecognizedExtension(EXPIRED_ON_LIST, KEEPS_SINCE), critical=False)
    )
    for serial, entry in book.issued.items():
        if entry.revoked_at is not None:
            builder = builder.add_revoked_certificate(_revoked(serial, entry))
    replace(folder / "trust" / "issuing.crl", builder.sign(key, SHA256()).public_bytes(Encoding.DER))


def _revoked(serial: str, entry: Entry) -> x509.RevokedCertificate:
    assert entry.revoked_at
    builder = (
        x509.RevokedCertificateBuilder()
        .serial_number(int(serial, 16))
        .revocation_date(datetime.fromisoformat(entry.revoked_at))
        .add_extension(x509.CRLReason(x509.ReasonFlags(entry.reason)), critical=False)
    )
    if entry.invalid_since:
        since = datetime.fromisoformat(entry.invalid_since)
        builder = builder.add_extension(x509.InvalidityDate(since), critical=False)
    return builder.build()
