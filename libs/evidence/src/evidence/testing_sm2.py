"""An SM2 authority made by the openssl tool, for tests: certificates, lists and answers that no library makes here."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from asn1crypto import pem

DISTID: Final = "distid:1234567812345678"
USAGES: Final = {
    "seal": "extendedKeyUsage = 1.3.6.1.5.5.7.3.36",
    "responder": "extendedKeyUsage = OCSPSigning\nnoCheck = yes",
    "clerk": "extendedKeyUsage = clientAuth\nnoCheck = yes",
}
EXTENSIONS: Final = """
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
keyUsage = critical, digitalSignature
{usage}
"""
LISTS: Final = """
[ca]
default_ca = sm2
[sm2]
database = index.txt
crlnumber = number
default_md = sm3
default_crl_days = 7
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid
"""
REVOKED: Final = "R\t400101000000Z\t{since:%y%m%d%H%M%SZ},keyCompromise\t{serial:0>40}\tunknown\t/CN=seal\n"
VALID: Final = "V\t400101000000Z\t\t{serial:0>40}\tunknown\t/CN=seal\n"


def make(folder: Path) -> Path:
    """Make an SM2 authority, what it issued (a seal, a responder, a clerk), and another authority of the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("authority", "impostor"):
        openssl(folder, *_new(name, "/CN=SM2 authority"), "-x509", "-out", f"{name}.pem")
    for name, usage in USAGES.items():
        (folder / f"{name}.cnf").write_text(EXTENSIONS.format(usage=usage))
        openssl(folder, *_new(name, f"/CN=210281.{name}"), "-out", f"{name}.csr")
        ask = ("x509", "-req", "-in", f"{name}.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-sm3")
        given = ("-days", "30", "-extfile", f"{name}.cnf", "-vfyopt", DISTID, "-sigopt", DISTID)
        openssl(folder, *ask, *given, "-out", f"{name}.pem")
    return folder


def der(file: Path) -> bytes:
    read: Any = pem.unarmor(file.read_bytes())
    return read[2]


def enter(folder: Path, serial: str, since: datetime | None = None) -> None:
    """Enter a certificate into the authority's book: revoked since then, or valid."""
    line = VALID if since is None else REVOKED
    told = line.format(serial=serial, since=since and since.astimezone(UTC))
    (folder / "index.txt").write_text(told)


def revocations(folder: Path, signer: str = "authority") -> bytes:
    """Return a list (DER) of what the book says is revoked, number 5, signed by `authority` or `impostor`."""
    (folder / "lists.cnf").write_text(LISTS)
    (folder / "number").write_text("05\n")
    ask = ("ca", "-config", "lists.cnf", "-gencrl", "-sigopt", DISTID)
    openssl(folder, *ask, "-cert", f"{signer}.pem", "-keyfile", f"{signer}.key", "-out", f"{signer}.crl")
    return der(folder / f"{signer}.crl")


def answer(folder: Path, question: bytes, signer: str = "responder", issuer: str = "authority") -> bytes:
    """Return what the book says to an OCSP request, as `signer` answers it."""
    (folder / "question").write_bytes(question)
    signed = ("-rsigner", f"{signer}.pem", "-rkey", f"{signer}.key", "-rmd", "sm3", "-rsigopt", DISTID)
    told = ("-index", "index.txt", "-CA", f"{issuer}.pem", "-ndays", "1")
    openssl(folder, "ocsp", *told, *signed, "-reqin", "question", "-respout", "answer")
    return (folder / "answer").read_bytes()


def openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(("openssl", *arguments), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _new(name: str, subject: str) -> tuple[str, ...]:
    key = ("-newkey", "sm2", "-nodes", "-keyout", f"{name}.key", "-subj", subject)
    return ("req", "-new", *key, "-sm3", "-sigopt", DISTID)
