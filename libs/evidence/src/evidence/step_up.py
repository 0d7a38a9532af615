"""An act signed by the officer's own key: a fresh signature over what is done, so that Art. 20 can be proved.

What is signed is a text that a person can read: one line a fact, the origin first, the nonce last. The act's event
carries it with the certificate and the signature: whoever has the event can show years later who did it, without the
platform.
"""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from contracts.department_worker import ItemApproved, ItemDecided
from contracts.parts import OwnSignature
from contracts.terms import ItemStep
from evidence.certificates import Certificate, Purpose, parse
from evidence.login import ALGORITHMS, Fault, NotProved, Token, from_der, has_signed
from evidence.revocation import Revocations
from evidence.trust import TrustList

HEAD: Final = "lianshen-act:1.0"
SignedAct = ItemApproved | ItemDecided
STEPS: Final[Mapping[type[SignedAct], ItemStep]] = {ItemApproved: ItemStep.APPROVE, ItemDecided: ItemStep.CONCLUDE}


class NotOwn(Exception):
    """The signature that an act carries is not its officer's over this act; the message is for an expert."""


def facts(item_id: UUID, step: ItemStep, decision: str, asked: str) -> dict[str, str]:
    """Return what is signed of a step: `asked` is the whole request as JSON, without the signature."""
    digest = sha256(asked.encode()).hexdigest()
    return {"item": str(item_id), "step": step.value, "decision": decision, "digest": digest}


def text(origin: str, nonce: str, facts: Mapping[str, str]) -> str:
    """Return what is signed. A fact with a line break, which could pass for another fact, is refused (ValueError)."""
    lines = [HEAD, f"origin: {origin}", *(f"{name}: {facts[name]}" for name in sorted(facts)), f"nonce: {nonce}"]
    if any("\n" in line or "\r" in line for line in lines):
        raise ValueError("a fact that is signed stands in one line")
    return "\n".join(lines)


def make(certificate: Certificate, signed: str, sign: Callable[[bytes], bytes]) -> dict[str, str]:
    """Return the signature of whoever holds `certificate` over `signed`; `sign` gives ECDSA with SHA-256 in DER."""
    algorithm = next(name for name, kind in ALGORITHMS.items() if kind == certificate.algorithm)
    made = sign(signed.encode())
    return {
        "algorithm": algorithm,
        "certificate": base64.b64encode(certificate.der).decode(),
        "signature": base64.b64encode(from_der(made) if algorithm == "ES256" else made).decode(),
    }


def prove(
    signed: str,
    algorithm: str,
    certificate: bytes,
    signature: bytes,
    trust: TrustList,
    revocations: Revocations,
    at: datetime,
) -> Certificate:
    """Return the certificate (given as DER) whose holder signed the text at `at`.

    Raises NotTrusted (certificate) or NotProved (WRONG_SIGNATURE: another key or another text).
    """
    held = parse(certificate)
    trust.hold(held, Purpose.LOGIN, at, revocations)
    if algorithm not in ALGORITHMS or not has_signed(Token(algorithm, held, signature), signed.encode()):
        raise NotProved(Fault.WRONG_SIGNATURE, held.serial)
    return held


def hold(act: SignedAct, holds: Callable[[Certificate, datetime], object]) -> None:
    """Hold the own signature that an act carries to the act: its item, step, decision and words, and who did it.

    `holds` raises NotTrusted for a certificate that nobody logs in with at an instant. Raises NotOwn for all else.
    """
    own = act.own_signature
    if own is None:
        raise NotOwn("the act carries no signature")
    try:
        _hold_words(act, own)
        held = parse(base64.b64decode(own.certificate_der, validate=True))
        token = Token(own.algorithm, held, base64.b64decode(own.signature, validate=True))
        is_signed = own.algorithm in ALGORITHMS and has_signed(token, own.text.encode())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as trouble:
        raise NotOwn(f"a signature that cannot be read: {trouble!r}"[:200]) from trouble
    holds(held, own.signed_at)
    if held.serial != act.actor.certificate or not is_signed:
        raise NotOwn("it is not by the key of whoever acted")


def _hold_words(act: SignedAct, own: OwnSignature) -> None:
    """Hold what was signed to what the act says: the text names the request by its digest, the request has the
    words."""
    if own.digest != act.signature:
        raise NotOwn("the act names another signature than the one it carries")
    decided = act if isinstance(act, ItemDecided) else None
    decision = "" if decided is None else decided.outcome.value
    if _told(own.text) != facts(act.item_id, STEPS[type(act)], decision, own.asked):
        raise NotOwn("what was signed is about something else")
    asked: Any = json.loads(own.asked)
    dated = None if decided is None or decided.document_dated_on is None else decided.document_dated_on.isoformat()
    said = {"step": STEPS[type(act)].value, "outcome": decision or None, "opinion": act.opinion}
    if asked | said | {"document_dated_on": dated} != asked:
        raise NotOwn("what was asked is not what was done")


def _told(signed: str) -> dict[str, str]:
    """Return the facts in a text that was signed. Raises ValueError."""
    head, _, *lines, _ = signed.split("\n")
    told = dict(line.split(": ", 1) for line in lines)
    if head != HEAD or len(told) != len(lines):
        raise ValueError("not the text of an act")
    return told
