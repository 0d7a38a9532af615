"""SM2 with SM3 (GB/T 32918, GB/T 32905) through the OpenSSL 3 of the machine: no Python library here has SM2 keys.

ctypes on libcrypto's EVP interface; the signer's id is the one that everybody uses where none is agreed. A key is its
SubjectPublicKeyInfo (DER), as everywhere in `evidence.algorithms`. Where OpenSSL 3 is missing, one line says so.
"""

import ctypes
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from asn1crypto import crl, x509

ID: Final = b"1234567812345678"
SM2_WITH_SM3: Final = "1.2.156.10197.1.501"
LARGEST_SIGNATURE: Final = 80
LIBRARY: Final = "libcrypto.so.3"


class OpenSslMissing(Exception):
    """SM2 cannot be used on this machine."""


class NotSm2(ValueError):
    """A key or certificate is not one of SM2."""


def sign(private_key: bytes, message: bytes) -> bytes:
    """Return the signature (DER) over `message` by a private key (PKCS #8, DER). Raises NotSm2, OpenSslMissing."""
    crypto = library()
    with _private(private_key) as key, _operation(key, crypto.EVP_DigestSignInit) as operation:
        length = ctypes.c_size_t(LARGEST_SIGNATURE)
        signature = ctypes.create_string_buffer(LARGEST_SIGNATURE)
        if crypto.EVP_DigestSign(operation, signature, ctypes.byref(length), message, len(message)) != 1:
            raise NotSm2("the key does not sign")
        return signature.raw[: length.value]


def verifies(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` (DER) is over `message` by `key`; what is no SM2 key verifies nothing. Raises
    OpenSslMissing."""
    crypto = library()
    try:
        with _public(key) as loaded, _operation(loaded, crypto.EVP_DigestVerifyInit) as operation:
            return crypto.EVP_DigestVerify(operation, signature, len(signature), message, len(message)) == 1
    except NotSm2:
        return False
    finally:
        crypto.ERR_clear_error()


def sm3(message: bytes) -> bytes:
    """Return the SM3 digest of `message`. Raises OpenSslMissing."""
    crypto = library()
    digest = ctypes.create_string_buffer(32)
    if crypto.EVP_Digest(message, len(message), digest, None, crypto.EVP_sm3(), None) != 1:
        raise OpenSslMissing("this machine's OpenSSL has no SM3")
    return digest.raw


# Certificates and their lists -----------------------------------------------------------------------------------


def key_of(certificate: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate (DER) of whatever algorithm. Raises NotSm2 when it is none."""
    return _read(certificate)["tbs_certificate"]["subject_public_key_info"].dump()


def is_issued_by(certificate: bytes, issuer: bytes) -> bool:
    """Whether `issuer` (DER) is named in `certificate` (DER) and signed it with SM2. Raises OpenSslMissing."""
    try:
        held, above = _read(certificate), _read(issuer)
    except NotSm2:
        return False
    body = held["tbs_certificate"]
    algorithms = {one["algorithm"].dotted for one in (held["signature_algorithm"], body["signature"])}
    if algorithms != {SM2_WITH_SM3} or held.issuer.dump() != above.subject.dump():
        return False
    return verifies(key_of(issuer), held["signature_value"].native, body.dump())


def has_signed_list(revocations: bytes, issuer: bytes) -> bool:
    """Whether `issuer` (a certificate, DER) signed a revocation list (DER) with SM2. Raises NotSm2 for what is no
    list, OpenSslMissing."""
    try:
        told = crl.CertificateList.load(revocations, strict=True)
        body = told["tbs_cert_list"]
        algorithms = {one["algorithm"].dotted for one in (told["signature_algorithm"], body["signature"])}
        unused, signature = told["signature"].contents[0], told["signature"].contents[1:]
    except (ValueError, TypeError, LookupError, RecursionError) as trouble:
        raise NotSm2(f"no revocation list: {trouble}") from trouble
    return algorithms == {SM2_WITH_SM3} and not unused and verifies(key_of(issuer), signature, body.dump())


def _read(certificate: bytes) -> Any:
    try:
        read = x509.Certificate.load(certificate, strict=True)
        read["tbs_certificate"]["subject_public_key_info"]["algorithm"]["algorithm"].native  # noqa: B018 (parses lazily)
    except (ValueError, TypeError, KeyError, RecursionError) as trouble:
        raise NotSm2(f"no certificate: {trouble}") from trouble
    return read


# libcrypto ------------------------------------------------------------------------------------------------------


@cache
def library() -> Any:
    """Return libcrypto. Raises OpenSslMissing."""
    try:
        crypto = ctypes.CDLL(LIBRARY)
    except OSError as trouble:
        raise OpenSslMissing(
            f"SM2 needs OpenSSL 3: no {LIBRARY} here (on Debian: apt-get install libssl3)"
        ) from trouble
    for function, (result, *arguments) in _SIGNATURES.items():
        declared = getattr(crypto, function)
        declared.restype, declared.argtypes = result, arguments
    return crypto


_P, _I, _N, _B = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p
_SIZE = ctypes.POINTER(ctypes.c_size_t)
_SIGNATURES: Final = {
    "d2i_PUBKEY": (_P, _P, ctypes.POINTER(_B), ctypes.c_long),
    "d2i_AutoPrivateKey": (_P, _P, ctypes.POINTER(_B), ctypes.c_long),
    "EVP_PKEY_is_a": (_I, _P, _B),
    "EVP_PKEY_free": (None, _P),
    "EVP_sm3": (_P,),
    "EVP_Digest": (_I, _B, _N, _P, _P, _P, _P),
    "EVP_MD_CTX_new": (_P,),
    "EVP_MD_CTX_free": (None, _P),
    "EVP_MD_CTX_set_pkey_ctx": (None, _P, _P),
    "EVP_PKEY_CTX_new": (_P, _P, _P),
    "EVP_PKEY_CTX_free": (None, _P),
    "EVP_PKEY_CTX_set1_id": (_I, _P, _B, _N),
    "EVP_DigestSignInit": (_I, _P, _P, _P, _P, _P),
    "EVP_DigestVerifyInit": (_I, _P, _P, _P, _P, _P),
    "EVP_DigestSign": (_I, _P, _P, _SIZE, _B, _N),
    "EVP_DigestVerify": (_I, _P, _B, _N, _B, _N),
    "ERR_clear_error": (None,),
}
"""Function → what it returns, what it takes."""


@contextmanager
def _operation(key: Any, begin: Any) -> Generator[Any, None, None]:
    """One signature or verification by a key, under the usual id."""
    crypto = library()
    with_key, operation = crypto.EVP_PKEY_CTX_new(key, None), crypto.EVP_MD_CTX_new()
    try:
        if crypto.EVP_PKEY_CTX_set1_id(with_key, ID, len(ID)) != 1:
            raise NotSm2("the key takes no id")
        crypto.EVP_MD_CTX_set_pkey_ctx(operation, with_key)
        if begin(operation, None, crypto.EVP_sm3(), None, key) != 1:
            raise NotSm2("the key is not one for SM3")
        yield operation
    finally:
        crypto.EVP_MD_CTX_free(operation)
        crypto.EVP_PKEY_CTX_free(with_key)


@contextmanager
def _loaded(function: str, encoded: bytes) -> Generator[Any, None, None]:
    crypto = library()
    start = ctypes.c_char_p(encoded)
    key = getattr(crypto, function)(None, ctypes.byref(start), len(encoded))
    try:
        if not key or crypto.EVP_PKEY_is_a(key, b"SM2") != 1:
            raise NotSm2("not a key of SM2")
        yield key
    finally:
        crypto.EVP_PKEY_free(key)


def _public(key: bytes) -> Any:
    return _loaded("d2i_PUBKEY", key)


def _private(key: bytes) -> Any:
    return _loaded("d2i_AutoPrivateKey", key)
