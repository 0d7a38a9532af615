"""What a process of the workshop does: print a document, put its signature in. Only such a process imports this: what
prints and what knows PDF takes as much memory as all the rest of the service.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from department_worker import sealing
from department_worker.documents import Facts, NotAsSealed, Prepared
from department_worker.fonts import Fonts
from department_worker.printing import Printer
from evidence import documents, trust
from evidence.certificates import Certificate
from evidence.documents import Finding
from evidence.long_term import Evidence
from evidence.revocation import Revocations


def prepare(facts: Facts, evidence: Evidence, fonts: Path, is_test: bool) -> Prepared:
    """Print, draw the seal, put in the evidence."""
    picture = _picture(fonts, facts.authority, is_test)
    return sealing.prepared(_printer(fonts).document(facts), picture, facts.authority, facts.dated, evidence)


def finish(pdf: bytes, signature: bytes, trust_folder: Path) -> bytes:
    """Put the signature in, and let no document out that is not VALID. Raises NotAsSealed."""
    sealed = sealing.sealed(pdf, signature)
    verdict = documents.judge(sealed, trust.load(trust_folder), AskedBySigning())
    if verdict.finding is not Finding.VALID:
        raise NotAsSealed(f"{verdict.finding}: {verdict.detail}")
    return sealed


class AskedBySigning(Revocations):
    """Whether the certificate was revoked is not asked again: signing asked when it sealed."""

    def check(self, certificate: Certificate, issuer: Certificate, at: datetime, grace: timedelta) -> None: ...


@lru_cache(1)
def _printer(fonts: Path) -> Printer:
    return Printer(Fonts(fonts))


@lru_cache(256)
def _picture(fonts: Path, authority: str, is_test: bool) -> bytes:
    return _printer(fonts).seal(authority, is_test=is_test)
