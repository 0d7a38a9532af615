"""An officer's own signature counts for the very act that carries it, and for no other (Art. 19, 20)."""

import base64
from datetime import date, datetime
from typing import Any

import pytest

from contracts.department_worker import ItemApproved, ItemDecided
from contracts.parts import Actor
from contracts.terms import Outcome
from evidence.certificates import Certificate, NotTrusted, Purpose, Reason
from evidence.step_up import NotOwn, SignedAct, hold
from evidence.testing import NOW, YEAR, Authority
from evidence.testing_acts import own_signature, signed
from evidence.testing_documents import Signer
from local.samples import sample

ISSUER = Authority("签发机构", Authority())
OFFICER, OTHER = (Signer(ISSUER, name, Purpose.LOGIN) for name in ("王建国", "李爱华"))
DECIDED = sample(ItemDecided).model_copy(update={"document_dated_on": date(2026, 5, 1), "opinion": "同意\n“准予”"})
APPROVED = sample(ItemApproved)
SIGNED = signed(DECIDED, OFFICER)
OWN = SIGNED.own_signature
assert OWN is not None


def anybody(certificate: Certificate, at: datetime) -> None:
    """Everybody is trusted, at the instant of the signature."""
    assert at == NOW


def but(act: Any, **changes: Any) -> SignedAct:
    return act.model_copy(update=changes)


def carrying(**changes: Any) -> SignedAct:
    """The decision with another signature in it, by which it is named."""
    own = OWN.model_copy(update=changes)
    return but(SIGNED, own_signature=own, signature=own.digest)


@pytest.mark.parametrize("act", [DECIDED, APPROVED], ids=["decided", "approved"])
def test_an_act_that_its_officer_signed_is_its_own(act: Any) -> None:
    hold(signed(act, OFFICER), anybody)


WRONG: dict[str, SignedAct] = {
    "without a signature": but(SIGNED, own_signature=None),
    "named by another digest": but(SIGNED, signature=signed(APPROVED, OFFICER).signature),
    "named by none": but(SIGNED, signature=None),
    "of another item": but(SIGNED, item_id=sample(ItemApproved).event_id),
    "of another decision": but(SIGNED, outcome=Outcome.REFUSED),
    "in other words": but(SIGNED, opinion="不同意"),
    "of another date": but(SIGNED, document_dated_on=date(2026, 5, 2)),
    "without its date": but(SIGNED, document_dated_on=None),
    "by somebody else": but(SIGNED, actor=Actor(holder="李爱华", certificate=OTHER.certificate.serial)),
    "of an approval": signed(DECIDED, OFFICER, own_signature(but(APPROVED, item_id=DECIDED.item_id), OFFICER)),
    "of another step": signed(DECIDED, OFFICER, own_signature(DECIDED, OFFICER, step="APPROVE")),
    "asked with another decision": signed(DECIDED, OFFICER, own_signature(DECIDED, OFFICER, outcome="REFUSED")),
    "asked for something else": carrying(asked=OWN.asked.replace("准予", "不予")),
    "with one fact more": signed(DECIDED, OFFICER, own_signature(DECIDED, OFFICER, facts={"also": "this"})),
    "with another key": signed(DECIDED, OFFICER, own_signature(DECIDED, OTHER)),
    "with another certificate": carrying(certificate_der=base64.b64encode(OTHER.certificate.der).decode()),
    "with another text": carrying(text=OWN.text.replace("nonce", "nonse")),
    "no text of an act": carrying(text=OWN.text.replace("lianshen-act", "lianshen-login")),
    "too short a text": carrying(text="lianshen-act:1.0"),
    "a fact twice": carrying(text=OWN.text.replace("step:", "item:")),
    "asked as no JSON": carrying(asked="{"),
    "asked as a list": carrying(asked="[]"),
    "by an algorithm of nobody": carrying(algorithm="none"),
    "by another algorithm": carrying(algorithm="RS256"),
    "with half a signature": carrying(signature=OWN.signature[:44]),
    "with a signature that is no Base64": but(SIGNED, own_signature=OWN.model_copy(update={"signature": "AAAAA"})),
    "with a certificate that is no Base64": carrying(certificate_der="AAAAA"),
}


@pytest.mark.parametrize("act", WRONG.values(), ids=WRONG)
def test_any_other_is_not(act: SignedAct) -> None:
    with pytest.raises(NotOwn):
        hold(act, anybody)


def test_whom_nobody_trusts_is_said_so() -> None:
    def nobody(certificate: Certificate, at: datetime) -> None:
        raise NotTrusted(Reason.REVOKED, certificate.serial)

    with pytest.raises(NotTrusted, match="REVOKED"):
        hold(SIGNED, nobody)
    with pytest.raises(NotTrusted, match="MALFORMED"):
        hold(carrying(certificate_der=base64.b64encode(b"no certificate").decode()), anybody)
    asked_at = NOW - YEAR
    late = signed(DECIDED, OFFICER, own_signature(DECIDED, OFFICER, at=asked_at))
    seen: list[datetime] = []
    hold(late, lambda _, at: seen.append(at))
    assert seen == [asked_at]
