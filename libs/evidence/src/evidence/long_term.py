"""What a sealed document brings with it so that it can be judged when its authority is long silent (PAdES B-LT).

The revocation lists that were at hand stand in the document security store of the very revision that is signed, so
nothing is added after the seal. Each is signed by its issuer and vouches for itself wherever in the file it stands: it
is found by its bytes, and no PDF has to be understood for it. It counts only where whoever judges has nothing fresh of
his own; what he knows of a revocation comes first.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from evidence.certificates import Certificate, NotTrusted, Reason
from evidence.revocation import Revocations, parse_list
from evidence.trust import TrustList

MOST: Final = 16
"""Things in one file that look like lists; more are not looked at."""
LARGEST: Final = 256 * 1024
"""Bytes of one list that a document carries."""
BEGINS: Final = re.compile(rb"\bstream\r?\n(?=\x30[\x81-\x83])")


class Evidence(NamedTuple):
    """What is put into a document: certificates of authorities, and their revocation lists (each DER)."""

    certificates: tuple[bytes, ...] = ()
    lists: tuple[bytes, ...] = ()


NONE_AT_HAND: Final = Evidence()
AT_ITS_END: Final = timedelta()
"""What a file carries was current when it was sealed: nobody bears with it for longer."""


@dataclass(frozen=True, slots=True)
class Backed(Revocations):
    """What is `known` of revocation and, where that has nothing fresh to say, what the file `carries`."""

    known: Revocations = field(default_factory=Revocations)
    carries: Revocations = field(default_factory=Revocations)

    def check(self, certificate: Certificate, issuer: Certificate, at: datetime, grace: timedelta) -> None:
        try:
            self.known.check(certificate, issuer, at, grace)
        except NotTrusted as doubt:
            if doubt.reason is not Reason.REVOCATION_STALE:
                raise
            self.carries.check(certificate, issuer, at, AT_ITS_END)


def carried(pdf: bytes, trust: TrustList) -> Revocations:
    """Return what the lists in a file say, as far as listed issuers signed them; never raises. Only of a file whose
    signature covers all of it may this be asked."""
    held = Revocations()
    for der in _candidates(pdf):
        for issuer in trust.issuers.values():
            with suppress(NotTrusted):
                held = held.with_list(parse_list(der, issuer.certificate))
    return held


def _candidates(pdf: bytes) -> Iterator[bytes]:
    """Return what stands at the beginning of a stream as a DER sequence."""
    for count, found in enumerate(BEGINS.finditer(pdf)):
        if count == MOST:
            return
        size = pdf[found.end() + 1] - 0x80
        end = found.end() + 2 + size + int.from_bytes(pdf[found.end() + 2 : found.end() + 2 + size])
        if end - found.end() <= LARGEST:
            yield pdf[found.end() : end]
