"""The token pulled out: signing is not ready but alive, requests wait, nothing is lost, nothing is sealed twice."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.envelope import derived_id
from contracts.signing import SealCompleted
from contracts.terms import ItemStep, Outcome, ProcessType, Stage
from evidence import seals, trust
from evidence.certificates import Purpose
from local.authority import SEALS
from local.builder import People, eventually
from local.suite import Suite, is_ready

CODE: Final = "2018-210281-47-03-000420"
APPLICATION: Final = str(derived_id("application", CODE, 1))
STEPS: Final = (ItemStep.ACCEPT, ItemStep.REVIEW, ItemStep.APPROVE, ItemStep.CONCLUDE)


@contextmanager
def pulled_out(suite: Suite) -> Iterator[Callable[[], None]]:
    """Without the token; what is yielded puts it back."""
    here, away = suite.folder / "authority" / "seals" / "tokens", suite.folder / "authority" / "away"
    here.rename(away)
    here.mkdir()

    def put_back() -> None:
        if away.exists():
            _emptied(here).rmdir()
            away.rename(here)

    try:
        yield put_back
    finally:
        put_back()


def _emptied(folder: Path) -> Path:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return folder


def item(people: People, item_code: str) -> dict[str, Any]:
    return next(one for one in people.progress(APPLICATION)["items"] if one["item_code"] == item_code)


def officer(people: People, held: dict[str, Any]) -> dict[str, str]:
    """What the item's officer comes with; a token that was made for it serves for most of a minute."""
    return people.header("officer", jurisdiction=held["jurisdiction"], department=held["department"])


def decided(people: People, item_code: str) -> dict[str, Any]:
    """An item taken to its decision by its officer; its seal is asked for."""
    held = item(people, item_code)
    for step in STEPS:
        body = {"step": step.value, "opinion": "无意见"}
        body |= {"outcome": Outcome.GRANTED.value} if step is ItemStep.CONCLUDE else {}
        people.step(held["item_id"], body, officer(people, held)).raise_for_status()
    return held


def state(people: People, item_code: str) -> str:
    items = people.progress(APPLICATION)["items"]
    return next((one["state"] for one in items if one["item_code"] == item_code), "")


def test_requests_wait_for_a_token_that_is_pulled_out_and_each_is_sealed_once(suite: Suite) -> None:
    people = People(suite)
    people.push(CODE, ProcessType.SOCIAL_SMALL).raise_for_status()
    people.declare(CODE, Stage.LAND_USE, people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)).raise_for_status()
    ready = ("S1-09", "S1-10")
    for code in ready:
        eventually(lambda code=code: state(people, code), lambda held: held == "RECEIVED")

    signing = suite.process("signing")
    pid = signing.pid
    for code in ready:
        officer(people, item(people, code))
    with pulled_out(suite) as put_back:
        eventually(lambda: is_ready(signing.url), lambda ready: not ready)
        assert _is_live(signing.url)
        for code in ready:
            decided(people, code)
            eventually(lambda code=code: state(people, code), lambda held: held == "SEALING")
        assert not is_ready(signing.url)
        put_back()
        signing.wait_ready()
    assert signing.pid == pid
    for code in ready:
        eventually(lambda code=code: state(people, code), lambda held: held == "CONCLUDED")
    story = eventually(
        lambda: people.supervise(f"/projects/{CODE}/timeline"),
        lambda told: Counter(one["type"] for one in told)["ItemConcluded"] == len(ready),
    )
    sealed = Counter(one["event"]["item_code"] for one in story if one["type"] == "SealCompleted")
    assert sealed == Counter(ready)
    for one in story:
        if one["type"] == "SealCompleted":
            hold(suite, SealCompleted.model_validate_json(json.dumps(one["event"])))


def hold(suite: Suite, seal: SealCompleted) -> None:
    """The seal is a listed issuer's, named by its serial, and proves the document to whoever has the trust folder."""
    assert suite.authority
    held = (suite.authority.token(file.name, SEALS).certificate for file in suite.authority.pins(SEALS).iterdir())
    certificate = next(one for one in held if one.serial == seal.certificate)
    listed = trust.load(suite.authority.trust)
    assert listed.hold(certificate, Purpose.SEAL, seal.signed_at, listed.revocations())
    key = certificate.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    seals.hold(seal, bytes.fromhex(seal.digest), seals.Signer(certificate.serial, key))


def _is_live(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
